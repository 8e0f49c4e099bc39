"""The cluster of deploy/patroni under load: failover, switchover, restarts, and what they cost.

Minutes long, so it runs with PATRONI=1. With `--log-cli-level=INFO` it logs the figures of
docs/HIGH_AVAILABILITY.md.
"""

import asyncio
import logging
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from string import Template
from typing import Final, NamedTuple

import httpx
import pytest

from tests.faults.patroni import (
    BINARIES,
    DEPLOY,
    Cluster,
    missing,
    running_cluster,
    variables,
)
from tests.support import IN_CI, KEYS, ROOT, SECRET, Service, running_service, wait_until

BASE: Final = "http://gatepost.test"
PASSWORD: Final = "correct horse battery"
LATEST: Final = 60.0
"""Seconds after which the service must write again, on however busy a machine; ttl is 20."""

logger = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if not os.environ.get("PATRONI"):
        pytest.skip("minutes long: PATRONI=1")
    if packages := missing():
        message = f"missing: apt-get install {' '.join(packages)}"
        (pytest.fail if IN_CI else pytest.skip)(message)
    with running_cluster() as running:
        yield running


def test_files_have_the_variables_of_the_machines() -> None:
    given = variables((DEPLOY / "machine.env").read_text())
    used = {
        name
        for file in ("patroni.yml", "etcd.env", "haproxy.cfg")
        for name in Template((DEPLOY / file).read_text()).get_identifiers()
    }
    assert used == set(given)


class Site(NamedTuple):
    """The service twice on one database: through haproxy, and with the addresses of the nodes."""

    haproxy: Service
    direct: Service


