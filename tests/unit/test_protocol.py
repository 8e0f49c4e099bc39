"""Whole answers over real connections: in order, in one write, and nothing lost by it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.types import Receive, Scope

from app.callbacks import Done, GiveUp, nothing
from app.http.answer import Answer, whole
from app.http.middleware import RequestMiddleware
from app.http.protocol import WholeAnswerProtocol
from app.http.telemetry import Telemetry
from tests.support import free_port

BIG = b"x" * 3_000_000


class Application:
    """Answers with the path; what is below /once at once, and what is below /later a bit later."""

    def __init__(self, timeout: float = 20) -> None:
        self.asked: list[str] = []
        self.given_up: list[str] = []
        self.middleware = RequestMiddleware(
            self.answer,
            None,  # type: ignore[arg-type]
            telemetry=Telemetry(),
            timeout=timeout,
            max_body=100,
            at_once=self.at_once,
        )
        self.starlette = Starlette()
        self.starlette.middleware_stack = self.middleware

    async def answer(self, scope: Scope, receive: Receive) -> Answer:
        path = scope["path"]
        self.asked.append(path)
        if path == "/slow":
            await asyncio.sleep(60)
        if path == "/feed":
            return whole(200, b"", (b"x-bad", b"a\nset-cookie: b"))
        if path == "/none":
            return whole(204, b"")
        if scope["method"] == "POST":
            message = await receive()
            return whole(200, message["body"])
        await asyncio.sleep(0)
        return whole(200, BIG if path == "/big" else path.encode())

    def at_once(self, scope: Scope, body: bytes, done: Done) -> GiveUp | None:
        path = scope["path"]
        loop = asyncio.get_running_loop()
        answer = whole(200, body or path.encode(), (b"at-once", b"yes"))
        if path == "/once":
            loop.call_soon(done, answer, None)
        elif path in ("/later", "/last"):
            loop.call_later(0.05 if path == "/later" else 0.6, done, answer, None)
        elif path == "/not":
            loop.call_soon(done, None, None)
        elif path == "/fails":
            loop.call_soon(done, None, LookupError("a secret"))
        elif path != "/never":
            return None
        return lambda: self.given_up.append(path)


@asynccontextmanager
async def served(
    application: Application | None = None, **more: Any
) -> AsyncIterator[tuple[int, Any]]:
    application = application or Application()
    port = free_port()
    config = uvicorn.Config(
        application.starlette,
        port=port,
        http=WholeAnswerProtocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        **{"proxy_headers": False} | more,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    for _ in range(1000):
        if server.started:
            break
        await asyncio.sleep(0.01)
    try:
        yield port, server
    finally:
        server.should_exit = True
        await task


async def talk(port: int, text: bytes) -> bytes:
    """Everything that comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    return answer


def get(path: str, *, last: bool = False, method: str = "GET", body: bytes = b"") -> bytes:
    close = "Connection: close\r\n" if last else ""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: test\r\n{close}{length}\r\n".encode() + body


