"""GET /get-session of the plain kind, answered from the bare ASGI scope and without a task.

Every request of every user asks it, so what it need not do is left out; the answer is the one that
the door's endpoint gives. What is not plain is the endpoint's: a query, a session that is over or
due for a refresh, one too many requests, a copy of the session in a cookie, a header that comes
twice.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final

import msgspec
from starlette.responses import Response
from starlette.types import Scope

from app.auth import cookies, wire
from app.auth.addresses import client_address
from app.auth.call import PREFIX, Auth, seconds
from app.auth.cors import Cors
from app.auth.rate_limit import RateLimiter, TooManyRequestsError
from app.auth.sessions import NOT_KEPT
from app.callbacks import Done, GiveUp, nothing
from app.database import DatabaseError, DatabaseUnavailableError, Row
from app.http import answer as answers
from app.http.answer import Answer

_PATH: Final = "/get-session"
RAW_PATH: Final = (PREFIX + _PATH).encode()
_HEADERS: Final = [
    (b"content-type", b"application/json"),
    *((name.encode(), value.encode()) for name, value in NOT_KEPT.items()),
]
_encode: Final = msgspec.json.Encoder().encode


class PlainGetSession:
    """Answers by a callback: with the answer, or with None when the endpoint has to."""

    def __init__(
        self,
        auth: Auth,
        limiter: RateLimiter,
        cors: Cors,
        broken: Callable[[DatabaseError | DatabaseUnavailableError], Response],
    ) -> None:
        """``broken``: the answer to what the database failed with."""
        self._auth = auth
        self._limiter = limiter
        self._cors = cors
        self._broken = broken
        settings = auth.settings
        self._proxies = settings.trusted_proxies
        self._left_when_due = seconds(settings.session_expires_in - settings.session_update_age)
        self._deferred = settings.defer_session_refresh

    def __call__(self, scope: Scope, _: bytes, done: Done) -> GiveUp | None:
        if scope["method"] != "GET" or scope["query_string"] or self._deferred:
            return None
        state = scope["state"]
        headers = state["headers"]
        if len(headers) < len(scope["headers"]):
            return None
        names, cookie = self._auth.cookies, headers.get(b"cookie", b"").decode("latin-1")
        if names.session_data in cookie:
            return None
        jar = cookies.parse(cookie)
        authorization = headers.get(b"authorization")
        if authorization:
            names.take_bearer(jar, authorization.decode("latin-1"))
        forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1")
        try:
            self._limiter.count(client_address(forwarded, self._proxies), _PATH)
        except TooManyRequestsError:
            return None
        state["counted"] = True  # so that the endpoint does not count it again
        origin = headers.get(b"origin", b"").decode("latin-1")
        token = names.signed(jar, names.session_token)
        if token is None:
            asyncio.get_running_loop().call_soon(done, self._answer(b"null", origin), None)
            return nothing
        return self._auth.lookups.ask(token, partial(self._found, done, origin))

    def _found(self, done: Done, origin: str, row: Row | None, failure: Exception | None) -> None:
        answer = None
        if row is not None and row["expires_at"] - self._left_when_due > datetime.now(UTC):
            with suppress(Exception):  # the endpoint meets it again, and it is logged
                body = {"session": wire.session(row), "user": wire.user(row, "user.")}
                answer = self._answer(_encode(body), origin)
        elif isinstance(failure, (DatabaseError, DatabaseUnavailableError)):
            response = self._broken(failure)
            response.headers.update(NOT_KEPT)
            status, headers, content = answers.of(response)
            answer = status, [*headers, *self._cors.headers(origin)], content
        done(answer, None)

    def _answer(self, body: bytes, origin: str) -> Answer:
        length = (b"content-length", b"%d" % len(body))
        return 200, [*_HEADERS, length, *self._cors.headers(origin)], body
