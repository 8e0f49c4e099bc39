"""What is the REST API's own: secrets, generated tokens, writes that are limited or undone."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from tests.support import KEYS

pytestmark = pytest.mark.every_server

USERS, SESSIONS = "/rest/v1/users", "/rest/v1/sessions"
FULL = {"Prefer": "return=representation"}
BACKEND = {"apikey": KEYS["backend"]}
SOON = (datetime.now(UTC) + timedelta(days=7)).isoformat()


async def insert(client: httpx.AsyncClient, path: str, body: Any, **more: str) -> Any:
    answer = await client.post(path, json=body, headers=FULL | more)
    assert answer.status_code == 201, answer.text
    return answer.json()[0]


async def ann(client: httpx.AsyncClient) -> dict[str, Any]:
    return await insert(client, USERS, {"name": "Ann", "email": "ann@example.com"})


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_session_inserted_without_a_token_gets_one(
    client: httpx.AsyncClient, db: asyncpg.Connection
) -> None:
    user = await ann(client)
    rows = [{"user_id": user["id"], "expires_at": SOON} for _ in range(3)]
    answer = await client.post(SESSIONS, json=rows, headers=FULL)
    tokens = {row["token"] for row in answer.json()}
    assert len(tokens) == 3
    assert all(len(token) == 32 and token.isalnum() for token in tokens)
    # a key that may not see the token cannot start a session for a user either
    refused = await client.post(SESSIONS, json=rows[0], headers=BACKEND)
    assert code(refused) == (403, "42501")
    assert await db.fetchval("SELECT count(*) FROM sessions WHERE length(token) = 32") == 3


async def test_insert_generates_a_token_for_each_row_without_one(client: httpx.AsyncClient) -> None:
    user = await ann(client)
    row = {"user_id": user["id"], "expires_at": SOON}
    answer = await client.post(
        SESSIONS + "?columns=user_id,expires_at,token",
        json=[row, row | {"token": "t" * 32}],
        headers={"Prefer": "return=representation, missing=default"},
    )
    first, second = (row["token"] for row in answer.json())
    assert len(first) == 32
    assert first != second == "t" * 32
    null = await client.post(SESSIONS, json=row | {"token": None})
    assert code(null) == (400, "23502")


async def test_upsert_without_a_token_keeps_the_old_one(
    client: httpx.AsyncClient, db: asyncpg.Connection
) -> None:
    user = await ann(client)
    session = await insert(client, SESSIONS, {"user_id": user["id"], "expires_at": SOON})
    row = {"id": session["id"], "user_id": user["id"], "expires_at": SOON, "user_agent": "new"}
    for request in (
        client.post(SESSIONS, json=row, headers={"Prefer": "resolution=merge-duplicates"}),
        client.put(f"{SESSIONS}?id=eq.{session['id']}", json=row),
    ):
        answer = await request
        assert answer.status_code in (200, 204)
        token, agent = await db.fetchrow("SELECT token, user_agent FROM sessions") or ("", "")
        assert (token, agent) == (session["token"], "new")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", SESSIONS + "?select=token", None),
        ("GET", SESSIONS + "?select=t:token::text", None),
        ("GET", SESSIONS + "?token=like.a*", None),
        ("GET", SESSIONS + "?or=(id.is.null,not.and(token.gt.a))", None),
        ("GET", SESSIONS + "?order=token", None),
        ("GET", USERS + "?select=sessions(token)", None),
        ("GET", USERS + "?select=...sessions(token)", None),
        ("GET", USERS + "?select=id,sessions(id)&sessions.token=eq.a", None),
        ("GET", USERS + "?select=id,sessions(id)&sessions.order=token", None),
        ("POST", SESSIONS, {"token": "t" * 32}),
        ("POST", SESSIONS + "?on_conflict=token", {"user_agent": "x"}),
        ("POST", SESSIONS + "?columns=token", {"token": "t" * 32}),
        ("PATCH", SESSIONS + "?id=not.is.null", {"token": "t" * 32}),
        ("DELETE", SESSIONS + "?token=like.a*", None),
        ("DELETE", SESSIONS + "?id=not.is.null&select=token", None),
    ],
)
async def test_secret_column_is_refused_without_the_scope(
    client: httpx.AsyncClient, db: asyncpg.Connection, method: str, path: str, body: Any
) -> None:
    user = await ann(client)
    await insert(client, SESSIONS, {"user_id": user["id"], "expires_at": SOON})
    before = await db.fetch("SELECT * FROM sessions")
    prefer = FULL | ({"Prefer": "resolution=merge-duplicates"} if "on_conflict" in path else {})
    answer = await client.request(method, path, json=body, headers=BACKEND | prefer)
    assert code(answer) == (403, "42501")
    assert before[0]["token"] not in answer.text
    assert await db.fetch("SELECT * FROM sessions") == before


async def test_error_details_do_not_show_a_token(client: httpx.AsyncClient) -> None:
    user = await ann(client)
    session = await insert(client, SESSIONS, {"user_id": user["id"], "expires_at": SOON})
    path = f"{SESSIONS}?id=eq.{session['id']}"
    for changes in ({"ip_address": "1" * 46}, {"user_agent": None}):
        answer = await client.patch(path, json=changes, headers=BACKEND)
        assert answer.status_code == 400
        assert session["token"] not in answer.text
        full = await client.patch(path, json=changes)
        assert session["token"] in full.json()["details"]


@pytest.mark.parametrize("given", [{}, {"apikey": ""}, {"authorization": "Basic abc"}])
async def test_request_without_a_key_is_refused(
    client: httpx.AsyncClient, given: dict[str, str]
) -> None:
    del client.headers["apikey"]
    answer = await client.get(USERS, headers=given)
    assert code(answer) == (401, "PGRST302")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_key_is_taken_from_either_header(client: httpx.AsyncClient) -> None:
    del client.headers["apikey"]
    assert code(await client.get(USERS, headers={"apikey": "x"})) == (401, "PGRST301")
    for given in ({"apikey": KEYS["reader"]}, {"authorization": f"bearer {KEYS['reader']}"}):
        assert (await client.get(USERS, headers=given)).status_code == 200


@pytest.mark.parametrize(
    ("key", "method", "prefer", "status"),
    [
        ("reader", "GET", "", 200),
        ("reader", "POST", "", 403),
        ("reader", "PATCH", "", 403),
        ("reader", "DELETE", "", 403),
        ("writer", "GET", "", 403),
        ("writer", "POST", "", 201),
        ("writer", "POST", "return=representation", 403),
        ("writer", "POST", "resolution=merge-duplicates", 403),
        # a filter tells what is there, so it takes the right to read
        ("writer", "PATCH", "", 403),
        ("writer", "DELETE", "", 403),
    ],
)
async def test_scope_decides_what_a_key_may_do(
    client: httpx.AsyncClient, key: str, method: str, prefer: str, status: int
) -> None:
    path = USERS if method in ("GET", "POST") else USERS + "?name=eq.x"
    body = {"name": "x", "email": "x@example.com"} if method in ("POST", "PATCH") else None
    headers = {"apikey": KEYS[key], "Prefer": prefer}
    answer = await client.request(method, path, json=body, headers=headers)
    assert answer.status_code == status, answer.text
    if status == 403:
        assert code(answer) == (403, "42501")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize("query", ["", "?limit=1", "?order=name", "?select=id"])
async def test_change_without_a_filter_is_refused(
    client: httpx.AsyncClient, db: asyncpg.Connection, method: str, query: str
) -> None:
    await ann(client)
    body = {"name": "x"} if method == "PATCH" else None
    assert code(await client.request(method, USERS + query, json=body)) == (400, "21000")
    assert await db.fetchval("SELECT name FROM users") == "Ann"
    answer = await client.request(method, USERS + "?id=not.is.null", json=body)
    assert answer.status_code == 204


async def test_limit_cuts_a_write(client: httpx.AsyncClient, db: asyncpg.Connection) -> None:
    rows = [{"name": f"n{n}", "email": f"n{n}@example.com"} for n in range(5)]
    await client.post(USERS, json=rows)
    answer = await client.delete(
        USERS + "?name=like.n*&order=name.desc&limit=2&offset=1&select=name", headers=FULL
    )
    assert [row["name"] for row in answer.json()] == ["n3", "n2"]
    answer = await client.patch(
        USERS + "?name=like.n*&order=name&limit=1", json={"image": "x"}, headers=FULL
    )
    assert [row["name"] for row in answer.json()] == ["n0"]
    rest = await db.fetch("SELECT name, image FROM users ORDER BY name")
    assert [tuple(row) for row in rest] == [("n0", "x"), ("n1", None), ("n4", None)]


async def test_row_is_taken_once_by_concurrent_deletes(client: httpx.AsyncClient) -> None:
    rows = [{"name": "n", "email": f"n{n}@example.com"} for n in range(5)]
    await client.post(USERS, json=rows)
    answers = await asyncio.gather(
        *(client.delete(USERS + "?name=eq.n&limit=1&select=email", headers=FULL) for _ in range(20))
    )
    taken = [row["email"] for answer in answers for row in answer.json()]
    assert max(len(answer.json()) for answer in answers) == 1
    assert len(taken) == len(set(taken))
    assert 1 <= len(taken) <= 5


async def test_write_refused_by_its_result_is_undone(
    client: httpx.AsyncClient, db: asyncpg.Connection
) -> None:
    rows = [{"name": f"n{n}", "email": f"n{n}@example.com"} for n in range(3)]
    await client.post(USERS, json=rows)
    every = USERS + "?id=not.is.null"
    one = {"Accept": "application/vnd.pgrst.object+json"} | FULL
    strict = {"Prefer": "handling=strict, max-affected=2"}
    more = {"name": "n4", "email": "n4@example.com"}
    for request, expected in (
        (client.delete(every, headers=one), (406, "PGRST116")),
        (client.patch(every, json={"name": "x"}, headers=one), (406, "PGRST116")),
        (client.post(USERS, json=[more, more | {"email": "n5@example.com"}], headers=one),
         (406, "PGRST116")),
        (client.delete(every, headers=strict), (400, "PGRST124")),
        (client.patch(every, json={"name": "x"}, headers=strict), (400, "PGRST124")),
    ):  # fmt: skip
        assert code(await request) == expected
    undone = await client.delete(every, headers={"Prefer": "tx=rollback, return=representation"})
    assert len(undone.json()) == 3
    assert undone.headers["preference-applied"] == "return=representation, tx=rollback"
    assert await db.fetchval("SELECT count(*) FROM users WHERE name LIKE 'n%'") == 3


async def test_bulk_insert_with_a_bad_row_inserts_none(
    client: httpx.AsyncClient, db: asyncpg.Connection
) -> None:
    rows = [{"name": f"n{n}", "email": f"n{n}@example.com"} for n in range(100)]
    rows[57]["email"] = "no address"
    assert code(await client.post(USERS, json=rows)) == (400, "23514")
    assert await db.fetchval("SELECT count(*) FROM users") == 0


async def test_range_header_narrows_the_page(client: httpx.AsyncClient) -> None:
    rows = [{"name": f"n{n}", "email": f"n{n}@example.com"} for n in range(7)]
    await client.post(USERS, json=rows)
    for given, query, prefer, status, content_range in (
        ("0-2", "", "", 200, "0-2/*"),
        ("0-2", "", "count=exact", 206, "0-2/7"),
        ("5-", "", "count=exact", 206, "5-6/7"),
        ("0-9", "", "count=exact", 200, "0-6/7"),
        ("2-4", "?offset=1&limit=3", "count=exact", 206, "2-3/7"),
        ("7-9", "", "count=exact", 206, "*/7"),
        ("8-9", "", "count=exact", 416, None),
        ("3-1", "", "", 416, None),
        ("nonsense", "", "", 200, "0-6/*"),
        ("", "?limit=0", "", 200, "*/*"),
        ("", "?limit=-1", "", 416, None),
        ("", "?offset=-1", "", 416, None),
    ):
        answer = await client.get(USERS + query, headers={"Range": given, "Prefer": prefer})
        assert answer.status_code == status, (given, query, answer.text)
        assert answer.headers.get("content-range") == content_range, (given, query)
        assert status != 416 or answer.json()["code"] == "PGRST103"


async def test_maximum_of_rows_holds_for_every_level(client: httpx.AsyncClient) -> None:
    user = await ann(client)
    await client.post(SESSIONS, json=[{"user_id": user["id"], "expires_at": SOON}] * 1100)
    answer = await client.get(SESSIONS + "?select=id", headers={"Prefer": "count=exact"})
    assert (len(answer.json()), answer.headers["content-range"]) == (1000, "0-999/1100")
    more = await client.get(SESSIONS + "?limit=5000")
    # without a total, as PostgREST has it, the header does not say whether there is more
    assert (more.status_code, len(more.json())) == (200, 1000)
    assert (answer.status_code, more.headers["content-range"]) == (206, "0-999/*")
    embedded = await client.get(USERS + "?select=sessions(id)")
    assert len(embedded.json()[0]["sessions"]) == 1000


async def test_estimated_count_is_exact_for_few_rows(
    client: httpx.AsyncClient, db: asyncpg.Connection
) -> None:
    await db.execute(
        "INSERT INTO users (name, email) SELECT 'n', n || '@example.com'"
        " FROM generate_series(1, 3000) n; ANALYZE users"
    )
    planned = await client.head(USERS, headers={"Prefer": "count=planned"})
    assert 2500 < int(planned.headers["content-range"].split("/")[1]) < 3500
    few = await client.head(
        USERS + "?email=eq.7@example.com", headers={"Prefer": "count=estimated"}
    )
    assert few.headers["content-range"] == "0-0/1"


async def test_put_upserts_one_row_by_its_key(client: httpx.AsyncClient) -> None:
    identity = "6f1a2c9e-0000-4000-8000-000000000001"
    row = {"id": identity, "name": "Ann", "email": "ann@example.com"}
    path = f"{USERS}?id=eq.{identity}"
    assert (await client.put(path, json=row)).status_code == 201
    assert (await client.put(path, json=row | {"name": "Anna"})).status_code == 204
    answer = await client.put(path, json=row | {"name": "An"}, headers=FULL)
    assert (answer.status_code, answer.json()[0]["name"]) == (200, "An")
    other = {"id": "6f1a2c9e-0000-4000-8000-000000000002"}
    for query, body, expected in (
        ("", row, (405, "PGRST105")),
        ("?name=eq.Ann", row, (405, "PGRST105")),
        (f"?id=eq.{identity}&name=eq.An", row, (405, "PGRST105")),
        (f"?id=gt.{identity}", row, (405, "PGRST105")),
        (f"?id=eq.{identity}&limit=1", row, (400, "PGRST114")),
        (f"?id=eq.{identity}", row | other, (400, "PGRST115")),
        (f"?id=eq.{identity}", [row, row | other], (400, "PGRST115")),
        (f"?id=eq.{identity}", {"name": "x"}, (400, "PGRST115")),
    ):
        assert code(await client.put(USERS + query, json=body)) == expected


async def test_body_is_read_by_its_content_type(
    client: httpx.AsyncClient, db: asyncpg.Connection
) -> None:
    bodies = {
        "text/csv": (
            'name,email,image\n"Ann, ""the"" first",ann@example.com,NULL\n\n,b@example.com,'
        ),
        "application/x-www-form-urlencoded": "name=C+%C3%A9&email=c%40example.com",
        "application/json; charset=utf-8": '{"name": 7, "email": "d@example.com"}',
    }
    for content_type, body in bodies.items():
        answer = await client.post(USERS, content=body, headers={"Content-Type": content_type})
        assert answer.status_code == 201, answer.text
    rows = await db.fetch("SELECT name, image FROM users ORDER BY email")
    expected = [('Ann, "the" first', None), ("", ""), ("C é", None), ("7", None)]
    assert [tuple(row) for row in rows] == expected
    table = await client.get(
        USERS + "?select=name,image,email_verified&order=email", headers={"Accept": "text/csv"}
    )
    assert table.text == (
        'name,image,email_verified\n"Ann, ""the"" first",,f\n"","",f\nC é,,f\n7,,f'
    )
    for content_type in ("text/plain", "application/xml", "multipart/form-data"):
        answer = await client.post(USERS, content="x", headers={"Content-Type": content_type})
        assert code(answer) == (415, "PGRST102")


async def test_location_leads_to_the_created_row(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        USERS,
        json={"name": "Ann", "email": "ann@example.com"},
        headers={"Prefer": "return=headers-only"},
    )
    assert (answer.status_code, answer.content) == (201, b"")
    found = await client.get(answer.headers["location"])
    assert found.json()[0]["name"] == "Ann"


async def test_root_describes_the_tables(client: httpx.AsyncClient) -> None:
    answer = await client.get("/rest/v1/")
    assert answer.headers["content-type"].startswith("application/openapi+json")
    document = answer.json()
    assert set(document["definitions"]) == {path.strip("/") for path in document["paths"]}
    users = document["definitions"]["users"]
    assert users["required"] == ["name", "email"]
    assert "unique" in users["properties"]["email"]["description"]
    assert (await client.get("/rest/v1/", headers={"apikey": KEYS["writer"]})).status_code == 403


async def test_method_and_path_decide_the_answer(client: httpx.AsyncClient) -> None:
    options = await client.options(USERS)
    assert (options.status_code, options.headers["allow"]) == (
        200,
        "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE",
    )
    assert code(await client.request("TRACE", USERS)) == (405, "PGRST117")
    assert code(await client.post("/rest/v1/", json={})) == (405, "PGRST117")
    assert code(await client.get("/rest/v1/schema_migrations")) == (404, "PGRST205")
    assert code(await client.get("/rest/v1/users/1")) == (404, "PGRST125")
    head = await client.head(USERS)
    assert (head.status_code, head.content) == (200, b"")
    refused = await client.head(USERS + "?select=colour")
    assert refused.headers["proxy-status"] == "PostgREST; error=42703"


async def test_empty_body_writes_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.post(USERS, json=[], headers=FULL)).json() == []
    one = {"Accept": "application/vnd.pgrst.object+json"} | FULL
    assert code(await client.post(USERS, json=[], headers=one)) == (406, "PGRST116")
    table = await client.post(USERS, json=[], headers={"Accept": "text/csv"} | FULL)
    assert (table.status_code, table.text) == (201, "")
    assert code(await client.post(USERS, json={})) == (400, "23502")
    assert (await client.patch(USERS + "?name=eq.x", json={})).status_code == 204
    assert code(await client.patch(USERS + "?name=eq.x", json=[])) == (400, "PGRST102")
