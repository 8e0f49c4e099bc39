"""The health endpoints: ``/livez`` and ``/readyz``."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from .database import Database
from .errors import (
    DatabaseError,
    PoolerError,
    PoolExhaustedError,
    StandbyError,
    StatementError,
)
from .responses import RETRY_AFTER
from .statements import doctor, migrations


async def livez(_: Request) -> Response:
    """200: the process handles requests."""
    return PlainTextResponse("ok")


async def readyz(request: Request) -> Response:
    """200 when the database takes writes and has every migration that this code knows.

    On a Citus cluster every worker has to answer, too. Otherwise 503 and the reason.
    """
    state = request.app.state
    reason = await _unready_reason(state.database, state.migrations, citus=state.citus)
    if reason is None:
        return PlainTextResponse("ok")
    return PlainTextResponse(reason, 503, RETRY_AFTER)


async def _unready_reason(database: Database, known: frozenset[str], *, citus: bool) -> str | None:
    try:
        if (await database.fetch(doctor.read_only))[0]["read_only"]:
            return "the database is a standby"
        rows = await database.fetch(migrations.applied)
    except StatementError as error:
        if not error.is_undefined_table:
            return "the database refuses to answer"
        rows = []
    except PoolerError as error:
        return str(error)
    except PoolExhaustedError:
        return "every connection to the database is in use"
    except StandbyError:
        return "the database is a standby"
    except DatabaseError:
        return "the database cannot be reached"
    pending = sorted(known - {row["version"] for row in rows})
    if pending:
        return f"migrations are pending: {', '.join(pending)}"
    return await _cluster_reason(database) if citus else None


async def _cluster_reason(database: Database) -> str | None:
    from .citus import unready_reason

    try:
        return await unready_reason(database)
    except DatabaseError:
        return "the cluster's workers cannot be asked"
