"""uvicorn's HTTP protocol, without what an answer that is whole does not need.

ASGI has a task for each request and a message for each part of an answer. Where the answer comes
from RequestMiddleware itself it is written in one go, and what is answered at once takes no task:
together that is a quarter of what a quick request costs. Everything else is uvicorn's: connections,
parsing, keep-alive, pipelining, shutdown.
"""

import asyncio
import logging
from functools import partial
from typing import Any, Final

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from app.http.answer import Answer, Header
from app.http.middleware import RequestMiddleware

_log = logging.getLogger("gatepost")
_SHORT: Final = 4096
"""Bytes of a body that are sooner copied than written by themselves."""
_line: Final = b": ".join
_PATIENCE: Final = 30.0
"""Seconds for a client to take answers before it gets another one."""


class WholeAnswerProtocol(HttpToolsProtocol):
    """For the application of app/main.py, whose requests all go to a RequestMiddleware."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # None where uvicorn has put something around the application: then all goes by ASGI
        self._middleware: RequestMiddleware | None = getattr(self.app, "middleware_stack", None)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        middleware, scope = self._middleware, cycle.scope
        if middleware is None or app is not self.app:  # another application: uvicorn's refusal
            super()._start_asgi_task(cycle, app)
            return

        if scope["method"] == "GET":
            self._answer(cycle, middleware, b"")
        else:
            # in the next turn of the loop, when mostly all of the body is there
            self.loop.call_soon(self._answer_with_body, cycle, middleware)

    def _answer_with_body(self, cycle: RequestResponseCycle, middleware: RequestMiddleware) -> None:
        if cycle.more_body or cycle.disconnected or len(cycle.body) > HIGH_WATER_LIMIT:
            self._begin(cycle, middleware)
        else:
            self._answer(cycle, middleware, bytes(cycle.body))

    def _answer(
        self, cycle: RequestResponseCycle, middleware: RequestMiddleware, body: bytes
    ) -> None:
        """Answer without a task, if that can be."""
        scope: Any = cycle.scope
        done = partial(self._done, cycle, middleware)
        if self.flow.write_paused or not middleware.at_once(scope, body, done):
            self._begin(cycle, middleware)

    def _done(
        self, cycle: RequestResponseCycle, middleware: RequestMiddleware, answer: Answer | None
    ) -> None:
        if answer is None:
            self._begin(cycle, middleware)
        else:
            self._finish(cycle, middleware, answer)

    def _begin(self, cycle: RequestResponseCycle, middleware: RequestMiddleware) -> None:
        task = self.loop.create_task(self._run(cycle, middleware))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _run(self, cycle: RequestResponseCycle, middleware: RequestMiddleware) -> None:
        answer = None
        scope: Any = cycle.scope
        receive: Any = cycle.receive
        try:
            answer = await middleware.answer(scope, receive)
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
        transport = self.transport
        scope: Any = cycle.scope
        middleware.sent(scope, answer)
        if transport.is_closing():
            return
        if answer is None:
            transport.close()
            return
        status, headers, body = answer
        if not cycle.keep_alive:
            headers.append((b"connection", b"close"))
        try:
            head = _head(status, cycle.default_headers + headers)
        except ValueError:
            _log.exception("an answer to %s cannot be sent", scope["path"])
            transport.close()
            return
        if scope["method"] == "HEAD":
            transport.write(head)
        elif len(body) < _SHORT:
            transport.write(head + body)
        else:
            transport.writelines((head, body))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            transport.close()
        cycle.on_response()
        cycle.on_response = _nothing  # or each holds the other


def _head(status: int, headers: list[Header]) -> bytes:
    lines = b"\r\n".join(map(_line, headers))
    if lines.count(b"\n") != len(headers) - 1:
        raise ValueError("a header has a line feed")
    return b"%b%b\r\n\r\n" % (STATUS_LINE[status], lines)


def _nothing() -> None: ...
