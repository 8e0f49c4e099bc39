"""An application that has a plan for a request's shape answers as one that has none yet."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from app.database import Database
from app.rest.api import RestAPI
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


class Pair:
    """An API that keeps its plans from request to request, and a new one for each."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self.kept = RestAPI(database, settings)

    async def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request to the API that keeps its plans."""
        return await self._send(self.kept, method, path, **more)

    async def compare(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request to both, and expect one response."""
        fresh = RestAPI(self._database, self._settings)
        new = await self._send(fresh, method, path, **more)
        old = await self._send(self.kept, method, path, **more)
        assert (old.status_code, old.content) == (new.status_code, new.content)
        assert old.headers.multi_items() == new.headers.multi_items()
        return old

    async def _send(
        self, api: RestAPI, method: str, path: str, key: str = "all", **more: Any
    ) -> httpx.Response:
        headers = httpx.Headers(more.pop("headers", {}))
        if "apikey" not in headers:
            headers["apikey"] = KEYS[key]
        transport = httpx.ASGITransport(Starlette(routes=api.routes()))
        async with httpx.AsyncClient(transport=transport, base_url="http://gatepost.test") as http:
            return await http.request(method, path, headers=headers, **more)


@pytest.fixture
async def pair(database_url: str) -> AsyncIterator[Pair]:
    settings = Settings.from_environment(environment(database_url))
    database = Database(settings)
    await database.open()
    pair = Pair(database, settings)
    rows = [
        {"id": ANN, "name": "Ann", "email": "ann@example.com"},
        {"id": BOB, "name": "Bob", "email": "bob@example.com"},
    ]
    assert (await pair.request("POST", USERS, json=rows)).status_code == 201
    session = {"user_id": ANN, "expires_at": SOON, "token": TOKEN}
    assert (await pair.request("POST", SESSIONS, json=session)).status_code == 201
    pair.kept = RestAPI(database, settings)
    try:
        yield pair
    finally:
        await database.close()


async def test_requests_of_one_shape_are_answered_with_their_own_values(pair: Pair) -> None:
    for identity, name in ((ANN, "Ann"), (BOB, "Bob"), (ANN, "Ann")):
        answer = await pair.compare("GET", f"{USERS}?id=eq.{identity}&select=name")
        assert answer.json() == [{"name": name}]
    assert len(pair.kept.plans) == 1
    for offset, limit, name in ((0, 1, "Ann"), (1, 1, "Bob"), (1, 5, "Bob")):
        path = f"{USERS}?select=name&order=name&offset={offset}&limit={limit}"
        answer = await pair.compare("GET", path, headers=EXACT)
        assert answer.json() == [{"name": name}]
        assert answer.headers["content-range"] == f"{offset}-{offset}/2"
    assert len(pair.kept.plans) == 2
    past = await pair.compare(
        "GET", f"{USERS}?select=name&order=name&offset=3&limit=1", headers=EXACT
    )
    assert (past.status_code, past.json()["code"]) == (416, "PGRST103")


async def test_bad_value_is_refused_by_a_kept_plan(pair: Pair) -> None:
    await pair.request("GET", f"{USERS}?id=eq.{ANN}")
    for value, status, code in (
        ("x", 400, "22P02"),
        ("", 400, "22P02"),
        ("%ff", 400, "22021"),
        ("%00", 400, "22021"),
        ("a" * 40_000, 414, "PGRST100"),
    ):
        answer = await pair.compare("GET", f"{USERS}?id=eq.{value}")
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    for spelt in (ANN.upper(), ANN.replace("-", ""), f"%7B{ANN}%7D", f"+{ANN}"):
        assert len((await pair.compare("GET", f"{USERS}?id=eq.{spelt}")).json()) == 1
    assert len(pair.kept.plans) == 1


async def test_plans_are_kept_for_each_key(pair: Pair) -> None:
    path = f"{SESSIONS}?user_id=eq.{ANN}"
    for _ in range(2):
        assert (await pair.compare("GET", path)).json()[0]["token"] == TOKEN
        assert "token" not in (await pair.compare("GET", path, key="backend")).json()[0]
        assert (await pair.compare("GET", path, key="writer")).status_code == 403
        by_token = f"{SESSIONS}?token=eq.{TOKEN}&select=id"
        assert len((await pair.compare("GET", by_token)).json()) == 1
        assert (await pair.compare("GET", by_token, key="backend")).status_code == 403
        patch = {"json": {"user_agent": "new"}, "headers": FULL}
        assert (await pair.compare("PATCH", path, **patch, key="reader")).status_code == 403
        assert (await pair.request("PATCH", path, **patch)).json()[0]["token"] == TOKEN
        shown = await pair.request("PATCH", path, **patch, key="backend")
        assert shown.json()[0]["user_agent"] == "new"
        assert "token" not in shown.json()[0]
        secret = {"json": {"token": "s" * 32}}
        assert (await pair.compare("PATCH", path, **secret, key="backend")).status_code == 403
        await pair.request("PATCH", path, json={"token": TOKEN})
        assert (await pair.compare("GET", path, headers={"apikey": "no key"})).status_code == 401


async def test_error_details_depend_on_the_key(pair: Pair) -> None:
    twice = {"json": {"user_id": ANN, "expires_at": SOON}}
    row = (await pair.request("POST", SESSIONS, **twice, headers=FULL)).json()[0]
    path = f"{SESSIONS}?id=eq.{row['id']}"
    for key, shown in (("all", True), ("backend", False), ("all", True), ("backend", False)):
        ending = {"json": {"user_id": None}, "key": key}
        details = (await pair.request("PATCH", path, **ending)).json()["details"]
        assert bool(details) is shown
    assert KEYS["all"] not in repr(vars(pair.kept.plans))
    assert ANN not in repr(vars(pair.kept.plans))


