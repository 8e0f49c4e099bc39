"""Headers that every response has, whoever made it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.testclient import TestClient

from app.auth.cookies import Signer
from app.main import create_app
from app.settings import Settings
from tests.support import KEYS, SECRET, Server, Service, environment, running_service

APP = "https://app.example.com"
ANN = {"name": "Ann", "email": "ann@example.com", "password": "correct horse"}
SETTINGS = {
    "GATEPOST_SECRET": SECRET,
    "GATEPOST_RATE_LIMIT": "off",
    "GATEPOST_TRUSTED_ORIGINS": APP,
    "GATEPOST_PLUGINS": "bearer",
    "GATEPOST_MAX_BODY": "2000",
}


@contextmanager
def service(postgres: Server, template: str, log: Path, base_url: str) -> Iterator[Service]:
    with (
        postgres.database(template) as database,
        running_service(
            postgres.url(database), log, **SETTINGS, GATEPOST_BASE_URL=base_url
        ) as running,
    ):
        yield running


def check(response: Any, *, https: bool, api: bool) -> None:
    headers = response.headers
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-request-id"]
    hsts = "max-age=31536000" if https else None
    assert headers.get("strict-transport-security") == hsts
    policy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    assert headers.get("content-security-policy") == (policy if api else None)
    assert headers.get("referrer-policy") == ("no-referrer" if api else None)


@pytest.mark.parametrize("https", [True, False])
def test_every_response_has_the_headers(
    postgres: Server, template: str, tmp_path: Path, https: bool
) -> None:
    base_url = f"http{'s' if https else ''}://auth.gatepost.test"
    with (
        service(postgres, template, tmp_path / "log", base_url) as running,
        httpx.Client(base_url=running.url) as client,
    ):
        signed_up = client.post("/api/auth/sign-up/email", json=ANN)
        client.cookies.clear()
        bearer = {"authorization": f"Bearer {signed_up.headers['set-auth-token']}"}
        key = {"apikey": KEYS["all"]}
        requests: list[tuple[str, str, dict[str, str], int]] = [
            ("GET", "/api/auth/get-session", bearer, 200),
            ("GET", "/api/auth/get-session", {}, 200),
            ("GET", "/api/auth/list-sessions", bearer, 200),
            ("GET", "/api/auth/list-accounts", {}, 401),
            ("GET", "/api/auth/verify-email?token=x", {}, 401),
            ("GET", "/api/auth/verify-email?token=x&callbackURL=/x", {}, 302),
            ("GET", "/api/auth/reset-password/abc?callbackURL=/x", {}, 302),
            ("GET", "/api/auth/error?error=x", {}, 302),
            ("GET", "/api/auth/nothing", {}, 404),
            ("POST", "/api/auth/update-user", bearer, 400),
            ("GET", "/rest/v1/users", key, 200),
            ("HEAD", "/rest/v1/users", key, 200),
            ("GET", "/rest/v1/", key, 200),
            ("GET", "/rest/v1/users", {}, 401),
            ("GET", "/rest/v1/nothing", key, 404),
            ("OPTIONS", "/rest/v1/users", key, 200),
        ]
        for method, path, headers, status in requests:
            response = client.request(method, path, headers=headers)
            assert response.status_code == status, path
            check(response, https=https, api=True)
        for path, status in (("/livez", 200), ("/readyz", 200), ("/metrics", 404), ("/x", 404)):
            response = client.get(path)
            assert response.status_code == status
            check(response, https=https, api=False)
        page = client.get("/", headers={"accept": "text/html"})
        assert page.status_code == 200
        check(page, https=https, api=True)


def test_header_of_an_own_route_is_left_alone(postgres: Server, database_url: str) -> None:
    async def page(_: Request) -> Response:
        return PlainTextResponse("page", headers={"cache-control": "max-age=60"})

    given = SETTINGS | {"GATEPOST_BASE_URL": "http://auth.gatepost.test"}
    app = create_app(Settings.from_environment(environment(database_url) | given))
    app.add_route("/page", page)
    with TestClient(app) as client:
        headers = client.get("/page").headers
    assert headers.get_list("cache-control") == ["max-age=60"]
    assert "content-security-policy" not in headers


def test_browser_can_read_errors_made_outside_of_the_endpoints(
    postgres: Server, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = SETTINGS | {
        "GATEPOST_BASE_URL": "https://auth.gatepost.test",
        "GATEPOST_REQUEST_TIMEOUT": "0.5",
    }
    app = create_app(Settings.from_environment(environment(database_url) | given))

    async def slow(*_: object) -> None:
        await asyncio.sleep(30)

    async def broken(*_: object) -> None:
        raise LookupError

    with TestClient(app, raise_server_exceptions=False) as client:
        origin = {"origin": APP}
        long = client.post("/api/auth/sign-in/email", json={"email": "x" * 3000}, headers=origin)
        loader = type(app.state.auth.session_loader)
        cookie = Signer([SECRET]).sign("t" * 32)
        bearer = origin | {"authorization": f"Bearer {cookie}"}
        monkeypatch.setattr(loader, "load", slow)
        late = client.get("/api/auth/get-session", headers=bearer)
        monkeypatch.setattr(loader, "load", broken)
        failed = client.get("/api/auth/get-session", headers=bearer)
        other = client.get(
            "/api/auth/get-session", headers=bearer | {"origin": "https://evil.example"}
        )
    assert [r.status_code for r in (long, late, failed, other)] == [413, 503, 500, 500]
    for response in (long, late, failed):
        assert response.headers["access-control-allow-origin"] == APP
        assert response.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in other.headers
    for response in (long, late):
        check(response, https=True, api=True)
    check(failed, https=True, api=False)
