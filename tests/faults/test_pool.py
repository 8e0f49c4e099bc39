"""The pool: connections handed on, replaced, closed; every wait has an end."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.database import Database, Transaction, connect, connector
from app.database import database as database_module
from app.errors import (
    DatabaseError,
    DatabaseMissingError,
    DatabaseUnavailableError,
    PoolExhaustedError,
    QueryTimeoutError,
    StatementError,
)
from app.settings import Settings
from app.sql import raw_statement
from tests.faults.proxy import proxied
from tests.migrations.test_doctor import role
from tests.support import Server, environment

PID = raw_statement("test.pid", "SELECT pg_backend_pid() AS pid")
SLEEP = raw_statement("test.sleep", "SELECT pg_sleep(60)")
DIVIDE = raw_statement("test.divide", "SELECT 1 / $1::int AS n", [("n", "integer")])
LOCK = raw_statement("test.lock", "LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
COUNT = raw_statement("test.count", "SELECT count(*) FROM users")
PREPARED = raw_statement("test.prepared", "SELECT count(*) FROM pg_prepared_statements")


@asynccontextmanager
async def opened(url: str, **settings: str) -> AsyncIterator[Database]:
    given = environment(url) | {"GATEPOST_POOL_SIZE": "1"} | settings
    database = Database(Settings.from_environment(given))
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def pid(database: Database) -> int:
    """The backend that a statement is given now."""
    row = await database.fetchrow(PID)
    assert row is not None
    return row["pid"]


async def backends(db: asyncpg.Connection) -> int:
    return await db.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gatepost'"
        " AND datname = current_database()"
    )


async def becomes(db: asyncpg.Connection, sql: str, expected: Any) -> None:
    """Wait until a query gives what it should; a backend takes a moment to end."""
    async with asyncio.timeout(20):
        while await db.fetchval(sql) != expected:  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.02)


ACTIVE = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND query LIKE '%test.sleep%' AND state = 'active' AND pid <> pg_backend_pid()"
)
IDLE_IN_TRANSACTION = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND state LIKE 'idle in transaction%'"
)
BACKENDS = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gatepost'"
    " AND datname = current_database()"
)


async def test_connections_are_reused_up_to_the_size_of_the_pool(
    database_url: str, db: asyncpg.Connection
) -> None:
    async with opened(database_url, GATEPOST_POOL_SIZE="5") as database:
        assert len({await pid(database) for _ in range(20)}) == 1
        assert await backends(db) == 1
        pause = raw_statement("test.pause", "SELECT pg_backend_pid() AS pid, pg_sleep(0.05)")
        rows = await asyncio.gather(*(database.fetchrow(pause) for _ in range(40)))
        assert len({row["pid"] for row in rows if row}) == 5
        assert await backends(db) == 5
    await becomes(db, BACKENDS, 0)


async def test_unused_connection_is_closed_after_its_lifetime(
    database_url: str, db: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_IDLE_LIFETIME", 0.2)
    async with opened(database_url) as database:
        await pid(database)
        assert await backends(db) == 1
        await becomes(db, BACKENDS, 0)
        assert await pid(database)


async def test_exhausted_pool_is_reported_within_the_acquire_timeout(database_url: str) -> None:
    async with opened(database_url, GATEPOST_ACQUIRE_TIMEOUT="0.5") as database:
        await pid(database)
        busy = asyncio.create_task(database.fetch(SLEEP))
        await asyncio.sleep(0.1)
        with pytest.raises(PoolExhaustedError):
            await pid(database)
        busy.cancel()
        with pytest.raises(asyncio.CancelledError):
            await busy
        assert await pid(database)


async def test_waiting_callers_are_served_in_turn(database_url: str) -> None:
    served: list[int] = []
    async with opened(database_url) as database:

        async def call(number: int) -> None:
            await pid(database)
            served.append(number)

        await pid(database)
        calls = [asyncio.create_task(call(number)) for number in range(10)]
        await asyncio.sleep(0)
        calls[3].cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert served == [0, 1, 2, 4, 5, 6, 7, 8, 9]


async def test_cancelled_statement_ends_on_the_server(
    postgres: Server, database_url: str, db: asyncpg.Connection
) -> None:
    """A cancellation that comes before the server has begun is lost; then the role ends it."""
    name = urlsplit(database_url).path[1:]
    with role(postgres, name) as url:
        async with opened(url) as database:
            await pid(database)
            running = asyncio.create_task(database.fetch(SLEEP))
            await becomes(db, ACTIVE, 1)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            await becomes(db, ACTIVE, 0)
            assert await pid(database)


async def test_statement_past_its_deadline_ends_on_the_server(
    database_url: str, db: asyncpg.Connection
) -> None:
    async with opened(database_url, GATEPOST_QUERY_TIMEOUT="0.3") as database:
        with pytest.raises(QueryTimeoutError):
            await database.fetch(SLEEP)
        await becomes(db, ACTIVE, 0)
        assert await pid(database)


async def test_statement_that_waited_long_for_its_connection_keeps_its_own_deadline(
    database_url: str,
) -> None:
    async with opened(database_url, GATEPOST_ACQUIRE_TIMEOUT="30") as database:
        await pid(database)
        busy = asyncio.create_task(database.fetchrow(SLEEP, timeout=1))
        await asyncio.sleep(0)
        async with asyncio.timeout(15):
            with pytest.raises(QueryTimeoutError):
                await database.fetchrow(SLEEP, timeout=0.3)
        with pytest.raises(QueryTimeoutError):
            await busy


async def test_transaction_past_its_deadline_is_rolled_back(
    database_url: str, db: asyncpg.Connection
) -> None:
    async def work(transaction: Transaction) -> None:
        await transaction.fetch(LOCK)
        await asyncio.sleep(60)

    async with opened(database_url, GATEPOST_QUERY_TIMEOUT="0.5") as database:
        with pytest.raises(QueryTimeoutError):
            await database.transaction("test", work)
        await becomes(db, IDLE_IN_TRANSACTION, 0)
        assert await db.fetchval("SELECT count(*) FROM users") == 0


async def test_failed_statement_undoes_its_transaction_and_keeps_the_connection(
    database_url: str, db: asyncpg.Connection
) -> None:
    insert = raw_statement("test.insert", "INSERT INTO users (name, email) VALUES ('A', 'a@b.co')")

    async def work(transaction: Transaction) -> None:
        await transaction.fetch(insert)
        await transaction.fetch(DIVIDE, 0)

    async with opened(database_url) as database:
        backend = await pid(database)
        with pytest.raises(StatementError, match="22012"):
            await database.transaction("test", work)
        with pytest.raises(StatementError, match="22012"):
            await database.fetch(DIVIDE, 0)
        assert await pid(database) == backend
        assert (await database.fetchrow(COUNT)) == (0,)

        async def dry_run(transaction: Transaction) -> int:
            await transaction.fetch(insert)
            row = await transaction.fetchrow(COUNT)
            return row["count"] if row else 0

        assert await database.transaction("test", dry_run, rollback=True) == 1
        assert (await database.fetchrow(COUNT)) == (0,)
        assert await database.transaction("test", dry_run) == 1
        assert (await database.fetchrow(COUNT)) == (1,)
        assert await pid(database) == backend


async def test_connection_cut_in_a_transaction_is_reported_and_replaced(database_url: str) -> None:
    own = raw_statement("test.own", "SELECT pg_terminate_backend(pg_backend_pid())")

    async def work(transaction: Transaction) -> None:
        await transaction.fetch(own)

    async with opened(database_url) as database:
        first = await pid(database)
        with pytest.raises(DatabaseUnavailableError):
            await database.transaction("test", work)
        assert await pid(database) != first


async def test_value_that_does_not_fit_its_type_is_a_statement_error(database_url: str) -> None:
    async with opened(database_url) as database:
        for value in ("x", 2**40, "\ud800"):
            with pytest.raises(StatementError, match="22P02"):
                await database.fetch(DIVIDE, value)


async def test_value_that_the_driver_refuses_leaves_no_lock_and_costs_no_prepared_statement(
    postgres: Server, database_url: str, db: asyncpg.Connection
) -> None:
    """With the role of db/service_role.sql, whose transaction_timeout ends what is left open."""
    of_user = raw_statement("test.of_user", "SELECT id FROM users WHERE id = $1", [("id", "uuid")])
    with role(postgres, urlsplit(database_url).path[1:]) as url:
        if postgres.version >= 17:  # the connection of a transaction past it is ended
            await db.execute(f"ALTER ROLE {urlsplit(url).username} SET transaction_timeout = '1s'")
        async with opened(url) as database:
            await database.fetch(DIVIDE, 1)
            first = await pid(database)
            with pytest.raises(StatementError, match="22P02"):
                await database.fetch(of_user, "no uuid")
            assert await db.fetchval(
                "SELECT xact_start FROM pg_stat_activity WHERE pid = $1", first
            ) is None  # fmt: skip
            assert await db.fetchval("SELECT count(*) FROM pg_locks WHERE pid = $1", first) == 0
            await asyncio.sleep(1.2)
            assert await pid(database) == first
            assert await database.fetchrow(PREPARED) == (4,)


async def test_expired_connections_are_replaced(database_url: str, db: asyncpg.Connection) -> None:
    async with opened(database_url) as database:
        first = await pid(database)
        demoted = raw_statement("test.demoted", "DO $$BEGIN RAISE SQLSTATE '25006'; END$$")
        with pytest.raises(DatabaseUnavailableError, match="25006"):
            await database.fetch(demoted)
        second = await pid(database)
        assert first != second
        await db.execute("SELECT pg_terminate_backend($1)", second)
        async with asyncio.timeout(20):
            while database.load.idle:  # noqa: ASYNC110 - the end of the connection is on its way
                await asyncio.sleep(0.01)
        assert await pid(database) != second


async def test_unreachable_server_costs_no_connection_of_the_pool(database_url: str) -> None:
    async with proxied(database_url) as (proxy, url), opened(url) as database:
        reachable, proxy.socket_path = proxy.socket_path, "/nowhere"
        for _ in range(3):
            with pytest.raises(DatabaseUnavailableError):
                await pid(database)
        proxy.socket_path = reachable
        assert await pid(database)


@pytest.mark.parametrize("in_transaction", [False, True])
async def test_silent_network_delays_nobody_beyond_the_deadlines(
    database_url: str, in_transaction: bool
) -> None:
    async def work(transaction: Transaction) -> None:
        await transaction.fetch(COUNT)
        proxy.silent = True
        await transaction.fetch(COUNT)

    settings = {
        "GATEPOST_POOL_SIZE": "2",
        "GATEPOST_QUERY_TIMEOUT": "0.5",
        "GATEPOST_ACQUIRE_TIMEOUT": "0.5",
    }
    async with proxied(database_url) as (proxy, url), opened(url, **settings) as database:
        await asyncio.gather(pid(database), pid(database))
        started = time.monotonic()
        proxy.silent = not in_transaction
        for _ in range(3):
            with pytest.raises(DatabaseUnavailableError):
                await (database.transaction("test", work) if in_transaction else pid(database))
        # three attempts: a statement, its cancellation or ROLLBACK, and a connection each
        assert time.monotonic() - started < 3 * (0.5 + 2 * database_module._CLEANUP_TIMEOUT + 0.5)
        proxy.silent = False
        assert await pid(database)
        assert all(await asyncio.gather(pid(database), pid(database)))


@pytest.mark.parametrize(
    "step", ["BEGIN", "test.step", "COMMIT", "ROLLBACK", "C\0\0\0.S__asyncpg_stmt"]
)
async def test_silence_at_any_step_takes_no_place_of_the_pool(
    database_url: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_CLEANUP_TIMEOUT", 0.3)
    monkeypatch.setattr(database_module, "_CACHED_STATEMENTS", 1)
    settings = {
        "GATEPOST_POOL_SIZE": "2",
        "GATEPOST_QUERY_TIMEOUT": "0.5",
        "GATEPOST_ACQUIRE_TIMEOUT": "2",
    }

    async def work(transaction: Transaction) -> None:
        await transaction.fetch(COUNT)
        await transaction.fetch(raw_statement("test.step", "SELECT 1"))
        if step == "ROLLBACK":
            await transaction.fetch(DIVIDE, 0)

    async def both(database: Database) -> list[Any]:
        def call() -> Awaitable[Any]:
            if step.startswith("C\0"):
                return database.fetch(DIVIDE, 1)
            return database.transaction("test", work)

        async with asyncio.timeout(5):  # it would be for good
            return list(await asyncio.gather(call(), call(), return_exceptions=True))

    async with proxied(database_url) as (proxy, url), opened(url, **settings) as database:
        await asyncio.gather(pid(database), pid(database))
        proxy.silent_at = step.encode()
        assert [isinstance(each, DatabaseError) for each in await both(database)] == [True, True]
        assert proxy.silent
        proxy.silent_at, proxy.silent = None, False
        pause = raw_statement("test.pause", "SELECT pg_backend_pid() AS pid, pg_sleep(0.1)")
        rows = await asyncio.gather(*(database.fetchrow(pause) for _ in range(2)))
        assert len({row["pid"] for row in rows if row}) == 2


async def test_connections_that_the_network_forgot_cost_one_statement(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one for each connection in the pool, each with its whole time."""
    monkeypatch.setattr(database_module, "_CLEANUP_TIMEOUT", 0.3)
    settings = {"GATEPOST_POOL_SIZE": "5", "GATEPOST_QUERY_TIMEOUT": "0.5"}

    async def work(transaction: Transaction) -> None:
        await transaction.fetch(COUNT)

    pause = raw_statement("test.pause", "SELECT pg_sleep(0.2)")
    async with proxied(database_url) as (proxy, url), opened(url, **settings) as database:
        for failing in (pid(database), database.transaction("test", work)):
            await asyncio.gather(*(database.fetch(pause) for _ in range(5)))
            proxy.forget()
            with pytest.raises(QueryTimeoutError):
                await failing
            for _ in range(5):
                assert await pid(database)


