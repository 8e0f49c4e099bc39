"""Readiness: the database answers and has every migration that this code knows."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from app.database import Database, DatabaseError, DatabaseUnavailableError
from app.http.errors import RETRY_AFTER
from app.operations.migrations import versions
from app.statements import migrations


class Health:
    """What ``/readyz`` answers: 200, or 503 with the reason in one line."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._versions = versions()

    async def ready(self, _: Request) -> Response:
        reason = await self._missing()
        if reason is None:
            return PlainTextResponse("ok")
        return PlainTextResponse(reason, 503, RETRY_AFTER)

    async def _missing(self) -> str | None:
        try:
            rows = await self._database.fetch(migrations.applied)
        except DatabaseError as error:
            if error.sqlstate != "42P01":
                return "the database refuses to answer"
            rows = []
        except DatabaseUnavailableError:
            return "the database cannot be reached"
        pending = sorted(set(self._versions) - {row["version"] for row in rows})
        return f"migrations are pending: {', '.join(pending)}" if pending else None
