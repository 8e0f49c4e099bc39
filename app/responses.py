"""Errors outside of the two APIs, as JSON: ``{code, message, details, hint}``.

The shape is PostgREST's; Better Auth's clients read ``code`` and ``message`` from it.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from starlette.responses import Response

RETRY_AFTER: Final = {"retry-after": "1"}
NO_STORE: Final = {"cache-control": "no-store"}


def security_headers(*, https: bool) -> dict[str, str]:
    """What every response has; ``https``: the public address is one of https."""
    headers = {"x-content-type-options": "nosniff"}
    if https:
        headers["strict-transport-security"] = "max-age=31536000"
    return headers


API_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
}
"""What a response of the APIs has besides: a browser that opens one as a page runs nothing of it,
and tells nobody its address."""


def error_response(
    status: int,
    code: str,
    message: str,
    details: str | None = None,
    hint: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    error = {"code": code, "details": details, "hint": hint, "message": message}
    content_type = {"content-type": "application/json; charset=utf-8"}
    return Response(msgspec.json.encode(error), status, {**content_type, **(headers or {})})
