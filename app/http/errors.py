"""Errors that no door claims, as JSON: ``{code, message, details, hint}``.

The shape is PostgREST's; Better Auth's clients read ``code`` and ``message`` from it.
"""

from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

RETRY_AFTER: Final = {"Retry-After": "1"}


class BodyTooLargeError(Exception):
    """The request's body is longer than the limit, which ``limit`` gives in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is longer than {limit} bytes")
        self.limit = limit


def error_response(
    status: int,
    code: str,
    message: str,
    details: str | None = None,
    hint: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    body = {"code": code, "details": details, "hint": hint, "message": message}
    return Response(msgspec.json.encode(body), status, headers, "application/json; charset=utf-8")


async def on_http_exception(_: Request, error: Exception) -> Response:
    """The router's own 404 and 405."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else None
    message = {404: "Not found", 405: "Method not allowed"}.get(status, "Request failed")
    return error_response(status, str(status), message, headers=headers)
