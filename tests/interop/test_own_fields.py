"""docs/how-to/own-fields.md, followed step by step in a scratch folder, files as printed."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.migrations.test_doctor import role
from tests.support import KEYS, ROOT, SECRET, Server, environment, running_service

# code against code: which server is of no account

PAGE = (ROOT / "docs" / "how-to" / "own-fields.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", PAGE)


class Project:
    """A folder of an application, its database, and the role of the service in it."""

    def __init__(self, folder: Path, owner: str, service: str) -> None:
        self.folder = folder
        self.owner = owner
        self.service = service
        self.settings: dict[str, str] = {}

    def gatepost(self, *arguments: str, url: str | None = None, code: int = 0) -> str:
        given = environment(url or self.owner) | {"DATABASE_DIRECT_URL": self.owner}
        done = subprocess.run(
            [sys.executable, "-m", "app.cli", *arguments],
            cwd=self.folder, env=given | {"PYTHONPATH": str(ROOT)} | self.settings,
            check=False, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == code, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def shell(self, block: str) -> None:
        """Run the lines of a block, as they are printed."""
        for line in block.splitlines():
            word, *rest = line.split()
            if word == "gatepost":
                self.gatepost(*rest)
            elif word == "export":
                name, _, value = rest[0].partition("=")
                self.settings[name] = str(self.folder / value)
            else:
                subprocess.run([word, *rest], cwd=self.folder, check=True)

    def doctor(self, code: int = 0) -> dict[str, tuple[str, str]]:
        found = json.loads(self.gatepost("doctor", "--json", url=self.service, code=code))
        return {each["check"]: (each["level"], each["text"]) for each in found}

    def run(self, *command: str | Path, **settings: str) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=os.environ | settings,
            check=False, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout.strip()


@pytest.fixture
def project(postgres: Server, database_url: str, tmp_path: Path) -> Iterator[Project]:
    folder = tmp_path / "project"
    folder.mkdir()
    with role(postgres, urlsplit(database_url).path[1:]) as service:
        yield Project(folder, database_url, service)


def test_page_is_followed(project: Project, postgres: Server, node: Path, tmp_path: Path) -> None:
    make, lock, export, migrate = blocks("sh")
    migration, grant = blocks("sql")
    project.shell(make)
    (path,) = (project.folder / "db" / "migrations").iterdir()
    path.write_text(migration)
    project.shell(lock)
    (project.folder / "gatepost.toml").write_text(*blocks("toml"))
    project.shell(export)
    assert project.doctor(code=7)["own schema"][0] == "fail"
    project.shell(migrate)
    level, text = project.doctor(code=7)["privileges"]
    name = urlsplit(project.service).username or ""
    said = grant.strip().removesuffix(";").replace("gatepost_service", f'"{name}"')
    assert (level, text.endswith(said)) == ("fail", True), text
    postgres.sql(grant.replace("gatepost_service", name), urlsplit(project.owner).path[1:])
    assert {level for level, _ in project.doctor().values()} <= {"ok", "warn"}

    (project.folder / "node_modules").symlink_to(ROOT / "tests/interop/auth/node/node_modules")
    (project.folder / "sign_up.mjs").write_text(*blocks("js"))
    (project.folder / "invoices.py").write_text(*blocks("python"))
    settings = project.settings | {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": "http://gatepost.test",
        "GATEPOST_TRUSTED_ORIGINS": "http://127.0.0.1:*",  # whatever the port is
    }
    with running_service(project.service, tmp_path / "log", **settings) as service:
        assert f"`{project.run(node, 'sign_up.mjs', AUTH_URL=service.url)}`" in PAGE
        rest = {"REST_URL": service.rest, "KEY": KEYS["backend"]}
        assert f"`{project.run(sys.executable, 'invoices.py', **rest)}`" in PAGE

    project.gatepost("migrate", "--down")
    columns = "SELECT count(*) FROM information_schema.columns WHERE column_name LIKE 'acme%'"
    assert postgres.sql(columns, urlsplit(project.owner).path[1:]) == "0"
