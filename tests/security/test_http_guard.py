"""The guard in this process, on applications of the tests' own, and what it assumes of uvicorn."""

import asyncio
import hashlib
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.http_guard import GuardedProtocol

REPLACED = "010a7ae59a5d3b1a5e7326ce246878568629d126a076d8af5ba10cab040fae43"
"""SHA-256 of uvicorn's data_received, which the guard has a version of its own of."""


class Application:
    """Answers with the path and the body, and remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.messages: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests.append(f"{scope['method']} {scope['path']}")
        body, more = b"", True
        started = scope["path"] == "/early"
        if started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        while more:
            message = await receive()
            self.messages.append(message["type"])
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        if not started:
            headers = [(b"content-length", b"%d" % len(body))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class WebSocket(asyncio.Protocol):
    """In place of a library for websockets: keeps what it is handed."""

    received: bytes

    def __init__(self, **_: Any) -> None:
        WebSocket.received = b""

    def data_received(self, data: bytes) -> None:
        WebSocket.received += data


class Impatient(GuardedProtocol):
    head_time = 0.3


@asynccontextmanager
async def serving(
    app: ASGIApp, protocol: type[HttpToolsProtocol] = GuardedProtocol, **options: Any
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to ``app`` behind ``protocol``."""
    config = uvicorn.Config(app, log_config=None, access_log=False, **options)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()
        await asyncio.gather(*state.tasks, return_exceptions=True)


UPGRADE = b"GET /first HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n"


async def test_uvicorn_alone_takes_the_body_of_an_upgrade_for_a_request() -> None:
    """When this fails, uvicorn has mended it, and most of the guard's part for it can go."""
    app = Application()
    async with serving(app, HttpToolsProtocol, ws="none") as (reader, writer):
        writer.write(UPGRADE + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED))
        await asyncio.sleep(0.1)
        writer.write(SMUGGLED + LAST)
        await reader.read()
    assert app.requests == ["GET /first", "GET /smuggled", "GET /last"]


@pytest.mark.parametrize("split", [False, True])
async def test_guard_reads_it_as_a_body(split: bool) -> None:
    app = Application()
    async with serving(app, ws="none") as (reader, writer):
        writer.write(UPGRADE + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED))
        if split:
            await asyncio.sleep(0.1)
        writer.write(SMUGGLED + LAST)
        answers = await reader.read()
    assert app.requests == ["GET /first", "GET /last"]
    assert SMUGGLED in answers


async def test_websocket_is_handed_over_where_a_library_for_it_is_installed() -> None:
    app = Application()
    async with serving(app, Impatient, ws=WebSocket) as (reader, writer):
        writer.write(UPGRADE + b"\r\n" + SMUGGLED * 5000)  # more than one slice
        await writer.drain()
        await asyncio.sleep(0.3)
        writer.write(SMUGGLED)
        with pytest.raises(TimeoutError):  # the time for a head is no limit for it
            await asyncio.wait_for(reader.read(), 1)
    assert app.requests == []
    assert WebSocket.received.startswith(b"GET /first HTTP/1.1\r\n")
    assert WebSocket.received.endswith(SMUGGLED)


async def test_other_upgrades_are_declined_there_too() -> None:
    app = Application()
    async with serving(app, ws=WebSocket) as (reader, writer):
        request = UPGRADE.replace(b"websocket", b"h2c")
        writer.write(request + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED))
        writer.write(SMUGGLED + LAST)
        await reader.read()
    assert app.requests == ["GET /first", "GET /last"]


async def test_application_learns_that_a_malformed_body_ended_the_request() -> None:
    app = Application()
    async with serving(app) as (reader, writer):
        writer.write(b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        await asyncio.sleep(0.1)
        writer.write(b"nonsense\r\n" + SMUGGLED)
        answers = await reader.read()
    assert answers.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answers.count(b"HTTP/1.1") == 1
    assert (app.requests, app.messages) == (["POST /a"], ["http.disconnect"])


async def test_refused_body_is_not_asked_for() -> None:
    app = Application()
    async with serving(app) as (reader, writer):
        head = b"POST /a HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
        writer.write(head + b"nonsense\r\n")
        answers = await reader.read()
    assert answers.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert (app.requests, app.messages) == (["POST /a"], ["http.disconnect"])


async def test_answer_that_has_begun_is_broken_off_by_a_malformed_body() -> None:
    app = Application()
    async with serving(app) as (reader, writer):
        writer.write(b"POST /early HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        await asyncio.sleep(0.1)
        writer.write(b"nonsense\r\n" + SMUGGLED)
        answers = await reader.read()
    assert answers.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answers.endswith(b"\r\n\r\n")  # no chunk, and not the last one
    assert app.requests == ["POST /early"]


async def test_malformed_body_behind_a_request_under_way_is_not_answered_in_its_place() -> None:
    app = Application()
    async with serving(app) as (reader, writer):
        first = b"GET /first HTTP/1.1\r\n\r\n"
        writer.write(first + b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")
        answers = await reader.read()
    assert b" 400 " not in answers
    assert "GET /smuggled" not in app.requests


async def test_head_that_does_not_come_ends_the_connection() -> None:
    for start, answer in ((b"", b""), (b"GET", b"408 Request Timeout")):
        async with serving(Application(), Impatient) as (reader, writer):
            writer.write(start)
            assert answer in await asyncio.wait_for(reader.read(), 20)


async def test_time_for_a_head_does_not_run_during_a_request() -> None:
    app = Application()
    async with serving(app, Impatient) as (reader, writer):
        writer.write(b"POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nbo")
        await asyncio.sleep(0.6)
        writer.write(b"dy")
        await reader.readuntil(b"body")
        await asyncio.sleep(0.6)
        writer.write(LAST)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")


def test_name_in_the_documentation_is_one_that_uvicorn_takes() -> None:
    config = uvicorn.Config(Application(), http="app.http_guard:GuardedProtocol", log_config=None)
    config.load()
    assert config.http_protocol_class is GuardedProtocol


def test_replaced_method_is_the_one_that_was_read() -> None:
    """When this fails: compare uvicorn's new data_received with the guard's, then change this."""
    source = inspect.getsource(HttpToolsProtocol.data_received)
    assert hashlib.sha256(source.encode()).hexdigest() == REPLACED


def test_uvicorn_has_what_the_guard_uses() -> None:
    for name in (
        *("on_headers_complete", "on_body", "on_message_complete", "on_response_complete"),
        *("connection_made", "connection_lost", "shutdown", "handle_websocket_upgrade"),
        *("timeout_keep_alive_handler", "_should_upgrade"),
    ):
        assert callable(getattr(HttpToolsProtocol, name))
    config = uvicorn.Config(Application(), log_config=None)
    config.load()

    async def attributes() -> set[str]:
        return set(vars(HttpToolsProtocol(config, ServerState(), {})))

    used = {"parser", "cycle", "headers", "pipeline", "timeout_keep_alive_task", "loop"}
    assert used | {"timeout_keep_alive", "server_state", "client"} <= asyncio.run(attributes())
    source = inspect.getsource(RequestResponseCycle)
    for name in (
        *("response_started", "response_complete", "disconnected", "message_event"),
        "waiting_for_100_continue",
    ):
        assert f"self.{name} = " in source
