"""What neither uvicorn nor an application can refuse, refused over the callbacks of the parser.

uvicorn's httptools protocol takes the body of a request whose Upgrade it ignores for the next
request (Kludex/uvicorn#2722), adds the trailers of a body to its headers, and limits a head
neither in size nor in time. ``gatepost serve`` runs on GuardedProtocol, and so does ``uvicorn
--http gatepost.http_guard:GuardedProtocol``. What it assumes of uvicorn, a test holds
(tests/security/test_http_guard.py).
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import httptools
from prometheus_client import Counter
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .joined_writes import JoinedWrites
from .logs import RATE_LIMIT
from .responses import error_response

MAX_HEAD: Final = 64 * 1024  # bytes of a head; also what a body may have more of framing than data
MAX_FIELDS: Final = 100
MAX_URL: Final = 40 * 1024  # bytes; the REST API takes query strings of 32 KiB
MAX_PIPELINED: Final = 20  # requests that wait for the answers before theirs
_SLICE: Final = 16 * 1024  # bytes parsed at a time
LINGER: Final = 2  # seconds in which a client that still sends can read its refusal

_log = logging.getLogger("gatepost.http")
_log.addFilter(RATE_LIMIT)
_refused = Counter(
    "gatepost_refused_total", "Requests refused on the socket, for their form or time", ["status"]
)


class Refusal(NamedTuple):
    status: int
    message: str


CONNECT: Final = Refusal(405, "Method not allowed")
MALFORMED: Final = Refusal(400, "Malformed HTTP request")
PADDED: Final = Refusal(400, "The body is mostly framing")
PIPELINED: Final = Refusal(400, "Too many requests sent before their answers")
SLOW: Final = Refusal(408, "The request did not come in time")
TOO_LARGE: Final = Refusal(431, f"The head is longer than {MAX_HEAD} bytes")
TOO_LONG: Final = Refusal(414, f"The URL is longer than {MAX_URL} bytes")
TOO_MANY: Final = Refusal(431, f"The head has more than {MAX_FIELDS} fields")


class RefusedError(Exception):
    """Ends the parsing from within a callback."""


class GuardedProtocol(HttpToolsProtocol):
    """A connection. One request is one answer, and none waits for the answer of another."""

    head_time = 10.0
    """Seconds for a head, and for the rest of a body whose request was answered without it."""
    parser: httptools.HttpRequestParser

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._timer: asyncio.TimerHandle | None = None
        self._refusal: Refusal | None = None
        self._ended = False  # nothing more is read: it was refused, or belongs to a websocket
        self._plain_head = b""
        self._in_body = False
        self._completed = False
        self._unused = 0  # bytes of a head so far; of a body, those of its framing less its data

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(JoinedWrites(transport, self.loop))  # type: ignore[arg-type]
        self._timer = self.loop.call_later(self.head_time, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """In place of uvicorn's, which forgets where the part after an Upgrade begins."""
        if len(data) > _SLICE:  # so that what is refused is refused soon
            for start in range(0, len(data), _SLICE):
                self.data_received(data[start : start + _SLICE])
            return
        if self._ended:
            return
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        self._completed = False
        self._unused += len(data)
        try:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                self._parse_without_upgrade(memoryview(data)[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._refusal or MALFORMED)
            return
        if self._ended:  # a websocket's from here on
            return
        if self._unused > MAX_HEAD:
            self._refuse(PADDED if self._in_body else TOO_LARGE)
        elif self.cycle is None or self.cycle.response_complete:
            self._await_more()

    def _parse_without_upgrade(self, rest: bytes | memoryview) -> None:
        """Parse the head that ended before ``rest`` again, and then ``rest``."""
        while True:  # each request of a pipeline can ask for an Upgrade
            if not self._plain_head:  # a websocket
                self._ended = True
                self.handle_websocket_upgrade()
                return
            head, self._plain_head = self._plain_head, b""
            self.parser.feed_data(head)
            try:
                self.parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as upgrade:
                rest = memoryview(rest)[upgrade.args[0] :]

    def on_headers_complete(self) -> None:
        if self._timer is not None:
            self._stop_timer()
        if len(self.headers) > MAX_FIELDS:
            self._refuse_parsing(TOO_MANY)
        if len(self.url) > MAX_URL:
            self._refuse_parsing(TOO_LONG)
        # the first is more than the size where a body follows, and takes no time
        if self._unused > MAX_HEAD and self._head_size() > MAX_HEAD:
            self._refuse_parsing(TOO_LARGE)
        if len(self.pipeline) >= MAX_PIPELINED:
            self._refuse_parsing(PIPELINED)
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            self.headers = []  # the scope has the list; trailers do not become headers
            self._unused = 0
            self._in_body = True
        elif self.parser.get_method() == b"CONNECT":
            self._refuse_parsing(CONNECT)
        # not public, but what uvicorn hands to the protocol of websockets, which it does when a
        # library for them is installed, must not be parsed again
        elif self._should_upgrade():
            super().on_headers_complete()
        else:
            self._plain_head = self._head_without_upgrade()

    def on_body(self, body: bytes) -> None:
        self._unused -= 2 * len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._in_body:  # not for the head that is parsed again without its Upgrade
            super().on_message_complete()
            self._in_body = False
            self._completed = True
            self._unused = 0

    def _head_size(self) -> int:
        line = len(self.url) + len(b"OPTIONS  HTTP/1.1\r\n\r\n")
        return line + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _head_without_upgrade(self) -> bytes:
        """The head as if no Upgrade was asked for (RFC 9110, 7.8), so that its body is a body."""
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % field for field in self.headers if field[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _await_more(self) -> None:
        """See that a connection without a request under way ends some time."""
        if self._completed:  # the end of a body that was answered before
            self._stop_timer()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        elif self._timer is None:
            self._timer = self.loop.call_later(self.head_time, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self._unused or self._in_body:
            self._refuse(SLOW)
        else:  # it never said a word
            self.transport.close()

    def _refuse_parsing(self, refusal: Refusal) -> None:
        self._refusal = refusal
        raise RefusedError(refusal.message)

    def _refuse(self, refusal: Refusal) -> None:
        """Read nothing more of the connection, and answer if it is this request's turn."""
        self._ended = True
        self._stop_timer()
        _refused.labels(refusal.status).inc()
        peer = self.client[0] if self.client else "a socket"
        _log.warning("refused a request of %s with %d: %s", peer, refusal.status, refusal.message)
        cycle = self.cycle
        if self._in_body:
            under_way = not cycle.response_started and not self.pipeline
            cycle.disconnected = True  # as when the client leaves: what is sent goes nowhere
            cycle.waiting_for_100_continue = False
            cycle.message_event.set()
            if not under_way:
                self.transport.close()
                return
        elif cycle is not None and not cycle.response_complete:
            self.shutdown()  # when the requests before it are answered
            return
        self.transport.write(self._answer(refusal))
        if self.transport.can_write_eof():  # closed at once, the answer could be lost by a reset
            self.transport.write_eof()
            self.loop.call_later(LINGER, self.transport.close)
        else:
            self.transport.close()

    def _answer(self, refusal: Refusal) -> bytes:
        status, message = refusal
        response = error_response(status, str(status), message, headers={"connection": "close"})
        lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
        headers = [*self.server_state.default_headers, *response.raw_headers]
        lines += [b"%s: %s" % header for header in headers]
        return b"\r\n".join([*lines, b"", bytes(response.body)])
