"""What GATEPOST_CITUS changes, on one server: its statements give what the others give.

tests/citus runs them where they are made for.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest

from app.auth.session_loader import ShardLoader
from app.database import Database
from app.doctor import examine
from app.errors import DatabaseUnavailableError
from app.main import create_app
from app.schema import SHARD_KEYS
from app.settings import Settings
from app.statements import sessions
from tests.support import KEYS, ROOT, environment

pytestmark = pytest.mark.every_server

FILL = """
    INSERT INTO users (id, name, email)
    SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'n' || n, n || '@example.com'
    FROM generate_series(1, 5) n;
    INSERT INTO sessions (id, user_id, token, created_at, expires_at, user_agent)
    SELECT md5(u.email || n)::uuid, u.id, md5(u.email || n),
           '2026-01-01'::timestamptz + n * interval '1 day', '2999-01-01', 'agent ' || n
    FROM users u, generate_series(1, 4) n WHERE u.name < 'n' || (n + 2);
    INSERT INTO accounts (user_id, account_id, provider_id, password)
    SELECT id, id::text, 'credential', 'x' FROM users;
"""
USER = "00000000-0000-0000-0000-000000000001"
READS = [
    "users?select=name,sessions(user_agent)&order=name",
    "users?select=name,sessions(user_agent)&order=name.desc&limit=2&offset=1",
    "users?select=name,sessions(user_agent)&sessions.order=created_at.desc&sessions.limit=1",
    "users?select=name,sessions(user_agent)&sessions.user_agent=eq.agent 3&order=name",
    "users?select=name,...sessions(agents:user_agent)&order=name",
    "users?select=name,sessions!inner(user_agent)&sessions.user_agent=eq.agent 4&order=name",
    "users?select=name,sessions()&sessions=is.null&order=name",
    "users?select=name,sessions()&sessions=not.is.null&order=name",
    "users?select=name,accounts(provider_id),sessions(user_agent,users(name))&order=name",
    "users?select=sessions()&limit=1",
    "users?sessions=is.null&select=*,sessions(*)",
    "sessions?select=user_agent,users(name)&order=user_agent,users(name)",
    "sessions?select=user_agent,users!inner(name)&users.name=eq.n1&order=user_agent",
]


@asynccontextmanager
async def service(url: str, **settings: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings.from_environment(environment(url) | settings))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gatepost.test/rest/v1/",
            headers={"apikey": KEYS["all"]},
        ) as client,
    ):
        yield client


@pytest.fixture
async def filled(db: asyncpg.Connection) -> asyncpg.Connection:
    await db.execute(FILL)
    return db


@pytest.fixture
async def sharded(
    filled: asyncpg.Connection, database_url: str
) -> AsyncIterator[httpx.AsyncClient]:
    async with service(database_url, GATEPOST_CITUS="true") as client:
        yield client


async def test_reads_give_the_same(sharded: httpx.AsyncClient, database_url: str) -> None:
    async with service(database_url) as plain:
        for path in READS:
            for headers in ({"prefer": "count=exact"}, {"accept": "text/csv"}):
                one = await plain.get(path, headers=headers)
                other = await sharded.get(path, headers=headers)
                assert one.is_success, one.text
                assert (one.text, one.status_code) == (other.text, other.status_code), path
                assert one.headers["content-range"] == other.headers["content-range"]


async def test_writes_give_the_same(sharded: httpx.AsyncClient, database_url: str) -> None:
    prefer = {"prefer": "return=representation,tx=rollback"}
    writes: list[tuple[str, str, Any]] = [
        ("PATCH", "users?name=gt.n1&order=name&limit=2&select=sessions(token)", {"name": "x"}),
        ("PATCH", "sessions?order=user_agent,token&limit=2&user_agent=gt.a", {"user_agent": "x"}),
        ("DELETE", "sessions?order=user_agent,token&limit=3&user_agent=gt.a&select=token", None),
        ("DELETE", "users?id=not.is.null&select=name,sessions()&order=name", None),
    ]  # fmt: skip
    async with service(database_url) as plain:
        for method, path, body in writes:
            answers = [
                await client.request(method, path, json=body, headers=prefer)
                for client in (plain, sharded)
            ]
            assert answers[0].is_success, answers[0].text
            stable = [
                [{k: v for k, v in row.items() if k != "updated_at"} for row in answer.json()]
                for answer in answers
            ]
            assert stable[0] == stable[1], path


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("sessions?select=users(sessions(id))", "PGRST127"),
        ("users?select=sessions!inner(id)&sessions.limit=1", "PGRST127"),
    ],
)
async def test_what_shards_cannot_answer_is_refused(
    path: str, code: str, sharded: httpx.AsyncClient
) -> None:
    answer = await sharded.get(path)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_upsert_by_another_key_than_that_of_the_shards_is_refused(
    sharded: httpx.AsyncClient, filled: asyncpg.Connection
) -> None:
    """On a cluster it would find no conflict and make a second row."""
    merge = {"prefer": "resolution=merge-duplicates,return=representation"}
    row = (await sharded.get("sessions?limit=1")).json()[0]
    before = await filled.fetchval("SELECT count(*) FROM sessions")
    for answer in (
        await sharded.post("sessions", json=row, headers=merge),
        await sharded.post("sessions?on_conflict=id", json=row, headers=merge),
        await sharded.put(f"sessions?id=eq.{row['id']}", json=row),
        await sharded.post("verifications", json={"identifier": "i"}, headers=merge),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "0A000"), answer.text
    answer = await sharded.post(
        "sessions?on_conflict=token", json=row | {"user_agent": "new"}, headers=merge
    )
    assert answer.json()[0]["user_agent"] == "new"
    assert await filled.fetchval("SELECT count(*) FROM sessions") == before
    user = (await sharded.get(f"users?id=eq.{USER}")).json()[0]
    assert (await sharded.put(f"users?id=eq.{USER}", json=user)).is_success


async def test_lookups_of_a_failed_batch_are_asked_again_one_by_one() -> None:
    """A worker that is away takes the sessions of its shards along and no others."""
    asked: list[list[str]] = []

    class OneShardAway:
        async def fetch(self, statement: Any, tokens: list[str]) -> list[Any]:
            assert statement is sessions.find_on_shards
            await asyncio.sleep(0)
            asked.append(tokens)
            if "away" in tokens:
                raise DatabaseUnavailableError("a worker")
            return []

    loader = ShardLoader(OneShardAway())  # pyright: ignore[reportArgumentType]
    found = await asyncio.gather(
        *(loader.load(token) for token in ("a", "b", "away", "c")), return_exceptions=True
    )
    assert [type(each) for each in found] == [type(None)] * 2 + [
        DatabaseUnavailableError,
        type(None),
    ]
    assert len(asked) > 2


async def test_both_statements_find_the_same_sessions(
    filled: asyncpg.Connection, database_url: str
) -> None:
    database = Database(Settings.from_environment(environment(database_url)))
    await database.open()
    try:
        tokens = [row["token"] for row in await filled.fetch("SELECT token FROM sessions")]
        one, other = [
            await database.fetch(statement, [*tokens, "nobody"])
            for statement in (sessions.find, sessions.find_on_shards)
        ]
    finally:
        await database.close()
    assert len(one) == len(tokens)
    assert {row.session.token: row for row in one} == {row.session.token: row for row in other}


def test_scripts_spread_the_tables_by_the_keys_of_the_code() -> None:
    script = (ROOT / "deploy" / "citus" / "distribute.sql").read_text()
    for table, key in SHARD_KEYS.items():
        assert f'"{table}": "{key}"' in script


async def test_setting_without_a_cluster_is_found(
    sharded: httpx.AsyncClient, database_url: str
) -> None:
    answer = await sharded.get("http://gatepost.test/readyz")
    assert (answer.status_code, answer.text) == (503, "the cluster's workers cannot be asked")
    findings = await examine(
        Settings(database_url=database_url, database_direct_url=database_url, citus=True)
    )
    assert ("citus", "fail") in [(finding.check, finding.level) for finding in findings]
