"""Cross-origin requests from trusted origins, with credentials.

Better Auth leaves CORS to the application, and a browser client on another origin needs it.
Starlette's CORSMiddleware takes lists and one regular expression, no function that decides.
Source: Fetch Standard, "CORS protocol".
"""

from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.auth.origins import Origins

_METHODS: Final = "GET, POST"
_MAX_AGE: Final = "600"


class CorsMiddleware:
    """Lets the trusted origins read the responses."""

    def __init__(self, app: ASGIApp, *, origins: Origins) -> None:
        self.app = app
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        added = self._headers(headers.get("origin", ""))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        app: ASGIApp = self.app
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            app = self._preflight(headers) or self.app
        await app(scope, receive, send_with_headers)

    def _preflight(self, headers: Headers) -> Response | None:
        """The response to a preflight request; None for an origin that is not trusted."""
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

    def _headers(self, origin: str) -> list[tuple[bytes, bytes]]:
        """For every response; Vary also where the origin is not trusted, for caches."""
        vary = (b"vary", b"Origin")
        if not self._trusts(origin):
            return [vary]
        return [
            vary,
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
        ]

    def _trusts(self, origin: str) -> bool:
        if not origin or origin in ("null", self.origins.own):
            return False
        return self.origins.trusts(origin)