async def test_end_of_a_silent_connection_is_not_waited_for(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "_CLOSE_TIMEOUT", 0.3)
    async with proxied(database_url) as (proxy, url), opened(url) as database:
        await pid(database)
        proxy.silent = True
        started = time.monotonic()
        await database.close()
        assert time.monotonic() - started < 5  # and not the ten of a statement


async def test_closing_waits_for_running_statements(
    database_url: str, db: asyncpg.Connection
) -> None:
    pause = raw_statement("test.pause", "SELECT 1 AS one FROM pg_sleep(0.2)")
    async with opened(database_url, GATEPOST_POOL_SIZE="2") as database:
        await pid(database)
        running = [asyncio.create_task(database.fetchrow(pause)) for _ in range(2)]
        await asyncio.sleep(0.1)
        await database.close()
        assert [row["one"] for row in await asyncio.gather(*running) if row] == [1, 1]
        with pytest.raises(DatabaseUnavailableError):
            await pid(database)
    await becomes(db, BACKENDS, 0)


async def test_closing_terminates_what_outlives_the_query_timeout(
    database_url: str, db: asyncpg.Connection
) -> None:
    async with opened(database_url, GATEPOST_QUERY_TIMEOUT="30") as database:
        await pid(database)
        running = asyncio.create_task(database.fetch(SLEEP))
        await becomes(db, ACTIVE, 1)
        object.__setattr__(database._settings, "query_timeout", 0.3)
        await database.close()
        with pytest.raises(DatabaseError):
            await running


