"""What every request passes: request id, access log, metrics, deadline, body limit.

Pure ASGI because Starlette's BaseHTTPMiddleware breaks cancellation and costs two thirds of the
throughput. One layer, for each part needs what the others know: the status, the id, the time.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from random import getrandbits
from time import perf_counter
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.deadlines import Deadlines
from app.http.answer import Answer, Done
from app.http.errors import RETRY_AFTER, BodyTooLargeError, error_answer
from app.http.telemetry import Telemetry

_log = logging.getLogger("gatepost")
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")

AtOnce = Callable[[Scope, Done], bool]
"""Takes a request that it can answer without a task of its own; false for every other one."""


class RequestMiddleware:
    """Times in seconds, sizes in bytes. Answers 503 past the deadline, 413 past the limit.

    It is an ASGI application; a server that can do without the messages of ASGI asks ``at_once``,
    and where that is false ``answer``, and then says what it ``sent``.
    """

    def __init__(
        self,
        answer: Callable[[Scope, Receive], Awaitable[Answer]],
        others: ASGIApp,
        *,
        telemetry: Telemetry,
        timeout: float,
        max_body: int,
        at_once: Mapping[bytes, AtOnce] | None = None,
    ) -> None:
        """``others``: for what is not HTTP. ``at_once`` by the raw path of the request."""
        self._answer = answer
        self._others = others
        self._at_once = at_once or {}
        self._telemetry = telemetry
        self._deadlines = Deadlines(timeout)
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._others(scope, receive, send)
            return
        answer = None
        try:
            answer = await self.answer(scope, receive)
            if answer is not None:
                status, headers, body = answer
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": body})
        finally:
            self.sent(scope, answer)

    def at_once(self, scope: Scope, done: Done) -> bool:
        """Whether ``done`` is called, later, with the answer or with None: then ask ``answer``."""
        at_once = self._at_once.get(scope["raw_path"])
        if at_once is None:
            return False
        _enter(scope)
        waiting = _Waiting(self, scope, done)
        self._deadlines.add(waiting)
        with suppress(Exception):  # `answer` will meet it again, and log it
            if at_once(scope, waiting):
                return True
        self._deadlines.remove(waiting)
        return False

    async def answer(self, scope: Scope, receive: Receive) -> Answer | None:
        """The answer; None when nobody is left to take it."""
        _enter(scope)
        if scope["method"] != "GET":  # of which no body is read
            receive = self._limited(scope, receive)
        try:
            with self._deadlines.open():
                answer = await self._answer(scope, receive)
        except TimeoutError:
            answer = self.late()
        except ClientDisconnect:
            return None
        except BodyTooLargeError as error:
            answer = error_answer(413, "413", str(error))
        except Exception:
            # the last resort: whatever went wrong is in the log, under the id the caller has
            request_id = scope["state"]["request_id"]
            _log.exception("request %s failed", request_id)
            answer = error_answer(500, "500", "Internal error", details=request_id)
        _identify(scope, answer)
        return answer

    def sent(self, scope: Scope, answer: Answer | None) -> None:
        """Note in the log and the metrics what became of a request."""
        elapsed = perf_counter() - scope["state"]["started"]
        self._telemetry.add(scope, answer[0] if answer else 0, elapsed)

    def forget(self, waiting: "_Waiting") -> None:
        self._deadlines.remove(waiting)

    def late(self) -> Answer:
        message = f"No answer within {self._deadlines.seconds:g} s"
        return error_answer(503, "503", message, headers=RETRY_AFTER)

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        limit = self._max_body
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"")
        too_large = declared.isdigit() and int(declared[:20]) > limit
        if declared.isdigit() and not too_large and b"transfer-encoding" not in headers:
            return receive  # the server takes no more than was declared
        received = 0

        async def limited() -> Message:
            nonlocal received
            if too_large:
                raise BodyTooLargeError(limit)
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise BodyTooLargeError(limit)
            return message

        return limited


class _Waiting:
    """A request that is answered at once: now, later, or, past the deadline, by a refusal."""

    __slots__ = ("_done", "_middleware", "_scope", "at")

    def __init__(self, middleware: RequestMiddleware, scope: Scope, done: Done) -> None:
        self._middleware = middleware
        self._scope = scope
        self._done: Done | None = done
        self.at = 0.0

    def __call__(self, answer: Answer | None) -> None:
        done, self._done = self._done, None
        if done is None:  # it came too late
            return
        self._middleware.forget(self)
        if answer is not None:
            _identify(self._scope, answer)
        done(answer)

    def expire(self) -> None:
        self(self._middleware.late())


def _enter(scope: Scope) -> None:
    state = scope.setdefault("state", {})
    if "request_id" in state:  # it has been tried to answer it at once
        return
    state["started"] = perf_counter()
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            state["request_id"] = value.decode()
            return
    state["request_id"] = f"{getrandbits(128):032x}"


def _identify(scope: Scope, answer: Answer) -> None:
    answer[1].append((b"x-request-id", scope["state"]["request_id"].encode()))
