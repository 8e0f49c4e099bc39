"""The parts for FastAPI, Starlette and Django, in applications that use them as their docs say."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any

import asyncpg
import django
import httpx
import pytest
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.test import AsyncClient, Client
from django.urls import path
from fastapi import Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from gatepost_client import GatepostClient, User
from gatepost_client import django as gatepost_django
from gatepost_client.django import session_required
from gatepost_client.fastapi import (
    CurrentUser,
    FreshSession,
    OptionalUser,
    current_user,
    lifespan,
    user_with_role,
)
from gatepost_client.starlette import gatepost_middleware
from starlette.applications import Starlette
from starlette.authentication import requires
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.websockets import WebSocketDisconnect

from tests.client.conftest import Authority, Person
from tests.support import free_port

HOST = "app.test"
TRUSTED = "https://front.example.com"
EVIL = {"Origin": "https://evil.example"}


def fastapi_app(url: str) -> FastAPI:
    app = FastAPI(lifespan=lifespan(url, trusted_origins=[TRUSTED]))

    @app.get("/me")
    @app.post("/me")
    async def me(user: CurrentUser) -> dict[str, str]:
        return {"email": user.email}

    @app.get("/maybe")
    async def maybe(user: OptionalUser) -> dict[str, str | None]:
        return {"email": user and user.email}

    @app.get("/fresh")
    async def fresh(session: FreshSession) -> dict[str, str]:
        return {"email": session.user.email}

    @app.get("/admin")
    async def admin(user: Annotated[User, Depends(user_with_role("admin"))]) -> dict[str, str]:
        return {"email": user.email}

    @app.websocket("/socket")
    async def socket(websocket: WebSocket, user: CurrentUser) -> None:
        await websocket.accept()
        await websocket.send_json({"email": user.email})
        await websocket.close()

    return app


@contextmanager
def fastapi_client(url: str) -> Iterator[httpx.Client]:
    with TestClient(fastapi_app(url), base_url=f"http://{HOST}") as client:
        yield client  # pyright: ignore[reportReturnType] - it is one of httpx2


@contextmanager
def starlette_client(url: str) -> Iterator[Any]:
    async def maybe(request: Request) -> JSONResponse:
        return JSONResponse({"email": getattr(request.user, "email", None)})

    @requires("authenticated", status_code=401)
    async def me(request: Request) -> JSONResponse:
        return JSONResponse({"email": request.user.email})

    @requires("fresh")
    async def fresh(request: Request) -> JSONResponse:
        return JSONResponse({"email": request.user.email})

    @requires("role:admin")
    async def admin(request: Request) -> JSONResponse:
        return JSONResponse({"email": request.user.email})

    routes = [
        Route("/me", me, methods=["GET", "POST"]),
        Route("/maybe", maybe),
        Route("/fresh", fresh),
        Route("/admin", admin),
    ]
    client = GatepostClient(url)

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    middleware = [gatepost_middleware(client, trusted_origins=[TRUSTED])]
    app = Starlette(routes=routes, middleware=middleware, lifespan=running)
    with TestClient(app, base_url=f"http://{HOST}") as http:
        yield http


@session_required
def me_view(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"email": request.gatepost.session().user.email})  # pyright: ignore


@session_required
async def async_me_view(request: HttpRequest) -> JsonResponse:
    session = await request.gatepost.asession()  # pyright: ignore
    return JsonResponse({"email": session.user.email})


def maybe_view(request: HttpRequest) -> JsonResponse:
    session = request.gatepost.session()  # pyright: ignore
    return JsonResponse({"email": session and session.user.email})


@session_required(fresh=True)
def fresh_view(request: HttpRequest) -> JsonResponse:
    return me_view(request)


@session_required(role="admin")
def admin_view(request: HttpRequest) -> JsonResponse:
    return me_view(request)


urlpatterns = [
    path("me", me_view),
    path("async-me", async_me_view),
    path("maybe", maybe_view),
    path("fresh", fresh_view),
    path("admin", admin_view),
]


@pytest.fixture(scope="module", autouse=True)
def django_project() -> None:
    settings.configure(
        ALLOWED_HOSTS=[HOST],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["gatepost_client.django.GatepostMiddleware"],
        SECRET_KEY="only for tests",
        GATEPOST_TRUSTED_ORIGINS=[TRUSTED],
    )
    django.setup()


class Django:
    """Django's test client, called as httpx's."""

    def get(self, path: str, headers: dict[str, str]) -> Any:
        return Client().get(path, headers=headers | {"Host": HOST})

    def post(self, path: str, headers: dict[str, str]) -> Any:
        return Client().post(path, headers=headers | {"Host": HOST})


@contextmanager
def django_client(url: str) -> Iterator[Any]:
    settings.GATEPOST_URL = url
    gatepost_django._client.cache_clear()
    yield Django()
    gatepost_django._client().close()
    gatepost_django._client.cache_clear()


FRAMEWORKS = {"fastapi": fastapi_client, "starlette": starlette_client, "django": django_client}


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> Any:
    return FRAMEWORKS[request.param]


@pytest.fixture
def person(gatepost_authority: Authority) -> Person:
    return gatepost_authority.sign_up()


def test_user_is_whose_cookie_or_bearer_token_it_is(framework: Any, authority: Authority) -> None:
    person = authority.sign_up()
    with framework(authority.url) as http:
        for headers in (person.cookie, person.bearer):
            for path_ in ("/me", "/maybe", "/fresh"):
                answer = http.get(path_, headers=headers)
                assert (answer.status_code, answer.json()) == (200, {"email": person.email}), path_


def test_nobody_is_401_and_optional_none(framework: Any, person: Person) -> None:
    with framework(person.url) as http:
        assert http.get("/maybe", headers={}).json() == {"email": None}
        assert http.get("/me", headers={}).status_code == 401
        person.sign_out()
        assert http.get("/me", headers=person.cookie).status_code == 401
        assert http.get("/me", headers=person.bearer).status_code == 401


def test_role_that_is_missing_is_403(framework: Any, person: Person) -> None:
    with framework(person.url) as http:
        assert http.get("/admin", headers=person.cookie).status_code == 403


async def test_user_with_the_role_passes(framework: Any, authority: Authority) -> None:
    people = [authority.sign_up() for _ in range(4)]
    statement = "UPDATE users SET role = $1 WHERE email = $2"
    db = await asyncpg.connect(authority.database_url)
    try:
        for role, person in zip(("admin", "editor, admin", "administrator"), people, strict=False):
            await db.execute(statement, role, person.email)
    finally:
        await db.close()

    def statuses() -> list[int]:
        with framework(authority.url) as http:
            return [http.get("/admin", headers=person.cookie).status_code for person in people]

    assert await asyncio.to_thread(statuses) == [200, 200, 403, 403]


def test_post_of_another_site_is_403(framework: Any, person: Person) -> None:
    with framework(person.url) as http:
        assert http.post("/me", headers=person.cookie | EVIL).status_code == 403
        assert http.post("/me", headers=person.cookie).status_code == 403
        own = {"Origin": f"http://{HOST}"}
        assert http.post("/me", headers=person.cookie | own).status_code == 200
        assert http.post("/me", headers=person.cookie | {"Origin": TRUSTED}).status_code == 200
        assert http.post("/me", headers=person.bearer).status_code == 200
        assert http.get("/me", headers=person.cookie | EVIL).status_code == 200


def test_service_that_does_not_answer_is_503(framework: Any, person: Person) -> None:
    with framework(f"http://127.0.0.1:{free_port()}") as http:
        for path_ in ("/me", "/maybe"):
            answer = http.get(path_, headers=person.cookie)
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


async def test_async_view_of_django_is_given_the_session(person: Person) -> None:
    with django_client(person.url):
        answer = await AsyncClient().get("/async-me", headers=person.cookie | {"Host": HOST})
        assert answer.status_code == 200
        answer = await AsyncClient().get("/async-me", headers={"Host": HOST})
        assert answer.status_code == 401


def test_websocket_of_another_site_is_refused(person: Person) -> None:
    with fastapi_client(person.url) as http:
        connect: Any = http.websocket_connect  # pyright: ignore[reportAttributeAccessIssue]
        own = {"Origin": "http://testserver"}  # as Starlette's client has it
        with connect("/socket", headers=person.cookie | own) as socket:
            assert socket.receive_json() == {"email": person.email}
        for headers in (person.cookie | EVIL, person.cookie, {}):
            with pytest.raises(WebSocketDisconnect), connect("/socket", headers=headers):
                pass


def test_fastapi_documents_both_ways_to_sign_in() -> None:
    description = fastapi_app("http://127.0.0.1").openapi()
    schemes = description["components"]["securitySchemes"]
    assert schemes["Session cookie"]["in"] == "cookie"
    assert schemes["Bearer token"]["scheme"] == "bearer"
    used = {name for entry in description["paths"]["/me"]["get"]["security"] for name in entry}
    assert used == {"Session cookie", "Bearer token"}


def test_fastapi_without_the_lifespan_says_so(person: Person) -> None:
    http = TestClient(fastapi_app(person.url))
    with pytest.raises(RuntimeError, match="lifespan"):
        http.get("/me", headers=person.cookie)


def test_fastapi_dependency_can_be_replaced_in_tests() -> None:
    app = fastapi_app("http://127.0.0.1")
    someone = User(id="1", email="a@b.c", name="", email_verified=True, image=None)
    app.dependency_overrides[current_user] = lambda: someone
    assert TestClient(app).get("/me").json() == {"email": "a@b.c"}
