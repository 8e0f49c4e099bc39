"""Better Auth's own tests of the tables: its schema check, its migrator and its adapter tests.

They run on the head of the migrations: one that Better Auth cannot live with fails here.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from tests.interop.better_auth import PACKAGES, PAGE, environment, install, running_better_auth
from tests.support import ROOT, Server

ADAPTER = PACKAGES["1.7"]
PATIENCE = 300  # seconds: a bound for what hangs

Check = Callable[[], dict[str, Any]]


@pytest.fixture(params=PACKAGES)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def checked(node: Path, version: str, tmp_path: Path, database_url: str) -> Check:
    """Runs Better Auth's check and migrator on ``database_url``."""
    install(tmp_path, version)

    def check() -> dict[str, Any]:
        run = subprocess.run(
            [node, "schema.mjs"], cwd=tmp_path, env=environment(database_url, tmp_path),
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        return msgspec.json.decode(run.stdout)

    return check


def test_migrator_and_check_find_nothing_to_do(checked: Check, version: str) -> None:
    found = checked()
    assert found["sql"] == ";"
    assert {"toBeCreated", "toBeAdded"} <= set(found["plan"])
    assert version != "1.7" or "schemaProblems" in found["plan"]
    assert not any(found["plan"].values()), found["plan"]
    assert found["answer"] == 200


@pytest.mark.parametrize(
    "column",
    ["plan text", "plan text NOT NULL DEFAULT ''", "plan text GENERATED ALWAYS AS (email) STORED"],
)
def test_extra_column_with_a_default_is_accepted(
    checked: Check, column: str, postgres: Server, database_url: str
) -> None:
    alter(postgres, database_url, f"ALTER TABLE users ADD COLUMN {column}")
    found = checked()
    assert not any(found["plan"].values()), found["plan"]
    assert found["answer"] == 200


@pytest.mark.parametrize("version", ["1.7"])
@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE users ADD COLUMN plan text NOT NULL",
        "ALTER TABLE accounts DROP COLUMN scope",
        "DROP TABLE verifications",
    ],
)
def test_check_finds_an_incompatible_schema(
    checked: Check, change: str, postgres: Server, database_url: str
) -> None:
    alter(postgres, database_url, change)
    assert checked()["answer"] == "SCHEMA_MISMATCH"


def test_migrator_finds_a_missing_column(
    checked: Check, postgres: Server, database_url: str
) -> None:
    alter(postgres, database_url, "ALTER TABLE accounts DROP COLUMN scope")
    found = checked()
    assert [change["table"] for change in found["plan"]["toBeAdded"]] == ["accounts"]


def test_server_of_the_page_refuses_a_required_column(
    node: Path, tmp_path: Path, postgres: Server, database_url: str
) -> None:
    alter(postgres, database_url, "ALTER TABLE users ADD COLUMN plan text NOT NULL")
    with (
        pytest.raises(AssertionError, match=r"(?s)SchemaMismatchError.*users\.plan"),
        running_better_auth(node, tmp_path, "1.7", database_url),
    ):
        pass


def alter(postgres: Server, database_url: str, sql: str) -> None:
    postgres.sql(sql, urlsplit(database_url).path[1:])


def test_page_explains_every_constraint() -> None:
    schema = (ROOT / "db" / "schema.sql").read_text()
    tables = "users|sessions|accounts|verifications|rate_limits"  # those that Better Auth knows
    there = set(re.findall(rf"CONSTRAINT ((?:{tables})_\w+) (?:CHECK|UNIQUE)", schema))
    finite = {name for name in there if name.endswith("_times_finite")}
    assert len(finite) == 4
    section = PAGE.read_text().partition("## Constraints")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(listed))) - {"set_row_times"}
    assert named == there - finite


def test_adapter_tests_pass(
    node: Path, postgres: Server, template: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(tmp_path, "1.7")
    report = tmp_path / "report.json"
    with postgres.database() as name:
        run = subprocess.run(
            [node, ADAPTER / "node_modules" / "vitest" / "vitest.mjs", "run",
             "--reporter=json", f"--outputFile={report}"],
            cwd=ADAPTER,
            env=environment(postgres.url(name), tmp_path) | {
                "GATEPOST_ADMIN_URL": postgres.url("postgres"),
                "GATEPOST_AUTH": str(tmp_path / "auth.mjs"),
                "GATEPOST_TEMPLATE": template,
            },
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert report.exists(), run.stdout + run.stderr
    tests = [
        (title(test["title"]), test["status"])
        for file in msgspec.json.decode(report.read_bytes())["testResults"]
        for test in file["assertionResults"]
    ]
    listed = msgspec.json.decode((ADAPTER / "cannot-pass.json").read_bytes())
    failed = [name for name, status in tests if status != "passed"]
    with capsys.disabled():
        sys.stdout.write(f" [{len(tests) - len(failed)} of {len(tests)} adapter tests pass] ")
    # a stale entry of the list is a difference too
    assert sorted(failed) == sorted(name for names in listed.values() for name in names)
    assert len(tests) >= 347


def title(text: str) -> str:
    """A test's name without colours."""
    return re.sub(r"\x1b\[\d+m", "", text).replace("─", "-")
