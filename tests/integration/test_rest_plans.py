"""A door that has seen a request's shape answers as one that has not."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette

from app.callbacks import GiveUp
from app.database import Database
from app.http.answer import Answer
from app.http.middleware import RequestMiddleware
from app.http.telemetry import Telemetry
from app.rest.door import RestDoor
from app.settings import Settings
from tests.support import KEYS, environment

USERS, SESSIONS = "/rest/v1/users", "/rest/v1/sessions"
ANN, BOB = (f"6f1a2c9e-0000-4000-8000-00000000000{n}" for n in (1, 2))
ONE = f"{USERS}?id=eq.{ANN}"
SOON = "2099-01-01T00:00:00Z"
FULL = {"Prefer": "return=representation"}
EXACT = {"Prefer": "count=exact"}
UPSERT = {"Prefer": "resolution=merge-duplicates"}
DEFAULTS = {"Prefer": "missing=default"}
AT_MOST_ONE = {"Prefer": "handling=strict, max-affected=1"}
TOKEN = "t" * 32


def _application(door: RestDoor) -> RequestMiddleware:
    return RequestMiddleware(
        door.answer,
        Starlette(),
        telemetry=Telemetry(),
        timeout=10,
        max_body=100_000,
        at_once=door.ask,
    )


class AtOnce(httpx.AsyncBaseTransport):
    """Asks as app/http/protocol.py does, without ASGI."""

    def __init__(self, door: RestDoor) -> None:
        self._application = _application(door)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        scope = {
            "type": "http",
            "method": request.method,
            "path": request.url.path,
            "query_string": request.url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
        }
        body = await request.aread()
        assert self._application.at_once(scope, body, answered.set_result)
        answer = await answered
        assert answer is not None
        self._application.sent(scope, answer)
        status, headers, content = answer
        content = b"" if request.method == "HEAD" else content
        return httpx.Response(status, headers=headers, content=content)


class Doors:
    """One door that goes on and is asked at once, and a new one for each request by ASGI."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self.door = RestDoor(database, settings)

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return await self._ask(AtOnce(self.door), method, path, **more)

    async def both(self, method: str, path: str, **more: Any) -> httpx.Response:
        door = _application(RestDoor(self._database, self._settings))
        new = await self._ask(httpx.ASGITransport(door), method, path, **more)
        old = await self.ask(method, path, **more)
        assert (old.status_code, old.content) == (new.status_code, new.content)
        of_its_own = {"x-request-id"}
        assert [h for h in old.headers.multi_items() if h[0] not in of_its_own] == [
            h for h in new.headers.multi_items() if h[0] not in of_its_own
        ]
        return old

    async def _ask(
        self,
        transport: httpx.AsyncBaseTransport,
        method: str,
        path: str,
        key: str = "all",
        **more: Any,
    ) -> httpx.Response:
        headers = httpx.Headers(more.pop("headers", {}))
        if "apikey" not in headers:
            headers["apikey"] = KEYS[key]
        async with httpx.AsyncClient(transport=transport, base_url="http://gatepost.test") as http:
            return await http.request(method, path, headers=headers, **more)


@pytest.fixture
async def doors(database_url: str) -> AsyncIterator[Doors]:
    settings = Settings.from_environment(environment(database_url))
    database = Database(settings)
    await database.open()
    doors = Doors(database, settings)
    rows = [
        {"id": ANN, "name": "Ann", "email": "ann@example.com"},
        {"id": BOB, "name": "Bob", "email": "bob@example.com"},
    ]
    assert (await doors.ask("POST", USERS, json=rows)).status_code == 201
    session = {"user_id": ANN, "expires_at": SOON, "token": TOKEN}
    assert (await doors.ask("POST", SESSIONS, json=session)).status_code == 201
    doors.door = RestDoor(database, settings)
    try:
        yield doors
    finally:
        await database.close()


async def test_requests_of_one_shape_have_values_of_their_own(doors: Doors) -> None:
    for identity, name in ((ANN, "Ann"), (BOB, "Bob"), (ANN, "Ann")):
        answer = await doors.both("GET", f"{USERS}?id=eq.{identity}&select=name")
        assert answer.json() == [{"name": name}]
    assert len(doors.door.shapes) == 1
    for offset, limit, name in ((0, 1, "Ann"), (1, 1, "Bob"), (1, 5, "Bob")):
        path = f"{USERS}?select=name&order=name&offset={offset}&limit={limit}"
        answer = await doors.both("GET", path, headers=EXACT)
        assert answer.json() == [{"name": name}]
        assert answer.headers["content-range"] == f"{offset}-{offset}/2"
    assert len(doors.door.shapes) == 2
    past = await doors.both(
        "GET", f"{USERS}?select=name&order=name&offset=3&limit=1", headers=EXACT
    )
    assert (past.status_code, past.json()["code"]) == (416, "PGRST103")


