"""``gatepost migrate``: migrates a database that a service, and other deployments, are using.

dbmate applies each file and rolls it back. This module adds what a deployment needs: one migration
at a time, a limit on lock waits, retries, and a check of the files.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from ..database import Connection, connect, primary
from ..errors import (
    DatabaseError,
    DatabaseMissingError,
    DatabaseUnavailableError,
    DbmateError,
    MigrationError,
    MigrationFilesError,
    MigrationLockedError,
    SettingsError,
    StatementError,
)
from ..redaction import redacted_url, without_password
from ..statements import migrations as statements
from . import dbmate
from .files import MIGRATIONS, Migration, check_applied, load_verified

Report = Callable[[str], None]

_LOCK_KEY: Final = int.from_bytes(b"gatepost", "big")
_LOCK_NOT_AVAILABLE: Final = "55P03"
_DEADLOCK: Final = "40P01"
# the second one when two sessions create the database at the same time
_DUPLICATE_DATABASE: Final = ("42P04", "23505")
_DROP_INDEX_TIMEOUT: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class LockOptions:
    """How long a deployment waits for locks, in seconds."""

    wait: float = 300.0
    """For another migration of the same database to end."""
    lock_timeout: float = 2.0
    """For a table lock, per attempt: every query on the table queues behind the migration."""
    attempts: int = 10
    max_pause: float = 5.0
    """Between two attempts, in which the queued queries run."""
    build_timeout: float = 3600.0
    """For the transactions that a concurrent index build waits for: no query queues behind it."""


@dataclass(frozen=True)
class Status:
    """The migration files, and the versions applied to a database."""

    migrations: Sequence[Migration]
    applied: frozenset[str]

    @property
    def pending(self) -> list[Migration]:
        return [m for m in self.migrations if m.version not in self.applied]

    @property
    def ahead(self) -> list[str]:
        """Versions that this code does not know: a newer release applied them."""
        return sorted(self.applied - {migration.version for migration in self.migrations})


async def status(url: str, *, folder: Path = MIGRATIONS, own: Sequence[Path] = ()) -> Status:
    """What is applied and pending, of the application's own folders too.

    Raises MigrationFilesError and DatabaseError.
    """
    migrations = load_verified(folder, own)
    try:
        async with _connection(url) as connection:
            applied = await _applied_versions(connection)
    except DatabaseMissingError:
        applied = frozenset()
    check_applied(migrations, applied)
    return Status(migrations, applied)


def plan(state: Status, *, to: str | None = None, down: bool = False) -> list[Migration]:
    """The migrations to run, in order: up to ``to``, or down until ``to`` is the newest.

    Without ``to``: everything pending, or on the way down only the newest.
    Raises MigrationFilesError on the way down from versions that this code does not know.
    """
    if not down:
        return [m for m in state.pending if to is None or m.version <= to]
    if state.ahead:
        raise MigrationFilesError(
            f"{state.ahead[-1]}: only the release that has its file can take it back"
        )
    applied = [m for m in reversed(state.migrations) if m.version in state.applied]
    return applied[:1] if to is None else [m for m in applied if m.version > to]


async def migrate(
    url: str,
    *,
    folder: Path = MIGRATIONS,
    own: Sequence[Path] = (),
    to: str | None = None,
    down: bool = False,
    options: LockOptions = LockOptions(),
    report: Report = lambda _: None,
) -> None:
    """Apply what is pending, or roll back what is applied, one file at a time.

    ``own`` are folders of the application's, whose files are one order with ``folder``'s.
    Creates the database if it does not exist. Of several that run at once, one works; the others
    wait and find nothing left to do. ``report`` receives a line for each step.

    Raises MigrationFilesError, MigrationLockedError, MigrationError, DatabaseUnavailableError, and
    SettingsError when ``url`` leads to a pooler.
    """
    migrations = load_verified(folder, own)
    url = await primary(url)
    async with _exclusive_connection(url, options, report) as connection:
        state = Status(migrations, await _applied_versions(connection))
        check_applied(migrations, state.applied)
        if state.ahead:
            report(f"The database is ahead of this code by {', '.join(state.ahead)}: left as it is")
        steps = plan(state, to=to, down=down)
        run = _Run(connection, url, down, options, report)
        for number, migration in enumerate(steps, 1):
            action = "Taking back" if down else "Applying"
            report(f"{number}/{len(steps)}  {action} {migration.name}")
            started = time.monotonic()
            await run.file(migration)
            report(f"     done in {time.monotonic() - started:.2f} s")
        report("Done" if steps else "Nothing to do")


@asynccontextmanager
async def _exclusive_connection(
    url: str, options: LockOptions, report: Report
) -> AsyncIterator[Connection]:
    """A connection that holds the advisory lock of migrations on this database.

    The lock is polled for: a session that waits inside ``pg_advisory_lock`` has a statement under
    way, and CREATE INDEX CONCURRENTLY in the holder waits for that to end: a deadlock. The lock
    ends with the session, however this process ends.
    """
    deadline = time.monotonic() + options.wait
    await _create_database(url)
    async with _connection(url) as connection:
        if not await connection.is_direct():
            raise SettingsError(
                f"{redacted_url(url)} is a pooler: migrations need the server's own address in "
                "DATABASE_DIRECT_URL"
            )
        waiting = False
        while not await connection.fetchval(statements.try_lock, _LOCK_KEY):
            if time.monotonic() > deadline:
                raise MigrationLockedError(f"another migration has not ended in {options.wait:g} s")
            if not waiting:
                report("Waiting for another migration to end")
                waiting = True
            await asyncio.sleep(random.uniform(0.1, 0.4))  # noqa: S311
        yield connection


async def _create_database(url: str) -> None:
    """Create the database unless it exists; another process may do the same at the same time."""
    try:
        async with _connection(url):
            return
    except DatabaseMissingError:
        try:
            await dbmate.run(url, "create")
        except DbmateError as error:
            if error.sqlstate not in _DUPLICATE_DATABASE:
                raise DatabaseUnavailableError(str(error)) from None


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[Connection]:
    """A connection that survives being idle for as long as a migration takes."""
    try:
        async with connect(url, idle_session_timeout="0", tcp_keepalives_idle="60") as connection:
            yield connection
    except DatabaseMissingError:
        raise
    except DatabaseUnavailableError as error:
        reason = without_password(str(error), url)
        if "startup parameter" in reason:
            reason += ": is this a pooler? Give the server's own address in DATABASE_DIRECT_URL"
        raise DatabaseUnavailableError(
            f"the database at {redacted_url(url)}: {reason}", error.advice
        ) from None


async def _applied_versions(connection: Connection) -> frozenset[str]:
    try:
        return frozenset(await connection.fetchcol(statements.applied))
    except StatementError as error:
        if error.is_undefined_table:  # dbmate has not run on this database yet
            return frozenset()
        raise MigrationError(f"schema_migrations: {error}") from None


@dataclass(frozen=True)
class _Run:
    """Runs single files while ``connection`` holds the lock."""

    connection: Connection
    url: str
    down: bool
    options: LockOptions
    report: Report

    async def file(self, migration: Migration) -> None:
        """Run a file; try again when it could not get a lock."""
        # A concurrent build blocks no query while it waits, and starts over when it is stopped.
        concurrent = not migration.in_transaction
        timeout = self.options.build_timeout if concurrent else self.options.lock_timeout
        attempts = 1 if concurrent else self.options.attempts
        index = migration.concurrent_index(down=self.down)
        if index and await self.connection.fetchval(statements.relation_exists, index):
            index = None  # another session's
        for attempt in range(1, attempts + 1):
            try:
                await self._run_dbmate(migration, timeout)
                return
            except DbmateError as error:
                if (migration.version in await _applied_versions(self.connection)) is not self.down:
                    self.report("     another dbmate has done it in the meantime")
                    return
                if index:
                    await self._drop_if_abandoned(index)
                if error.sqlstate not in (_LOCK_NOT_AVAILABLE, _DEADLOCK):
                    raise MigrationError(str(error)) from None
                users = await self._table_users()
                if attempt == attempts:
                    raise MigrationLockedError(
                        f"{migration.name}: no lock in {attempts} attempts of {timeout:g} s{users}"
                    ) from None
                self.report(
                    f"     no lock within {timeout:g} s, attempt {attempt} of {attempts}{users}"
                )
            pause = min(self.options.max_pause, 2**attempt)
            await asyncio.sleep(random.uniform(0.2, 1) * pause)  # noqa: S311

    async def _run_dbmate(self, migration: Migration, lock_timeout: float) -> None:
        settings = {
            "lock_timeout": f"{lock_timeout * 1000:.0f}ms",
            "client_connection_check_interval": "1s",  # the server stops when dbmate is killed
        }
        command = "rollback" if self.down else "migrate"
        with _folder_of(migration) as folder:
            await dbmate.run(self.url, command, folder=folder, options=settings)

    async def _table_users(self) -> str:
        """Sessions that have been using tables for a while, as the end of a sentence."""
        rows = await self.connection.fetch(statements.table_users)
        return "".join(f"; {row['tables']} in use by {row['session']}" for row in rows)

    async def _drop_if_abandoned(self, index: str) -> None:
        """Drop what a failed concurrent build leaves: writes maintain it, no query uses it.

        Not while a session builds on the table: the drop would wait for it and then take the index
        that it has finished.
        """
        for name in await self.connection.fetchcol(statements.abandoned_index, index):
            drop = statements.drop_index(name)
            try:
                await self.connection.fetch(drop, timeout=_DROP_INDEX_TIMEOUT)
            except DatabaseError as error:
                self.report(
                    f"     an invalid index is left: DROP INDEX CONCURRENTLY {name} ({error})"
                )


@contextmanager
def _folder_of(migration: Migration) -> Iterator[Path]:
    """A folder with only this file, as it was when it was verified."""
    with TemporaryDirectory(prefix="gatepost-") as name:
        folder = Path(name)
        (folder / migration.name).write_bytes(migration.content)
        yield folder
