"""What every request passes: its id, its deadline, the limit of its body, its log line and metrics.

Pure ASGI, because Starlette's BaseHTTPMiddleware breaks cancellation and costs two thirds of the
throughput. One middleware, because each part needs what the others know: the status, the id, the
time.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from random import getrandbits
from time import perf_counter, time
from types import MappingProxyType
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .body_limit import limited
from .deadline import Deadline
from .responses import NO_STORE, RETRY_AFTER, error_response
from .telemetry import FinishedRequest, Telemetry

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_APIS: Final = ("/api/auth/", "/rest/")
(_NO_STORE,) = ((name.encode(), value.encode()) for name, value in NO_STORE.items())


class RequestMiddleware:
    """Answers 503 after ``timeout`` seconds, or 408 when the body did not come within them.

    Refuses to read more than ``max_body`` bytes.

    Sets ``request.state.request_id``, and reads ``request.state.key_name`` for the log. Every
    response gets ``headers``, those of the APIs ``api_headers`` too, and one that says nothing of
    caches ``Cache-Control: no-store``. ``prepare_error`` may add to a response that is made here.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        telemetry: Telemetry,
        timeout: float,
        max_body: int,
        headers: Mapping[str, str] = MappingProxyType({}),
        api_headers: Mapping[str, str] = MappingProxyType({}),
        prepare_error: Callable[[Scope, Response], None] = lambda _scope, _response: None,
    ) -> None:
        self.app = app
        self._headers = _encoded(headers)
        self._api_headers = _encoded({**headers, **api_headers})
        self._prepare_error = prepare_error
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
        more_headers = self._api_headers if path.startswith(_APIS) else self._headers
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", ()), *more_headers]
                headers.append((b"x-request-id", request_id.encode()))
                if b"cache-control" not in [name for name, _ in headers]:
                    headers.append(_NO_STORE)
                message["headers"] = headers
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
            self._prepare_error(scope, response)
            await response(scope, receive, send_with_id)
        except ClientDisconnect:
            pass
        except asyncio.CancelledError:  # the server stops, and its patience is at an end
            if not status:
                headers = {**RETRY_AFTER, "connection": "close"}
                response = error_response(503, "503", "The service is stopping", headers=headers)
                self._prepare_error(scope, response)
                await response(scope, receive, send_with_id)
            raise
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

        state, ended = scope["state"], False

        async def receive_noting_its_end() -> Message:
            nonlocal ended
            try:
                message = await receive()
            except asyncio.CancelledError:  # also when only asked whether the client is there
                state["body_is_late"] = not ended
                raise
            state["body_is_late"] = False
            ended = not message.get("more_body", False)
            return message

        return limited(scope, receive_noting_its_end, self.max_body)


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _request_id(scope: Scope) -> str:
    """The id that the client sent, when it looks like one, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return value.decode()
    return f"{getrandbits(128):032x}"
