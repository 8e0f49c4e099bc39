"""What every request passes: request id, access log, metrics, deadline, body limit.

Pure ASGI because Starlette's BaseHTTPMiddleware breaks cancellation and costs two thirds of the
throughput. One layer, for each part needs what the others know: the status, the id, the time.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from random import getrandbits
from time import perf_counter
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.callbacks import Done, GiveUp
from app.deadlines import Deadlines
from app.http.answer import Answer
from app.http.errors import RETRY_AFTER, BodyTooLargeError, error_answer
from app.http.telemetry import Telemetry

_log = logging.getLogger("gatepost")
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")

AtOnce = Callable[[Scope, bytes, Done], GiveUp | None]
"""Takes a request and its body that it can answer without a task; None for every other one.

The answer may be None: then it has to be found the other way.
"""


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
        at_once: AtOnce | None = None,
    ) -> None:
        """``others``: for what is not HTTP."""
        self._answer = answer
        self._others = others
        self._at_once = at_once
        self._telemetry = telemetry
        self.deadlines: Final = Deadlines(timeout)
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

    def at_once(self, scope: Scope, body: bytes, done: Callable[[Answer | None], None]) -> bool:
        """Whether ``done`` is called, later, with the answer or with None: then ask ``answer``."""
        if self._at_once is None or len(body) > self._max_body:
            return False
        _enter(scope)
        waiting = _Waiting(self, scope, done)
        try:
            give_up = self._at_once(scope, body, waiting)
        except Exception:  # `answer` will meet it again, and log it
            waiting.drop()
            return False
        if give_up is None:
            return False
        waiting.give_up = give_up
        self.deadlines.add(waiting)
        return True

    async def answer(self, scope: Scope, receive: Receive) -> Answer | None:
        """The answer; None when nobody is left to take it."""
        _enter(scope)
        if scope["method"] != "GET":  # of which no body is read
            receive = self._limited(scope, receive)
        try:
            with self.deadlines.open():
                answer = await self._answer(scope, receive)
        except TimeoutError:
            answer = self.late()
        except ClientDisconnect:
            return None
        except BodyTooLargeError as error:
            answer = error_answer(413, "413", str(error))
        except Exception as error:
            answer = failed(scope, error)
        _identify(scope, answer)
        return answer

    def sent(self, scope: Scope, answer: Answer | None) -> None:
        """Note in the log and the metrics what became of a request."""
        self._telemetry.add(scope, answer[0] if answer else 0)

    def late(self) -> Answer:
        message = f"No answer within {self.deadlines.seconds:g} s"
        return error_answer(503, "503", message, headers=RETRY_AFTER)

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        limit = self._max_body
        headers = scope["state"]["headers"]
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

    __slots__ = ("_done", "_middleware", "_scope", "at", "give_up")

    def __init__(
        self, middleware: RequestMiddleware, scope: Scope, done: Callable[[Answer | None], None]
    ) -> None:
        self._middleware = middleware
        self._scope = scope
        self._done: Callable[[Answer | None], None] | None = done
        self.at = 0.0
        self.give_up: GiveUp

    def __call__(self, answer: Answer | None, failure: Exception | None) -> None:
        done, self._done = self._done, None
        if done is None:  # it came too late
            return
        self._middleware.deadlines.remove(self)
        del self.give_up  # it leads back to here
        if failure is not None:
            answer = failed(self._scope, failure)
        if answer is not None:
            _identify(self._scope, answer)
        done(answer)

    def expire(self) -> None:
        if self._done is not None:
            self.give_up()
            self(self._middleware.late(), None)

    def drop(self) -> None:
        """Take no answer any more."""
        self._done = None


def failed(scope: Scope, error: Exception) -> Answer:
    """The last resort: whatever went wrong is in the log, under the id that the caller has."""
    request_id = scope["state"]["request_id"]
    _log.error("request %s failed", request_id, exc_info=error)
    return error_answer(500, "500", "Internal error", details=request_id)


def _enter(scope: Scope) -> None:
    state = scope.setdefault("state", {})
    if "request_id" in state:  # it has been tried to answer it at once
        return
    state["started"] = perf_counter()
    state["headers"] = headers = dict(scope["headers"])  # shorter where a name comes twice
    given = headers.get(b"x-request-id", b"")
    if given and _REQUEST_ID.fullmatch(given):
        state["request_id"] = given.decode()
    else:
        state["request_id"] = f"{getrandbits(128):032x}"


def _identify(scope: Scope, answer: Answer) -> None:
    answer[1].append((b"x-request-id", scope["state"]["request_id"].encode()))