def answers(data: bytes) -> list[tuple[bytes, dict[bytes, bytes], bytes]]:
    """Status line, headers and body of each answer, taken apart by their lengths."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines)
        length = int(headers.get(b"content-length", b"0"))
        found.append((status, headers, data[:length]))
        data = data[length:]
    return found


async def test_requests_on_one_connection_are_answered_whole_and_in_order() -> None:
    paths = ["/a", "/later", "/once", "/big", "/not", "/later", "/none", "/z"]
    async with served() as (port, _):
        text = b"".join(get(path) for path in paths) + get("/post", method="POST", body=b"body")
        found = answers(await talk(port, text + get("/end", last=True)))
    bodies = [BIG if path == "/big" else path.encode() for path in paths]
    bodies[6] = b""
    assert [body for _, _, body in found] == [*bodies, b"body", b"/end"]
    assert found[6][0] == b"HTTP/1.1 204 No Content"
    assert b"content-length" not in found[6][1]
    assert [b"at-once" in headers for _, headers, _ in found] == [
        path in ("/once", "/later") for path in [*paths, "", ""]
    ]
    ids = [headers[b"x-request-id"] for _, headers, _ in found]
    assert len(set(ids)) == len(ids)
    assert found[-1][1][b"connection"] == b"close"


async def test_the_answer_to_head_has_a_length_and_no_body() -> None:
    async with served() as (port, _):
        data = await talk(port, get("/abc", method="HEAD", last=True))
    assert b"content-length: 4" in data
    assert data.endswith(b"\r\n\r\n")


async def test_what_is_around_the_application_is_asked_as_well() -> None:
    async with served(proxy_headers=True) as (port, _):
        found = answers(await talk(port, get("/a") + get("/once", last=True)))
    assert [body for _, _, body in found] == [b"/a", b"/once"]
    assert b"at-once" not in found[1][1]


async def test_http_1_0_is_answered_and_closed() -> None:
    async with served() as (port, _):
        for path in ("/a", "/once"):
            ((_, headers, body),) = answers(
                await talk(port, f"GET {path} HTTP/1.0\r\n\r\n".encode())
            )
            assert (headers[b"connection"], body) == (b"close", path.encode())


async def test_thousands_of_requests_in_one_go() -> None:
    application = Application()
    count = 5000
    async with served(application) as (port, _):
        text = get("/later") + get("/once") * count + get("/a", last=True)
        found = answers(await talk(port, text))
    assert [body for _, _, body in found] == [b"/later", *[b"/once"] * count, b"/a"]
    assert application.asked == ["/a"]


async def test_past_the_deadline() -> None:
    application = Application(timeout=0.1)
    async with served(application) as (port, _):
        found = answers(await talk(port, get("/never") + get("/slow") + get("/a", last=True)))
    assert application.given_up == ["/never"]
    assert [status for status, _, _ in found] == [
        b"HTTP/1.1 503 Service Unavailable",
        b"HTTP/1.1 503 Service Unavailable",
        b"HTTP/1.1 200 OK",
    ]


async def test_an_answer_after_the_deadline_is_dropped() -> None:
    application = Application(timeout=0.1)
    late: list[Done] = []

    def at_once(scope: Scope, body: bytes, done: Done) -> GiveUp | None:
        if scope["path"] != "/never":
            return None
        late.append(done)
        return nothing

    application.middleware._at_once = at_once
    async with served(application) as (port, _):
        found = answers(await talk(port, get("/never", last=True)))
        late[0](whole(200, b"late"), None)
        assert answers(await talk(port, get("/a", last=True)))[0][2] == b"/a"
    assert found[0][0].startswith(b"HTTP/1.1 503")


async def test_what_fails_at_once_is_asked_in_the_other_way() -> None:
    application = Application()

    def at_once(scope: Scope, body: bytes, done: Done) -> GiveUp | None:
        raise LookupError("not today")

    application.middleware._at_once = at_once
    async with served(application) as (port, _):
        found = answers(await talk(port, get("/once", last=True)))
    assert found[0][2] == b"/once"


async def test_what_fails_later_is_logged_under_its_id(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as (port, _):
        found = answers(await talk(port, get("/fails") + get("/once", last=True)))
    (status, headers, body), (_, _, after) = found
    assert status.startswith(b"HTTP/1.1 500")
    assert after == b"/once"
    assert b"a secret" not in body
    assert headers[b"x-request-id"].decode() in caplog.text
    assert "a secret" in caplog.text


async def test_a_body_that_is_there_is_answered_at_once_and_any_other_is_not() -> None:
    application = Application()
    async with served(application) as (port, _):
        full = b"b" * 100
        text = get("/once", method="POST", body=full) + get("/once", method="DELETE")
        text += get("/once", method="POST", body=full + b"b")  # above the limit
        found = answers(await talk(port, text + get("/z", last=True)))
        assert [(body, b"at-once" in headers) for _, headers, body in found[:2]] == [
            (full, True),
            (b"/once", True),
        ]
        assert found[2][0].startswith(b"HTTP/1.1 413")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request = get("/once", method="POST", body=full)
        for part in (request[:-60], request[-60:]):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.write(get("/a", last=True))
        async with asyncio.timeout(20):
            found = answers(await reader.read())
        writer.close()
    assert b"at-once" not in found[0][1]
    assert application.asked == ["/once", "/z", "/once", "/a"]


async def test_a_client_that_went_away_harms_nobody() -> None:
    application = Application()
    async with served(application) as (port, server):
        for path in ("/later", "/slow"):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(get(path))
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.transport.abort()
        await asyncio.sleep(0.1)
        assert answers(await talk(port, get("/a", last=True)))[0][2] == b"/a"
        for task in server.server_state.tasks:
            task.cancel()


async def test_who_does_not_read_gets_no_more_answers() -> None:
    application = Application()
    count = 40
    async with served(application) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(get("/big") * count)
        await asyncio.sleep(0.5)
        asked = len(application.asked)
        assert asked < count / 2  # the rest waits, and so do their 3 MB each
        rest = 0
        async with asyncio.timeout(20):
            while rest < count * len(BIG):
                rest += len(await reader.read(1 << 20))
        assert len(application.asked) == count
        writer.close()


async def test_who_never_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.http.protocol._PATIENCE", 0.2)
    async with served() as (port, server):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(get("/big") * 40)
        for _ in range(200):
            if server.server_state.total_requests and not server.server_state.connections:
                break
            await asyncio.sleep(0.05)
        assert not server.server_state.connections
        writer.close()


async def test_an_answer_to_who_went_away_amid_a_pipeline(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with served() as (port, server):
        for text in (get("/later") * 2, get("/later") + b"nonsense\r\n\r\n"):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(text)
            await asyncio.sleep(0.02)
            writer.transport.abort()
            await asyncio.sleep(0.1)
        assert not server.server_state.connections
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_header_cannot_begin_another(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    async with served() as (port, _):
        data = await talk(port, get("/feed"))
    assert data == b""
    assert "line feed" in caplog.text


async def test_what_waits_is_answered_before_the_end() -> None:
    async with served() as (port, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get("/last"))
        await asyncio.sleep(0.02)
        server.should_exit = True
        async with asyncio.timeout(20):
            ((status, headers, body),) = answers(await reader.read())
        writer.close()
    assert (status, headers[b"connection"], body) == (b"HTTP/1.1 200 OK", b"close", b"/last")


@pytest.mark.parametrize("path", ["/a", "/once"])
async def test_head_and_body_are_one_write(path: str) -> None:
    written: list[bytes] = []

    class Transport(asyncio.Transport):
        def write(self, data: Any) -> None:
            written.append(bytes(data))

        def close(self) -> None:
            written.append(b"closed")

        def is_closing(self) -> bool:
            return b"closed" in written

        def get_extra_info(self, name: str, default: Any = None) -> Any:
            return default

    config = uvicorn.Config(
        Application().starlette, log_config=None, lifespan="off", proxy_headers=False
    )
    config.load()
    state = uvicorn.server.ServerState()
    protocol = WholeAnswerProtocol(config, state, {})
    protocol.connection_made(Transport())
    protocol.data_received(get(path))
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(written) == 1
    assert b"200 OK" in written[0]
    assert written[0].endswith(path.encode())
    assert state.total_requests == 1
    assert not state.tasks
    protocol.data_received(get(path, last=True))
    for _ in range(5):
        await asyncio.sleep(0)
    assert written[-1] == b"closed"
    assert written[-2].endswith(path.encode())