async def test_a_value_that_is_none_is_refused_by_a_shape_too(doors: Doors) -> None:
    await doors.ask("GET", f"{USERS}?id=eq.{ANN}")
    for value, status, code in (
        ("x", 400, "22P02"),
        ("", 400, "22P02"),
        ("%ff", 400, "22021"),
        ("%00", 400, "22021"),
        ("a" * 40_000, 414, "PGRST100"),
    ):
        answer = await doors.both("GET", f"{USERS}?id=eq.{value}")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    for spelt in (ANN.upper(), ANN.replace("-", ""), f"%7B{ANN}%7D", f"+{ANN}"):
        assert len((await doors.both("GET", f"{USERS}?id=eq.{spelt}")).json()) == 1
    assert len(doors.door.shapes) == 1


async def test_a_key_has_shapes_of_its_own(doors: Doors) -> None:
    path = f"{SESSIONS}?user_id=eq.{ANN}"
    for _ in range(2):
        assert (await doors.both("GET", path)).json()[0]["token"] == TOKEN
        assert "token" not in (await doors.both("GET", path, key="backend")).json()[0]
        assert (await doors.both("GET", path, key="writer")).status_code == 403
        by_token = f"{SESSIONS}?token=eq.{TOKEN}&select=id"
        assert len((await doors.both("GET", by_token)).json()) == 1
        assert (await doors.both("GET", by_token, key="backend")).status_code == 403
        patch = {"json": {"user_agent": "new"}, "headers": FULL}
        assert (await doors.both("PATCH", path, **patch, key="reader")).status_code == 403
        assert (await doors.ask("PATCH", path, **patch)).json()[0]["token"] == TOKEN
        shown = await doors.ask("PATCH", path, **patch, key="backend")
        assert shown.json()[0]["user_agent"] == "new"
        assert "token" not in shown.json()[0]
        secret = {"json": {"token": "s" * 32}}
        assert (await doors.both("PATCH", path, **secret, key="backend")).status_code == 403
        await doors.ask("PATCH", path, json={"token": TOKEN})
        assert (await doors.both("GET", path, headers={"apikey": "no key"})).status_code == 401


async def test_a_refusal_tells_a_key_without_secrets_nothing(doors: Doors) -> None:
    twice = {"json": {"user_id": ANN, "expires_at": SOON}}
    row = (await doors.ask("POST", SESSIONS, **twice, headers=FULL)).json()[0]
    path = f"{SESSIONS}?id=eq.{row['id']}"
    for key, told in (("all", True), ("backend", False), ("all", True), ("backend", False)):
        ending = {"json": {"user_id": None}, "key": key}
        details = (await doors.ask("PATCH", path, **ending)).json()["details"]
        assert bool(details) is told
    assert KEYS["all"] not in repr(vars(doors.door.shapes))
    assert ANN not in repr(vars(doors.door.shapes))


async def test_method_and_headers_belong_to_the_shape(doors: Doors) -> None:
    path = f"{USERS}?email=eq.ann%40example.com&select=name"
    object_ = "application/vnd.pgrst.object+json"
    asked: list[tuple[str, dict[str, str], int, str]] = [
        ("GET", {}, 200, '[{"name":"Ann"}]'),
        ("HEAD", {}, 200, ""),
        ("GET", {"Accept": object_}, 200, '{"name":"Ann"}'),
        ("HEAD", {"Accept": object_}, 200, ""),
        ("GET", {"Accept": "text/csv"}, 200, "name\nAnn"),
        ("GET", {"Accept": "image/png"}, 406, ""),
        ("GET", EXACT, 200, '[{"name":"Ann"}]'),
        ("GET", {"Prefer": "count=estimated"}, 200, '[{"name":"Ann"}]'),
        ("GET", {"Prefer": "handling=strict, count=all"}, 400, ""),
        ("GET", {"Range": "0-0"}, 200, '[{"name":"Ann"}]'),
        ("GET", {"Range": "1-1"}, 200, "[]"),
        ("GET", {"Range": "bytes=0-5"}, 200, '[{"name":"Ann"}]'),
        ("GET", {"Accept-Profile": "secret"}, 406, ""),
        ("OPTIONS", {}, 200, ""),
        ("TRACE", {}, 405, ""),
    ]
    for _ in range(2):
        for method, headers, status, body in asked:
            answer = await doors.both(method, path, headers=headers)
            assert answer.status_code == status, (method, headers, answer.text)
            assert status != 200 or answer.text == body
    nobody = f"{USERS}?email=eq.nobody&select=name"
    assert (await doors.both("GET", nobody, headers={"Accept": object_})).status_code == 406
    assert (await doors.both("GET", nobody)).json() == []


