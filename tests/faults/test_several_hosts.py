"""Several hosts in DATABASE_URL: the one that takes writes is found, kept, and found again."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import httpx
import pytest

from app import doctor
from app.database import connect, primary
from app.database.connector import one_host_each
from app.errors import StandbyError
from app.main import create_app
from app.migrations import dbmate
from app.settings import Settings
from app.sql import raw_statement
from tests.faults.clusters import Node, primary_and_standby, replicated
from tests.faults.proxy import Proxy, proxies
from tests.support import KEYS, ROOT, Service, environment, running_service, wait_until

USERS = "/rest/v1/users"
READ_ONLY = raw_statement("test.read_only", "SELECT pg_is_in_recovery()")


class Pair:
    """A primary and its standby, each behind a proxy on a port."""

    def __init__(self, nodes: tuple[Node, Node], proxies: list[Proxy], hosts: list[str]) -> None:
        self.primary, self.standby = nodes
        self.proxies = proxies
        self.hosts = hosts

    def url(self, *hosts: str, database: str = "gatepost", **options: str) -> str:
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"postgres://postgres@{','.join(hosts)}/{database}?sslmode=disable&{query}".rstrip(
            "&"
        )


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Every test but the last leaves both as they are."""
    with primary_and_standby() as nodes:
        asyncio.run(dbmate.up(nodes[0].url()))
        replicated(nodes[1], "SELECT count(*) > 0 FROM schema_migrations", "t")
        with proxies(nodes[0].url(), nodes[1].url()) as (every, hosts):
            yield Pair(nodes, every, hosts)


@pytest.fixture
def dead_host() -> Iterator[str]:
    """A host that drops SYN: its backlog is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def write(service: Service, timeout: float = 30) -> int:
    """The status of a new row."""
    user = {"name": "Ann", "email": f"{os.urandom(6).hex()}@example.com"}
    with httpx.Client(headers={"apikey": KEYS["all"]}, timeout=timeout) as client:
        return client.post(f"{service.url}{USERS}", json=user).status_code


def gatepost(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        check=False, capture_output=True, text=True, timeout=60, cwd=ROOT, env=environment(url),
    )  # fmt: skip


def examine(url: str) -> dict[str, str]:
    findings = asyncio.run(doctor.examine(Settings(database_url=url, database_direct_url=url)))
    return {finding.check: finding.level for finding in findings}


def test_address_of_several_hosts_is_taken_apart() -> None:
    assert one_host_each("postgres://u:p%2C@a:1,[::1]:2,c/db?sslmode=disable") == [
        "postgres://u:p%2C@a:1/db?sslmode=disable",
        "postgres://u:p%2C@[::1]:2/db?sslmode=disable",
        "postgres://u:p%2C@c/db?sslmode=disable",
    ]
    assert one_host_each("postgres://u@/db?host=/run/a,b&port=1,2") == [
        "postgres://u@/db?host=/run/a&port=1",
        "postgres://u@/db?host=b&port=2",
    ]
    for one in ("postgres://u@/db?host=/run/a&sslmode=disable", "postgres://u@h:1/db"):
        assert one_host_each(one) == [one]


def test_first_host_that_drops_syn_does_not_keep_the_service_from_writing(
    pair: Pair, dead_host: str, tmp_path: Path
) -> None:
    url = pair.url(dead_host, pair.hosts[0])
    with running_service(url, tmp_path / "log") as service:
        assert write(service) == 201
        started = time.monotonic()
        assert [write(service) for _ in range(5)] == [201] * 5
        # the dead host is not asked again
        assert time.monotonic() - started < 5


def test_first_host_that_is_silent_does_not_keep_the_service_from_writing(
    pair: Pair, tmp_path: Path
) -> None:
    standby, silent = pair.hosts[1], pair.proxies[1]
    silent.silent = True
    try:
        url = pair.url(standby, pair.hosts[0])
        with running_service(url, tmp_path / "log") as service:
            assert write(service) == 201
    finally:
        silent.silent = False


def test_standby_that_is_named_first_is_passed_over(pair: Pair, tmp_path: Path) -> None:
    url = pair.url(*reversed(pair.hosts))
    with running_service(url, tmp_path / "log") as service:
        assert write(service) == 201
    levels = examine(url)
    assert levels["primary"] == "ok"
    assert "fail" not in levels.values()


def test_service_on_a_standby_says_so(pair: Pair, tmp_path: Path) -> None:
    standby = pair.hosts[1]
    asked = pair.url(standby, pair.hosts[0], target_session_attrs="any")
    assert examine(asked)["primary"] == "fail"
    alone = pair.url(standby)
    assert examine(alone) == {"connection": "fail"}
    with pytest.raises(StandbyError):
        asyncio.run(read_only(alone))
    for url in (asked, alone):
        answer = asyncio.run(readiness(url))
        assert (answer.status_code, answer.text) == (503, "the database is a standby")


async def readiness(url: str) -> httpx.Response:
    app = create_app(Settings.from_environment(environment(url)))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gatepost.test") as client,
    ):
        return await client.get("/readyz")


async def read_only(url: str) -> bool:
    async with connect(url) as connection:
        return await connection.fetchval(READ_ONLY)


def test_standby_is_used_when_the_address_asks_for_one(pair: Pair) -> None:
    for asked in ("standby", "prefer-standby", "read-only"):
        url = pair.url(*pair.hosts, target_session_attrs=asked)
        assert asyncio.run(read_only(url))
    alone = pair.url(pair.hosts[0], target_session_attrs="prefer-standby")
    assert not asyncio.run(read_only(alone))


def test_migrations_run_on_the_primary_whichever_is_named_first(pair: Pair) -> None:
    several = pair.url(*reversed(pair.hosts), target_session_attrs="read-write")
    found = asyncio.run(primary(several))
    assert found == pair.url(pair.hosts[0])
    new = several.replace("/gatepost?", "/fresh?")
    done = gatepost(new, "migrate")
    assert done.returncode == 0, done.stderr
    assert gatepost(new, "migrate", "--status").returncode == 0
    asyncio.run(dbmate.up(new))


def test_primary_that_is_stopped_is_replaced_within_ten_seconds(pair: Pair, tmp_path: Path) -> None:
    """Whichever is named first."""
    with (
        running_service(pair.url(*pair.hosts), tmp_path / "log") as one,
        running_service(pair.url(*reversed(pair.hosts)), tmp_path / "other") as other,
    ):
        assert [write(one), write(other)] == [201, 201]
        pair.primary.pause()
        pair.standby.promote()
        promoted = time.monotonic()
        waited = [threading.Thread(target=until_it_writes, args=(each,)) for each in (one, other)]
        for thread in waited:
            thread.start()
        for thread in waited:
            thread.join()
        assert time.monotonic() - promoted < 10
        # the old primary comes back and believes that it still is one
        pair.primary.resume()
        before = count(pair.standby)
        assert [write(each) for each in (one, other) for _ in range(5)] == [201] * 10
        assert count(pair.standby) == before + 10


def until_it_writes(service: Service) -> None:
    wait_until(lambda: write(service) == 201, "writing again")


def count(node: Node) -> int:
    async def read() -> int:
        connection = await asyncpg.connect(node.url())
        try:
            return await connection.fetchval("SELECT count(*) FROM users")
        finally:
            await connection.close()

    return asyncio.run(read())
