"""An answer in one write, and nothing lost by it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send

from app.http.protocol import OneWriteProtocol
from tests.support import free_port

BIG = b"x" * 3_000_000


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    path = scope["path"]
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if path == "/parts":
        for part in (b"one ", b"two ", b"three"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})
    else:
        body = BIG if path == "/big" else path.encode()
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    port = free_port()
    config = uvicorn.Config(
        app, port=port, http=OneWriteProtocol, lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    for _ in range(1000):
        if server.started:
            break
        await asyncio.sleep(0.01)
    try:
        yield port
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


def get(path: str, *, last: bool = False) -> bytes:
    close = "Connection: close\r\n" if last else ""
    return f"GET {path} HTTP/1.1\r\nHost: test\r\n{close}\r\n".encode()


async def test_requests_on_one_connection_are_answered_whole_and_in_order() -> None:
    async with served() as port:
        answer = await talk(port, get("/a") + get("/parts") + get("/big") + get("/z", last=True))
    first, second, third, fourth = answer.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert first.endswith(b"\r\n\r\n2\r\n/a\r\n0\r\n\r\n")
    assert b"one " in second
    assert b"three" in second
    assert third.count(b"x") >= len(BIG)
    assert fourth.endswith(b"2\r\n/z\r\n0\r\n\r\n")


async def test_head_and_body_are_one_write() -> None:
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

    config = uvicorn.Config(app, log_config=None, lifespan="off")
    config.load()
    protocol = OneWriteProtocol(config, uvicorn.server.ServerState(), {})
    protocol.connection_made(Transport())
    protocol.data_received(get("/a"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(written) == 1
    assert b"200 OK" in written[0]
    assert b"/a" in written[0]
    protocol.data_received(get("/b", last=True))
    for _ in range(5):
        await asyncio.sleep(0)
    assert written[-1] == b"closed"
    assert b"/b" in written[-2]
