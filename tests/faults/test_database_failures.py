"""What a caller sees when the database fails: 503 or 504 in bounded time, and then again rows."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest

from app.database import Database
from app.devserver.postgres import THROWAWAY, EmbeddedPostgres, scratch
from app.errors import DatabaseUnavailableError
from app.main import create_app
from app.migrations import dbmate
from app.settings import Settings
from app.statements import migrations
from tests.support import KEYS, environment, wait_until

pytestmark = pytest.mark.every_server

USERS = "/rest/v1/users"
REPRESENTATION = {"Prefer": "return=representation"}


@asynccontextmanager
async def gatepost(url: str, **settings: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings.from_environment(environment(url) | settings))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gatepost.test",
            headers={"apikey": KEYS["all"]},
            timeout=30,
        ) as client,
    ):
        yield client


def ann() -> dict[str, str]:
    return {"name": "Ann", "email": "ann@example.com"}


async def test_killed_server_gives_503_until_it_is_back() -> None:
    with scratch() as server:
        url = server.url()
        await dbmate.up(url)
        connection = await asyncpg.connect(url)
        await connection.execute("ALTER DATABASE gatepost SET synchronous_commit = on")
        await connection.close()
        async with gatepost(url, GATEPOST_ACQUIRE_TIMEOUT="2") as client:
            assert (await client.post(USERS, json=ann())).status_code == 201
            # SIGQUIT: the server ends without a checkpoint, as in a power cut
            pid_file = server.data / "postmaster.pid"
            os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
            await asyncio.to_thread(wait_until, lambda: not pid_file.exists(), "it has ended")
            for method in ("GET", "POST"):
                answer = await client.request(method, USERS, json=ann())
                assert answer.status_code == 503
                assert answer.json()["code"] == "PGRST000"
                assert answer.headers["retry-after"]
            assert (await client.get("/livez")).status_code == 200
            ready = await client.get("/readyz")
            assert (ready.status_code, ready.text) == (503, "the database cannot be reached")
            with EmbeddedPostgres(server.home, options=THROWAWAY):
                answer = await client.get(USERS, params={"select": "name"})
                assert (answer.status_code, answer.json()) == (200, [{"name": "Ann"}])
                assert (await client.get("/readyz")).status_code == 200


async def test_address_without_a_server_gives_503() -> None:
    async with gatepost(
        "postgres://nobody:hidden@127.0.0.1:1/none", GATEPOST_ACQUIRE_TIMEOUT="2"
    ) as client:
        answer = await client.get(USERS)
        assert answer.status_code == 503
        assert "hidden" not in answer.text
        assert (await client.get("/readyz")).status_code == 503


async def test_terminated_connections_are_replaced(
    database_url: str, db: asyncpg.Connection
) -> None:
    async with gatepost(database_url) as client:
        for _ in range(5):
            await asyncio.gather(*(client.get(USERS) for _ in range(8)))
            await db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'gatepost' AND datname = current_database()"
            )
            answers = await asyncio.gather(*(client.get(USERS) for _ in range(8)))
            assert {answer.status_code for answer in answers} <= {200, 503}
            assert (await client.get(USERS)).status_code == 200


async def test_slow_statement_and_exhausted_pool_give_504(
    database_url: str, db: asyncpg.Connection
) -> None:
    async with gatepost(
        database_url,
        GATEPOST_POOL_SIZE="1",
        GATEPOST_ACQUIRE_TIMEOUT="0.3",
        GATEPOST_QUERY_TIMEOUT="1.5",
    ) as client:
        assert (await client.get(USERS)).status_code == 200
        async with db.transaction():
            await db.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
            blocked = asyncio.create_task(client.get(USERS))
            await asyncio.sleep(0.2)
            waiting = await client.get(USERS)
            assert (waiting.status_code, waiting.json()["code"]) == (504, "PGRST003")
            answer = await blocked
            assert (answer.status_code, answer.json()["code"]) == (504, "57014")
            # the server was told: nobody waits for the lock any more
            await asyncio.sleep(0.1)
            assert not await db.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            )
        assert (await client.get(USERS)).status_code == 200


async def test_lock_timeout_is_retried(database_url: str, db: asyncpg.Connection) -> None:
    name = await db.fetchval("SELECT current_database()")
    await db.execute(f'ALTER DATABASE "{name}" SET lock_timeout = 40')
    async with gatepost(database_url) as client:
        await client.post(USERS, json=ann())

        async def rename() -> httpx.Response:
            return await client.patch(USERS + "?name=eq.Ann", json={"name": "Anna"})

        transaction = db.transaction()
        await transaction.start()
        await db.execute("SELECT FROM users FOR UPDATE")
        renaming = asyncio.create_task(rename())
        await asyncio.sleep(0.06)  # past the first attempt
        await transaction.rollback()
        assert (await renaming).status_code == 204
        assert await db.fetchval("SELECT name FROM users") == "Anna"
        # one that is held for good ends in 503, and nothing is written
        async with db.transaction():
            await db.execute("SELECT FROM users FOR UPDATE")
            answer = await client.patch(USERS + "?name=eq.Anna", json={"name": "x"})
            assert answer.status_code == 503
            assert answer.headers["retry-after"]
        assert await db.fetchval("SELECT name FROM users") == "Anna"


async def test_demoted_primary_is_replaced(database_url: str, db: asyncpg.Connection) -> None:
    name = await db.fetchval("SELECT current_database()")
    await db.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    async with gatepost(database_url, GATEPOST_POOL_SIZE="2") as client:
        answer = await client.post(USERS, json=ann())
        assert (answer.status_code, answer.json()["code"]) == (503, "PGRST000")
        await db.execute("SET transaction_read_only = off")
        await db.execute("SET default_transaction_read_only = off")
        await db.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        # the pooled connection still leads to where writes are refused; it must not be used again
        assert (await client.post(USERS, json=ann())).status_code == 201


async def test_prepared_statement_survives_a_migration(
    database_url: str, db: asyncpg.Connection
) -> None:
    database = Database(Settings(database_url=database_url, database_direct_url=database_url))
    await database.open()
    try:
        before = await database.fetch(migrations.applied)
        await db.execute("ALTER TABLE schema_migrations ALTER version TYPE varchar(200)")
        assert await database.fetch(migrations.applied) == before
    finally:
        await database.close()


async def test_closed_pool_raises_unavailable(database_url: str) -> None:
    database = Database(Settings(database_url=database_url, database_direct_url=database_url))
    with pytest.raises(DatabaseUnavailableError):
        await database.fetch(migrations.applied)


async def test_readyz_names_pending_migrations(database_url: str, db: asyncpg.Connection) -> None:
    await db.execute("DELETE FROM schema_migrations WHERE version = '20261122090100'")
    async with gatepost(database_url) as client:
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.text == "migrations are pending: 20261122090100"
        await db.execute("DROP TABLE schema_migrations")
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert "20261122090000" in answer.text
