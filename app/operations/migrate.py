"""Migrating a database while others may be doing the same and a service is using it.

dbmate applies each file and takes it back; around it goes what a deploy needs: a turn of one's own,
a limit to the wait for locks, retries, and a refusal of files that are not what they were.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from app.database import DatabaseError, DatabaseMissingError, DatabaseUnavailableError, Direct
from app.operations.dbmate import DbmateError, dbmate, place, without_password
from app.operations.migrations import MIGRATIONS, Migration, RefusedError, check_applied, trusted

Say = Callable[[str], None]


class MigrationError(Exception):
    """A migration failed; what it began was rolled back."""


class BusyError(Exception):
    """A lock was not to be had in time; nothing was changed. Later it may work."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a deploy waits, in seconds."""

    turn: float = 300.0
    """For another migration of this database to end."""
    lock: float = 2.0
    """For a lock on a table, each time: whoever needs the table queues up behind the migration."""
    attempts: int = 10
    """How often a lock is tried for, with pauses of up to ``pause`` seconds in which others run."""
    pause: float = 5.0
    build: float = 3600.0
    """For the transactions that a concurrent index build waits for: nobody queues up behind it."""


@dataclass(frozen=True)
class Status:
    """The files, and the versions that a database has."""

    migrations: Sequence[Migration]
    applied: frozenset[str]

    @property
    def pending(self) -> list[Migration]:
        return [m for m in self.migrations if m.version not in self.applied]

    @property
    def ahead(self) -> list[str]:
        """Versions that this code does not know: a newer release applied them."""
        return sorted(self.applied - {migration.version for migration in self.migrations})


def status(url: str, *, folder: Path = MIGRATIONS) -> Status:
    """What a database has and has not. Raises RefusedError and DatabaseUnavailableError."""
    migrations = trusted(folder)
    try:
        with _connected(url) as database:
            applied = _applied(database)
    except DatabaseMissingError:
        applied = frozenset()
    check_applied(migrations, applied)
    return Status(migrations, applied)


def plan(state: Status, *, to: str | None = None, down: bool = False) -> list[Migration]:
    """The migrations to run, in their order: up to ``to``, or down until ``to`` is the newest.

    Without ``to`` it is everything that is pending, and the newest one alone on the way down.
    Raises RefusedError on the way down from versions that this code does not know.
    """
    if not down:
        return [m for m in state.pending if to is None or m.version <= to]
    if state.ahead:
        raise RefusedError(f"{state.ahead[-1]}: only the release that has its file takes it back")
    applied = [m for m in reversed(state.migrations) if m.version in state.applied]
    return applied[:1] if to is None else [m for m in applied if m.version > to]


def migrate(
    url: str,
    *,
    folder: Path = MIGRATIONS,
    to: str | None = None,
    down: bool = False,
    patience: Patience = Patience(),
    say: Say = lambda _: None,
) -> None:
    """Apply what is pending, or take back what is applied, one file at a time.

    Makes the database when there is none. Several may do this at once: one works, the others wait
    and find nothing left to do.

    Raises RefusedError (the files), BusyError (no lock in time), MigrationError (a file failed),
    DatabaseUnavailableError.
    """
    migrations = trusted(folder)
    with _turn(url, patience, say) as database:
        state = Status(migrations, _applied(database))
        check_applied(migrations, state.applied)
        if state.ahead:
            say(f"The database is ahead of this code by {', '.join(state.ahead)}: left as it is")
        steps = plan(state, to=to, down=down)
        for number, migration in enumerate(steps, 1):
            doing = "Taking back" if down else "Applying"
            say(f"{number}/{len(steps)}  {doing} {migration.name}")
            begun = time.monotonic()
            _run(database, url, migration, down, patience, say)
            say(f"     done in {time.monotonic() - begun:.2f} s")
        say("Done" if steps else "Nothing to do")


_KEY: Final = int.from_bytes(b"gatepost", "big")
_LOCK_NOT_AVAILABLE: Final = "55P03"
_DEADLOCK: Final = "40P01"
_DUPLICATE_DATABASE: Final = ("42P04", "23505")  # the second when both began at the same time


@contextmanager
def _turn(url: str, patience: Patience, say: Say) -> Iterator[Direct]:
    """Be the only one who migrates this database.

    The lock is tried for again and again. Who waits inside of ``pg_advisory_lock`` has a statement
    under way, for whose end CREATE INDEX CONCURRENTLY in the winner waits: a deadlock. The lock is
    the session's and goes with it, whatever becomes of this process.
    """
    deadline = time.monotonic() + patience.turn
    _make_database(url)
    with _connected(url) as database:
        told = False
        while not database.value("SELECT pg_try_advisory_lock($1)", _KEY):
            if time.monotonic() > deadline:
                raise BusyError(f"another migration has not ended in {patience.turn:g} s")
            if not told:
                say("Waiting for another migration to end")
                told = True
            time.sleep(random.uniform(0.1, 0.4))  # noqa: S311
        yield database


