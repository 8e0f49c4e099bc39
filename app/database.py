"""The database: pool, deadlines, retries, and the driver's errors mapped to ours.

The only module that touches asyncpg. A statement that fails was rolled back by the server, so a
single one may be sent again when the failure says so; everything else is the caller's to decide.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final, Self, TypeVar
from uuid import UUID

import asyncpg
from prometheus_client import Histogram

from app.settings import Settings
from app.sql import Statement

Row = Mapping[str, Any]  # what the driver's records are used as
Result = TypeVar("Result")


class DatabaseError(Exception):
    """The server refused a statement."""

    def __init__(
        self,
        sqlstate: str,
        message: str,
        details: str | None = None,
        hint: str | None = None,
        constraint: str | None = None,
    ) -> None:
        super().__init__(f"{sqlstate}: {message}")
        self.sqlstate = sqlstate
        self.message = message
        self.details = details
        self.hint = hint
        self.constraint = constraint


class DatabaseUnavailableError(Exception):
    """The server cannot be reached, is going down, or no longer takes writes."""


class DatabaseMissingError(DatabaseUnavailableError):
    """The server answers, but has no database of that name."""


class PoolExhaustedError(DatabaseUnavailableError):
    """Every connection stayed in use until the deadline."""


class QueryTimeoutError(DatabaseUnavailableError):
    """A statement ran into its deadline and was cancelled."""


# Serialization failure, deadlock, lock not available: the same statement may succeed next time.
_TRANSIENT: Final = frozenset(("40001", "40P01", "55P03"))
# Read-only transaction (a demoted primary), admin shutdown, crash shutdown, cannot connect now:
# pooled connections lead to the wrong server.
_MOVED: Final = frozenset(("25006", "57P01", "57P02", "57P03"))
_ATTEMPTS: Final = 3

_seconds = Histogram(
    "gatepost_statement_seconds",
    "Time from asking for a connection to having the rows",
    ["statement"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)


class Database:
    """A pool of connections to one database. Times go in and out as aware datetimes in UTC."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        """Make the pool. Connects on first use, so that a service can start before its database.

        Raises DatabaseUnavailableError when the address makes no sense.
        """
        settings = self._settings
        try:
            self._pool = await asyncpg.create_pool(
                settings.database_url,
                min_size=0,
                max_size=settings.pool_size,
                timeout=settings.acquire_timeout,
                command_timeout=settings.query_timeout,
                statement_cache_size=0 if settings.pooled else 200,
                reset=_keep,
                server_settings=_SESSION,
            )
        except (ValueError, asyncpg.InterfaceError, OSError):
            # the driver's message can quote a part of the password
            raise DatabaseUnavailableError("DATABASE_URL is not an address") from None

    async def close(self) -> None:
        """Let running statements end, within the query deadline, then close the connections."""
        if self._pool is not None:
            try:
                await asyncio.wait_for(self._pool.close(), self._settings.query_timeout)
            except TimeoutError:
                self._pool.terminate()

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

        async def run(connection: Any) -> Row:
            if check is None and not rollback:
                return await connection.fetchrow(statement.text, *arguments)
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
        attempt = 1
        with _seconds.labels(name).time():
            while True:
                try:
                    async with self._connection() as connection:
                        return await work(connection)
                except asyncpg.InvalidCachedStatementError:
                    # a migration changed a table: the driver forgot its plans, ask once more
                    if attempt >= _ATTEMPTS:
                        raise DatabaseUnavailableError("the schema is changing") from None
                except asyncpg.PostgresError as error:
                    if error.sqlstate not in _TRANSIENT or attempt >= _ATTEMPTS:
                        raise await self._refused(error) from None
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

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        pool = self._pool
        if pool is None:
            raise DatabaseUnavailableError("the pool is not open")
        try:
            connection = await pool.acquire(timeout=self._settings.acquire_timeout)
        except TimeoutError:
            if pool.get_size() >= pool.get_max_size() and pool.get_idle_size() == 0:
                raise PoolExhaustedError("every connection is in use") from None
            raise DatabaseUnavailableError("the database did not answer") from None
        except (OSError, asyncpg.InterfaceError) as error:
            raise DatabaseUnavailableError(_reason(error)) from None
        except asyncpg.PostgresError as error:
            raise DatabaseUnavailableError(f"{error.sqlstate}: {error.message}") from None
        try:
            yield connection
        finally:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await pool.release(connection, timeout=self._settings.acquire_timeout)

    async def _refused(self, error: asyncpg.PostgresError) -> Exception:
        sqlstate = error.sqlstate or "XX000"
        if sqlstate in _MOVED and self._pool is not None:
            await self._pool.expire_connections()
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


# PgBouncer passes these three on; it refuses a start-up parameter that it does not track.
_SESSION: Final = {"application_name": "gatepost", "timezone": "UTC", "datestyle": "ISO, MDY"}


class Direct:
    """One connection of its own, outside of the pool and of any event loop: for operations.

    Every call is one statement that commits by itself, so nothing stays open in between.
    ``settings`` are the session's, besides those of the service; an empty one is left out.

        with Direct(url) as database:
            database.value("SELECT 1")
    """

    def __init__(self, url: str, *, timeout: float = 10.0, **settings: str) -> None:
        self._url = url
        self._timeout = timeout
        self._settings = _SESSION | settings
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._connection: Any = None

    def __enter__(self) -> Self:
        try:
            self._connection = self._runner.run(self._connect())
        except BaseException as error:
            self._runner.close()
            if isinstance(error, asyncpg.InvalidCatalogNameError):
                raise DatabaseMissingError(error.message or "") from None
            if isinstance(error, asyncpg.PostgresError):
                raise DatabaseUnavailableError(f"{error.sqlstate}: {error.message}") from None
            if isinstance(error, ValueError):  # its text can quote a part of the password
                raise DatabaseUnavailableError(
                    "the address is malformed: is its password percent-encoded?"
                ) from None
            if isinstance(error, OSError) and error.errno:  # not the driver's list of its attempts
                raise DatabaseUnavailableError(os.strerror(error.errno).lower()) from None
            if isinstance(error, (OSError, asyncpg.InterfaceError)):
                raise DatabaseUnavailableError(_reason(error)) from None
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                self._runner.run(self._connection.close(timeout=self._timeout))
        finally:
            self._runner.close()

    @property
    def is_server(self) -> bool:
        """Whether the server itself is on the other end: a pooler gives a process id of its own."""
        return self._connection.get_server_pid() == self.value("SELECT pg_backend_pid()")

    def fetch(self, text: str, *arguments: Any, timeout: float | None = None) -> list[Row]:
        """The rows of a statement. Raises DatabaseError or DatabaseUnavailableError."""
        return self._run(self._connection.fetch(text, *arguments, timeout=timeout))

    def column(self, text: str, *arguments: Any) -> list[Any]:
        """The first column of a statement's rows."""
        return [row[0] for row in self._run(self._connection.fetch(text, *arguments))]

    def value(self, text: str, *arguments: Any) -> Any:
        """The first column of a statement's first row."""
        return self._run(self._connection.fetchval(text, *arguments))

    async def _connect(self) -> Any:
        return await asyncpg.connect(
            self._url,
            timeout=self._timeout,
            command_timeout=self._timeout,
            statement_cache_size=0,
            server_settings={name: value for name, value in self._settings.items() if value},
        )

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return self._runner.run(work)
        except asyncpg.PostgresError as error:
            raise DatabaseError(error.sqlstate or "XX000", error.message or "") from None
        except (TimeoutError, OSError, asyncpg.InterfaceError) as error:
            raise DatabaseUnavailableError(_reason(error)) from None


