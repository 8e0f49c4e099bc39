"""Whether a connection is what GATEPOST_POOLER says: a pooler between is found when it is made.

A pooler hands one server connection to many clients in turn. A statement that was prepared under a
name is then missing for its client, or, for asyncpg counts the names in each process from 1,
another process's is there in its place.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from ..errors import PoolerError
from ..settings import Pooler
from ..statements import server

Result = TypeVar("Result")

SQLSTATES: Final = frozenset(("26000", "42P05"))
"""A prepared statement does not exist, or exists already."""

_WRONG: Final[dict[Pooler, str]] = {
    "none": (
        "a pooler is in front of DATABASE_URL: set GATEPOST_POOLER to transaction, "
        "or to prepared if it keeps named prepared statements (PgBouncer 1.21 and later)"
    ),
    "prepared": (
        "the pooler in front of DATABASE_URL does not keep named prepared statements: "
        "set GATEPOST_POOLER to transaction, or max_prepared_statements in PgBouncer 1.21 and later"
    ),
    "transaction": (
        "the pooler in front of DATABASE_URL lost a statement: GATEPOST_POOLER=transaction needs "
        "one in transaction or session mode"
    ),
}
"""What to change, by the setting's value."""

_NAME: Final = "gatepost_pooler_check"
_LOG_INTERVAL: Final = 60.0  # seconds between two lines about the same

_log = logging.getLogger("gatepost")
_silent_until = 0.0


async def check(connection: Any, pooler: Pooler) -> None:
    """Raise PoolerError when statements prepared on this asyncpg connection could be lost."""
    if pooler == "transaction":
        return
    # an unnamed statement lives as long as the exchange: nothing is left behind in the pooler
    name = _NAME if pooler == "prepared" else ""
    try:
        statement = await connection.prepare(server.prepared.text, name=name)
        backend, passed_on = await statement.fetchrow(_NAME)
    except Exception as error:
        if getattr(error, "sqlstate", None) in SQLSTATES:
            raise wrong(pooler) from None
        raise
    direct = backend == connection.get_server_pid()
    if not direct and (pooler == "none" or passed_on):
        raise wrong(pooler)


def wrong(pooler: Pooler) -> PoolerError:
    """The error with the setting to change, for a service that has the value ``pooler``."""
    return PoolerError(_WRONG[pooler])


def report(error: PoolerError) -> None:
    """Write the error to the log, once a minute."""
    global _silent_until
    if time.monotonic() >= _silent_until:
        _silent_until = time.monotonic() + _LOG_INTERVAL
        _log.error("%s; until then what needs the database is answered with 503", error)


class _Unnamed:
    """A connection that prepares each statement anew and without a name."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def fetch(self, text: str, *arguments: Any, timeout: float | None = None) -> Any:
        prepared = await self._connection.prepare(text, name="", timeout=timeout)
        return await prepared.fetch(*arguments, timeout=timeout)

    async def fetchrow(self, text: str, *arguments: Any) -> Any:
        prepared = await self._connection.prepare(text, name="")
        return await prepared.fetchrow(*arguments)


def without_names(
    work: Callable[[Any], Awaitable[Result]], declared: Pooler
) -> Callable[[Any], Awaitable[Result]]:
    """PgBouncer gives the same text the same outdated statement, whatever the client's name."""
    return work if declared != "prepared" else lambda connection: work(_Unnamed(connection))
