"""The backends of docs/ORIGINS.md: pages on one host, FastAPI on another, Gatepost on a third.

Real Chromium, real TLS that a real nginx ends, the official client, and gatepost-client.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser import Browser
from tests.interop.origins.sites import ALLOWED, ANN, BLOCKED, Sites, call, section, sites
from tests.support import (
    ROOT,
    SECRET,
    Server,
    Service,
    answers,
    end,
    free_port,
    running_service,
    wait_until,
)

pytestmark = pytest.mark.usefixtures("node")

BLOCKED_BY_CORS = "TypeError: Failed to fetch"
COOKIES = section("One site")


@dataclass(frozen=True)
class Way:
    """A section of docs/ORIGINS.md, with the modules that it takes over from another one."""

    title: str
    page: str
    api: str
    client: str
    backend: str

    @property
    def origin(self) -> str:
        return f"https://{self.page}"


def changed(source: str, *changes: tuple[str, str]) -> str:
    """``source`` with texts in place of others, which have to be there."""
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new)
    return source


def said(line: str) -> str:
    """A line that docs/ORIGINS.md has among its text."""
    assert f"`{line}`" in (ROOT / "docs" / "ORIGINS.md").read_text().replace("\n", " ")
    return line


PAGES = 'PAGES = ["https://app.example.com"]'
OTHER_PAGES = (PAGES, said('PAGES = ["https://www.example.org"]'))
ONE_SITE = Way("One site", "app.example.com", "api.example.com", COOKIES.client, COOKIES.backend)
TWO_SITES = Way(
    "Two sites",
    "www.example.org",
    "api.example.com",
    COOKIES.client,
    changed(COOKIES.backend, OTHER_PAGES),
)
THREE_SITES = Way(
    "Three sites",
    "www.example.org",
    "api.example.net",
    section("Bearer tokens").client + section("Three sites").client,
    changed(
        COOKIES.backend,
        OTHER_PAGES,
        ('allow_headers=["Content-Type"]', said('allow_headers=["Authorization", "Content-Type"]')),
        ("    allow_credentials=True,\n", ""),
        (", trusted_origins=PAGES", ""),
    ),
)


@dataclass(frozen=True)
class Running:
    way: Way
    sites: Sites
    service: Service
    backend: str
    log: Path

    def handled(self, method: str) -> list[int]:
        """The statuses of the requests to /notes that the backend has answered so far."""
        mark = httpx.get(f"{self.backend}/{method}-until-now")
        assert mark.status_code == 404
        line = f"/{method}-until-now"
        wait_until(lambda: line in self.log.read_text(), "the log is written")
        found = re.findall(rf'"{method} /notes HTTP/1\.[01]" ([0-9]+)', self.log.read_text())
        return [int(status) for status in found]


Start = Callable[..., Any]


@pytest.fixture
def start(nginx: str, postgres: Server, template: str, tmp_path: Path) -> Start:
    @contextmanager
    def running(way: Way, **more: str) -> Iterator[Running]:
        """The pages, the backend and Gatepost of a way."""
        settings = {
            "GATEPOST_SECRET": SECRET,
            "GATEPOST_RATE_LIMIT": "off",
            "GATEPOST_TRUSTED_PROXIES": "127.0.0.1/32",
            **section(way.title).settings,
            **more,
        }
        with (
            postgres.database(template) as database,
            running_service(postgres.url(database), tmp_path / "log", **settings) as service,
            fastapi(way.backend, service, tmp_path) as (url, log),
            sites(nginx, service, way.client, tmp_path, {way.api: url}) as at,
        ):
            yield Running(way, at, service, url, log)

    return running


@contextmanager
def fastapi(source: str, service: Service, folder: Path) -> Iterator[tuple[str, Path]]:
    """The backend as a process; its address and its log."""
    module = changed(source, ("http://127.0.0.1:8000", service.url))
    (folder / "backend.py").write_text(module)
    port, log = free_port(), folder / "backend.log"
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "backend:app", "--port", str(port)],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_until(
            lambda: process.poll() is not None or answers(f"{url}/docs"), "the backend answers"
        )
        assert process.poll() is None, log.read_text()
        yield url, log
    finally:
        end(process)


def ask(visitor: Browser, text: str | None = None) -> tuple[int, Any]:
    """Read the notes by the page's own function, or write one; status and body."""
    status, body = visitor.run_async(
        """
        const [text] = args;
        const headers = { "Content-Type": "application/json" };
        const write = { method: "POST", headers, body: JSON.stringify({ text }) };
        const answer = await page.api("/notes", text === null ? {} : write);
        return [answer.status, await answer.json()];
        """,
        text,
    )
    return status, body


