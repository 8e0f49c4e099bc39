"""GatepostClient and its synchronous twin, against Gatepost and Better Auth on Node."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from gatepost_client import (
    GatepostClient,
    Session,
    SyncGatepostClient,
    UnavailableError,
    UnexpectedResponseError,
)

from tests.client.conftest import Authority
from tests.support import free_port


def look(url: str, headers: dict[str, str], **options: Any) -> Session | None:
    """The session by both clients, which must agree."""

    async def asynchronous() -> Session | None:
        async with GatepostClient(url, **options) as client:
            return await client.session(headers)

    with SyncGatepostClient(url, **options) as client:
        found = client.session(headers)
    assert asyncio.run(asynchronous()) == found
    return found


@pytest.mark.parametrize("way", ["cookie", "bearer"])
def test_session_of_somebody_signed_in_is_found(authority: Authority, way: str) -> None:
    person = authority.sign_up()
    found = look(authority.url, getattr(person, way))
    assert found is not None
    assert (found.user.email, found.user.name) == (person.email, "Ada")
    assert not found.user.email_verified
    assert found.is_fresh()
    assert not found.is_fresh(0)
    assert found.token
    assert found.token not in repr(found)


@pytest.mark.parametrize("way", ["cookie", "bearer"])
def test_session_that_ended_is_refused_at_once(authority: Authority, way: str) -> None:
    person = authority.sign_up()
    assert look(authority.url, getattr(person, way)) is not None
    person.sign_out()
    assert look(authority.url, getattr(person, way)) is None


def test_request_of_a_framework_and_headers_in_any_case_are_taken(authority: Authority) -> None:
    person = authority.sign_up()
    request = httpx.Request("GET", "http://app.test/", headers=person.cookie)
    with SyncGatepostClient(authority.url) as client:
        assert client.session(request)
        assert client.session({"COOKIE": person.cookie["Cookie"]})
        assert client.session({"cookie": f"a=b;{person.cookie['Cookie']}"})


FORGED = [
    {},
    {"Cookie": ""},
    {"Cookie": "theme=dark"},
    {"Cookie": "better-auth.session_token="},
    {"Cookie": "better-auth.session_token=forged"},
    {"Cookie": "better-auth.session_token=forged.c2lnbmF0dXJl"},
    {"Cookie": "better-auth.session_token=\u00e9\u00ff"},
    {"Cookie": "better-auth.session_token=a\r\nX-Injected: 1"},
    {"Cookie": "better-auth.session_token=" + "a" * 10_000},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer forged.forged"},
    {"Authorization": "Bearer \u00e9"},
    {"Authorization": "Basic YWRhOnB3"},
]


@pytest.mark.parametrize("headers", FORGED, ids=lambda headers: repr(headers)[:50])
def test_nobody_is_none(authority: Authority, headers: dict[str, str]) -> None:
    assert look(authority.url, headers) is None


def test_bearer_token_is_looked_at_instead_of_the_cookie(gatepost_authority: Authority) -> None:
    person = gatepost_authority.sign_up()
    assert look(gatepost_authority.url, person.cookie | {"Authorization": "Bearer x.y"}) is None


def test_other_cookies_stay_here() -> None:
    with answering(200, b"null") as (url, requests):
        look(url, {"Cookie": "secret=1; better-auth.session_token=a; better-auth.session_data=b"})
    assert [request["cookie"] for request in requests] == ["better-auth.session_token=a"] * 2


@contextmanager
def answering(
    status: int, body: bytes, headers: dict[str, str] | None = None
) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server that answers so; its address, and the headers of the requests."""
    requests: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", requests
        server.shutdown()


COOKIE = {"Cookie": "better-auth.session_token=a.b"}


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "7"}, 7),
        (429, {"X-Retry-After": "9"}, 9),
        (503, {"Retry-After": "2"}, 2),
        (502, {}, 1),
        (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 1),
        (503, {"Retry-After": "9" * 5000}, 1),
        (503, {"Retry-After": "999999"}, 3600),
    ],
)
def test_service_that_cannot_say_is_no_sign_out(
    status: int, headers: dict[str, str], seconds: int
) -> None:
    with answering(status, b"busy", headers) as (url, _), pytest.raises(UnavailableError) as caught:
        look(url, COOKIE)
    assert caught.value.retry_after == seconds


def test_service_that_is_not_there_is_no_sign_out() -> None:
    with pytest.raises(UnavailableError) as caught:
        look(f"http://user:hunter2@127.0.0.1:{free_port()}", COOKIE)
    assert "hunter2" not in str(caught.value)


def test_service_that_is_silent_is_given_up() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        url = f"http://127.0.0.1:{server.server_port}"  # it takes connections, and nobody answers
        with pytest.raises(UnavailableError):
            look(url, COOKIE, timeout=0.2)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"Not found"),
        (302, b""),
        (200, b"<html>"),
        (200, b"\xff"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"session": {}, "user": {}}'),
        (200, b'{"session": null, "user": null}'),
        (200, b'"signed in"'),
    ],
)
def test_answer_of_something_else_is_no_sign_out(status: int, body: bytes) -> None:
    with answering(status, body) as (url, _), pytest.raises(UnexpectedResponseError):
        look(url, COOKIE)


def test_wrong_address_is_refused_at_once() -> None:
    for url in ("", "auth.example.com", "ftp://example.com"):
        with pytest.raises(ValueError, match="base_url"):
            GatepostClient(url)


REFRESHED = {"Set-Cookie": "better-auth.session_token=of.somebody; Path=/"}


@pytest.mark.parametrize("given", [False, True])
def test_cookie_of_one_answer_is_not_sent_with_the_next_request(given: bool) -> None:
    """A jar in between would sign a stranger in as whoever asked before."""
    tokens = [{"Authorization": "Bearer good.token"}, {"Authorization": "Bearer garbage"}]

    async def asynchronous(url: str) -> None:
        http = httpx.AsyncClient() if given else None
        async with GatepostClient(url, http=http) as client:
            for headers in tokens:
                await client.session(headers)
        if http:
            await http.aclose()

    with answering(200, b"null", REFRESHED) as (url, requests):
        asyncio.run(asynchronous(url))
        with (
            httpx.Client() as http,
            SyncGatepostClient(url, http=http if given else None) as client,
        ):
            for headers in tokens:
                client.session(headers)
    assert len(requests) == 4
    assert not [request for request in requests if "cookie" in request]


def test_service_key_is_shown_and_follows_no_redirect() -> None:
    with (
        answering(200, b"null") as (elsewhere, taken),
        answering(302, b"", {"Location": elsewhere}) as (url, requests),
        httpx.Client(follow_redirects=True) as http,
        SyncGatepostClient(url, service_key="key", http=http) as client,
        pytest.raises(UnexpectedResponseError),
    ):
        client.session(COOKIE)
    assert [request["apikey"] for request in requests] == ["key"]
    assert taken == []
