"""The previous release's code and its own tests on the schema of this tree.

Previous is the last tag, or else the state before the newest migration came. Its files go to a
folder of their own and there get this tree's db/: the tests then make their databases with it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.migrations import files
from tests.migrations.conftest import EXTRA
from tests.support import ROOT, Server

# Code against schema: which server is of no account, and one run takes a minute.

REST_API = "tests/integration/test_rest_api.py"
CLIENTS = (REST_API, "tests/integration/test_rest_door.py", "tests/interop/test_postgrest_py.py")
"""What a client sees of a release; the second is the name that the first had before."""

INVARIANTS = "tests/integration/test_schema.py::test_second_user_with_an_email_is_refused"


def git(*arguments: str) -> str:
    """What git says, or nothing: a release need not be a clone."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, check=False, capture_output=True, text=True
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def previous() -> str | None:
    """The revision of the previous release, or None when there is none."""
    tag = git("describe", "--tags", "--abbrev=0", "HEAD^")
    newest = f"db/migrations/{files.load()[-1].name}"
    added = git("log", "-1", "--diff-filter=A", "--format=%H", "--", newest)
    # not committed yet: what is committed comes before it
    before = git("rev-parse", "--verify", "--quiet", f"{added}^" if added else "HEAD")
    return tag or before or None


def check_out(revision: str, folder: Path) -> Path:
    archive = folder.with_suffix(".tar")
    assert git("rev-parse", "--verify", revision)
    git("archive", "--output", str(archive), revision)
    shutil.unpack_archive(archive, folder, filter="data")
    return folder


def run_tests(tree: Path, url: str, *tests: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=tree, env=os.environ | {"DATABASE_URL": url}, check=False,
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip


def with_schema_of(tree: Path, folder: Path) -> Path:
    shutil.rmtree(tree / "db")
    shutil.copytree(folder.parent, tree / "db")
    return tree


def test_previous_release_works_on_this_schema(postgres: Server, tmp_path: Path) -> None:
    revision = previous()
    if revision is None:
        pytest.skip("no previous release: no tag, and nothing came before the newest migration")
    tree = check_out(revision, tmp_path / "previous")
    tests = [test for test in CLIENTS if (tree / test).exists()]
    if not tests:
        pytest.skip(f"{revision[:12]}, the state before the newest migration, has no tests to run")
    done = run_tests(with_schema_of(tree, files.MIGRATIONS), postgres.url("postgres"), *tests)
    assert done.returncode == 0, done.stdout[-4000:]


def test_this_release_works_on_a_later_schema(
    postgres: Server, later: Path, tmp_path: Path
) -> None:
    """What is committed, on a schema with a column and an index more."""
    if not git("rev-parse", "HEAD"):
        pytest.skip("not a clone: no previous release to be had")
    tree = with_schema_of(check_out("HEAD", tmp_path / "now"), later)
    done = run_tests(tree, postgres.url("postgres"), REST_API, INVARIANTS)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "passed" in done.stdout


def test_schema_that_breaks_a_release_is_found(
    postgres: Server, folder: Path, tmp_path: Path
) -> None:
    """A column that is removed while the code still uses it."""
    if not git("rev-parse", "HEAD"):
        pytest.skip("not a clone: no previous release to be had")
    (folder / "20990101000000_remove_sessions_user_agent.sql").write_text(
        "-- migrate:up\nALTER TABLE sessions DROP COLUMN user_agent;\n-- migrate:down\n"
    )
    tree = with_schema_of(check_out("HEAD", tmp_path / "now"), folder)
    schema = "tests/integration/test_schema.py::test_structs_and_columns_match_the_catalogue"
    done = run_tests(tree, postgres.url("postgres"), schema)
    assert done.returncode == 1, done.stdout[-4000:]
    assert "user_agent" in done.stdout
    assert EXTRA.keys().isdisjoint(path.name for path in folder.iterdir())
