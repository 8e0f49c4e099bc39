"""What both doors share, as pure ASGI: request id, access log, metrics, deadline, body limit.

Pure ASGI because Starlette's BaseHTTPMiddleware breaks cancellation and costs two thirds of the
throughput. One layer, for each part needs what the others know: the status, the id, the time.
"""

import logging
import re
import time
from collections.abc import Awaitable, Callable
from random import getrandbits
from typing import Any, Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.deadlines import Deadlines
from app.http.answers import Answers
from app.http.errors import RETRY_AFTER, BodyTooLargeError, error_response

_log = logging.getLogger("gatepost")
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers, body."""
Quick = Callable[[Scope], Awaitable[Answer | None]]


class RequestMiddleware:
    """Times in seconds, sizes in bytes. Answers 503 past the deadline, 413 past the limit.

    ``quick`` is asked before ``app``: it answers what needs no body in one go.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        answers: Answers,
        timeout: float,
        max_body: int,
        quick: Quick | None = None,
    ) -> None:
        self._app = app
        self._quick = quick
        self._answers = answers
        self._deadlines = Deadlines(timeout)
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            with self._deadlines.open():
                answer = await self._quick(scope) if self._quick else None
                if answer is None:
                    await self._app(scope, self._limited(scope, receive), send_with_id)
            if answer is not None:
                status, headers, body = answer
                headers.append((b"x-request-id", request_id.encode()))
                await send({"type": "http.response.start", "status": status, "headers": headers})
                await send({"type": "http.response.body", "body": body})
        except TimeoutError:
            if not status:
                message = f"No answer within {self._deadlines.seconds:g} s"
                response = error_response(503, "503", message, headers=RETRY_AFTER)
                await response(scope, receive, send_with_id)
        except ClientDisconnect:
            pass  # nobody is left to answer; the log has status 0
        except BodyTooLargeError as error:
            if not status:
                await error_response(413, "413", str(error))(scope, receive, send_with_id)
        except Exception:
            # the last resort: whatever went wrong is in the log, under the id the caller has
            _log.exception("request %s failed", request_id)
            if not status:
                response = error_response(500, "500", "Internal error", details=request_id)
                await response(scope, receive, send_with_id)
        finally:
            self._answers.add(scope, status, time.perf_counter() - started)

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        limit = self._max_body
        declared = next((v for k, v in scope["headers"] if k == b"content-length"), b"")
        too_large = declared.isdigit() and int(declared[:20]) > limit
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


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value.decode()
    return f"{getrandbits(128):032x}"
