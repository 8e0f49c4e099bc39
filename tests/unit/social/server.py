"""A provider in the test's own process: HTTP on 127.0.0.1, with answers as each test has them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Seen:
    """A request that came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def form(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.body.decode()).items()}


Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def reply(body: bytes | str, status: int = 200, **headers: str) -> Answer:
    content = body.encode() if isinstance(body, str) else body
    named = {"content-length": str(len(content))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }

    async def write(writer: asyncio.StreamWriter) -> None:
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        writer.write(f"HTTP/1.1 {status} x\r\n{head}\r\n".encode() + content)

    return write


def json_reply(value: Any, status: int = 200) -> Answer:
    return reply(json.dumps(value), status)


async def silence(_: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def drops(writer: asyncio.StreamWriter) -> None:
    """One byte after the other, for ever: no single read is late."""
    writer.write(b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1\r\n \r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def flood(writer: asyncio.StreamWriter) -> None:
    """Without an end, and as fast as it is read."""
    writer.write(b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        await writer.drain()


async def crumbs(writer: asyncio.StreamWriter) -> None:
    """Not long, and at once, in chunks of one byte each."""
    writer.write(b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n")
    writer.write(b"1\r\n \r\n" * 100_000 + b"0\r\n\r\n")


@dataclass
class ProviderServer:
    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    """By path. Other paths are 404."""
    seen: list[Seen] = field(default_factory=list)
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    def asked(self, path: str) -> list[Seen]:
        return [request for request in self.seen if request.path == path]

    async def has_seen(self, number: int) -> None:
        """Wait until so many requests have come."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.seen) >= number)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.rstrip().split("\r\n")
                headers = {
                    name.lower(): value
                    for name, _, value in (line.partition(": ") for line in lines)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, target, _ = first.split(" ")
                request = Seen(method, target, headers, body)
                async with self._came:
                    self.seen.append(request)
                    self._came.notify_all()
                await self.answers.get(request.path, reply("", 404))(writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def provider_server() -> AsyncIterator[ProviderServer]:
    found = ProviderServer()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await found.serve(reader, writer)
        except asyncio.CancelledError:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
