"""uvicorn's HTTP protocol, without what an answer that is whole does not need.

ASGI has a task for each request and a message for each part of an answer. Where the answer comes
from RequestMiddleware itself it is written in one go, and what is answered at once takes no task:
together that is a quarter of what a quick request costs. Everything else is uvicorn's: connections,
parsing, keep-alive, pipelining, shutdown.
"""

import asyncio
import logging
from typing import Any, Final, cast

from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from app.http.answer import Answer, Header
from app.http.middleware import RequestMiddleware

_log = logging.getLogger("gatepost")
_PATIENCE: Final = 30.0
"""Seconds for a client to take answers before it gets another one."""


class WholeAnswerProtocol(HttpToolsProtocol):
    """For the application of app/main.py, whose requests all go to a RequestMiddleware."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # None where uvicorn has put something around the application: then all goes by ASGI
        self._middleware: RequestMiddleware | None = getattr(self.app, "middleware_stack", None)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        middleware, scope = self._middleware, cast("Scope", cycle.scope)
        if middleware is None or app is not self.app:  # another application: uvicorn's refusal
            super()._start_asgi_task(cycle, app)
            return

        def done(answer: Answer | None) -> None:
            if answer is None:
                self._begin(cycle, middleware)
            else:
                self._finish(cycle, middleware, answer)

        if self.flow.write_paused or not middleware.at_once(scope, done):
            self._begin(cycle, middleware)

    def _begin(self, cycle: RequestResponseCycle, middleware: RequestMiddleware) -> None:
        task = self.loop.create_task(self._run(cycle, middleware))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _run(self, cycle: RequestResponseCycle, middleware: RequestMiddleware) -> None:
        answer = None
        try:
            answer = await middleware.answer(
                cast("Scope", cycle.scope), cast("Receive", cycle.receive)
            )
            if self.flow.write_paused:
                async with asyncio.timeout(_PATIENCE):
                    await self.flow.drain()
        except TimeoutError:
            answer = None
            self.transport.abort()
        finally:
            self._finish(cycle, middleware, answer)

    def _finish(
        self, cycle: RequestResponseCycle, middleware: RequestMiddleware, answer: Answer | None
    ) -> None:
        middleware.sent(cast("Scope", cycle.scope), answer)
        if self.transport.is_closing():
            return
        if answer is None:
            self.transport.close()
            return
        status, headers, body = answer
        if not cycle.keep_alive:
            headers.append((b"connection", b"close"))
        try:
            head = _head(status, cycle.default_headers + headers)
        except ValueError:
            _log.exception("an answer to %s cannot be sent", cycle.scope["path"])
            self.transport.close()
            return
        self.transport.write(head if cycle.scope["method"] == "HEAD" else head + body)
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
        cycle.on_response = _nothing  # or each holds the other


def _head(status: int, headers: list[Header]) -> bytes:
    lines = [STATUS_LINE[status]]
    for name, value in headers:
        lines += (name, b": ", value, b"\r\n")
    lines.append(b"\r\n")
    head = b"".join(lines)
    if head.count(b"\n") != len(headers) + 2:
        raise ValueError("a header has a line feed")
    return head


def _nothing() -> None: ...
