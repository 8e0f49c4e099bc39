"""Statements run on a pool of connections: deadlines, retries.

A statement is sent again only when the server said that it rolled it back and may take it next
time, and never when its outcome is unknown. Times go in and out as aware datetimes in UTC.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import copy
from functools import cache
from time import perf_counter
from typing import Any, Final, NamedTuple, Protocol, Self, TypeVar

import asyncpg
from prometheus_client import Histogram

from ..deadline import Deadline
from ..errors import (
    DatabaseError,
    DatabaseUnavailableError,
    PoolerError,
    PoolExhaustedError,
)
from ..process import with_advice
from ..redaction import redacted_url, without_password
from ..settings import Settings
from ..sql import Statement
from . import pooler
from .actor import Actor
from .connection import fetch_row, fetch_rows
from .connector import Connector, DriverConnection
from .driver_errors import (
    DRIVER_ERRORS,
    FAILOVER_SQLSTATES,
    connect_error,
    leaves_unfinished,
    pause_before_retry,
    statement_error,
)

Row = TypeVar("Row")
Result = TypeVar("Result")

_CACHED_STATEMENTS: Final = 200
_IDLE_LIFETIME: Final = 300.0
"""Seconds after which an unused connection is closed: a firewall may have dropped it."""
_CHECK_TIMEOUT: Final = 1.0
"""Seconds that the start waits at most for the check of its first connection."""
_CLEANUP_TIMEOUT: Final = 2.0
"""Seconds for a ROLLBACK or a cancellation; a connection that takes longer is terminated."""

_log = logging.getLogger("gatepost")
_seconds = Histogram(
    "gatepost_statement_seconds",
    "Time from asking for a connection to having the rows",
    ["statement"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)


@cache
def _observer(name: str) -> Callable[[float], None]:
    return _seconds.labels(name).observe


class Gate(Protocol):
    """What lets some callers use no more than their part of the pool."""

    async def enter(self) -> None:
        """Wait for a place."""

    def leave(self) -> None:
        """Give it back."""


class Reads(Protocol):
    """What answers a read: a Database, or a replica with the primary behind it."""

    async def fetch(self, statement: Statement[Row], *arguments: Any) -> list[Row]:
        """The rows of a statement."""
        ...

    async def fetchrow(
        self, statement: Statement[Row], *arguments: Any, timeout: float | None = None
    ) -> Row | None:
        """The first row of a statement."""


class PoolLoad(NamedTuple):
    """Connections in use and idle, statements that wait for one, and connections at most."""

    in_use: int
    idle: int
    waiting: int
    size: int


class Database:
    """A pool of connections to one database."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._connector = Connector(settings.database_url)
        self._pool: Any = None
        self._watch: asyncio.Task[None] | None = None
        self._whole = self
        self._gate: Gate | None = None
        self._actor: str | None = None
        self._waiting = 0

    def behind(self, gate: Gate) -> Self:
        """The same pool, for statements that pass ``gate`` before they get a connection."""
        database = copy(self)
        database._gate = gate
        return database

    def acting(self, actor: Actor) -> Self:
        """The same pool, for statements whose events say who wrote.

        Citus takes no function in RETURNING that is not IMMUTABLE; there are no events there.
        """
        if self._settings.citus:
            return self
        database = copy(self)
        database._actor = actor.text
        return database

    async def open(self) -> None:
        """Make the pool. It connects on first use, so a service can start before its database."""
        self._pool = await self._new_pool()
        if self._connector.can_fail_over:
            self._watch = asyncio.create_task(self._connector.watch(self._replace_pool))

    async def check(self) -> None:
        """Connect once: what is wrong with the way to the database is in the log from the start."""
        url = self._settings.database_url
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT):
                await self._run("pool.connect", _nothing)
        except PoolerError:
            pass  # it is in the log
        except TimeoutError:
            _log.warning("%s has not answered within %g s", redacted_url(url), _CHECK_TIMEOUT)
        except DatabaseError as error:
            reason = without_password(with_advice(error), url)
            after = "until then what needs the database is answered with 503"
            _log.error("%s: %s; %s", redacted_url(url), reason, after)

    async def _check_connection(self, connection: Any) -> None:
        try:
            await pooler.check(connection, self._settings.pooler)
        except PoolerError as error:
            pooler.report(error)
            raise

    async def close(self) -> None:
        """Let running statements end, within the query deadline, and close every connection."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        if self._pool is None:
            return
        try:
            async with asyncio.timeout(self._settings.query_timeout):
                await self._pool.close()
        except TimeoutError:
            pass  # the pool has terminated its connections

    @property
    def load(self) -> PoolLoad:
        """How the pool is used now."""
        idle = self._pool.get_idle_size()
        return PoolLoad(
            self._pool.get_size() - idle, idle, self._waiting, self._pool.get_max_size()
        )

    async def _new_pool(self) -> Any:
        settings = self._settings
        return await asyncpg.create_pool(
            connect=self._connector,
            connection_class=DriverConnection,
            min_size=0,
            max_size=settings.pool_size,
            max_inactive_connection_lifetime=_IDLE_LIFETIME,
            init=self._check_connection,
            reset=_reset,
            timeout=settings.acquire_timeout,
            statement_cache_size=0 if settings.pooler == "transaction" else _CACHED_STATEMENTS,
            max_cached_statement_lifetime=0,  # or each would be prepared anew every five minutes
        )

    async def _replace_pool(self) -> None:
        """Give up every connection, with the statements on it: the server that had them is gone."""
        gone, self._pool = self._pool, await self._new_pool()
        gone.terminate()

    async def fetch(self, statement: Statement[Row], *arguments: Any) -> list[Row]:
        """The rows of a statement. Raises DatabaseError."""
        return await self._run(
            statement.name,
            lambda connection: fetch_rows(connection, statement, arguments, actor=self._actor),
        )

    async def fetchrow(
        self, statement: Statement[Row], *arguments: Any, timeout: float | None = None
    ) -> Row | None:
        """The first row of a statement. Raises DatabaseError.

        ``timeout``: seconds for the statement, where these are not those of the settings.
        """
        return await self._run(
            statement.name,
            lambda connection: fetch_row(connection, statement, arguments, self._actor),
            timeout,
        )

    async def transaction(
        self,
        name: str,
        work: "Callable[[Transaction], Awaitable[Result]]",
        *,
        rollback: bool = False,
        timeout: float | None = None,
    ) -> Result:
        """Run several statements as one transaction; what ``work`` raises undoes them.

        ``work`` does nothing but run statements, for it is called again when the server gives up a
        transaction that can succeed later. With ``rollback`` everything is undone in any case.
        ``timeout``: seconds for all of them, where these are not those of the settings.
        Raises DatabaseError.
        """

        async def run(connection: Any) -> Result:
            transaction = connection.transaction()
            try:
                await transaction.start()
                result = await work(Transaction(connection, self._actor))
                if not rollback:
                    await transaction.commit()
                    return result
            except BaseException:
                await self._roll_back(connection, transaction)
                raise
            await self._roll_back(connection, transaction)
            return result

        return await self._run(name, run, timeout)

    async def _run(
        self,
        name: str,
        work: Callable[[Any], Awaitable[Result]],
        timeout: float | None = None,
    ) -> Result:
        started = perf_counter()
        attempt = 1
        try:
            while True:
                try:
                    return await self._attempt(work, timeout or self._settings.query_timeout)
                except DRIVER_ERRORS as error:
                    sqlstate = getattr(error, "sqlstate", None)
                    if sqlstate in FAILOVER_SQLSTATES | pooler.SQLSTATES:
                        await self._whole._pool.expire_connections()
                    if sqlstate in pooler.SQLSTATES:
                        wrong = pooler.wrong(self._settings.pooler)
                        pooler.report(wrong)
                        raise wrong from None
                    pause = pause_before_retry(error, attempt)
                    if pause is None:
                        raise statement_error(
                            error, timeout or self._settings.query_timeout
                        ) from None
                    if isinstance(error, asyncpg.InvalidCachedStatementError):
                        work = pooler.without_names(work, self._settings.pooler)
                attempt += 1
                await asyncio.sleep(pause)
        finally:
            _observer(name)(perf_counter() - started)

    async def _attempt(self, work: Callable[[Any], Awaitable[Result]], timeout: float) -> Result:
        pool, gate = self._whole._pool, self._gate
        if pool is None:
            raise DatabaseUnavailableError("the pool is not open")
        self._whole._waiting += 1
        try:
            connection = await self._acquire(pool, gate)
        finally:
            self._whole._waiting -= 1
        try:
            with Deadline(timeout):  # in place of the driver's own, which some of its steps lack
                result = await work(connection)
        except BaseException as error:
            if leaves_unfinished(error):
                with suppress(AttributeError):  # the connection is gone
                    connection.note_unfinished()
            try:
                await self._release(pool, connection)
            finally:
                if gate is not None:
                    gate.leave()
            raise
        if gate is not None:
            gate.leave()  # nobody need wait for the release, which is quick now
        await self._release(pool, connection)
        return result

    async def _release(self, pool: Any, connection: Any) -> None:
        """Give a connection back. One that does not confirm a cancellation in time is terminated.

        Whatever becomes of the connection, what was committed stays so.
        """
        try:
            await pool.release(connection, timeout=_CLEANUP_TIMEOUT)
        except TimeoutError:
            await pool.expire_connections()  # the others are likely to be as dead
        except DRIVER_ERRORS:
            pass

    async def _roll_back(self, connection: Any, transaction: Any) -> None:
        """Send a ROLLBACK. A connection that does not confirm it in time is terminated."""
        try:
            async with asyncio.timeout(_CLEANUP_TIMEOUT):
                await transaction.rollback()
        except BaseException as error:
            with suppress(asyncpg.InterfaceError):  # the server has closed it already
                connection.terminate()
            await self._whole._pool.expire_connections()  # the others are likely to be as dead
            if not isinstance(error, DRIVER_ERRORS):
                raise

    async def _acquire(self, pool: Any, gate: Gate | None) -> Any:
        entered = False
        try:
            with Deadline(self._settings.acquire_timeout):
                if gate is not None:
                    await gate.enter()
                    entered = True
                return await pool.acquire()
        except BaseException as error:
            if entered and gate is not None:
                gate.leave()
            if not isinstance(error, (*DRIVER_ERRORS, ValueError)):
                raise
            if not isinstance(error, TimeoutError):
                raise connect_error(error) from None
        if gate is not None and not entered:
            raise PoolExhaustedError("every connection that the key may use is in use")
        if pool.get_size() - pool.get_idle_size() >= pool.get_max_size():
            raise PoolExhaustedError("every connection is in use")
        raise DatabaseUnavailableError("the database did not answer")


class Transaction:
    """The connection of an open transaction."""

    def __init__(self, connection: Any, actor: str | None = None) -> None:
        self._connection = connection
        self._actor = actor

    async def fetch(self, statement: Statement[Row], *arguments: Any) -> list[Row]:
        """The rows of a statement."""
        return await fetch_rows(self._connection, statement, arguments, actor=self._actor)

    async def fetchrow(self, statement: Statement[Row], *arguments: Any) -> Row | None:
        """The first row of a statement."""
        return await fetch_row(self._connection, statement, arguments, self._actor)


async def _reset(connection: Any) -> None:
    """Nothing else leaves state on a connection, so giving one back takes no round trip."""
    await connection.end_unfinished()


async def _nothing(_: Any) -> None:
    """For the check of the start, which only connects."""
