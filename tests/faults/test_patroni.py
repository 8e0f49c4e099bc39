"""The cluster of deploy/patroni: failover, switchover and restarts under load, and what they cost.

Minutes long: it runs with PATRONI=1. The figures of docs/HIGH_AVAILABILITY.md are what it logs, with
`--log-cli-level=INFO`.
"""

import asyncio
import logging
import os
import random
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import pytest

from tests.faults.patroni import BINARIES, Cluster, Node, missing, running_cluster
from tests.support import IN_CI, KEYS, ROOT, SECRET, Service, running_service

pytestmark = pytest.mark.skipif(not os.environ.get("PATRONI"), reason="minutes long: PATRONI=1")

BASE: Final = "http://gatepost.test"
PASSWORD: Final = "correct horse battery"
LATEST: Final = 60.0
"""Seconds after which the service must write again, on however busy a machine; ttl is 20."""

logger = logging.getLogger(__name__)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if packages := missing():
        message = f"missing: apt-get install {' '.join(packages)}"
        (pytest.fail if IN_CI else pytest.skip)(message)
    with running_cluster() as running:
        yield running


class Site(NamedTuple):
    """The service twice on the cluster's database: behind haproxy, and with the nodes' addresses."""

    haproxy: Service
    direct: Service


@pytest.fixture(scope="module")
def site(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The steps of the page, from the empty cluster to the running service."""
    tls = f"sslmode=verify-full&sslrootcert={cluster.ca}"
    hosts = ",".join(node.postgres for node in cluster.nodes)
    database = f"{cluster.primary_address}/gatepost?{tls}"
    owner = f"postgres://postgres:{cluster.password}@{database}"
    service = "postgres://gatepost_service:a-password-of-letters@"
    gatepost(owner, "migrate")
    psql(owner, "-f", str(ROOT / "db/service_role.sql"))
    psql(owner, "-c", "ALTER ROLE gatepost_service PASSWORD 'a-password-of-letters'")
    gatepost(f"{service}{database}", "doctor")
    urls = (
        f"{service}{database}",
        f"{service}{hosts}/gatepost?{tls}&target_session_attrs=primary",
    )
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
            elif (await self._post("sign-out", "/sign-out", cookie)).is_success:
                self.ended.append(cookie)

    async def look(self, cookie: str | None = None) -> None:
        """Ask for a session of which it is known whether it lives."""
        if cookie is None:
            cookie = random.choice(self.live + self.ended[-20:])
        ended = cookie in self.ended
        answer = await self._request(
            "get-session", "GET", f"{self._api}/get-session", headers={"Cookie": cookie}
        )
        if answer.is_success and (answer.json() is None) != ended:
            self.faults.append("an ended session is good" if ended else "a session is lost")

    async def check(self) -> None:
        """Nothing acknowledged is lost, and no session that was ended is good."""
        for cookie in self.live + self.ended:
            await self.look(cookie)
        answer = await self._http.get(
            self._users,
            params={"select": "email", "email": f"like.{self._run}.*", "limit": "1000"},
            headers={"apikey": KEYS["all"]},
        )
        there = Counter(row["email"] for row in answer.json())
        assert len(self.written) <= 1000
        assert not [email for email in self.written if there[email] != 1]
        assert not self.faults

    def first_write(self, since: float) -> float:
        """Seconds from ``since`` to the end of the first write that began later; or infinity."""
        ends = (r.end for r in self.requests if r.kind == "write" and r.done and r.begin >= since)
        return min(ends, default=float("inf")) - since

    def report(self, what: str, since: float) -> None:
        """Log what a disturbance cost."""
        those = [r for r in self.requests if r.end >= since]
        refused = Counter(r.kind for r in those if not r.done)
        outage = max((r.end - since for r in those if not r.done), default=0.0)
        slowest = max(r.end - r.begin for r in those)
        total = ", ".join(f"{kind} {refused[kind]} of {n}" for kind, n in self._kinds(those))
        logger.info(
            "%s: refused: %s; the last after %.1f s; slowest answer %.2f s",
            what, total, outage, slowest,
        )  # fmt: skip

    def _kinds(self, those: list[Request]) -> list[tuple[str, int]]:
        return sorted(Counter(r.kind for r in those).items())

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """One of each kind of visitor for as long as the block lasts."""
        stopped = asyncio.Event()

        async def visitor(step: "asyncio.Future[None] | object", pause: float) -> None:
            while not stopped.is_set():
                await step()  # pyright: ignore
                await asyncio.sleep(pause)

        await self.sign_up()
        for _ in range(3):
            await self.sign_in()
        async with asyncio.TaskGroup() as group:
            for step, pause in ((self.write, 0.1), (self.sign_in, 0.3), (self.look, 0.05)):
                group.create_task(visitor(step, pause))
            try:
                yield
            finally:
                stopped.set()

    async def __aenter__(self) -> "Traffic":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()


async def write_again(traffic: Traffic, since: float) -> float:
    """Wait for the first write after ``since``; gives the seconds."""
    while (seconds := traffic.first_write(since)) == float("inf"):
        assert time.monotonic() - since < LATEST, "no write"
        await asyncio.sleep(0.05)
    return seconds


async def test_killed_primary_is_replaced_and_nothing_is_lost(cluster: Cluster, site: Site) -> None:
    old = cluster.primary()
    async with Traffic(site.haproxy) as haproxy, Traffic(site.direct) as direct:
        async with haproxy.flowing(), direct.flowing():
            await asyncio.sleep(3)
            since = time.monotonic()
            old.kill()
            for name, traffic in (("haproxy", haproxy), ("direct", direct)):
                seconds = await write_again(traffic, since)
                logger.info("killed, %s: writes again after %.1f s", name, seconds)
            await asyncio.sleep(3)
            haproxy.report("killed, haproxy", since)
            direct.report("killed, direct", since)
            old.start()
            await asyncio.to_thread(cluster.wait_until_whole)
        assert cluster.primary() is not old
        await haproxy.check()
        await direct.check()


async def test_switchover(cluster: Cluster, site: Site) -> None:
    old = cluster.primary()
    async with Traffic(site.haproxy) as haproxy, Traffic(site.direct) as direct:
        async with haproxy.flowing(), direct.flowing():
            await asyncio.sleep(2)
            since = time.monotonic()
            await asyncio.to_thread(cluster.ctl, "switchover", "gatepost", "--force")
            for name, traffic in (("haproxy", haproxy), ("direct", direct)):
                seconds = await write_again(traffic, time.monotonic())
                logger.info("switchover, %s: writes again after %.1f s", name, seconds)
            await asyncio.sleep(2)
            haproxy.report("switchover, haproxy", since)
            direct.report("switchover, direct", since)
            await asyncio.to_thread(cluster.wait_until_whole)
        assert cluster.primary() is not old
        await haproxy.check()
        await direct.check()