def use(visitor: Browser, at: Running) -> None:
    """Sign up, write and read at the backend, end another device, sign out."""
    visitor.open(at.way.origin)
    nobody = (401, {"detail": "Nobody is signed in"})
    assert ask(visitor) == nobody
    signed_up = call(visitor, "signUp.email", ANN)
    assert signed_up["error"] is None, signed_up
    assert ask(visitor, "milk") == (200, ["milk"])
    assert ask(visitor) == (200, ["milk"])

    elsewhere = httpx.post(
        f"{at.service.url}/api/auth/sign-in/email", json=ANN, headers={"Origin": at.way.origin}
    )
    device = {"cookie": elsewhere.headers["set-cookie"].partition(";")[0]}
    assert httpx.get(f"{at.backend}/notes", headers=device).json() == ["milk"]
    mine = call(visitor, "getSession")["data"]["session"]["token"]
    tokens = [session["token"] for session in call(visitor, "listSessions")["data"]]
    assert len(tokens) == 2
    [other] = {*tokens} - {mine}
    assert call(visitor, "revokeSession", {"token": other})["error"] is None
    assert httpx.get(f"{at.backend}/notes", headers=device).status_code == 401

    assert call(visitor, "signOut")["error"] is None
    visitor.run_async("localStorage.removeItem('token')")
    assert ask(visitor) == nobody
    assert ask(visitor, "eggs") == nobody
    assert call(visitor, "signIn.email", ANN)["error"] is None
    assert ask(visitor, "eggs") == (200, ["milk", "eggs"])


@pytest.mark.parametrize("way", [ONE_SITE, TWO_SITES, THREE_SITES], ids=lambda way: way.title)
def test_page_uses_a_backend_on_another_host(start: Start, way: Way) -> None:
    with start(way) as at, at.sites.visitor(**BLOCKED) as visitor:
        use(visitor, at)


def test_page_uses_a_backend_of_another_site_with_third_party_cookies(start: Start) -> None:
    unpartitioned = {"GATEPOST_PARTITIONED_COOKIES": ""}
    with start(TWO_SITES, **unpartitioned) as at, at.sites.visitor(**ALLOWED) as visitor:
        use(visitor, at)


POST = """
const [url, mode] = args;
const body = JSON.stringify({ text: "from a stranger" });
return fetch(url, { method: "POST", credentials: "include", mode, body })
  .then((response) => response.type, String);
"""
READ = """
return fetch(args[0], { credentials: "include" }).then((response) => response.type, String);
"""


@pytest.mark.parametrize(
    ("way", "foreign", "settings"),
    [
        (ONE_SITE, "https://other.example.com", {}),
        (TWO_SITES, "https://evil.example.net", {"GATEPOST_PARTITIONED_COOKIES": ""}),
    ],
    ids=["subdomain", "site"],
)
def test_backend_refuses_what_a_foreign_page_sends_with_the_cookie(
    start: Start, way: Way, foreign: str, settings: dict[str, str]
) -> None:
    with start(way, **settings) as at, at.sites.visitor(**ALLOWED) as visitor:
        visitor.open(way.origin)
        assert call(visitor, "signUp.email", ANN)["error"] is None
        assert ask(visitor, "milk") == (200, ["milk"])
        notes = f"https://{way.api}/notes"

        visitor.open(foreign)
        before = len(at.handled("POST"))
        assert visitor.run_async(POST, notes, "cors") == BLOCKED_BY_CORS
        assert visitor.run_async(POST, notes, "no-cors") == "opaque"
        # the cookie came with both: without it they are 401
        assert at.handled("POST")[before:] == [403, 403]
        before = len(at.handled("GET"))
        assert visitor.run_async(READ, notes) == BLOCKED_BY_CORS
        assert at.handled("GET")[before:] == [200]  # of which the page saw nothing

        visitor.open(way.origin)
        assert ask(visitor) == (200, ["milk"])


@pytest.mark.parametrize(
    ("way", "foreign"),
    [(TWO_SITES, "https://evil.example.net"), (THREE_SITES, "https://evil.example.com")],
    ids=["partitioned", "bearer"],
)
def test_foreign_page_has_no_session_that_is_kept_for_another(
    start: Start, way: Way, foreign: str
) -> None:
    with start(way) as at, at.sites.visitor(**ALLOWED) as visitor:
        visitor.open(way.origin)
        assert call(visitor, "signUp.email", ANN)["error"] is None
        assert ask(visitor, "milk") == (200, ["milk"])
        visitor.open(foreign)
        before = len(at.handled("POST"))
        assert visitor.run_async(POST, f"https://{way.api}/notes", "no-cors") == "opaque"
        assert at.handled("POST")[before:] == [401]