@pytest.fixture(scope="module")
def site(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The steps of the page, from the empty cluster to the running service."""
    owner = cluster.url("postgres", cluster.primary_address)
    gatepost(owner, "migrate")
    psql(owner, "-f", str(ROOT / "db/service_role.sql"))
    gatepost(owner, "grant")
    psql(owner, "-c", f"ALTER ROLE gatepost_service PASSWORD '{cluster.password}'")
    hosts = ",".join(node.postgres for node in cluster.nodes)
    urls = (
        cluster.url("gatepost_service", cluster.primary_address),
        cluster.url("gatepost_service", hosts) + "&target_session_attrs=primary",
    )
    gatepost(urls[0], "doctor")
    folder = tmp_path_factory.mktemp("services")
    settings = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": BASE,
        "GATEPOST_RATE_LIMIT": "off",
        "GATEPOST_MAX_SESSIONS": "10000",
    }
    with ExitStack() as stack:
        yield Site(
            *(
                stack.enter_context(running_service(url, folder / f"{name}.log", **settings))
                for name, url in zip(Site._fields, urls, strict=True)
            )
        )


def gatepost(url: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT, env=os.environ | {"DATABASE_URL": url}, check=False,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def psql(url: str, *arguments: str) -> str:
    done = subprocess.run(
        [BINARIES / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", url, *arguments],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Request(NamedTuple):
    kind: str
    begin: float
    end: float
    done: bool


class Traffic:
    """Visitors of one service, who remember each answer that they got."""

    def __init__(self, service: Service) -> None:
        self.requests: list[Request] = []
        self.faults: list[str] = []
        self.written: list[str] = []
        self.live: list[str] = []
        self.ended: list[str] = []
        self._api = f"{service.url}/api/auth"
        self._users = f"{service.rest}/users"
        self._run = secrets.token_hex(4)
        self._http = httpx.AsyncClient(
            headers={"Origin": BASE},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            timeout=30,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def _request(self, kind: str, method: str, url: str, **more: object) -> httpx.Response:
        begin = time.monotonic()
        answer = await self._http.request(method, url, **more)  # pyright: ignore[reportArgumentType]
        done = answer.is_success
        if not done and answer.status_code not in (503, 504):
            self.faults.append(f"{kind}: {answer.status_code} {answer.text}")
        self.requests.append(Request(kind, begin, time.monotonic(), done))
        return answer

    async def _post(self, kind: str, path: str, cookie: str = "", **body: str) -> httpx.Response:
        headers = {"Cookie": cookie} if cookie else {}
        return await self._request(kind, "POST", self._api + path, headers=headers, json=body)

    async def write(self) -> None:
        """A row by a service key."""
        email = f"{self._run}.{len(self.requests)}@example.com"
        answer = await self._request(
            "write", "POST", self._users,
            headers={"apikey": KEYS["all"]}, json={"name": "Ann", "email": email},
        )  # fmt: skip
        if answer.is_success:
            self.written.append(email)

    async def sign_up(self) -> None:
        answer = await self._post(
            "sign-up", "/sign-up/email",
            name="Bob", email=f"bob.{self._run}@example.com", password=PASSWORD,
        )  # fmt: skip
        assert answer.is_success, answer.text

    async def sign_in(self) -> None:
        """A session; of each three, one is ended at once."""
        answer = await self._post(
            "sign-in", "/sign-in/email", email=f"bob.{self._run}@example.com", password=PASSWORD
        )
        if answer.is_success:
            cookie = answer.headers["set-cookie"].partition(";")[0]
            if len(self.live) < 2 * len(self.ended) + 2:
                self.live.append(cookie)
            else:
                await self.sign_out(cookie)

    async def sign_out(self, cookie: str) -> None:
        if (await self._post("sign-out", "/sign-out", cookie)).is_success:
            self.ended.append(cookie)

    async def look(self) -> None:
        """Ask for a session of which it is known whether it lives."""
        cookie = random.choice(self.live + self.ended[-20:])
        await self.look_as(cookie, ended=cookie in self.ended)

    async def look_as(self, cookie: str, *, ended: bool) -> None:
        answer = await self._request(
            "get-session", "GET", f"{self._api}/get-session", headers={"Cookie": cookie}
        )
        if answer.is_success and (answer.json() is None) != ended:
            self.faults.append("an ended session is good" if ended else "a session is lost")

    async def see(self, email: str) -> None:
        """Read a row that was written, often enough at once to use every connection of the pool."""
        answers = await asyncio.gather(
            *(
                self._request(
                    "read", "GET", self._users,
                    params={"select": "id", "email": f"eq.{email}"},
                    headers={"apikey": KEYS["all"]},
                )
                for _ in range(30)
            )
        )  # fmt: skip
        self.faults += ["a write is not seen" for a in answers if a.is_success and not a.json()]

    async def wrong(self) -> dict[str, int]:
        """What was lost of all that was acknowledged, and what else was wrong, with how often."""
        for cookie in self.live:
            await self.look_as(cookie, ended=False)
        for cookie in self.ended:
            await self.look_as(cookie, ended=True)
        assert len(self.written) <= 1000
        answer = await self._http.get(
            self._users,
            params={"select": "email", "email": f"like.{self._run}.*", "limit": "1000"},
            headers={"apikey": KEYS["all"]},
        )
        there = Counter(row["email"] for row in answer.json())
        self.faults += ["a write is lost" for email in self.written if there[email] != 1]
        return dict(Counter(self.faults))

    def writes_since(self, when: float) -> list[Request]:
        """The writes that succeeded and began after ``when``."""
        return [r for r in self.requests if r.kind == "write" and r.done and r.begin >= when]

    async def writes(self) -> float:
        """Wait for a write that begins from now on; gives the seconds to its end."""
        now = time.monotonic()
        while not (writes := self.writes_since(now)):
            assert time.monotonic() - now < LATEST, "no write"
            await asyncio.sleep(0.05)
        return writes[0].end - now

    def report(self, what: str, since: float) -> None:
        """Log what a disturbance cost."""
        requests = [r for r in self.requests if r.end >= since]
        failed = [r for r in requests if not r.done]
        kinds, refused = Counter(r.kind for r in requests), Counter(r.kind for r in failed)
        logger.info(
            "%s: refused %s, %.1f to %.1f s after; slowest answer %.2f s; first write after %s; %s",
            what,
            ", ".join(f"{refused[kind]} of {count} {kind}" for kind, count in kinds.items()),
            min((r.begin for r in failed), default=since) - since,
            max((r.end for r in failed), default=since) - since,
            max(r.end - r.begin for r in requests),
            next((f"{r.end - since:.1f} s" for r in self.writes_since(since)), "never"),
            dict(Counter(self.faults)) or "nothing wrong",
        )  # fmt: skip

    async def visit(self, stopped: asyncio.Event) -> None:
        """One visitor of each kind, until they are told to stop."""

        async def repeat(step: Callable[[], Awaitable[None]], pause: float) -> None:
            while not stopped.is_set():
                await step()
                await asyncio.sleep(pause)

        await asyncio.gather(
            repeat(self.write, 0.1), repeat(self.sign_in, 0.3), repeat(self.look, 0.05)
        )


@asynccontextmanager
async def visitors(service: Service, *, checked: bool = True) -> AsyncIterator[Traffic]:
    """Visitors for as long as the block lasts; after it, what they were told still holds."""
    traffic = Traffic(service)
    await traffic.sign_up()
    for _ in range(4):
        await traffic.sign_in()
    stopped = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(traffic.visit(stopped))
        await asyncio.sleep(2)
        try:
            yield traffic
        finally:
            stopped.set()
    wrong = await traffic.wrong()
    await traffic.close()
    if checked:
        assert not wrong
    else:
        logger.info("in the end: %s", wrong or "nothing wrong")


async def whole(cluster: Cluster) -> None:
    await asyncio.to_thread(cluster.wait_until_whole)


async def control(cluster: Cluster, *arguments: str) -> None:
    await asyncio.to_thread(cluster.ctl, *arguments)


async def test_killed_primary_is_replaced_and_nothing_is_lost(cluster: Cluster, site: Site) -> None:
    old = cluster.primary()
    async with visitors(site.haproxy) as haproxy, visitors(site.direct) as direct:
        since = time.monotonic()
        old.kill()
        await asyncio.gather(haproxy.writes(), direct.writes())
        await asyncio.sleep(3)
        haproxy.report("killed, haproxy", since)
        direct.report("killed, direct", since)
        old.start()
        await whole(cluster)
    assert cluster.primary() is not old


async def test_silent_primary_is_replaced_and_nothing_is_lost(cluster: Cluster, site: Site) -> None:
    old = cluster.primary()
    async with visitors(site.haproxy) as haproxy, visitors(site.direct) as direct:
        since = time.monotonic()
        old.send(signal.SIGSTOP)
        try:
            await haproxy.writes()
            await asyncio.sleep(12)  # the service with several addresses may take longer
            haproxy.report("silent, haproxy", since)
            direct.report("silent, direct", since)
        finally:
            old.send(signal.SIGCONT)
        await whole(cluster)
        direct.report("silent and back, direct", since)
    assert cluster.primary() is not old


async def test_crashed_server_comes_back(cluster: Cluster, site: Site) -> None:
    pid = cluster.primary().postmaster()
    assert pid is not None
    async with visitors(site.haproxy) as haproxy:
        since = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        await haproxy.writes()
        await asyncio.sleep(2)
        haproxy.report("crashed, haproxy", since)
        await whole(cluster)


async def test_silent_replica_holds_writes_up_for_seconds(cluster: Cluster, site: Site) -> None:
    replica = next(node for node in cluster.nodes if node.is_("synchronous"))
    async with visitors(site.haproxy) as haproxy:
        since = time.monotonic()
        replica.send(signal.SIGSTOP)
        try:
            await haproxy.writes()
            await asyncio.sleep(5)
            haproxy.report("silent replica, haproxy", since)
        finally:
            replica.send(signal.SIGCONT)
        await whole(cluster)


async def test_rolling_restart(cluster: Cluster, site: Site) -> None:
    old = cluster.primary()
    replicas = sorted(
        (node for node in cluster.nodes if node is not old), key=lambda n: n.is_("synchronous")
    )
    async with visitors(site.haproxy) as haproxy, visitors(site.direct) as direct:
        for node in replicas:
            since = time.monotonic()
            await control(cluster, "restart", "gatepost", node.name, "--force")
            await whole(cluster)
            haproxy.report("restarted replica, haproxy", since)
            direct.report("restarted replica, direct", since)
        since = time.monotonic()
        await control(cluster, "switchover", "gatepost", "--force")
        await asyncio.gather(haproxy.writes(), direct.writes())
        await whole(cluster)
        haproxy.report("switchover, haproxy", since)
        direct.report("switchover, direct", since)
        assert cluster.primary() is not old
        since = time.monotonic()
        await control(cluster, "restart", "gatepost", old.name, "--force")
        await whole(cluster)
        haproxy.report("restarted old primary, haproxy", since)


async def test_primary_without_patroni_is_not_believed(cluster: Cluster, site: Site) -> None:
    """Its server lives on as a second primary, on which no session would ever end again."""
    old = cluster.primary()
    async with visitors(site.haproxy) as haproxy, visitors(site.direct, checked=False) as direct:
        for traffic in (haproxy, direct):
            await traffic.see(traffic.written[-1])
        since = time.monotonic()
        old.kill_patroni()
        await asyncio.to_thread(
            wait_until, lambda: any(n.is_("primary") for n in cluster.nodes), "a new primary"
        )
        await haproxy.writes()
        for cookie in [haproxy.live.pop(0), haproxy.live.pop(0)]:
            await haproxy.sign_out(cookie)
        for cookie in haproxy.ended[-2:]:
            await direct.look_as(cookie, ended=True)
        for traffic in (haproxy, direct):
            await traffic.see(haproxy.written[-1])
        await asyncio.sleep(3)
        haproxy.report("no Patroni, haproxy", since)
        direct.report("no Patroni, direct", since)
        old.start()
        await whole(cluster)
        direct.report("no Patroni and back, direct", since)
    assert cluster.primary() is not old


async def test_lost_etcd_stops_nothing(cluster: Cluster, site: Site) -> None:
    old = cluster.primary()
    async with visitors(site.haproxy) as haproxy:
        since = time.monotonic()
        for node in cluster.nodes[:2]:
            await asyncio.to_thread(node.stop_etcd)
        try:
            await asyncio.sleep(25)  # longer than ttl
            await haproxy.writes()
            haproxy.report("etcd without quorum, haproxy", since)
        finally:
            for node in cluster.nodes[:2]:
                node.start_etcd()
        await whole(cluster)
    assert cluster.primary() is old


def test_control_takes_a_certificate(cluster: Cluster, site: Site) -> None:
    for node in cluster.nodes:
        assert cluster.http.post(f"{node.api}/restart", json={}).status_code == 403
        with pytest.raises(httpx.TransportError):
            cluster.http.get(f"https://{node.etcd_address}/version")
    url = cluster.url("postgres", cluster.primary_address)
    plain = url.partition("?")[0] + "?sslmode=disable"
    done = subprocess.run([BINARIES / "psql", plain, "-c", "SELECT 1"], capture_output=True)
    assert b"no encryption" in done.stderr


def test_replicas_are_behind_their_own_port(cluster: Cluster, site: Site) -> None:
    url = cluster.url("postgres", cluster.replicas_address)
    assert psql(url, "-c", "SELECT pg_is_in_recovery()") == "t"
    assert psql(url, "-c", "SELECT count(*) > 0 FROM users") == "t"
