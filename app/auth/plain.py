"""GET /get-session of the plain kind, answered from the bare ASGI scope.

Every request of every user asks it, so what it need not do is left out; the answer is the one that
the door's endpoint gives. What is not plain is the endpoint's: a query, a session that is over or
due for a refresh, one too many requests, a copy of the session in a cookie.
"""

from datetime import UTC, datetime
from typing import Final

import msgspec
from starlette.types import Scope

from app.auth import cookies, wire
from app.auth.addresses import client_address
from app.auth.call import PREFIX, Auth, seconds
from app.auth.cors import Cors
from app.auth.rate_limit import RateLimiter, TooManyRequestsError
from app.auth.sessions import NOT_KEPT

_PATH: Final = "/get-session"
_RAW_PATH: Final = (PREFIX + _PATH).encode()
_HEADERS: Final = [
    (b"content-type", b"application/json"),
    *((name.encode(), value.encode()) for name, value in NOT_KEPT.items()),
]
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
_encode: Final = msgspec.json.Encoder().encode


class PlainGetSession:
    """Answers with status, headers and body, or with None when the endpoint has to."""

    def __init__(self, auth: Auth, limiter: RateLimiter, cors: Cors) -> None:
        self._auth = auth
        self._limiter = limiter
        self._cors = cors
        settings = auth.settings
        self._proxies = settings.trusted_proxies
        self._left_when_due = seconds(settings.session_expires_in - settings.session_update_age)
        self._deferred = settings.defer_session_refresh

    async def __call__(self, scope: Scope) -> Answer | None:
        """Raises DatabaseError or DatabaseUnavailableError."""
        if (
            scope["raw_path"] != _RAW_PATH
            or scope["method"] != "GET"
            or scope["query_string"]
            or self._deferred
        ):
            return None
        cookie, authorization, origin = "", None, None
        forwarded: list[str] = []
        for name, value in scope["headers"]:
            if name == b"cookie":
                text = value.decode("latin-1")
                cookie = f"{cookie}; {text}" if cookie else text
            elif name == b"x-forwarded-for":
                forwarded.append(value.decode("latin-1"))
            elif name == b"origin":
                origin = value.decode("latin-1")
            elif name == b"authorization":
                authorization = value.decode("latin-1")
        names = self._auth.cookies
        if names.session_data in cookie:
            return None
        jar = cookies.parse(cookie)
        if authorization:
            names.take_bearer(jar, authorization)
        try:
            self._limiter.count(client_address(forwarded, self._proxies), _PATH)
        except TooManyRequestsError:
            return None
        scope["state"]["counted"] = True  # so that the endpoint does not count it again
        body = b"null"
        token = names.signed(jar, names.session_token)
        if token is not None:
            row = await self._auth.lookups.find(token)
            if row is None or row["expires_at"] - self._left_when_due <= datetime.now(UTC):
                return None
            body = _encode({"session": wire.session(row), "user": wire.user(row, "user.")})
        length = (b"content-length", b"%d" % len(body))
        return 200, [*_HEADERS, length, *self._cors.headers(origin)], body
