"""Each way in docs/ORIGINS.md, with the settings and the client's lines that stand there.

Real Chromium, real TLS that a real nginx ends, and the official client from npm.
"""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser import Browser
from tests.interop.origins.sites import (
    ALLOWED,
    ANN,
    BLOCKED,
    SESSION,
    Sites,
    call,
    log_lines,
    section,
    sites,
)
from tests.support import SECRET, Server, Service, running_service, wait_until

pytestmark = pytest.mark.usefixtures("node")

Start = Callable[..., Any]


@pytest.fixture
def start(nginx: str, postgres: Server, template: str, tmp_path: Path) -> Start:
    @contextmanager
    def running(title: str, **changed: str) -> Iterator[tuple[Sites, Service]]:
        """Gatepost and the pages of a section of docs/ORIGINS.md."""
        ways = section(title)
        settings = {
            "GATEPOST_SECRET": SECRET,
            "GATEPOST_RATE_LIMIT": "off",
            "GATEPOST_TRUSTED_PROXIES": "127.0.0.1/32",
            **ways.settings,
            **changed,
        }
        with (
            postgres.database(template) as database,
            running_service(postgres.url(database), tmp_path / "log", **settings) as service,
            sites(nginx, service, ways.client, tmp_path) as running,
        ):
            yield running, service

    return running


def use(visitor: Browser) -> None:
    """Sign up, read the session, change the name, sign out, sign in again."""
    signed_up = call(visitor, "signUp.email", ANN)
    assert signed_up["error"] is None, signed_up
    assert call(visitor, "getSession")["data"]["user"]["name"] == "Ann"
    assert call(visitor, "updateUser", {"name": "Ann B."})["error"] is None
    assert call(visitor, "getSession")["data"]["user"]["name"] == "Ann B."
    assert len(call(visitor, "listSessions")["data"]) == 1
    assert call(visitor, "signOut")["error"] is None
    assert call(visitor, "getSession")["data"] is None
    assert call(visitor, "signIn.email", ANN)["error"] is None
    assert call(visitor, "getSession")["data"]["user"]["name"] == "Ann B."


def reasons(service: Service) -> list[str]:
    """The codes with which requests were refused, all that came before this call."""
    mark, path = secrets.token_hex(8), "/verify-password"
    headers = {"cookie": "a=b", "origin": "https://mark.example", "user-agent": mark}
    httpx.post(f"{service.url}/api/auth{path}", headers=headers)
    wait_until(lambda: mark in service.log.read_text(), "the log is written")
    lines = [json.loads(line) for line in service.log.read_text().splitlines() if line[0] == "{"]
    refused = [line for line in lines if line.get("event") == "request_refused"]
    return [line["reason"] for line in refused if line["path"] != path]


def test_page_of_the_same_origin_signs_in(start: Start) -> None:
    with start("The same origin") as (at, service), at.visitor() as visitor:
        visitor.open("https://www.example.com/")
        use(visitor)
        cookie = visitor.cookie_details()[SESSION]
        assert (cookie["domain"], cookie["sameSite"]) == ("www.example.com", "Lax")
        assert cookie["secure"]
        assert cookie["httpOnly"]
        assert log_lines(service, "gatepost.origins") == []


def test_page_of_another_origin_signs_in(start: Start) -> None:
    with start("Another origin") as (at, _), at.visitor(**BLOCKED) as visitor:
        visitor.open("https://app.example.com/")
        use(visitor)
        assert visitor.run_async("return (await fetch('/cookies')).text()") == ""
        visitor.open("https://auth.example.com/")
        assert visitor.cookie_details()[SESSION]["domain"] == "auth.example.com"


def test_origin_that_is_not_trusted_is_named_with_its_setting(start: Start) -> None:
    with start("Another origin", GATEPOST_TRUSTED_ORIGINS="") as (at, service):
        with at.visitor() as visitor:
            visitor.open("https://app.example.com/")
            # a browser says no more than this of it
            assert visitor.run_async(FETCH, "/get-session", {}) == BLOCKED_BY_CORS
            assert visitor.run_async(FETCH, "/sign-out", {"method": "POST"}) == BLOCKED_BY_CORS
        assert log_lines(service, "gatepost.origins") == [
            "the origin https://app.example.com is refused: "
            "if it is yours, add it to GATEPOST_TRUSTED_ORIGINS"
        ]


def test_subdomain_gets_the_cookie_of_the_domain(start: Start) -> None:
    with start("Subdomains") as (at, _), at.visitor(**BLOCKED) as visitor:
        visitor.open("https://app.example.com/")
        use(visitor)
        assert f"{SESSION}=" in visitor.run_async("return (await fetch('/cookies')).text()")
        assert call(visitor, "signOut")["error"] is None
        assert visitor.run_async("return (await fetch('/cookies')).text()") == ""


