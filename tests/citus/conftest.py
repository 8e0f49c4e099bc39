"""A Citus cluster, whose coordinator CITUS_URL names; each test module has a database on it.

The address is a superuser's, who may log in to the workers by the same words. docs/CITUS.md says
how to make a cluster for this.
"""

import asyncio
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from urllib.parse import urlsplit

import pytest

from app.devserver.postgres import wheel_binaries
from app.migrations.runner import migrate
from tests.support import ROOT, Server

URL = os.environ.get("CITUS_URL")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if URL is None:
        for item in items:
            if item.path.is_relative_to(ROOT / "tests" / "citus"):
                item.add_marker(pytest.mark.skip("no CITUS_URL: the address of a coordinator"))


class Worker:
    """A worker behind a proxy, so that it can go away for one database."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        self.away = False
        threading.Thread(target=self._accept, daemon=True).start()

    def leave(self) -> None:
        self.away = True
        for each in self._open:
            with closing(each):
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
        self._open.clear()

    def close(self) -> None:
        self.leave()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.away:
                client.close()
                continue
            server = socket.create_connection(self._address)
            self._open += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=_pass, args=(source, target), daemon=True).start()


def _pass(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Cluster:
    """A database on every node, its tables spread by deploy/citus/distribute.sql."""

    def __init__(self, coordinator: Server, name: str, workers: list[Worker]) -> None:
        self.coordinator = coordinator
        self.name = name
        self.url = coordinator.url(name)
        self.workers = workers

    def sql(self, text: str) -> str:
        return self.coordinator.sql(text, self.name)

    def run(self, script: str) -> None:
        self.sql(f"\\i {ROOT / 'deploy' / 'citus' / script}")

    @contextmanager
    def without(self, worker: Worker) -> Iterator[None]:
        worker.leave()
        try:
            yield
        finally:
            worker.away = False


@pytest.fixture(scope="module")
def undistributed() -> Iterator[Cluster]:
    """A migrated database on the coordinator, with the workers known to it."""
    assert URL
    coordinator = Server(URL, wheel_binaries() / "psql")
    parts = urlsplit(URL)
    login = parts.netloc.rpartition("@")[0]
    name = f"gatepost_{secrets.token_hex(8)}"
    nodes = coordinator.sql("SELECT node_name, node_port FROM citus_get_active_worker_nodes()")
    addresses = [(host, int(port)) for host, port in (n.split("|") for n in nodes.splitlines())]
    servers = [coordinator] + [
        Server(parts._replace(netloc=f"{login}@{host}:{port}").geturl(), coordinator.psql)
        for host, port in addresses
    ]
    with ExitStack() as stack:
        workers = [Worker(address) for address in addresses]
        for server in servers:
            server.create(name)
            stack.callback(server.drop, name)
            server.sql("CREATE EXTENSION citus", name)
        for worker in workers:
            stack.callback(worker.close)
        own = parts.port or 5432
        coordinator.sql(f"SELECT citus_set_coordinator_host('{parts.hostname}', {own})", name)
        for worker in workers:
            coordinator.sql(f"SELECT citus_add_node('127.0.0.1', {worker.port})", name)
        asyncio.run(migrate(coordinator.url(name)))
        yield Cluster(coordinator, name, workers)


@pytest.fixture(scope="module")
def cluster(undistributed: Cluster) -> Cluster:
    undistributed.run("distribute.sql")
    return undistributed
