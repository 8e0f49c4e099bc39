"""Cross-origin requests from trusted origins, with credentials.

Better Auth leaves CORS to the application, and a browser client on another origin needs it.
Starlette's CORSMiddleware takes lists and one regular expression, no function that decides.
Source: Fetch Standard, "CORS protocol".
"""

from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response

from .origins import Origins

_METHODS: Final = "GET, POST"
_MAX_AGE: Final = "600"
_VARY: Final = (b"vary", b"Origin")
_CREDENTIALS: Final = (b"access-control-allow-credentials", b"true")


class Cors:
    """Lets the trusted origins read the responses."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins

    def add_headers(self, request_headers: Headers, response: Response) -> None:
        """Let the origin read a response; Vary for every origin, because caches need it."""
        response.raw_headers.append(_VARY)
        if "origin" in request_headers and self._trusts(origin := request_headers["origin"]):
            allowed = (b"access-control-allow-origin", origin.encode("latin-1"))
            response.raw_headers += [allowed, _CREDENTIALS]

    def preflight(self, method: str, headers: Headers) -> Response | None:
        """The response to a preflight request of a trusted origin; None for other requests."""
        if method != "OPTIONS" or "access-control-request-method" not in headers:
            return None
        if not self._trusts(headers.get("origin", "")):
            return None
        answer = {
            "access-control-allow-methods": _METHODS,
            "access-control-max-age": _MAX_AGE,
            "vary": "Access-Control-Request-Method, Access-Control-Request-Headers",
        }
        wanted = headers.get("access-control-request-headers")
        if wanted:
            answer["access-control-allow-headers"] = wanted
        return Response(b"", 204, answer)

    def _trusts(self, origin: str) -> bool:
        if not origin or origin in ("null", self._origins.own):
            return False
        return self._origins.allows(origin)