def _make_database(url: str) -> None:
    """Make the database unless it is there. Of several at once, one makes it."""
    try:
        with _connected(url):
            return
    except DatabaseMissingError:
        try:
            dbmate(url, "create", folder=MIGRATIONS)
        except DbmateError as error:
            if error.sqlstate not in _DUPLICATE_DATABASE:
                raise DatabaseUnavailableError(str(error)) from None


@contextmanager
def _connected(url: str) -> Iterator[Direct]:
    """A connection that an idle time as long as a migration does not end."""
    try:
        with Direct(url, idle_session_timeout="0", tcp_keepalives_idle="60") as database:
            yield database
    except DatabaseMissingError:
        raise
    except DatabaseUnavailableError as error:
        reason = without_password(str(error), url)
        if "startup parameter" in reason:
            reason += ": is this a pooler? Give the server's own address in DATABASE_DIRECT_URL"
        raise DatabaseUnavailableError(f"the database at {place(url)}: {reason}") from None


def _applied(database: Direct) -> frozenset[str]:
    try:
        return frozenset(database.column("SELECT version FROM schema_migrations"))
    except DatabaseError as error:
        if error.sqlstate == "42P01":  # no such table: dbmate was never here
            return frozenset()
        raise MigrationError(f"schema_migrations: {error}") from None


def _run(
    database: Direct, url: str, migration: Migration, down: bool, patience: Patience, say: Say
) -> None:
    """Run one file, again when it could not have a lock."""
    # A concurrent build holds nobody up while it waits, and starts from nothing when it is ended.
    limit = patience.lock if migration.in_transaction else patience.build
    attempts = patience.attempts if migration.in_transaction else 1
    broken = _invalid_indexes(database)
    for attempt in range(1, attempts + 1):
        try:
            _alone(url, migration, down, limit)
        except DbmateError as error:
            if (migration.version in _applied(database)) is not down:
                say("     somebody else's dbmate was faster")
                return
            _drop_indexes(database, _invalid_indexes(database) - broken, say)
            if error.sqlstate not in (_LOCK_NOT_AVAILABLE, _DEADLOCK):
                raise MigrationError(str(error)) from None
            holders = _holders(database)
            if attempt == attempts:
                raise BusyError(
                    f"{migration.name}: no lock in {attempts} attempts of {limit:g} s{holders}"
                ) from None
            say(f"     no lock within {limit:g} s, attempt {attempt} of {attempts}{holders}")
            time.sleep(random.uniform(0.2, 1) * min(patience.pause, 2**attempt))  # noqa: S311
        else:
            return


def _alone(url: str, migration: Migration, down: bool, lock_timeout: float) -> None:
    """Give dbmate a folder with this one file, as it was when it was checked."""
    with TemporaryDirectory(prefix="gatepost-") as folder:
        Path(folder, migration.name).write_bytes(migration.content)
        command = "rollback" if down else "migrate"
        options = {
            "lock_timeout": f"{lock_timeout * 1000:.0f}ms",
            "client_connection_check_interval": "1s",  # when dbmate is killed, the server stops too
        }
        dbmate(url, command, folder=Path(folder), options=options)


def _holders(database: Direct) -> str:
    """Who has had a table in use for a while, as the end of a sentence."""
    rows = database.fetch(_HOLDERS)
    return "".join(f"; {row['tables']} in use by {row['who']}" for row in rows)


_HOLDERS: Final = """
    SELECT string_agg(DISTINCT relation::regclass::text, ', ') AS tables,
           format('pid %s (%s, %s, transaction of %s s)', a.pid,
                  coalesce(nullif(application_name, ''), 'no application_name'), state,
                  round(extract(epoch FROM clock_timestamp() - xact_start))) AS who
    FROM pg_locks l
    JOIN pg_stat_activity a USING (pid)
    JOIN pg_class c ON c.oid = relation AND c.relkind IN ('r', 'p')
    WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND granted AND relation >= 16384 AND clock_timestamp() - xact_start > '1 second'
    GROUP BY a.pid, application_name, state, xact_start
    ORDER BY xact_start
    LIMIT 3
"""


def _invalid_indexes(database: Direct) -> set[str]:
    return set(
        database.column("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
    )


def _drop_indexes(database: Direct, indexes: set[str], say: Say) -> None:
    """Remove what a concurrent build that failed has left: writes keep it up, nobody uses it."""
    for index in sorted(indexes):
        drop = f"DROP INDEX CONCURRENTLY {index}"
        try:
            database.fetch(drop, timeout=60)
        except (DatabaseError, DatabaseUnavailableError) as error:
            say(f"     an unfinished index is left, remove it: {drop} ({error})")
