"""The routes of the REST API, as Starlette shows and finds them, on a database that is not open."""

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from app.database import Database
from app.rest.api import RestAPI
from app.schema import RELATIONS
from app.settings import Settings
from tests.support import KEYS, environment


@pytest.fixture
def app() -> Starlette:
    settings = Settings.from_environment(environment("postgres://gatepost.test/none"))
    return Starlette(routes=RestAPI(Database(settings), settings).routes())


@pytest.fixture
def client(app: Starlette) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://gatepost.test",
        headers={"apikey": KEYS["all"]},
    )


def test_routes_name_every_endpoint(app: Starlette) -> None:
    mount, root = app.routes
    assert isinstance(mount, Mount)
    assert isinstance(root, Route)
    assert (mount.path, root.path) == ("/rest/v1", "/rest/v1")
    endpoints = {r.path: r.methods for r in mount.routes if isinstance(r, Route)}
    assert endpoints.keys() == {"/", *(f"/{name}" for name in RELATIONS)}
    assert endpoints["/"] == {"GET", "HEAD"}
    reading = {"OPTIONS", "GET", "HEAD"}
    every = reading | {"POST", "PUT", "PATCH", "DELETE"}
    for name, relation in RELATIONS.items():
        assert endpoints[f"/{name}"] == (reading if relation.read_only else every)
    assert app.url_path_for("rest:users") == "/rest/v1/users"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/rest/v1/users", 503, "PGRST000"),
        ("GET", "/rest/v1", 503, "PGRST000"),
        ("GET", "/rest/v1/", 503, "PGRST000"),
        ("GET", "/rest/v1/users/", 404, "PGRST125"),
        ("GET", "/rest/v1/user", 404, "PGRST205"),
        ("GET", "/rest/v1/rpc/f", 404, "PGRST202"),
        ("GET", "/rest/v1/users%0A", 404, "PGRST205"),
        ("POST", "/rest/v1", 405, "PGRST117"),
        ("POST", "/rest/v1/", 405, "PGRST117"),
        ("OPTIONS", "/rest/v1", 405, "PGRST117"),
        ("OPTIONS", "/rest/v1/", 405, "PGRST117"),
        ("BREW", "/rest/v1/users", 405, "PGRST117"),
        ("BREW", "/rest/v1/nothing", 404, "PGRST205"),
    ],
)
async def test_path_and_method_lead_to_an_answer(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert ("allow" in answer.headers) is (status == 405)
    del client.headers["apikey"]
    refused = await client.request(method, path)
    assert (refused.status_code, refused.json()["code"]) == (401, "PGRST302")


async def test_unknown_table_of_a_similar_name_is_suggested(client: httpx.AsyncClient) -> None:
    for name, hint in (("user", "Perhaps you meant the table 'public.users'"), ("pets", None)):
        assert (await client.get(f"/rest/v1/{name}")).json()["hint"] == hint


async def test_websocket_is_closed(app: Starlette) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/rest/v1/users", "headers": []}
    await app(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]
