"""Endpoints about the auth API itself."""

import re
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from app.auth.context import RequestContext
from app.auth.endpoint import get


async def ok(_: RequestContext) -> Any:
    """GET /ok."""
    return {"ok": True}


async def error(context: RequestContext) -> Any:
    """GET /error: where failed links lead; the application's own page shows it."""
    code = _first(context.query.get("error", "UNKNOWN"))
    if not re.fullmatch(r"['\w-]+", code, re.ASCII):
        code = "UNKNOWN"
    query = {"error": code}
    description = _first(context.query.get("error_description", ""))
    if description:
        query["error_description"] = description
    return Response(b"", 302, {"location": f"/?{urlencode(query)}"})


def _first(value: str | list[str]) -> str:
    return value if isinstance(value, str) else value[0]


routes: Final = [get("/ok", ok), get("/error", error)]