@pytest.mark.parametrize("third_party", ["allowed", "blocked"])
def test_page_of_another_site_signs_in(start: Start, third_party: str) -> None:
    preferences = BLOCKED if third_party == "blocked" else ALLOWED
    with start("Another site") as (at, service), at.visitor(**preferences) as visitor:
        visitor.open("https://www.example.org/")
        use(visitor)
        assert log_lines(service, "gatepost.origins") == []
        # it is kept for this site alone
        visitor.open("https://auth.example.com/")
        assert SESSION not in visitor.cookies()


@pytest.mark.parametrize(
    ("changed", "preferences", "kept"),
    [
        ({"GATEPOST_PARTITIONED_COOKIES": ""}, ALLOWED, True),
        ({"GATEPOST_PARTITIONED_COOKIES": ""}, BLOCKED, False),
        ({"GATEPOST_PARTITIONED_COOKIES": "", "GATEPOST_COOKIE_SAME_SITE": ""}, ALLOWED, False),
    ],
)
def test_browser_keeps_the_cookie_of_another_site_when_it_may(
    start: Start, changed: dict[str, str], preferences: dict[str, Any], kept: bool
) -> None:
    with start("Another site", **changed) as (at, _), at.visitor(**preferences) as visitor:
        visitor.open("https://www.example.org/")
        assert call(visitor, "signUp.email", ANN)["error"] is None
        assert (call(visitor, "getSession")["data"] is not None) is kept


def test_page_with_a_bearer_token_needs_no_cookie(start: Start) -> None:
    with start("Bearer tokens") as (at, _), at.visitor(**BLOCKED) as visitor:
        visitor.open("https://www.example.org/")
        use(visitor)
        visitor.open("https://auth.example.com/")
        assert visitor.cookies() == {}


FORM = """
const [path, enctype] = args;
const form = document.createElement("form");
const action = `https://auth.example.com/api/auth${path}`;
document.body.append(Object.assign(form, { method: "POST", action, enctype }));
form.submit();
"""
FETCH = """
const [path, init] = args;
return fetch(`https://auth.example.com/api/auth${path}`, { credentials: "include", ...init })
  .then((response) => response.type, String);
"""
EMBED = """
const element = document.createElement(args[0]);
element.src = "https://auth.example.com/api/auth/get-session";
await new Promise((done) => {
  element.onload = element.onerror = done;
  document.body.append(element);
});
"""
BLOCKED_BY_CORS = "TypeError: Failed to fetch"


def test_page_of_a_foreign_site_is_refused_with_the_cookies_of_a_visitor(start: Start) -> None:
    """With SameSite=None the browser sends them: only the checks are between."""
    ours, foreign = "https://www.example.org/", "https://evil.example.net/"
    body = json.dumps({"name": "Eve"})
    as_json = {"content-type": "application/json"}
    with (
        start("Another site", GATEPOST_PARTITIONED_COOKIES="") as (at, service),
        at.visitor(**ALLOWED) as visitor,
    ):
        visitor.open(ours)
        assert call(visitor, "signUp.email", ANN)["error"] is None

        # forms, of which a browser asks nobody
        for path in ("/sign-out", "/revoke-sessions"):
            visitor.open(foreign)
            visitor.run_async(FORM, path, "application/x-www-form-urlencoded")
            wait_until(lambda: visitor.url != foreign, "the form was sent")
        assert reasons(service)[-1:] == ["INVALID_ORIGIN"]

        # requests of scripts that are sent at once, and one of which the browser asks first
        visitor.open(foreign)
        before = len(reasons(service))
        post = {"method": "POST", "body": body}
        assert visitor.run_async(FETCH, "/sign-out", {"method": "POST"}) == BLOCKED_BY_CORS
        assert (
            visitor.run_async(FETCH, "/sign-out", {"method": "POST", "mode": "no-cors"}) == "opaque"
        )
        assert reasons(service)[before:] == ["INVALID_ORIGIN"] * 2
        assert (
            visitor.run_async(FETCH, "/update-user", post | {"headers": as_json}) == BLOCKED_BY_CORS
        )

        # reads, which the browser does not hand over but would send
        before = len(reasons(service))
        assert visitor.run_async(FETCH, "/get-session", {}) == BLOCKED_BY_CORS
        assert visitor.run_async(FETCH, "/get-session", {"mode": "no-cors"}) == "opaque"
        for element in ("img", "script", "iframe"):
            visitor.run_async(EMBED, element)
        assert reasons(service)[before:] == ["INVALID_ORIGIN"] * 5

        # a link to follow passes, and the visitor is still signed in, and still Ann
        before = len(reasons(service))
        visitor.run_async("location = 'https://auth.example.com/api/auth/get-session'")
        wait_until(lambda: visitor.url != foreign, "the link was followed")
        assert '"name":"Ann"' in visitor.run_async("return document.body.textContent")
        visitor.open(ours)
        assert call(visitor, "getSession")["data"]["user"]["name"] == "Ann"
        assert reasons(service)[before:] == []
