"""Statements run: deadlines, retries, metrics, and the driver's errors mapped to ours.

A statement that fails was rolled back by the server, so a single one may be sent again when the
failure says so; everything else is the caller's to decide.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Final, TypeVar

import asyncpg

from app.callbacks import Done, GiveUp, awaited
from app.database.connection import Connection
from app.database.errors import DatabaseError, DatabaseUnavailableError, QueryTimeoutError
from app.database.pool import SESSION, Job, Pool, Row, Work
from app.metrics import Times
from app.settings import Settings
from app.sql import Statement

Result = TypeVar("Result")


# Serialization failure, deadlock, lock not available: the same statement may succeed next time.
_TRANSIENT: Final = frozenset(("40001", "40P01", "55P03"))
# Read-only transaction (a demoted primary), admin shutdown, crash shutdown, cannot connect now:
# pooled connections lead to the wrong server.
_MOVED: Final = frozenset(("25006", "57P01", "57P02", "57P03"))
_ATTEMPTS: Final = 3
_KEPT: Final = 200
"""Statements that a connection keeps prepared."""

_seconds = Times(
    "gatepost_statement_seconds",
    "Time from asking for a connection to having the rows",
    label="statement",
    bounds=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)


class Database:
    """A pool of connections to one database. Times go in and out as aware datetimes in UTC."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: Pool | None = None

    async def open(self) -> None:
        """Make the pool. Connects on first use, so that a service can start before its database."""
        self._pool = Pool(
            self._connect,
            size=self._settings.pool_size,
            timeout=self._settings.acquire_timeout,
            limit=self._settings.query_timeout,
        )

    async def close(self) -> None:
        """Let running statements end, within the query deadline, then close the connections."""
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.close(self._settings.query_timeout)

    async def _connect(self) -> Any:
        settings = self._settings
        kept = 0 if settings.behind_pooler else _KEPT
        connection = await asyncpg.connect(
            settings.database_url,
            statement_cache_size=kept,
            server_settings=SESSION,
            connection_class=Connection,
        )
        connection.keeps = kept
        return connection

    async def fetch(self, statement: Statement, *arguments: Any) -> list[Row]:
        """The rows of a statement.

        Raises DatabaseError or DatabaseUnavailableError.
        """
        text = statement.text
        return await self._run(
            statement.name, lambda connection: connection.fetch(text, *arguments)
        )

    def ask_rows(
        self,
        statement: Statement,
        arguments: Callable[[], Sequence[Any]],
        done: Done,
        over: Callable[[], None],
    ) -> GiveUp:
        """Have ``done`` called with the rows of a statement, as ``fetch`` gives them.

        ``arguments`` is asked when there is a connection for each attempt, and ``over`` is called
        as soon as one has ended, before ``done``. Raises DatabaseUnavailableError.
        """

        async def work(connection: Any) -> list[Row]:
            try:
                return await connection.fetch(statement.text, *arguments())
            finally:
                over()

        return self._ask(statement.name, work, done)

    def ask_row(
        self,
        statement: Statement,
        arguments: Sequence[Any],
        done: Done,
        check: Callable[[Row], None] | None = None,
        rollback: bool = False,
    ) -> GiveUp:
        """Have ``done`` called with the one row of a statement that always gives one.

        ``check`` sees the row before the commit: what it raises undoes the statement.
        With ``rollback`` the statement is undone in any case. A failure is a DatabaseError, a
        DatabaseUnavailableError or what ``check`` raised. Raises DatabaseUnavailableError.
        """
        text = statement.text
        if check is None and not rollback:
            return self._ask(
                statement.name, lambda connection: connection.row(text, arguments), done
            )

        async def run(connection: Any) -> Row:
            transaction = connection.transaction()
            await transaction.start()
            try:
                row = await connection.fetchrow(text, *arguments)
                if check is not None:
                    check(row)
            except BaseException:
                await transaction.rollback()
                raise
            await (transaction.rollback() if rollback else transaction.commit())
            return row

        return self._ask(statement.name, run, done)

    async def transact(
        self, name: str, work: "Callable[[Transaction], Awaitable[Result]]"
    ) -> Result:
        """Run several statements as one; what ``work`` raises undoes them.

        ``work`` may be called again when the server gives up a transaction that can succeed later,
        so it does nothing but run statements.
        """

        async def run(connection: Any) -> Result:
            async with connection.transaction():
                return await work(Transaction(connection))

        return await self._run(name, run)

    async def _run(self, name: str, work: Work) -> Any:
        return await awaited(partial(self._ask, name, work))

    def _ask(self, name: str, work: Work, done: Done) -> GiveUp:
        if self._pool is None:
            raise DatabaseUnavailableError("the pool is not open")
        asked = _Asked(self._pool, name, work, done)
        self._pool.ask(asked)
        return asked.give_up


class _Asked(Job):
    """A statement, or a transaction of several, until it has a result or has failed for good."""

    _attempt = 1

    def __init__(self, pool: Pool, name: str, work: Work, tell: Done) -> None:
        self.work = work
        self._pool = pool
        self._name = name
        self._tell = tell
        self._started = perf_counter()

    def done(self, result: Any, failure: Exception | None) -> None:
        if failure is not None:
            pause = self._pause(failure)
            if pause is not None:
                self._attempt += 1
                asyncio.get_running_loop().call_later(pause, self._pool.ask, self)
                return
            failure = self._told(failure)
        _seconds.observe(self._name, perf_counter() - self._started)
        tell = self._tell
        del self._tell  # it may lead back to here
        if not self.given_up:
            tell(result, failure)

    def _pause(self, failure: Exception) -> float | None:
        """Seconds before the next attempt; None when there is none."""
        if self._attempt >= _ATTEMPTS:
            return None
        if isinstance(failure, asyncpg.InvalidCachedStatementError):
            return 0  # a migration changed a table, and that connection is closed now
        if isinstance(failure, asyncpg.PostgresError) and failure.sqlstate in _TRANSIENT:
            return random.uniform(0.005, 0.03) * self._attempt  # noqa: S311
        return None

    def _told(self, failure: Exception) -> Exception:
        """The failure as those who asked know it."""
        match failure:
            case asyncpg.InvalidCachedStatementError():
                return DatabaseUnavailableError("the schema is changing")
            case asyncpg.PostgresError():
                if failure.sqlstate in _MOVED:
                    self._pool.expire()
                return _refused(failure)
            case TimeoutError():
                return QueryTimeoutError(f"no answer within {self._pool.limit:g} s")
            case OSError() | asyncpg.InterfaceError() | asyncpg.InternalClientError():
                if isinstance(failure, ValueError):  # the driver's own DataError
                    return DatabaseError("22P02", "a value does not fit its type")
                return DatabaseUnavailableError("the connection was lost")
        return failure


def _refused(error: asyncpg.PostgresError) -> Exception:
    sqlstate = error.sqlstate or "XX000"
    if sqlstate in _MOVED or sqlstate in _TRANSIENT or sqlstate[:2] in ("08", "53"):
        return DatabaseUnavailableError(f"{sqlstate}: {error.message}")
    if sqlstate == "57014":
        return QueryTimeoutError("the statement was cancelled")
    return DatabaseError(
        sqlstate,
        error.message or "",
        error.detail,
        error.hint,
        error.constraint_name,
    )


class Transaction:
    """The connection of an open transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, statement: Statement, *arguments: Any) -> list[Row]:
        """The rows of a statement."""
        return await self._connection.fetch(statement.text, *arguments)