async def test_what_cannot_be_answered_or_taken_apart_is_not_kept(doors: Doors) -> None:
    for path in (
        f"{USERS}?colour=eq.1",
        f"{USERS}?select=name&select=id",
        "/rest/v1/nothing?id=eq.1",
        f"{USERS}?id=in.({ANN},{BOB})",
        f"{USERS}?or=(id.eq.{ANN},id.eq.{BOB})",
        f"{USERS}?limit=%31",
        f"{USERS}?order=name.desc&name=eq(any).{{Ann}}",
    ):
        await doors.both("GET", path)
        await doors.both("GET", path)
    await doors.both("DELETE", USERS)
    await doors.both("GET", USERS, headers={"Range": "0-1"})
    assert len(doors.door.shapes) == 0


async def test_inserts_of_one_shape_may_have_other_columns(doors: Doors) -> None:
    bodies: list[Any] = [
        {"name": "C", "email": "c@example.com"},
        [{"name": "D", "email": "d@example.com"}, {"name": "E", "email": "e@example.com"}],
        {"name": "F", "email": "f@example.com", "image": "f.png"},
        {"email": "g@example.com", "name": "G"},
        {"name": "H", "email": "h@example.com"},
    ]
    for body in bodies:
        answer = await doors.ask("POST", USERS, json=body, headers=FULL)
        rows = body if isinstance(body, list) else [body]
        assert answer.status_code == 201
        assert [{name: row[name] for name in rows[0]} for row in answer.json()] == rows
    for refused, code in (
        ({"name": "I", "colour": "red"}, "PGRST204"),
        ({"name": "C", "email": "c@example.com"}, "23505"),
        ({"name": "J", "email": "j@example.com", "email_verified": "perhaps"}, "22P02"),
        ([1], "PGRST102"),
        ([], None),
    ):
        answer = await doors.both("POST", USERS, json=refused, headers=FULL)
        assert (answer.json()["code"] if answer.json() else None) == code
    assert len(doors.door.shapes) == 1


async def test_defaults_are_those_of_the_rows_at_hand(doors: Doors) -> None:
    path = f"{USERS}?columns=name,email,email_verified"
    headers = {"Prefer": "return=representation, missing=default"}
    for number, given in enumerate([{}, {"email_verified": True}, {}]):
        row = {"name": "N", "email": f"{number}@example.com"} | given
        answer = await doors.ask("POST", path, json=row, headers=headers)
        assert answer.json()[0]["email_verified"] is bool(given)
    assert len(doors.door.shapes) == 1


async def test_writes_by_shape(doors: Doors) -> None:
    for identity, name in ((ANN, "A"), (BOB, "B")):
        path = f"{USERS}?id=eq.{identity}"
        assert (await doors.ask("PATCH", path, json={"name": name})).status_code == 204
        answer = await doors.ask("PATCH", path, json={"image": name}, headers=FULL)
        assert (answer.json()[0]["name"], answer.json()[0]["image"]) == (name, name)
        row = {"id": identity, "name": name * 2, "email": f"{identity}@example.com"}
        put = await doors.ask("PUT", path, json=row, headers=FULL)
        assert put.json()[0]["name"] == name * 2
        other = {"id": ANN if identity == BOB else BOB} | {"name": "x", "email": "x@example.com"}
        assert (await doors.both("PUT", path, json=other)).json()["code"] == "PGRST115"
    for identity in (ANN, BOB):
        gone = await doors.ask("DELETE", f"{USERS}?id=eq.{identity}", headers=EXACT)
        assert (gone.status_code, gone.headers["content-range"]) == (204, "*/1")
    assert (await doors.both("GET", USERS)).json() == []


