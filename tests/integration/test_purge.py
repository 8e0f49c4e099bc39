"""The purge deletes expired rows and no others, by one process at a time, even if it is killed."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest

from app.database import Database
from app.errors import PurgeRunningError
from app.migrations.runner import migrate
from app.purge import CHUNK_PAGES, EVENTS, NAME, STATEMENTS, purge, purge_in_background
from app.settings import Settings
from app.statements import purges, sessions
from tests.support import ROOT, Server, Service, end, environment, running_service, wait_until

pytestmark = pytest.mark.every_server

HOUR = 3600
NOWHERE = "postgres://app:hunter2@127.0.0.1:1/gatepost"  # port 1: nothing listens there

# Half of each has expired. One row a page or so, or a chunk would be thousands of them.
FILL = """
    ALTER TABLE sessions SET (fillfactor = 10);
    INSERT INTO users (name, email) VALUES ('Ann', 'ann@example.com');
    INSERT INTO sessions (user_id, token, created_at, expires_at, user_agent)
    SELECT u.id, md5(n::text), now() - interval '30 days',
           now() + CASE WHEN n % 2 = 0 THEN 1 ELSE -1 END * interval '1 minute', repeat('x', 900)
    FROM users u, generate_series(1, 400) n;
    INSERT INTO verifications (identifier, value, created_at, expires_at)
    SELECT n, n, now() - interval '30 days',
           now() + CASE WHEN n % 2 = 0 THEN 1 ELSE -1 END * interval '1 minute'
    FROM generate_series(1, 20) n;
    INSERT INTO rate_limits (key, count, last_request)
    SELECT n, 1, extract(epoch FROM now() - CASE WHEN n % 2 = 0 THEN 23 ELSE 25 END
                                            * interval '1 hour') * 1000
    FROM generate_series(1, 10) n;
    ANALYZE;
"""
BEFORE = "20261122090400"  # the migration after this one makes purges
EXPIRED = {"sessions": 200, "verifications": 10, "rate_limits": 5}


@asynccontextmanager
async def opened(url: str, **settings: str) -> AsyncIterator[Database]:
    database = Database(Settings.from_environment(environment(url) | settings))
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def filled(db: asyncpg.Connection) -> asyncpg.Connection:
    """A connection to tables of which half the rows have expired, sessions in several chunks."""
    await db.execute(FILL)
    assert await db.fetchval("SELECT pg_relation_size('sessions') / 8192") > 2 * CHUNK_PAGES
    return db


@pytest.fixture
async def database(filled: asyncpg.Connection, database_url: str) -> AsyncIterator[Database]:
    """The same as the service has it."""
    async with opened(database_url) as database:
        yield database


async def counts(db: asyncpg.Connection) -> dict[str, int]:
    return {table: await db.fetchval(f"SELECT count(*) FROM {table}") for table in STATEMENTS}


async def state(db: asyncpg.Connection) -> asyncpg.Record:
    row = await db.fetchrow("SELECT *, leased_until > now() AS leased FROM purges")
    assert row is not None
    return row


async def until(db: asyncpg.Connection, condition: str) -> None:
    """Wait until a query gives true."""
    deadline = time.monotonic() + 60
    while not await db.fetchval(condition):
        assert time.monotonic() < deadline, condition
        await asyncio.sleep(0.02)


# not pg_stat_activity, which stays the same throughout a transaction
WAITING = """
    SELECT count(*) > 0 FROM pg_locks JOIN pg_database ON pg_database.oid = database
    WHERE datname = current_database() AND NOT granted
