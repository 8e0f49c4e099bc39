"""Endpoints about the auth API itself."""

import re
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from . import answers
from .context import RequestContext
from .endpoint import get


async def ok(_: RequestContext) -> answers.Alive:
    """Whether the auth API is there."""
    return {"ok": True}


async def error(context: RequestContext) -> Response:
    """Where failed links lead: on to the application, whose own page shows the error."""
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
