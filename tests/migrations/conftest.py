"""Databases without a schema, folders of migrations, and ``gatepost migrate`` as a process."""

import asyncio
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.devserver.postgres import wheel_binaries
from app.migrations import dbmate, files, runner
from app.migrations.runner import LockOptions, Report
from tests.support import ROOT, Server

EXTRA = {
    "20990101000000_add_users_nickname.sql": """\
-- migrate:up
ALTER TABLE users ADD COLUMN nickname text;
COMMENT ON COLUMN users.nickname IS 'Short name. Written by the user.';
-- migrate:down
ALTER TABLE users DROP COLUMN nickname;
""",
    "20990101000100_index_users_nickname.sql": """\
-- migrate:up transaction:false
CREATE INDEX CONCURRENTLY users_nickname_idx ON users (nickname);
-- migrate:down transaction:false
DROP INDEX CONCURRENTLY users_nickname_idx;
""",
}
"""Migrations of a later release: a column, and an index that is built while the service runs."""

NICKNAME, INDEX = (name[:14] for name in EXTRA)

Gatepost = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of db/migrations with its lock file, to be changed at will."""
    copy = tmp_path / "db" / "migrations"
    shutil.copytree(files.MIGRATIONS, copy)
    shutil.copy(files.lock_file(), files.lock_file(copy))
    return copy


@pytest.fixture
def later(folder: Path) -> Path:
    """The same with the two migrations of a later release."""
    for name, text in EXTRA.items():
        (folder / name).write_text(text)
    files.write_lock_file(folder)
    return folder


@pytest.fixture
def empty(postgres: Server) -> Iterator[str]:
    """The name of a database with nothing in it."""
    with postgres.database() as name:
        yield name


@pytest.fixture
def missing(postgres: Server) -> Iterator[str]:
    """The name of a database that is not there; dropped if the test makes it."""
    name = f"gatepost_{secrets.token_hex(8)}"
    yield name
    postgres.drop(name)


def start(url: str, *arguments: object) -> subprocess.Popen[str]:
    """Begin a ``gatepost`` command."""
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", *map(str, arguments)],
        cwd=ROOT, env=os.environ | {"DATABASE_URL": url}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def gatepost(url: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a ``gatepost`` command to its end."""
    process = start(url, *arguments)
    stdout, stderr = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def migrate(
    url: str,
    *,
    folder: Path = files.MIGRATIONS,
    to: str | None = None,
    down: bool = False,
    options: LockOptions = LockOptions(),
    report: Report = lambda _: None,
) -> None:
    """``gatepost migrate`` within this process, outside of any event loop."""
    asyncio.run(
        runner.migrate(url, folder=folder, to=to, down=down, options=options, report=report)
    )


def dump(url: str, path: Path) -> str:
    """The schema as dbmate dumps it, in the form that ``plain`` gives."""
    asyncio.run(dbmate.dump(url, path, programs=wheel_binaries()))
    return plain(path.read_text())


COLUMN_OPTIONS = re.compile(r"(ALTER TABLE .* ALTER COLUMN .* SET) \(([^()]*)\);")


def plain(schema: str) -> str:
    """What a dump says about the schema.

    Without comments, psql's backslash lines, and the options that a server writes to its own
    columns: PostgreSQL 15.20 puts the place in the log where a column was last changed into
    ``pg_attver``. Names that begin with pg_ are the server's; n_distinct and the like stay.
    """
    return "\n".join(filter(str.strip, map(_plain, schema.splitlines())))


def _plain(line: str) -> str:
    if line.startswith(("--", "\\")):
        return ""
    if found := COLUMN_OPTIONS.fullmatch(line):
        options = [o for o in found[2].split(", ") if not o.startswith("pg_")]
        return f"{found[1]} ({', '.join(options)});" if options else ""
    return line
