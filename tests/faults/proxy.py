"""A TCP proxy in front of PostgreSQL's unix socket that can go silent, as a network does."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from urllib.parse import parse_qs, urlsplit


class Proxy:
    """Passes bytes on, unless it is ``silent``: then they vanish and no connection is closed.

    With ``loses_answers`` only those of the server vanish: what was sent is done all the same.
    """

    def __init__(self, socket_path: str) -> None:
        self.socket_path = socket_path
        self._writers: list[asyncio.StreamWriter] = []
        self._forgotten: set[asyncio.StreamWriter] = set()
        self.silent = False
        self.loses_answers = False
        self.silent_at: bytes | None = None
        """A pattern in what a client sends, at which the proxy falls silent."""
        self.port = 0

    def forget(self) -> None:
        """Lose the connections of now, as a firewall does; new ones work."""
        self._forgotten.update(self._writers)

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
                if self.silent_at and re.search(self.silent_at, data, re.DOTALL):
                    self.silent = True
                lost = self.silent or writer in self._forgotten
                if not lost and not (answers and self.loses_answers):
                    writer.write(data)
                    await writer.drain()
        except OSError:
            pass
        if not self.silent and writer not in self._forgotten:
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


@contextmanager
def proxies(*database_urls: str) -> Iterator[tuple[list[Proxy], list[str]]]:
    """Proxies in a thread of their own, and the addresses through them, host and port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def enter() -> tuple[list[Proxy], list[str], AsyncExitStack]:
        stack = AsyncExitStack()
        entered = [await stack.enter_async_context(proxied(url)) for url in database_urls]
        hosts = [urlsplit(url).netloc.rpartition("@")[2] for _, url in entered]
        return [proxy for proxy, _ in entered], hosts, stack

    every, hosts, stack = asyncio.run_coroutine_threadsafe(enter(), loop).result()
    try:
        yield every, hosts
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
