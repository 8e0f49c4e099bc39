"""Reads that may be late, from a replica.

A request asks for one with ``Gatepost-Read: replica``. With ``Gatepost-WAL-Position``, which every
response to a write has, it says what the answer must show at least.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import Response

from ..database import Database
from ..database.replica import Replica, position_of, read_position
from ..errors import DatabaseError, RestError
from .plan import Plan
from .query_tree import Value
from .read import ReadPlan

READ: Final = "gatepost-read"
POSITION: Final = "gatepost-wal-position"

_reads = Counter(
    "gatepost_replica_reads_total", "Reads that asked for a replica, by who answered", ["answered"]
)


async def execute(
    plan: Plan,
    request: Request,
    primary: Database,
    replica: Replica,
    values: Sequence[Value],
    body: bytes,
    request_id: str | None,
) -> Response:
    """Answer a request. Raises RestError and DatabaseError."""
    if not isinstance(plan, ReadPlan):
        response = await plan.execute(primary, values, body, request_id)
        with suppress(DatabaseError):  # the write is done, whatever becomes of this
            response.headers[POSITION] = await position_of(primary)
        return response
    wanted = request.headers.get(READ)
    if wanted is None:
        return await plan.execute(primary, values, body, request_id)
    reader = replica.reader(primary, _position(request, wanted))
    response = await plan.execute(reader, values, body, request_id)
    response.headers[READ] = reader.answered
    _reads.labels(reader.answered).inc()
    return response


def _position(request: Request, wanted: str) -> int | None:
    """What the answer must show."""
    if wanted != "replica":
        raise RestError(400, "PGRST122", f"Invalid Gatepost-Read: {wanted:.100}", None, "replica")
    text = request.headers.get(POSITION)
    if text is None:
        return None
    position = read_position(text)
    if position is None:
        message = f"Invalid Gatepost-WAL-Position: {text:.100}"
        raise RestError(400, "PGRST122", message, None, "The one that a write was answered with.")
    return position
