"""A connection outside of the pool, for the command line."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from ..errors import (
    DatabaseError,
    DatabaseMissingError,
    DatabaseUnavailableError,
    StatementError,
)
from ..redaction import redacted_url, without_password
from ..settings import Pooler
from ..sql import Statement
from ..statements import server
from . import pooler
from .connector import SERVER_SETTINGS, Connector, with_options
from .driver_errors import DRIVER_ERRORS, connect_error, statement_error

Row = TypeVar("Row")
Result = TypeVar("Result")


class Connection:
    """A connection of the command line's own; every statement commits by itself."""

    def __init__(self, connection: Any, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout

    async def is_direct(self) -> bool:
        """Whether the server itself is on the other end: a pooler gives another process id."""
        return self._connection.get_server_pid() == await self.fetchval(server.backend)

    async def check_pooler(self, declared: Pooler) -> None:
        """Raises PoolerError, or another DatabaseError."""
        await self._run(pooler.check(self._connection, declared))

    async def fetch(
        self, statement: Statement[Row], *arguments: Any, timeout: float | None = None
    ) -> list[Row]:
        """The rows of a statement. Raises DatabaseError."""
        return await self._run(fetch_rows(self._connection, statement, arguments, timeout))

    async def run_script(self, text: str) -> None:
        """Run the statements of an SQL file. Raises DatabaseError."""
        await self._run(self._connection.execute(text))

    async def fetchval(self, statement: Statement[Any], *arguments: Any) -> Any:
        """The first column of the first row. Raises DatabaseError."""
        return await self._run(self._connection.fetchval(statement.text, *arguments))

    async def fetchcol(self, statement: Statement[Any], *arguments: Any) -> list[Any]:
        """The first column of every row. Raises DatabaseError."""
        return [
            row[0] for row in await self._run(fetch_rows(self._connection, statement, arguments))
        ]

    async def _run(self, work: Awaitable[Result]) -> Result:
        try:
            return await work
        except DRIVER_ERRORS as error:
            raise statement_error(error, self._timeout) from None


@asynccontextmanager
async def connect(
    url: str, *, timeout: float = 10.0, **server_settings: str
) -> AsyncIterator[Connection]:
    """A connection outside of the pool, each wait limited to ``timeout`` seconds.

    ``server_settings`` are the session's besides those of the service; an empty one is left out.
    Raises DatabaseUnavailableError, or DatabaseMissingError when there is no such database.
    """
    settings = SERVER_SETTINGS | server_settings
    try:
        connection = await Connector(url)(
            timeout=timeout,
            command_timeout=timeout,
            statement_cache_size=0,
            server_settings={name: value for name, value in settings.items() if value},
        )
    except (*DRIVER_ERRORS, ValueError) as error:
        raise connect_error(error) from None
    try:
        yield Connection(connection, timeout)
    finally:
        with suppress(Exception):
            await connection.close()


def described(error: DatabaseError, url: str) -> DatabaseUnavailableError:
    """The error of a command on the database at ``url``, on one line and without its password."""
    reason = " ".join(without_password(str(error), url).split())
    if isinstance(error, DatabaseMissingError) or (
        isinstance(error, StatementError) and error.is_undefined_table
    ):
        reason += ": run 'gatepost migrate'"
    return DatabaseUnavailableError(f"the database at {redacted_url(url)}: {reason}", error.advice)


async def primary(url: str, *, timeout: float = 10.0) -> str:
    """The address of the host that takes writes, for dbmate, which knows one host and no roles.

    Raises DatabaseUnavailableError.
    """
    plain = with_options(url, target_session_attrs="") if "target_session_attrs" in url else url
    connector = Connector(plain)
    if not connector.can_fail_over:
        return plain
    try:
        # the database that every server has: the other one may be still to be made
        host, connection = await connector.connect(timeout, database="postgres")
    except (*DRIVER_ERRORS, ValueError) as error:
        raise connect_error(error) from None
    connection.terminate()
    return host


async def fetch_rows(
    connection: Any,
    statement: Statement[Row],
    arguments: tuple[Any, ...],
    timeout: float | None = None,
    actor: str | None = None,
) -> list[Row]:
    """``actor``: Actor.text."""
    row = statement.row
    if actor is None or statement.recorded is None:
        records = await connection.fetch(statement.text, *arguments, timeout=timeout)
        return records if row is None else [row(*record) for record in records]
    records = await connection.fetch(statement.recorded, *arguments, actor, timeout=timeout)
    return records if row is None else [row(*tuple(record)[:-1]) for record in records]


async def fetch_row(
    connection: Any,
    statement: Statement[Row],
    arguments: tuple[Any, ...],
    actor: str | None = None,
) -> Row | None:
    """``actor``: Actor.text."""
    row = statement.row
    if actor is None or statement.recorded is None:
        record = await connection.fetchrow(statement.text, *arguments)
        return record if row is None or record is None else row(*record)
    record = await connection.fetchrow(statement.recorded, *arguments, actor)
    return record if row is None or record is None else row(*tuple(record)[:-1])
