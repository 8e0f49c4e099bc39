"""``dbmate up`` as a deploy pipeline runs it: in a fresh clone, without an option."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.devserver.postgres import wheel_binaries
from tests.conftest import DEBIAN
from tests.support import ROOT, Server

pytestmark = pytest.mark.every_server


def run(folder: Path, *command: str | Path, **settings: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | settings, check=False,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What is in version control, with what is not committed yet."""
    listed = run(ROOT, "git", "ls-files", "-z", "--cached", "--", ".env", "db").split("\0")
    folder = tmp_path / "clone"
    for name in filter(None, listed):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    run(folder, *git, "init", "-q")
    run(folder, *git, "add", "--all")
    run(folder, *git, "commit", "-qm", "All")
    return folder


@pytest.mark.parametrize("programs", [wheel_binaries(), *DEBIAN.values()])
def test_checkout_is_clean_after_up_and_rollback(
    postgres: Server, empty: str, clone: Path, programs: Path
) -> None:
    """Whichever pg_dump there is: without .env dbmate lets it write db/schema.sql anew."""
    dbmate = Path(sys.executable).with_name("dbmate")
    path = os.pathsep.join((str(programs), os.environ["PATH"]))
    settings = {"DATABASE_URL": postgres.url(empty), "PATH": path}
    for command, done in (("up", "Applied"), ("rollback", "Rolled back"), ("up", "Applied")):
        assert done in run(clone, dbmate, command, **settings)
        assert run(clone, "git", "status", "--porcelain") == ""
    assert "Pending: 0" in run(clone, dbmate, "status", **settings)


def test_env_file_has_no_secret() -> None:
    lines = (ROOT / ".env").read_text().splitlines()
    given = [line for line in lines if line and not line.startswith("#")]
    assert given == ["DBMATE_NO_DUMP_SCHEMA=true"]