async def test_what_is_asked_at_once_is_answered_as_by_asgi(doors: Doors) -> None:
    row = {"name": "Ann", "email": "ann@example.com", "id": ANN}
    new = {"name": "New", "email": "new@example.com"}
    undone = {"Prefer": "tx=rollback, return=representation"}
    one = {"Accept": "application/vnd.pgrst.object+json"}
    columns = f"{USERS}?columns=name,email"
    for method, path, more, status in (
        ("GET", USERS, {"headers": EXACT}, 200),
        ("GET", USERS, {"headers": {"Prefer": "count=planned"}}, 206),
        ("GET", USERS, {"headers": {"Prefer": "count=estimated"}}, 200),
        ("GET", USERS, {"headers": {"Accept": "text/csv"}}, 200),
        ("GET", USERS, {"headers": {"Range": "0-0"} | EXACT}, 206),
        ("GET", USERS, {"headers": one}, 406),
        ("GET", f"{USERS}?id=eq.{ANN}", {"headers": one}, 200),
        ("GET", f"{USERS}?id=eq.{ANN}", {"headers": {"Accept-Profile": "other"}}, 406),
        ("HEAD", USERS, {"headers": EXACT}, 200),
        ("OPTIONS", USERS, {}, 200),
        ("TRACE", USERS, {}, 405),
        ("GET", "/rest/v1/nothing", {}, 404),
        ("GET", USERS, {"key": "writer"}, 403),
        ("POST", USERS, {"json": row}, 409),
        ("POST", USERS, {"json": []}, 201),
        ("POST", USERS, {"json": [1]}, 400),
        ("POST", USERS, {"content": b"{"}, 400),
        ("POST", USERS, {"content": b" "}, 400),
        ("POST", USERS, {"content": b"x", "headers": {"Content-Type": "text/html"}}, 415),
        ("POST", USERS, {"json": [new, {"name": "B"}]}, 400),
        ("POST", USERS, {"json": {"nobody": 1}}, 400),
        ("POST", USERS, {"json": {**row, "name": "Anna"}, "headers": UPSERT}, 200),
        ("PUT", f"{ONE}&select=id", {"json": row, "headers": undone}, 200),
        ("PUT", f"{USERS}?id=eq.{BOB}", {"json": row}, 400),
        (
            "PATCH",
            f"{USERS}?id=eq.{ANN}&select=name",
            {"json": {"name": "C"}, "headers": undone},
            200,
        ),
        ("PATCH", USERS, {"json": {"name": "C"}}, 400),
        ("PATCH", f"{USERS}?id=eq.{ANN}", {"json": [row, row]}, 400),
        ("DELETE", f"{USERS}?id=eq.{BOB}", {"headers": undone}, 200),
        ("DELETE", ONE, {"headers": undone | {"Content-Type": "text/html"}}, 200),
        ("DELETE", f"{USERS}?id=not.is.null", {"headers": AT_MOST_ONE}, 400),
        ("POST", columns, {"json": [row, {}], "headers": DEFAULTS}, 409),
    ):
        answer = await doors.both(method, path, **more)
        assert answer.status_code == status, (method, path, more, answer.text)
    assert len((await doors.ask("GET", USERS)).json()) == 2


async def test_headers_that_come_twice(doors: Doors) -> None:
    twice = [("Prefer", "count=exact"), ("Prefer", "return=representation")]
    read = await doors.both("GET", f"{USERS}?limit=1", headers=httpx.Headers(twice))
    assert read.headers["content-range"] == "0-0/2"
    accepts = httpx.Headers([("Accept", "image/png"), ("Accept", "text/csv")])
    assert (await doors.both("GET", USERS, headers=accepts)).headers["content-type"][
        :8
    ] == "text/csv"
    keys = httpx.Headers([("apikey", KEYS["all"]), ("apikey", "another")])
    assert (await doors.both("GET", USERS, headers=keys)).status_code == 200


async def test_what_is_asked_at_once_can_be_given_up(doors: Doors, db: asyncpg.Connection) -> None:
    def rename(identity: str) -> GiveUp:
        headers = [(b"apikey", KEYS["all"].encode())]
        scope = {
            "type": "http",
            "method": "PATCH",
            "path": USERS,
            "query_string": f"id=eq.{identity}".encode(),
            "headers": headers,
            "state": {"headers": dict(headers)},
        }
        give_up = doors.door.ask(scope, b'{"name": "late"}', lambda *_: told.append(identity))
        assert give_up is not None
        return give_up

    told: list[str] = []
    rename(ANN)()  # before it began
    async with db.transaction():
        await db.execute("SELECT 1 FROM users FOR UPDATE")
        give_up = rename(BOB)
        await asyncio.sleep(0.2)
        give_up()
        await asyncio.sleep(0.2)
    names = {row["name"] for row in (await doors.ask("GET", f"{USERS}?select=name")).json()}
    assert names == {"Ann", "Bob"}
    assert told == []


async def test_a_request_leaves_nothing_for_the_collector(doors: Doors) -> None:
    async def ask() -> None:
        await doors.ask("GET", f"{USERS}?id=eq.{ANN}")
        await doors.ask("PATCH", f"{USERS}?id=eq.{ANN}", json={"name": "Ann"})
        await doors.ask("GET", f"{USERS}?id=eq.x")

    await ask()
    gc.collect()
    gc.disable()
    try:
        gc.set_debug(gc.DEBUG_SAVEALL)
        await ask()
        gc.collect()
        left = [repr(found) for found in gc.garbage if type(found).__module__.startswith("app.")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []
