"""Cross-origin requests from trusted origins, with credentials.

Better Auth leaves CORS to the application; a browser client on another origin cannot do without.
Source: Fetch Standard, "CORS protocol".
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.auth.origins import Origins

_METHODS = "GET, POST"
_MAX_AGE = "600"
_VARY: Final = (b"vary", b"Origin")


class Cors:
    """Lets the trusted origins read the answers."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins

    def preflight(self, request: Request) -> Response | None:
        """The answer to a preflight request; None for every other request."""
        wanted = request.headers.get("access-control-request-method")
        if (
            request.method != "OPTIONS"
            or not wanted
            or not self._trusts(request.headers.get("origin", ""))
        ):
            return None
        headers = {
            "access-control-allow-methods": _METHODS,
            "access-control-max-age": _MAX_AGE,
            "vary": "Access-Control-Request-Method, Access-Control-Request-Headers",
        }
        asked = request.headers.get("access-control-request-headers")
        if asked:
            headers["access-control-allow-headers"] = asked
        return Response(b"", 204, headers)

    def allow(self, request: Request, response: Response) -> None:
        """Add what a browser asks for; Vary in any case, for caches."""
        response.headers.raw.extend(self.headers(request.headers.get("origin", "")))

    def headers(self, origin: str) -> list[tuple[bytes, bytes]]:
        """What ``allow`` adds for a request from ``origin``; "" when it names none."""
        if not self._trusts(origin):
            return [_VARY]
        return [
            _VARY,
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
        ]

    def _trusts(self, origin: str) -> bool:
        if not origin or origin in ("null", self._origins.own):
            return False
        return self._origins.trusts(origin)