async def _keep(connection: Any) -> None:
    """Hand a connection on as it is: nothing here leaves state on one, and a reset query would
    be a second round trip for each request."""


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


_SAMPLES: Final[dict[str, Any]] = {
    "uuid": UUID(int=0),
    "timestamptz": datetime(2026, 1, 1, tzinfo=UTC),
    "integer": 1,
    "text": "",
    "bigint": 1,
    "boolean": True,
}


async def explain(url: str, statements: Iterable[Statement]) -> list[tuple[Statement, str]]:
    """Each statement with its plan, as the server would run it with values it has not seen.

    Raises DatabaseUnavailableError.
    """
    try:
        connection = await asyncpg.connect(
            url, timeout=5, command_timeout=30, server_settings=_SESSION
        )
    except (OSError, TimeoutError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailableError(_reason(error)) from None
    except asyncpg.PostgresError as error:
        raise DatabaseUnavailableError(f"{error.sqlstate}: {error.message}") from None
    except ValueError:
        raise DatabaseUnavailableError("DATABASE_URL is not an address") from None
    try:
        plans = []
        for statement in statements:
            values = [
                [_SAMPLES[type_[:-2]]] if type_.endswith("[]") else _SAMPLES[type_]
                for _, type_ in statement.parameters
            ]
            rows = await connection.fetch(f"EXPLAIN {statement.text}", *values)
            plans.append((statement, "\n".join(row[0] for row in rows)))
        return plans
    finally:
        await connection.close()
