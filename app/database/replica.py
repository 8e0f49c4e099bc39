"""Reads that may be late, from a replica: never older than what they are asked to show.

The primary answers what no replica can: because none answers, or because none has come so far yet.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from time import monotonic
from typing import Any, Final, TypeVar

from ..errors import (
    DatabaseError,
    DatabaseUnavailableError,
    PoolExhaustedError,
    QueryTimeoutError,
)
from ..settings import Settings
from ..sql import Statement
from ..statements import replication
from .connector import prefer_standby
from .database import Database, Transaction

Row = TypeVar("Row")
Result = TypeVar("Result")

_POSITION: Final = re.compile(r"([0-9A-F]{1,8})/([0-9A-F]{1,8})", re.ASCII)
_PATIENCE: Final = 1.0
"""Seconds that a read waits for a connection to a replica before the primary answers it."""
_PAUSE: Final = 5.0
"""Seconds that replicas are left alone after none could be reached."""


class LateError(DatabaseError):
    """The replica has not come as far as the read needs."""


class Replica:
    """The replicas of one address."""

    def __init__(self, url: str, settings: Settings) -> None:
        patience = min(_PATIENCE, settings.acquire_timeout)
        self.database = Database(
            replace(settings, database_url=prefer_standby(url), acquire_timeout=patience)
        )
        self._paused_until = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the pool open while the block lasts."""
        await self.database.open()
        try:
            yield
        finally:
            await self.database.close()

    def reader(self, primary: Database, position: int | None) -> "Reader":
        """What reads for one request. ``position``: what it must show at least."""
        return Reader(self, primary, position)

    @property
    def is_paused(self) -> bool:
        return monotonic() < self._paused_until

    def pause(self) -> None:
        self._paused_until = monotonic() + _PAUSE


class Reader:
    """Reads from a replica, and from the first failure on from the primary."""

    def __init__(self, replica: Replica, primary: Database, position: int | None) -> None:
        self._replica = replica
        self._primary = primary
        self._position = position
        self.answered = "primary" if replica.is_paused else "replica"

    async def fetch(self, statement: Statement[Row], *arguments: Any) -> list[Row]:
        """The rows of a statement. Raises DatabaseError."""

        async def read(transaction: Transaction) -> list[Row]:
            return await transaction.fetch(statement, *arguments)

        return await self._read(
            lambda database: database.fetch(statement, *arguments), statement.name, read
        )

    async def fetchrow(
        self, statement: Statement[Row], *arguments: Any, timeout: float | None = None
    ) -> Row | None:
        """The first row of a statement. Raises DatabaseError."""

        async def read(transaction: Transaction) -> Row | None:
            return await transaction.fetchrow(statement, *arguments)

        return await self._read(
            lambda database: database.fetchrow(statement, *arguments, timeout=timeout),
            statement.name,
            read,
            timeout,
        )

    async def _read(
        self,
        directly: Callable[[Database], Awaitable[Result]],
        name: str,
        read: Callable[[Transaction], Awaitable[Result]],
        timeout: float | None = None,
    ) -> Result:
        if self.answered == "replica":
            try:
                if self._position is None:
                    return await directly(self._replica.database)
                return await self._read_from(self._position, name, read, timeout)
            except QueryTimeoutError:
                raise
            except DatabaseError as error:  # also where its schema is not as new
                self.answered = "primary"
                busy = isinstance(error, PoolExhaustedError)
                if isinstance(error, DatabaseUnavailableError) and not busy:
                    self._replica.pause()
        return await directly(self._primary)

    async def _read_from(
        self,
        position: int,
        name: str,
        read: Callable[[Transaction], Awaitable[Result]],
        timeout: float | None,
    ) -> Result:
        async def checked(transaction: Transaction) -> Result:
            row = await transaction.fetchrow(replication.has_replayed, position)
            if row is None or not row["replayed"]:
                raise LateError(f"{position:x} is not there yet")
            return await read(transaction)

        return await self._replica.database.transaction(name, checked, timeout=timeout)


async def position_of(primary: Database) -> str:
    """How far the primary has come, as PostgreSQL writes it. Raises DatabaseError."""
    row = await primary.fetchrow(replication.position)
    return row["position"] if row else ""


def read_position(text: str) -> int | None:
    """A position as the driver has it: bytes of WAL since the cluster began. None: it is none."""
    match = _POSITION.fullmatch(text)
    return int(match[1], 16) << 32 | int(match[2], 16) if match else None
