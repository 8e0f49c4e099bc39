"""Endpoints about the door itself."""

import re
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from app.auth.call import Call


async def ok(_: Call) -> Any:
    """GET /ok."""
    return {"ok": True}


async def error(call: Call) -> Any:
    """GET /error: where failed links lead; the application's own page shows it."""
    code = _first(call.query.get("error", "UNKNOWN"))
    if not re.fullmatch(r"['\w-]+", code, re.ASCII):
        code = "UNKNOWN"
    query = {"error": code}
    description = _first(call.query.get("error_description", ""))
    if description:
        query["error_description"] = description
    return Response(b"", 302, {"location": f"/?{urlencode(query)}"})


def _first(value: str | list[str]) -> str:
    return value if isinstance(value, str) else value[0]
