"""What every request passes: its id, its deadline, the limit of its body, its log line and metrics.

Pure ASGI, because Starlette's BaseHTTPMiddleware breaks cancellation and costs two thirds of the
throughput. One middleware, because each part needs what the others know: the status, the id, the
time.
"""

import asyncio
import re
from random import getrandbits
from time import perf_counter, time
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.body_limit import limited
from app.deadline import Deadline
from app.responses import RETRY_AFTER, error_response
from app.telemetry import FinishedRequest, Telemetry

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestMiddleware:
    """Answers 503 after ``timeout`` seconds, or 408 when the body did not come within them.

    Refuses to read more than ``max_body`` bytes.

    Sets ``request.state.request_id``, and reads ``request.state.key_name`` for the log.
    """

    def __init__(
        self, app: ASGIApp, *, telemetry: Telemetry, timeout: float, max_body: int
    ) -> None:
        self.app = app
        self.telemetry = telemetry
        self.timeout = timeout
        self.max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        method, path = scope["method"], scope["path"]  # routing changes the scope
        state = scope.setdefault("state", {})
        request_id = state["request_id"] = _request_id(scope)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message.get("headers", ())
                message["headers"] = [*headers, (b"x-request-id", request_id.encode())]
            await send(message)

        deadline = Deadline(self.timeout)
        try:
            with deadline:
                await self.app(scope, self._limited(scope, receive), send_with_id)
        except TimeoutError:
            if not deadline.expired or status:  # an error of a handler, or the response has begun
                status = status or 500
                raise
            if state.get("body_is_late"):
                message = f"The body did not come within {self.timeout:g} s"
                response = error_response(408, "408", message, headers={"connection": "close"})
            else:
                message = f"No answer within {self.timeout:g} s"
                response = error_response(503, "503", message, headers=RETRY_AFTER)
            await response(scope, receive, send_with_id)
        except ClientDisconnect:
            pass
        except Exception:
            status = status or 500  # of the response that Starlette makes of it
            raise
        finally:
            seconds, key = perf_counter() - started, state.get("key_name")
            self.telemetry.add(
                FinishedRequest(time(), seconds, request_id, method, path, status, key)
            )

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        if scope["method"] in ("GET", "HEAD"):  # their body is not read
            return receive

        async def receive_noting_its_end() -> Message:
            try:
                return await receive()
            except asyncio.CancelledError:
                scope["state"]["body_is_late"] = True
                raise

        return limited(scope, receive_noting_its_end, self.max_body)


def _request_id(scope: Scope) -> str:
    """The id that the client sent, when it looks like one, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value.decode()
    return f"{getrandbits(128):032x}"
