"""The application as a Starlette programmer uses it: routes, middleware, handlers, TestClient."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.main import create_app
from app.schema import RELATIONS
from app.settings import Settings
from tests.support import KEYS, SECRET, environment

BASE = "http://gatepost.test"
ANN = {"name": "Ann", "email": "ann@example.com", "password": "correct horse"}


def application(url: str) -> Starlette:
    auth = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": BASE, "GATEPOST_RATE_LIMIT": "off"}
    return create_app(Settings.from_environment(environment(url) | auth))


def client(app: Starlette, **options: Any) -> TestClient:
    return TestClient(app, base_url=BASE, headers={"Origin": BASE}, **options)


def paths(routes: list[BaseRoute], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for route in routes:
        if isinstance(route, Mount):
            found |= paths(route.routes, prefix + route.path)
        elif isinstance(route, Route):
            found |= {f"{method} {prefix}{route.path}" for method in route.methods or ()}
    return found


class Header:
    """A middleware of a user's own."""

    def __init__(self, app: ASGIApp, value: bytes) -> None:
        self.app, self.value = app, value

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-own", self.value)]
            await send(message)

        await self.app(scope, receive, send_with_header)


def test_routes_name_every_endpoint(database_url: str) -> None:
    found = paths(application(database_url).routes)
    assert {"GET /livez", "GET /readyz"} <= found
    assert "GET /metrics" not in found  # it would tell strangers what came of their requests
    assert {f"GET /rest/v1/{name}" for name in RELATIONS} <= found
    written = [name for name, relation in RELATIONS.items() if not relation.read_only]
    assert {f"PATCH /rest/v1/{name}" for name in written} <= found
    assert "PATCH /rest/v1/erasures" not in found
    assert {
        "GET /api/auth/get-session",
        "POST /api/auth/get-session",
        "POST /api/auth/sign-in/email",
        "GET /api/auth/reset-password/{token}",
        "POST /api/auth/callback/{id}",
    } <= found
    assert "HEAD /api/auth/ok" not in found


def test_test_client_signs_up_and_reads_the_user(database_url: str) -> None:
    with client(application(database_url)) as http:
        assert http.post("/api/auth/sign-up/email", json=ANN).status_code == 200
        assert http.get("/api/auth/get-session").json()["user"]["name"] == "Ann"
        answer = http.get("/rest/v1/users?select=email", headers={"apikey": KEYS["all"]})
        assert answer.json() == [{"email": "ann@example.com"}]


def test_add_middleware_wraps_every_answer(database_url: str) -> None:
    app = application(database_url)
    app.add_middleware(Header, value=b"yes")
    with client(app) as http:
        for path in ("/livez", "/api/auth/get-session", "/rest/v1/users", "/nowhere"):
            assert http.get(path).headers["x-own"] == "yes", path


def test_exception_handlers_of_a_user_answer(database_url: str) -> None:
    async def teapot(_: Request, error: Exception) -> Response:
        return JSONResponse({"own": type(error).__name__}, 418)

    async def fails(request: Request) -> Response:
        raise LookupError if "lookup" in request.url.path else ZeroDivisionError

    app = application(database_url)
    app.add_exception_handler(404, teapot)
    app.add_exception_handler(LookupError, teapot)
    app.add_exception_handler(Exception, teapot)
    app.add_route("/own/lookup", fails)
    app.add_route("/own/zero", fails)
    with client(app, raise_server_exceptions=False) as http:
        for path, name in (
            ("/nowhere", "HTTPException"),
            ("/own/lookup", "LookupError"),
            ("/own/zero", "ZeroDivisionError"),
        ):
            answer = http.get(path)
            assert (answer.status_code, answer.json()) == (418, {"own": name}), path
    with client(app) as http, pytest.raises(ZeroDivisionError):
        http.get("/own/zero")


def test_failing_middleware_of_a_user_is_answered_with_an_id(database_url: str) -> None:
    class Failing:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                raise LookupError
            await self.app(scope, receive, send)

    app = application(database_url)
    app.add_middleware(Failing)
    with client(app, raise_server_exceptions=False) as http:
        answer = http.get("/livez")
    assert answer.status_code == 500
    assert answer.json()["details"] == answer.headers["x-request-id"]


async def test_server_without_raw_path_is_answered(database_url: str) -> None:
    app = application(database_url)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    for path in ("/livez", "/api/auth/ok"):
        sent: list[Message] = []

        async def send(message: Message, sent: list[Message] = sent) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": "GET", "path": path, "root_path": "", "headers": [],
            "query_string": b"",
        }  # fmt: skip
        await app(scope, receive, send)
        assert sent[0]["status"] == 200, path


def test_application_can_be_mounted_in_another(database_url: str) -> None:
    async def home(_: Request) -> Response:
        return PlainTextResponse("home")

    inner = application(database_url)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with inner.router.lifespan_context(inner):
            yield

    outer = Starlette(routes=[Route("/home", home), Mount("/", app=inner)], lifespan=lifespan)
    with client(outer) as http:
        assert http.get("/home").text == "home"
        assert http.post("/api/auth/sign-up/email", json=ANN).status_code == 200
        assert http.get("/api/auth/get-session").json()["user"]["email"] == "ann@example.com"
        assert http.get("/readyz").status_code == 200