"""


# --- what is deleted ------------------------------------------------------------------------------


async def test_purge_deletes_what_has_expired_and_nothing_else(
    database: Database, filled: asyncpg.Connection
) -> None:
    assert await purge(database, HOUR) == EXPIRED
    assert await counts(filled) == EXPIRED  # as many are left
    assert not await filled.fetchval("SELECT count(*) FROM sessions WHERE expires_at < now()")
    assert not await filled.fetchval("SELECT count(*) FROM verifications WHERE expires_at < now()")
    assert await filled.fetchval("SELECT bool_and(key::int % 2 = 0) FROM rate_limits")
    assert await purge(database, HOUR, forced=True) == dict.fromkeys(STATEMENTS, 0)


def test_chunks_use_only_the_clock_of_the_database() -> None:
    for chunk in STATEMENTS.values():
        assert chunk.parameters == (("first", "tid"), ("end", "tid"))
        assert chunk.text.count("now()") == 2


async def test_purge_of_empty_tables_completes(database_url: str, db: asyncpg.Connection) -> None:
    async with opened(database_url) as database:
        assert await purge(database, HOUR) == dict.fromkeys(STATEMENTS, 0)
    assert (await state(db))["finished_at"] is not None


async def test_locked_row_is_left_to_the_next_pass(
    database: Database, filled: asyncpg.Connection
) -> None:
    token = await filled.fetchval("SELECT token FROM sessions WHERE expires_at < now() LIMIT 1")
    async with filled.transaction():
        await filled.execute("SELECT FROM sessions WHERE token = $1 FOR SHARE", token)
        # it does not wait for us, or this would end in a timeout
        deleted = await purge(database, HOUR)
        assert deleted == EXPIRED | {"sessions": EXPIRED["sessions"] - 1}
    deleted = await purge(database, HOUR, forced=True)
    assert deleted == dict.fromkeys(STATEMENTS, 0) | {"sessions": 1}


async def test_row_that_changes_during_a_chunk_is_kept(
    filled: asyncpg.Connection, database_url: str
) -> None:
    """The statement is stopped in its scan, after its snapshot and before it locks these rows."""
    await filled.execute(
        "CREATE FUNCTION hold() RETURNS boolean LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN true; END'"
    )
    condition = '"o"."expires_at"<now()'
    assert sessions.purge.text.count(condition) == 1
    text = sessions.purge.text.replace(condition, f"{condition} AND hold()")
    tokens = [
        row["token"]
        for row in await filled.fetch(
            "SELECT token FROM sessions WHERE expires_at < now() ORDER BY ctid LIMIT 4"
        )
    ]
    _, refreshed, touched, revoked = tokens
    purger = await asyncpg.connect(database_url)
    try:
        await filled.execute("SELECT pg_advisory_lock(7)")
        chunk = asyncio.create_task(purger.fetchval(text, (0, 0), (CHUNK_PAGES, 0)))
        await until(filled, WAITING)
        in_chunk = await filled.fetchval(
            "SELECT count(*) FROM sessions WHERE expires_at < now() AND ctid < $1", (CHUNK_PAGES, 0)
        )
        await filled.execute(
            "UPDATE sessions SET expires_at = now() + '7 days' WHERE token = $1", refreshed
        )
        await filled.execute("UPDATE sessions SET user_agent = 'y' WHERE token = $1", touched)
        await filled.execute("DELETE FROM sessions WHERE token = $1", revoked)
        await filled.execute("SELECT pg_advisory_unlock(7)")
        assert await chunk == in_chunk - 3
        left = await filled.fetch("SELECT token FROM sessions WHERE token = ANY ($1)", tokens)
        assert {row["token"] for row in left} == {refreshed, touched}
        # what was only touched is as expired as before, and goes the next time
        assert await purger.fetchval(sessions.purge.text, (0, 0), (2**31, 0)) >= 1
        left = await filled.fetch("SELECT token FROM sessions WHERE token = ANY ($1)", tokens)
        assert {row["token"] for row in left} == {refreshed}
    finally:
        await purger.close()


async def test_acknowledged_refresh_survives_a_concurrent_purge(
    database: Database, filled: asyncpg.Connection, database_url: str
) -> None:
    """Refreshes and purges of the same rows in whatever order they come."""
    rows = await filled.fetch(
        "SELECT token, expires_at, updated_at FROM sessions WHERE expires_at < now()"
    )
    survived = set()

    async def refresh(part: list[asyncpg.Record]) -> None:
        for row in part:
            later = row["expires_at"] + timedelta(days=7)
            arguments = (later, row["token"], row["expires_at"], row["updated_at"])
            if await database.fetch(sessions.refresh, *arguments):
                survived.add(row["token"])

    async def chunks() -> None:
        for page in range(0, 3 * CHUNK_PAGES, 4):
            await database.fetch(sessions.purge, (page, 0), (page + 4, 0))

    await asyncio.gather(chunks(), chunks(), *(refresh(rows[n::4]) for n in range(4)))
    tokens = [row["token"] for row in rows]
    left = await filled.fetch("SELECT token FROM sessions WHERE token = ANY ($1)", tokens)
    assert {row["token"] for row in left} == survived


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
async def test_chunk_reads_only_its_pages(mode: str, filled: asyncpg.Connection) -> None:
    await filled.execute(f"SET plan_cache_mode = {mode}")
    await filled.execute(f"PREPARE chunk (tid, tid) AS {sessions.purge.text}")
    rows = await filled.fetch("EXPLAIN EXECUTE chunk ('(0,0)', '(128,0)')")
    plan = "\n".join(row[0] for row in rows)
    assert "Tid Range Scan on sessions o" in plan
    assert "Tid Scan on sessions r" in plan


# --- the lease ------------------------------------------------------------------------------------


async def test_pass_is_due_once_per_interval(
    database: Database, filled: asyncpg.Connection
) -> None:
    assert await purge(database, HOUR) is not None
    assert await purge(database, HOUR) is None
    await filled.execute("UPDATE purges SET finished_at = finished_at - interval '10 minutes'")
    assert await purge(database, HOUR) is None
    assert await purge(database, 600) is not None  # a shorter interval holds from now on
    assert await purge(database, HOUR, forced=True) is not None


async def test_pass_continues_where_the_last_one_was_stopped(
    database: Database, filled: asyncpg.Connection
) -> None:
    # it pauses after the first chunk
    task = asyncio.create_task(purge(database, HOUR, pause_factor=1e9))
    await until(filled, f"SELECT max(next_page) = {CHUNK_PAGES} FROM purges")
    assert (await state(filled))["leased"]
    assert await purge(database, HOUR) is None
    assert await purge(database, HOUR, forced=True) is None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    stopped = await state(filled)
    assert (stopped["relation"], stopped["next_page"]) == ("sessions", CHUNK_PAGES)
    assert stopped["leased_until"] is None  # given back: nobody has to wait
    assert stopped["finished_at"] is None
    gone = 2 * EXPIRED["sessions"] - (await counts(filled))["sessions"]
    assert 0 < gone < EXPIRED["sessions"]
    # expired since then, in the pages that are done
    page = await filled.fetchval(
        "UPDATE sessions SET expires_at = now() - interval '1 second' WHERE token ="
        " (SELECT token FROM sessions ORDER BY ctid LIMIT 1) RETURNING (ctid::text::point)[0]"
    )
    assert page < CHUNK_PAGES
    assert await purge(database, HOUR) == EXPIRED | {"sessions": EXPIRED["sessions"] - gone}
    ended = await state(filled)
    assert (ended["relation"], ended["next_page"], ended["leased_until"]) == (None, 0, None)
    deleted = await purge(database, HOUR, forced=True)
    assert deleted == dict.fromkeys(STATEMENTS, 0) | {"sessions": 1}


async def test_pass_starts_over_when_the_recorded_table_is_unknown(
    database: Database, filled: asyncpg.Connection
) -> None:
    await database.fetch(purges.create, NAME)
    await filled.execute("UPDATE purges SET relation = 'of a later release', next_page = 9999")
    assert await purge(database, HOUR) == EXPIRED


async def test_purge_stops_when_it_has_lost_the_lease(
    database: Database, filled: asyncpg.Connection
) -> None:
    async with filled.transaction():
        await filled.execute("LOCK TABLE verifications IN ACCESS EXCLUSIVE MODE")
        task = asyncio.create_task(purge(database, HOUR))
        await until(filled, WAITING)
        await filled.execute("UPDATE purges SET leased_until = now() + interval '1 hour'")
    with pytest.raises(PurgeRunningError, match="another one took over"):
        await task
    after = await state(filled)
    assert after["leased"]
    assert after["finished_at"] is None


async def test_concurrent_purges_run_one_pass(
    database: Database, filled: asyncpg.Connection
) -> None:
    done = await asyncio.gather(*(purge(database, HOUR) for _ in range(8)))
    assert [deleted for deleted in done if deleted is not None] == [EXPIRED]


# --- the command ----------------------------------------------------------------------------------


def start(url: str, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", "purge"],
        cwd=ROOT, env=os.environ | {"DATABASE_URL": url, "GATEPOST_QUERY_TIMEOUT": "60"} | settings,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def result(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, errors


def gatepost_purge(url: str, **settings: str) -> tuple[int, str, str]:
    return result(start(url, **settings))


async def test_command_prints_the_deleted_rows_by_table(
    filled: asyncpg.Connection, database_url: str
) -> None:
    tables = (*STATEMENTS, EVENTS)
    for numbers in ((200, 10, 5, 0), (0, 0, 0, 0)):  # whether a pass is due or not
        code, out, errors = await asyncio.to_thread(gatepost_purge, database_url)
        assert (code, errors) == (0, "")
        assert [line.split() for line in out.splitlines()] == [
            [table, str(number)] for table, number in zip(tables, numbers, strict=True)
        ]


async def test_second_command_exits_with_4(filled: asyncpg.Connection, database_url: str) -> None:
    async with filled.transaction():
        await filled.execute("LOCK TABLE verifications IN ACCESS EXCLUSIVE MODE")
        first = start(database_url)
        await until(filled, WAITING)
        code, out, errors = await asyncio.to_thread(gatepost_purge, database_url)
        assert (code, out) == (4, "")
        assert re.fullmatch(r"gatepost: another purge is running[^\n]*\n", errors)
    code, out, _ = await asyncio.to_thread(result, first)
    assert (code, out.split()) == (
        0,
        [word for table, n in (EXPIRED | {EVENTS: 0}).items() for word in (table, str(n))],
    )


async def test_pass_of_a_killed_process_continues_once_its_lease_has_lapsed(
    filled: asyncpg.Connection, database: Database, database_url: str
) -> None:
    async with filled.transaction():
        await filled.execute("LOCK TABLE verifications IN ACCESS EXCLUSIVE MODE")
        killed = start(database_url)
        await until(filled, WAITING)
        killed.kill()
        assert (await asyncio.to_thread(result, killed))[0] == -signal.SIGKILL
    assert (await counts(filled))["sessions"] == EXPIRED["sessions"]
    assert await purge(database, HOUR) is None
    assert (await asyncio.to_thread(gatepost_purge, database_url))[0] == 4
    await filled.execute("UPDATE purges SET leased_until = now() - interval '1 second'")
    assert await purge(database, HOUR) == EXPIRED | {"sessions": 0}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_terminated_command_releases_its_lease(
    number: signal.Signals, code: int, filled: asyncpg.Connection, database_url: str
) -> None:
    async with filled.transaction():
        await filled.execute("LOCK TABLE verifications IN ACCESS EXCLUSIVE MODE")
        ended = start(database_url)
        await until(filled, WAITING)
        ended.send_signal(number)
        found, _, errors = await asyncio.to_thread(result, ended)
        assert (found, errors) == (code, "")
    assert (await state(filled))["leased_until"] is None
    assert (await asyncio.to_thread(gatepost_purge, database_url))[0] == 0


def test_command_prints_an_error_on_one_line(postgres: Server) -> None:
    code, _, errors = gatepost_purge(NOWHERE)
    assert (code, errors.count("\n")) == (1, 1)
    assert "127.0.0.1:1/gatepost" in errors
    assert "hunter2" not in errors
    code, _, errors = gatepost_purge("", GATEPOST_PURGE_EVERY="1")
    assert (code, errors.count("\n")) == (2, 1)
    code, _, errors = gatepost_purge(NOWHERE, GATEPOST_PURGE_EVERY="hourly")
    assert (code, errors.count("\n")) == (2, 1)
    assert "GATEPOST_PURGE_EVERY" in errors
    with postgres.database() as name:
        code, _, errors = gatepost_purge(postgres.url(name))
        assert (code, errors.count("\n")) == (1, 1)
        assert "run 'gatepost migrate'" in errors


# --- in the service -------------------------------------------------------------------------------


def purging_service(url: str, log: Path) -> AbstractContextManager[Service]:
    """A service that purges every second."""
    return running_service(url, log, GATEPOST_PURGE_EVERY="1")


def expired(postgres: Server, name: str) -> int:
    return int(postgres.sql("SELECT count(*) FROM sessions WHERE expires_at < now()", name))


@pytest.fixture
def name(postgres: Server, template: str) -> Iterator[str]:
    """The name of a database in which half of the rows have expired."""
    with postgres.database(template) as name:
        postgres.sql(FILL, name)
        yield name


def test_service_purges_and_exports_metrics(postgres: Server, name: str, tmp_path: Path) -> None:
    with purging_service(postgres.url(name), tmp_path / "log") as running:
        finished = "SELECT finished_at IS NOT NULL FROM purges"
        wait_until(lambda: postgres.sql(finished, name) == "t", "a pass")
        assert expired(postgres, name) == 0
        metric = r"gatepost_purge_last_success_timestamp_seconds [1-9]"
        wait_until(lambda: bool(re.search(metric, httpx.get(running.metrics).text)), "the metric")
        text = httpx.get(running.metrics).text
        for table, number in EXPIRED.items():
            assert f'gatepost_purged_total{{table="{table}"}} {number}.0' in text


async def test_concurrent_services_purge_each_row_once(
    database_url: str, filled: asyncpg.Connection, tmp_path: Path
) -> None:
    def run() -> list[str]:
        with (
            purging_service(database_url, tmp_path / "1") as one,
            purging_service(database_url, tmp_path / "2") as other,
        ):
            metric = re.compile(r'gatepost_purged_total\{table="(\w+)"\} (\d+)')

            def found() -> dict[str, int]:
                total = dict.fromkeys((*STATEMENTS, EVENTS), 0)
                for service in (one, other):
                    for table, number in metric.findall(httpx.get(service.metrics).text):
                        total[table] += int(number)
                return total

            wait_until(
                lambda: found() == EXPIRED | {EVENTS: 0}, "each row is deleted and counted once"
            )
        return [(tmp_path / log).read_text() for log in "12"]

    for log in await asyncio.to_thread(run):
        assert "purge" not in log


async def test_interval_0_disables_the_background_purge(database: Database) -> None:
    before = asyncio.all_tasks()
    async with purge_in_background(database, 0):
        assert asyncio.all_tasks() == before
    async with purge_in_background(database, 1):
        assert len(asyncio.all_tasks() - before) == 1
    assert asyncio.all_tasks() == before


def test_background_purge_survives_an_unavailable_database(
    postgres: Server, name: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with purging_service(postgres.url(name), log) as running:
        wait_until(lambda: expired(postgres, name) == 0, "a pass")
        postgres.sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        others = f"FROM pg_stat_activity WHERE datname = '{name}'"
        postgres.sql(f"SELECT pg_terminate_backend(pid) {others}")
        wait_until(lambda: "the purge was postponed" in log.read_text(), "a line")
        assert httpx.get(f"{running.url}/livez").status_code == 200
        postgres.sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        # a pass that was interrupted could not release its lease; one that runs now renews it
        lease = postgres.sql("SELECT leased_until FROM purges", name)
        time.sleep(1)
        abandoned = f"leased_until::text = '{lease}'"
        postgres.sql(f"UPDATE purges SET leased_until = NULL WHERE {abandoned}", name)
        postgres.sql("UPDATE sessions SET expires_at = now() - interval '1 second'", name)
        wait_until(lambda: expired(postgres, name) == 0, "a pass after it")
    lines = [json.loads(line) for line in log.read_text().splitlines() if "purge" in line]
    assert {(line["level"], line["message"]) for line in lines} == {
        ("warning", "the purge was postponed: DatabaseUnavailableError")
    }
    assert "Traceback" not in log.read_text(), log.read_text()


def test_background_purge_survives_a_missing_table(
    postgres: Server, name: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with purging_service(postgres.url(name), log) as running:
        asyncio.run(migrate(postgres.url(name), to=BEFORE, down=True))
        wait_until(lambda: "42P01" in log.read_text(), "a line")
        assert httpx.get(f"{running.url}/livez").status_code == 200
        postgres.sql("UPDATE sessions SET expires_at = now() - interval '1 second'", name)
        asyncio.run(migrate(postgres.url(name)))
        wait_until(lambda: expired(postgres, name) == 0, "a pass after it")


async def test_shutdown_during_a_pass_releases_the_lease(
    filled: asyncpg.Connection, database_url: str, tmp_path: Path
) -> None:
    with purging_service(database_url, tmp_path / "log") as running:
        async with filled.transaction():
            await filled.execute("LOCK TABLE verifications IN ACCESS EXCLUSIVE MODE")
            await until(filled, WAITING)
            assert await asyncio.to_thread(end, running.process) == 0
            assert not await filled.fetchval(WAITING)  # the server was told
    after = await state(filled)
    assert (after["relation"], after["leased_until"]) == ("sessions", None)
    assert "Traceback" not in running.log.read_text()
    assert "never retrieved" not in running.log.read_text()
