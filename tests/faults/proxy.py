"""A TCP proxy in front of PostgreSQL's unix socket that can go silent, as a network does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit


class Proxy:
    """Passes bytes on, unless it is ``silent``: then they vanish and no connection is closed.

    With ``loses_answers`` only those of the server vanish: what was sent is done all the same.
    """

    def __init__(self, socket_path: str) -> None:
        self.socket_path = socket_path
        self._writers: list[asyncio.StreamWriter] = []
        self.silent = False
        self.loses_answers = False
        self.port = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream = await asyncio.open_unix_connection(self.socket_path)
        except OSError:  # the server is down
            writer.transport.abort()
            return
        self._writers += [writer, upstream[1]]
        await asyncio.gather(
            self._pass(reader, upstream[1]), self._pass(upstream[0], writer, answers=True)
        )

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        try:
            while data := await reader.read(65536):
                if not (self.silent or (answers and self.loses_answers)):
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        if not self.silent:
            writer.close()

    def close(self) -> None:
        """Reset every connection; new ones are accepted."""
        writers, self._writers = self._writers, []
        for writer in writers:
            writer.transport.abort()


@asynccontextmanager
async def proxied(database_url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy before a server that listens on a unix socket, and the address through it."""
    parts = urlsplit(database_url)
    async with listening(f"{parse_qs(parts.query)['host'][0]}/.s.PGSQL.5432") as proxy:
        yield proxy, f"postgres://postgres@127.0.0.1:{proxy.port}{parts.path}?sslmode=disable"


@asynccontextmanager
async def listening(socket_path: str) -> AsyncIterator[Proxy]:
    """A proxy on a port of its own."""
    proxy = Proxy(socket_path)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.close()
        await asyncio.sleep(0.1)
