"""Errors that no door claims, as JSON: ``{code, message, details, hint}``.

The shape is PostgREST's; Better Auth's clients read ``code`` and ``message`` from it.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from starlette.exceptions import HTTPException

from app.http.answer import Answer, whole

RETRY_AFTER: Final = {"retry-after": "1"}


class BodyTooLargeError(Exception):
    """The request's body is longer than the limit, which ``limit`` gives in bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is longer than {limit} bytes")
        self.limit = limit


def error_answer(
    status: int,
    code: str,
    message: str,
    details: str | None = None,
    hint: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    error = {"code": code, "details": details, "hint": hint, "message": message}
    more = [(n.lower().encode(), v.encode("latin-1")) for n, v in (headers or {}).items()]
    json = (b"content-type", b"application/json; charset=utf-8")
    return whole(status, msgspec.json.encode(error), json, *more)


def router_refusal(error: HTTPException) -> Answer:
    """The router's own 404 and 405."""
    status = error.status_code
    message = {404: "Not found", 405: "Method not allowed"}.get(status, "Request failed")
    return error_answer(status, str(status), message, headers=error.headers)