async def test_pool_that_is_not_open_is_unavailable(database_url: str) -> None:
    database = Database(Settings.from_environment(environment(database_url)))
    with pytest.raises(DatabaseUnavailableError):
        await database.fetch(PID)
    await database.close()


async def test_statements_stay_prepared_unless_a_pooler_is_in_front(database_url: str) -> None:
    async with opened(database_url) as database:
        for _ in range(3):
            await database.fetch(DIVIDE, 1)
        row = await database.fetchrow(PREPARED)
        assert row is not None
        assert row["count"] >= 1
    async with opened(database_url, GATEPOST_POOLER="transaction") as database:
        for _ in range(3):
            await database.fetch(DIVIDE, 1)
        assert await database.fetchrow(PREPARED) == (0,)


async def test_statement_is_sent_again_after_a_migration(
    database_url: str, db: asyncpg.Connection
) -> None:
    everything = raw_statement(
        "test.everything", "SELECT * FROM (VALUES (1)) one (n) LEFT JOIN users ON true LIMIT 1"
    )
    async with opened(database_url) as database:
        before = await database.fetchrow(everything)
        await db.execute("ALTER TABLE users ADD COLUMN extra text DEFAULT 'x'")
        after = await database.fetchrow(everything)
        assert before is not None
        assert after is not None
        assert set(after.keys()) == set(before.keys()) | {"extra"}
        await db.execute(
            "ALTER TABLE users ALTER COLUMN extra DROP DEFAULT,"
            " ALTER COLUMN extra TYPE integer USING 1"
        )
        assert await database.fetchrow(everything) is not None


async def test_connect_reports_what_is_wrong_without_the_password(database_url: str) -> None:
    missing = database_url.replace("/gatepost_", "/no_such_gatepost_")
    with pytest.raises(DatabaseMissingError):
        async with connect(missing):
            pass
    for url, reason in (
        ("postgres://app:hunter2@127.0.0.1:1/x", "connection refused"),
        ("postgres://app:hunter2/more@db/x", "malformed"),
    ):
        with pytest.raises(DatabaseUnavailableError, match=reason) as refused:
            async with connect(url):
                pass
        assert "hunter2" not in str(refused.value)
    async with connect(database_url, application_name="other") as connection:
        assert await connection.is_direct()
        assert await connection.fetchcol(DIVIDE, 1) == [1]
        assert await connection.fetchval(DIVIDE, 1) == 1
        with pytest.raises(StatementError, match="22012"):
            await connection.fetch(DIVIDE, 0)
        with pytest.raises(QueryTimeoutError):
            await connection.fetch(SLEEP, timeout=0.2)
