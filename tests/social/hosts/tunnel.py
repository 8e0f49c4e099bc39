"""An HTTPS proxy that leads every name to one server: it ends TLS with a certificate for the name.

A name that is not among the certificates is refused, so nothing ever leaves the machine.
"""

import asyncio
import ssl
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_PATIENCE: Final = 30.0


class Tunnel:
    """``CONNECT host:443`` on ``port`` of 127.0.0.1; what is inside goes to ``target``."""

    def __init__(self, port: int, target: int, certificates: Mapping[str, Path]) -> None:
        self._port = port
        self._target = target
        self._contexts: dict[str, ssl.SSLContext] = {}
        for host, path in certificates.items():
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(path)
            self._contexts[host] = context

    async def serve(self) -> asyncio.Server:
        return await asyncio.start_server(self._connected, "127.0.0.1", self._port)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, _, rest = head.partition(" ")
                host, _, port = rest.partition(" ")[0].rpartition(":")
                context = self._contexts.get(host)
                if method != "CONNECT" or port != "443" or context is None:
                    writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
                    return
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await writer.drain()
                await writer.start_tls(context)
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            await _joined(_pipe(reader, back), _pipe(there, writer))
        except (OSError, ssl.SSLError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the other side is gone, or does not trust the certificate
        finally:
            writer.close()


async def _joined(*pipes: Coroutine[Any, Any, None]) -> None:
    tasks = [asyncio.ensure_future(pipe) for pipe in pipes]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pipe(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError, ssl.SSLError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
    finally:
        target.close()
