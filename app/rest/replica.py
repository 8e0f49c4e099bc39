"""Reads that may be late, from a replica.

A request asks for one with ``Gatepost-Read: replica``. With ``Gatepost-WAL-Position``, which every
response to a write has, it says what the answer must show at least. The primary answers what no
replica can: because none answers, or because none has come so far yet.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any, Final, TypeVar

from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import Response

from ..database import Database, Transaction
from ..database.connector import prefer_standby
from ..errors import (
    DatabaseError,
    DatabaseUnavailableError,
    PoolExhaustedError,
    QueryTimeoutError,
    RestError,
)
from ..settings import Settings
from ..sql import Statement
from ..statements import replication
from .plan import Plan
from .query_tree import Value
from .read import ReadPlan

Row = TypeVar("Row")

READ: Final = "gatepost-read"
POSITION: Final = "gatepost-wal-position"
_POSITION: Final = re.compile(r"([0-9A-F]{1,8})/([0-9A-F]{1,8})", re.ASCII)
_PATIENCE: Final = 1.0
"""Seconds that a request waits for a connection to a replica before the primary answers it."""
_PAUSE: Final = 5.0
"""Seconds that replicas are left alone after none could be reached."""

_reads = Counter(
    "gatepost_replica_reads_total", "Reads that asked for a replica, by who answered", ["answered"]
)


class LateError(DatabaseError):
    """The replica has not come as far as the request needs."""


class Replica:
    """The replicas of one address."""

    def __init__(self, url: str, settings: Settings) -> None:
        patience = min(_PATIENCE, settings.acquire_timeout)
        self.database = Database(
            replace(settings, database_url=prefer_standby(url), acquire_timeout=patience)
        )
        self._paused_until = 0.0

    async def execute(
        self,
        plan: Plan,
        request: Request,
        primary: Database,
        values: Sequence[Value],
        body: bytes,
        request_id: str | None,
    ) -> Response:
        """Answer a request. Raises RestError and DatabaseError."""
        if not isinstance(plan, ReadPlan):
            response = await plan.execute(primary, values, body, request_id)
            with suppress(DatabaseError):  # the write is done, whatever becomes of this
                row = await primary.fetchrow(replication.position)
                response.headers[POSITION] = row["position"] if row else ""
            return response
        wanted = request.headers.get(READ)
        if wanted is None:
            return await plan.execute(primary, values, body, request_id)
        reader = _Reader(self, primary, _position(request, wanted))
        response = await plan.execute(reader, values, body, request_id)
        response.headers[READ] = reader.answered
        _reads.labels(reader.answered).inc()
        return response

    @property
    def is_paused(self) -> bool:
        return monotonic() < self._paused_until

    def pause(self) -> None:
        self._paused_until = monotonic() + _PAUSE


class _Reader:
    """What a plan reads from: a replica, and from the first failure on the primary."""

    def __init__(self, replica: Replica, primary: Database, position: int | None) -> None:
        self._replica = replica
        self._primary = primary
        self._position = position
        self.answered = "primary" if replica.is_paused else "replica"

    async def fetchrow(
        self, statement: Statement[Row], *arguments: Any, timeout: float | None = None
    ) -> Row | None:
        if self.answered == "replica":
            try:
                return await self._from_replica(statement, arguments, timeout)
            except QueryTimeoutError:
                raise
            except DatabaseError as error:  # also where its schema is not as new
                self.answered = "primary"
                busy = isinstance(error, PoolExhaustedError)
                if isinstance(error, DatabaseUnavailableError) and not busy:
                    self._replica.pause()
        return await self._primary.fetchrow(statement, *arguments, timeout=timeout)

    async def _from_replica(
        self, statement: Statement[Row], arguments: tuple[Any, ...], timeout: float | None
    ) -> Row | None:
        database, position = self._replica.database, self._position
        if position is None:
            return await database.fetchrow(statement, *arguments, timeout=timeout)

        async def read(transaction: Transaction) -> Row | None:
            row = await transaction.fetchrow(replication.has_replayed, position)
            if row is None or not row["replayed"]:
                raise LateError(f"{position:x} is not there yet")
            return await transaction.fetchrow(statement, *arguments)

        return await database.transaction(statement.name, read, timeout=timeout)


def _position(request: Request, wanted: str) -> int | None:
    """What the answer must show, as the driver has it: bytes of WAL since the cluster began."""
    if wanted != "replica":
        raise RestError(400, "PGRST122", f"Invalid Gatepost-Read: {wanted:.100}", None, "replica")
    text = request.headers.get(POSITION)
    if text is None:
        return None
    match = _POSITION.fullmatch(text)
    if match is None:
        message = f"Invalid Gatepost-WAL-Position: {text:.100}"
        raise RestError(400, "PGRST122", message, None, "The one that a write was answered with.")
    return int(match[1], 16) << 32 | int(match[2], 16)
