"""What breaks while the clients work. Each leaves everything as usable as it found it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.history.checker import Operation
from tests.faults.history.nodes import Node, ServiceProcess
from tests.faults.proxy import Proxy
from tests.support import wait_until

Nemesis = Callable[[], Awaitable[None]]


async def rotation(
    nemeses: Mapping[str, Nemesis],
    services: Sequence[ServiceProcess],
    history: list[Operation],
    seconds: float,
    pause: float,
) -> None:
    """Each in its turn, every one at least once, for ``seconds`` or a little longer.

    ``pause``: seconds without trouble before each and after the last.
    """
    end = time.monotonic() + seconds
    first = True
    while first or time.monotonic() < end:
        for name, nemesis in nemeses.items():
            await asyncio.sleep(pause)
            begin = time.monotonic()
            await nemesis()
            await asyncio.to_thread(_wait_until_whole, services)
            ended = time.monotonic()
            history.append(Operation(kind=f"({name})", begin=begin, end=ended, outcome="ok"))
            if not first and time.monotonic() > end:
                break
        await asyncio.sleep(pause)
        first = False


def _wait_until_whole(services: Sequence[ServiceProcess]) -> None:
    wait_until(lambda: all(one.is_ready() for one in services), "every service is ready again")


async def silence(proxies: Sequence[Proxy], seconds: float = 2.0) -> None:
    """Nothing passes for longer than a statement may take; then the connections are reset."""
    for proxy in proxies:
        proxy.silent = True
    await asyncio.sleep(seconds)
    for proxy in proxies:
        proxy.close()
        proxy.silent = False


async def lost_answers(proxies: Sequence[Proxy], seconds: float = 0.1) -> None:
    """What is sent is done, and nobody hears of it."""
    for proxy in proxies:
        proxy.loses_answers = True
    await asyncio.sleep(seconds)
    for proxy in proxies:
        proxy.close()
        proxy.loses_answers = False


@dataclass
class Rollout:
    """Replaces one service after the other; each time by the other of two versions."""

    services: Sequence[ServiceProcess]
    versions: tuple[Callable[[ServiceProcess], None], Callable[[ServiceProcess], None]]
    """Each starts a service."""
    current: int = 0

    async def roll(self) -> None:
        """A rolling deploy: SIGTERM, and the next when the new one is ready."""
        self.current = 1 - self.current
        for service in self.services:
            await asyncio.to_thread(service.terminate)
            await asyncio.to_thread(self.versions[self.current], service)

    async def kill_one(self) -> None:
        """SIGKILL to a service, which is then started again as it was."""
        await asyncio.to_thread(self.services[0].kill)
        await asyncio.to_thread(self.versions[self.current], self.services[0])


@dataclass
class Pair:
    """A primary and a standby, and the proxy before each."""

    folder: Path
    primary: Node
    standby: Node
    proxies: dict[str, Proxy]
    """By the socket of the node behind it."""
    homes: int = field(default=2)

    async def failover(self) -> None:
        """The primary is killed and the standby promoted; a new standby is made."""
        await self._replace(self.primary.kill)

    async def switchover(self) -> None:
        """The primary is shut down, so that the standby has everything, and is replaced."""
        await self._replace(self.primary.stop)

    async def _replace(self, end: Callable[[], None]) -> None:
        old = self.primary
        proxy = self.proxies.pop(old.socket)
        await asyncio.to_thread(end)
        proxy.close()
        await asyncio.to_thread(self.standby.promote)
        self.primary = self.standby
        self.homes += 1
        home = self.folder / f"node{self.homes}"
        self.standby = await asyncio.to_thread(Node.standby, home, self.primary)
        proxy.socket_path = self.standby.socket
        self.proxies[proxy.socket_path] = proxy

    async def kill_a_backend(self) -> None:
        await asyncio.to_thread(self.primary.kill_a_backend)
        await asyncio.to_thread(self.primary.wait_for_standby)

    async def crash(self) -> None:
        """SIGKILL to the whole primary, which is then started again."""
        await asyncio.to_thread(self.primary.kill)
        await asyncio.to_thread(self.primary.start)
        await asyncio.to_thread(self.primary.wait_for_standby)

    def end(self) -> None:
        for node in {self.primary, self.standby}:
            node.kill()
