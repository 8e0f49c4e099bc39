"""Idioms of PostgREST that its clients know: counts, blanks, quotes, names of relations."""

from typing import Any

import asyncpg
import httpx
import pytest

from tests.support import KEYS

pytestmark = pytest.mark.every_server

USERS, SESSIONS = "/rest/v1/users", "/rest/v1/sessions"
BACKEND = {"apikey": KEYS["backend"]}
FULL = {"Prefer": "return=representation"}


@pytest.fixture
async def people(db: asyncpg.Connection) -> None:
    """Ann with two sessions, one of them from an address, Bob with one, Cid with none."""
    await db.execute("""
        INSERT INTO users (name, email, image) VALUES ('Ann', 'ann@example.com', 'ann.png'),
            ('Bob', 'bob@example.com', NULL), ('"', 'cid@example.com', NULL);
        INSERT INTO sessions (user_id, token, expires_at, ip_address, created_at, updated_at)
        SELECT id, md5(email || n), now() + interval '1 day',
               CASE n WHEN 1 THEN '203.0.113.7' ELSE '' END, now(), now()
        FROM users, generate_series(1, 2) AS n WHERE name = 'Ann' OR (name = 'Bob' AND n = 1);
    """)


async def read(client: httpx.AsyncClient, query: str, **headers: str) -> Any:
    answer = await client.get(f"/rest/v1/{query}", headers=headers)
    assert answer.status_code < 300, answer.text
    return answer.json()


async def refused(client: httpx.AsyncClient, query: str, **headers: str) -> tuple[int, str]:
    answer = await client.get(f"/rest/v1/{query}", headers=headers)
    return answer.status_code, answer.json()["code"]


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("users?select=count()", [{"count": 3}]),
        ("users?select=count", [{"count": 3}]),
        ("users?select=n:count()::text&name=eq.Ann", [{"n": "1"}]),
        ("users?select=count()&name=eq.nobody", [{"count": 0}]),
        ("users?select=all:count(),shown:image.count()", [{"all": 3, "shown": 1}]),
        ("users?select=image,count()&order=image.desc.nullslast",
         [{"image": "ann.png", "count": 1}, {"image": None, "count": 2}]),
        ("sessions?select=address:ip_address,count()&limit=1&offset=1",
         [{"address": "203.0.113.7", "count": 2}]),
        ("users?select=name,sessions(count)&order=email",
         [{"name": "Ann", "sessions": [{"count": 2}]}, {"name": "Bob", "sessions": [{"count": 1}]},
          {"name": '"', "sessions": [{"count": 0}]}]),
        ("users?select=name,sessions(n:count())&sessions.ip_address=eq.&name=eq.Ann",
         [{"name": "Ann", "sessions": [{"n": 1}]}]),
        ("users?select=name,sessions!inner(count)&name=neq.Ann",
         [{"name": "Bob", "sessions": [{"count": 1}]}]),
        ("users?select=count(),sessions!inner()&sessions.ip_address=eq.", [{"count": 1}]),
        ("sessions?select=users(count)&limit=1", [{"users": {"count": 1}}]),
    ],
)  # fmt: skip
async def test_count_counts_what_is_filtered(
    client: httpx.AsyncClient, query: str, rows: list[Any]
) -> None:
    assert await read(client, query) == rows
    assert await read(client, query, **BACKEND) == rows


@pytest.mark.usefixtures("people")
async def test_count_needs_the_scopes_that_its_columns_do(client: httpx.AsyncClient) -> None:
    for query in (
        "accounts?select=password.count()",
        "sessions?select=token,count()",
        "users?select=sessions(token.count())",
        "sessions?select=count()&token=like.a*",
    ):
        assert await refused(client, query, **BACKEND) == (403, "42501"), query
    assert await refused(client, "users?select=count()", apikey=KEYS["writer"]) == (403, "42501")
    # all that a key may see, and no more, is what its rows are grouped by
    rows = await read(client, "sessions?select=*,count()", **BACKEND)
    assert len(rows) == 3
    assert all("token" not in row for row in rows)


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("users?select=id.sum()", "PGRST123"),
        ("users?select=sum()", "PGRST123"),
        ("users?select=id::text.count()", "PGRST127"),
        ("users?select=count(),sessions(id)", "PGRST127"),
        ("users?select=name,...sessions(count())", "PGRST127"),
        ("sessions?select=...users(count)", "PGRST127"),
        ("users?select=count()&order=name", "42803"),
        ("users?select=name,count()&order=email", "42803"),
        ("users?select=nothing.count()", "42703"),
        ("users?select=count()x", "PGRST100"),
        ("users?select=count(id)", "PGRST200"),
    ],
)
async def test_aggregate_that_is_not_served_is_refused_by_its_code(
    client: httpx.AsyncClient, query: str, code: str
) -> None:
    assert await refused(client, query) == (400, code)


