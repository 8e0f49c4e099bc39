"""Statements run: deadlines, retries, metrics, and the driver's errors mapped to ours.

A statement that fails was rolled back by the server, so a single one may be sent again when the
failure says so; everything else is the caller's to decide.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Final, TypeVar

import asyncpg

from app.database.errors import DatabaseError, DatabaseUnavailableError, QueryTimeoutError
from app.database.pool import SESSION, Pool, Row
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
        return await asyncpg.connect(
            settings.database_url,
            statement_cache_size=0 if settings.pooled else 200,
            server_settings=SESSION,
        )

    async def fetch(self, statement: Statement, *arguments: Any) -> list[Row]:
        """The rows of a statement.

        Raises DatabaseError or DatabaseUnavailableError.
        """
        return await self._run(
            statement.name, lambda connection: connection.fetch(statement.text, *arguments)
        )

    async def fetch_row(
        self,
        statement: Statement,
        *arguments: Any,
        check: Callable[[Row], None] | None = None,
        rollback: bool = False,
    ) -> Row:
        """The one row of a statement that always gives one.

        ``check`` sees the row before the commit: what it raises undoes the statement.
        With ``rollback`` the statement is undone in any case.
        """

        if check is None and not rollback:
            return await self._run(
                statement.name, lambda connection: connection.fetchrow(statement.text, *arguments)
            )

        async def run(connection: Any) -> Row:
            transaction = connection.transaction()
            await transaction.start()
            try:
                row = await connection.fetchrow(statement.text, *arguments)
                if check is not None:
                    check(row)
            except BaseException:
                await transaction.rollback()
                raise
            await (transaction.rollback() if rollback else transaction.commit())
            return row

        return await self._run(statement.name, run)

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

    async def _run(self, name: str, work: Callable[[Any], Any]) -> Any:
        pool = self._pool
        if pool is None:
            raise DatabaseUnavailableError("the pool is not open")
        started, attempt = perf_counter(), 1
        try:
            while True:
                try:
                    return await pool.run(work)
                except asyncpg.InvalidCachedStatementError:
                    # a migration changed a table: the driver forgot its plans, ask once more
                    if attempt >= _ATTEMPTS:
                        raise DatabaseUnavailableError("the schema is changing") from None
                except asyncpg.PostgresError as error:
                    if error.sqlstate not in _TRANSIENT or attempt >= _ATTEMPTS:
                        raise self._refused(error) from None
                    await asyncio.sleep(random.uniform(0.005, 0.03) * attempt)  # noqa: S311
                except TimeoutError:
                    raise QueryTimeoutError(
                        f"no answer within {self._settings.query_timeout:g} s"
                    ) from None
                except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                    if isinstance(error, ValueError):  # the driver's own DataError
                        raise DatabaseError("22P02", "a value does not fit its type") from None
                    raise DatabaseUnavailableError("the connection was lost") from None
                attempt += 1
        finally:
            _seconds.observe(name, perf_counter() - started)

    def _refused(self, error: asyncpg.PostgresError) -> Exception:
        sqlstate = error.sqlstate or "XX000"
        if sqlstate in _MOVED and self._pool is not None:
            self._pool.expire()
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
