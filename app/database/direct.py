"""Connections outside of the pool and of the service: for the command line."""

import asyncio
import os
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self
from uuid import UUID

import asyncpg

from app.database.errors import DatabaseError, DatabaseMissingError, DatabaseUnavailableError
from app.database.pool import SESSION, Row, reason
from app.sql import Statement


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
        self._settings = SESSION | settings
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
                raise DatabaseUnavailableError(reason(error)) from None
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
            raise DatabaseUnavailableError(reason(error)) from None


_SAMPLES: Final[dict[str, Any]] = {
    "uuid": UUID(int=0),
    "timestamptz": datetime(2026, 1, 1, tzinfo=UTC),
    "integer": 1,
    "text": "",
    "bigint": 1,
    "boolean": True,
    "interval": timedelta(hours=1),
    "tid": (0, 1),  # page and row
}


async def explain(url: str, statements: Iterable[Statement]) -> list[tuple[Statement, str]]:
    """Each statement with its plan, as the server would run it with values it has not seen.

    Raises DatabaseUnavailableError.
    """
    try:
        connection = await asyncpg.connect(
            url, timeout=5, command_timeout=30, server_settings=SESSION
        )
    except (OSError, TimeoutError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailableError(reason(error)) from None
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
