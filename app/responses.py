"""Error responses that belong to no API: ``{code, details, hint, message}`` as JSON."""

from collections.abc import Mapping
from typing import Final

import msgspec
from starlette.responses import Response

RETRY_AFTER: Final = {"retry-after": "1"}


def error_response(
    status: int,
    code: str,
    message: str,
    details: str | None = None,
    hint: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error in PostgREST's shape; Better Auth's clients read its code and message."""
    error = {"code": code, "details": details, "hint": hint, "message": message}
    all_headers = {"content-type": "application/json; charset=utf-8", **(headers or {})}
    return Response(msgspec.json.encode(error), status, all_headers)