@pytest.mark.usefixtures("people")
async def test_count_of_written_rows_is_refused_and_nothing_written(
    client: httpx.AsyncClient,
) -> None:
    path = f"{USERS}?select=count()&name=eq.Ann"
    for request in (
        client.delete(path, headers=FULL),
        client.patch(path, json={"name": "Eve"}, headers=FULL),
        client.post(path, json={"name": "Eve", "email": "eve@example.com"}, headers=FULL),
    ):
        assert (await request).json()["code"] == "PGRST127"
    assert await read(client, "users?select=name&order=email") == [
        {"name": "Ann"}, {"name": "Bob"}, {"name": '"'}
    ]  # fmt: skip
    written = await client.patch(
        f"{USERS}?name=eq.Ann&select=name,sessions(count)", json={"name": "Ada"}, headers=FULL
    )
    assert written.json() == [{"name": "Ada", "sessions": [{"count": 2}]}]


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    "query",
    [
        "or=(name.eq.Ann, and(name.eq.Bob, email.like.bob*))",
        "or=( name.eq.Ann,%09not.and ( name.neq.Bob) )",
        "and=(or (name.eq.Ann,name.eq.Bob), email.like.*)",
        "name=in. ( Ann,Bob)",
        "name=in.(Ann,Bob) ",
    ],
)
async def test_blanks_around_parentheses_mean_nothing(
    client: httpx.AsyncClient, query: str
) -> None:
    rows = await read(client, f"users?select=name, id , ...sessions()&order=email, id&{query}")
    assert [row["name"] for row in rows] == ["Ann", "Bob"]


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ('name=in.(")', ['"']),
        ('name=in.(Ann,")', ["Ann", '"']),
        ('name=in.("Ann,Bob)', ["Bob"]),
        ('name=in.("Ann"x,Bob)', ["Bob"]),
        ('name=in.("Ann","\\"")', ["Ann", '"']),
        ('or=(name.eq.",name.eq."Ann")', ["Ann", '"']),
    ],
)
async def test_quote_that_encloses_no_value_is_part_of_one(
    client: httpx.AsyncClient, query: str, names: list[str]
) -> None:
    """As PostgREST reads it: what is not a quoted value as a whole is a value as it stands."""
    rows = await read(client, f"users?select=name&order=email&{query}")
    assert [row["name"] for row in rows] == names


@pytest.mark.usefixtures("people")
async def test_relation_with_an_alias_is_called_by_its_table_too(
    client: httpx.AsyncClient,
) -> None:
    for name in ("s", "sessions"):
        rows = await read(
            client,
            f"users?select=s:sessions(ip_address)&name=eq.Ann&{name}.ip_address=neq."
            f"&{name}.limit=1",
        )
        assert rows == [{"s": [{"ip_address": "203.0.113.7"}]}]
    # both names are one relation, and a name of its own goes before that of a table
    both = "users?select=s:sessions(ip_address)&name=eq.Ann"
    none = "&s.ip_address=eq.&sessions.ip_address=neq."
    assert await read(client, both + none) == [{"s": []}]
    assert await refused(client, f"{both}&s.limit=1&sessions.limit=2") == (400, "PGRST100")
    two = "users?select=s:sessions(id),sessions(id)&name=eq.Ann&sessions.limit=0"
    (row,) = await read(client, two)
    assert (len(row["s"]), row["sessions"]) == (2, [])
    assert await refused(client, "users?select=s:sessions(id)&t.limit=1") == (400, "PGRST108")
    # a test of the relation itself takes the name in the response alone, as an order does
    assert await refused(client, "users?select=s:sessions(id)&sessions=is.null") == (400, "42703")


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    "query",
    [
        "users?order=name->a",
        "users?order=name->>a.desc",
        "sessions?select=users(name)&order=users(name->a)",
        "users?name->>a=eq.x",
        "users?or=(name->>a.eq.x)",
        "users?select=sessions(id)&sessions.ip_address->a=eq.x",
        "users?select=name->>a",
    ],
)
async def test_json_path_is_said_not_to_be_served(client: httpx.AsyncClient, query: str) -> None:
    assert await refused(client, query) == (400, "PGRST127")