async def test_plans_are_kept_for_each_method_and_header(pair: Pair) -> None:
    path = f"{USERS}?email=eq.ann%40example.com&select=name"
    object_ = "application/vnd.pgrst.object+json"
    requests: list[tuple[str, dict[str, str], int, str]] = [
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
        for method, headers, status, body in requests:
            answer = await pair.compare(method, path, headers=headers)
            assert answer.status_code == status, (method, headers, answer.text)
            assert status != 200 or answer.text == body
    nobody = f"{USERS}?email=eq.nobody&select=name"
    assert (await pair.compare("GET", nobody, headers={"Accept": object_})).status_code == 406
    assert (await pair.compare("GET", nobody)).json() == []


async def test_request_that_cannot_be_answered_leaves_no_plan(pair: Pair) -> None:
    for method, path in (
        ("GET", f"{USERS}?colour=eq.1"),
        ("GET", f"{USERS}?select=name&select=id"),
        ("GET", "/rest/v1/nothing?id=eq.1"),
        ("DELETE", USERS),
    ):
        assert (await pair.compare(method, path)).status_code >= 400
        assert (await pair.compare(method, path)).status_code >= 400
    assert len(pair.kept.plans) == 0


async def test_requests_with_equal_trees_share_a_plan(pair: Pair) -> None:
    for path, others in (
        (f"{USERS}?id=in.({ANN},{BOB})", (f"{USERS}?id=in.({BOB})", f"{USERS}?id=in.()")),
        (f"{USERS}?or=(id.eq.{ANN},id.eq.{BOB})", (f"{USERS}?or=(id.eq.{BOB},id.eq.{BOB})",)),
        (f"{USERS}?limit=%31", (f"{USERS}?limit=%32", f"{USERS}?%6cimit=0")),
        (f"{USERS}?order=name.desc&name=eq(any).{{Ann}}", ()),
    ):
        before = len(pair.kept.plans)
        for each in (path, *others, path):
            assert (await pair.compare("GET", each)).status_code == 200
        assert len(pair.kept.plans) == before + 1


async def test_ranges_of_one_shape_share_a_plan(pair: Pair) -> None:
    for given, names in (
        ("0-0", ["Ann"]),
        ("1-5", ["Bob"]),
        ("1-", ["Bob"]),
        ("0-", ["Ann", "Bob"]),
        ("nonsense", ["Ann", "Bob"]),
        ("bytes=0-0", ["Ann", "Bob"]),
    ):
        headers = {"Range": given} | EXACT
        path = f"{USERS}?select=name&order=name"
        answer = await pair.compare("GET", path, headers=headers)
        assert [row["name"] for row in answer.json()] == names, given
        limited = await pair.compare("GET", f"{path}&limit=1&offset=1", headers=headers)
        expected = [] if given == "0-0" else ["Bob"]
        assert [row["name"] for row in limited.json()] == expected, given
        negative = await pair.compare("GET", f"{path}&limit=-1", headers=headers)
        assert negative.status_code == (206 if given[0].isdigit() else 416)
    past = await pair.compare("GET", path, headers={"Range": "3-1"})
    assert (past.status_code, past.json()["code"]) == (416, "PGRST103")
    assert len(pair.kept.plans) == 4


async def test_inserts_of_one_shape_may_differ_in_their_columns(pair: Pair) -> None:
    bodies: list[Any] = [
        {"name": "C", "email": "c@example.com"},
        [{"name": "D", "email": "d@example.com"}, {"name": "E", "email": "e@example.com"}],
        {"name": "F", "email": "f@example.com", "image": "f.png"},
        {"email": "g@example.com", "name": "G"},
        {"name": "H", "email": "h@example.com"},
    ]
    for body in bodies:
        answer = await pair.request("POST", USERS, json=body, headers=FULL)
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
        answer = await pair.compare("POST", USERS, json=refused, headers=FULL)
        assert (answer.json()["code"] if answer.json() else None) == code
    assert len(pair.kept.plans) == 1


async def test_defaults_depend_on_the_rows_of_each_request(pair: Pair) -> None:
    path = f"{USERS}?columns=name,email,email_verified"
    headers = {"Prefer": "return=representation, missing=default"}
    for number, given in enumerate([{}, {"email_verified": True}, {}]):
        row = {"name": "N", "email": f"{number}@example.com"} | given
        answer = await pair.request("POST", path, json=row, headers=headers)
        assert answer.json()[0]["email_verified"] is bool(given)
    assert len(pair.kept.plans) == 1


async def test_writes_of_one_shape_change_their_own_rows(pair: Pair) -> None:
    for identity, name in ((ANN, "A"), (BOB, "B")):
        path = f"{USERS}?id=eq.{identity}"
        assert (await pair.request("PATCH", path, json={"name": name})).status_code == 204
        answer = await pair.request("PATCH", path, json={"image": name}, headers=FULL)
        assert (answer.json()[0]["name"], answer.json()[0]["image"]) == (name, name)
        row = {"id": identity, "name": name * 2, "email": f"{identity}@example.com"}
        put = await pair.request("PUT", path, json=row, headers=FULL)
        assert put.json()[0]["name"] == name * 2
        other = {"id": ANN if identity == BOB else BOB} | {"name": "x", "email": "x@example.com"}
        assert (await pair.compare("PUT", path, json=other)).json()["code"] == "PGRST115"
    for identity in (ANN, BOB):
        gone = await pair.request("DELETE", f"{USERS}?id=eq.{identity}", headers=EXACT)
        assert (gone.status_code, gone.headers["content-range"]) == (204, "*/1")
    assert (await pair.compare("GET", USERS)).json() == []


async def test_kept_plan_answers_as_a_new_one(pair: Pair) -> None:
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
        answer = await pair.compare(method, path, **more)
        assert answer.status_code == status, (method, path, more, answer.text)
    assert len((await pair.request("GET", USERS)).json()) == 2


async def test_header_given_twice_counts_once_or_as_a_list(pair: Pair) -> None:
    twice = [("Prefer", "count=exact"), ("Prefer", "return=representation")]
    read = await pair.compare("GET", f"{USERS}?limit=1", headers=httpx.Headers(twice))
    assert read.headers["content-range"] == "0-0/2"
    accepts = httpx.Headers([("Accept", "image/png"), ("Accept", "text/csv")])
    assert (await pair.compare("GET", USERS, headers=accepts)).headers["content-type"][
        :8
    ] == "text/csv"
    keys = httpx.Headers([("apikey", KEYS["all"]), ("apikey", "another")])
    assert (await pair.compare("GET", USERS, headers=keys)).status_code == 200
