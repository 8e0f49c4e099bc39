"""A real PgBouncer in front of the database, declared in GATEPOST_POOLER or not.

Debian 12's is 1.18, Debian 13's 1.24; each statement goes to another server connection.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest

from app import doctor
from app.database import Database
from app.errors import PoolerError, QueryTimeoutError
from app.settings import Settings
from app.sql import raw_statement
from tests.pooler import keeps_statements, pgbouncer, program
from tests.support import (
    KEYS,
    ROOT,
    SECRET,
    end,
    environment,
    free_port,
    running_service,
    wait_until,
)

AUTH = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": "http://127.0.0.1:8000"}
AUTH |= {"GATEPOST_RATE_LIMIT": "off"}
REST = {"apikey": KEYS["all"]}


@contextmanager
def started(settings: dict[str, str], log: Path) -> Iterator[str]:
    """A service that answers, but not well; gives its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve"], cwd=ROOT,
            env=environment(settings["DATABASE_URL"]) | settings | AUTH | {"PORT": str(port)},
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_until(lambda: process.poll() is not None or b"Gatepost on" in log.read_bytes(), "up")
        wait_until(lambda: process.poll() is not None or _alive(url), "it answers")
        assert process.poll() is None, log.read_text()
        yield url
    finally:
        end(process)


def _alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez").is_success
    except httpx.TransportError:
        return False


def statuses(url: str, rounds: int = 24) -> Counter[int]:
    """The statuses of reads, writes, sign-ups and session lookups by eight clients at once."""
    found: Counter[int] = Counter()

    async def visitor(number: int) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            for n in range(rounds // 8):
                email = f"{number}-{n}@example.com"
                person = {"name": "Ann", "email": email}
                signed = {"name": "Ann", "email": f"s{email}", "password": "correct horse 7"}
                for method, path, body in (
                    ("POST", "/rest/v1/users", person),
                    ("GET", f"/rest/v1/users?email=eq.{email}&select=*,sessions(*)", None),
                    ("PATCH", f"/rest/v1/users?email=eq.{email}", {"name": "Bea"}),
                    *([("POST", "/api/auth/sign-up/email", signed)] if n == 0 else ()),
                    *([("GET", "/api/auth/get-session", None)] if http.cookies else ()),
                    ("DELETE", f"/rest/v1/users?email=eq.{email}", None),
                ):
                    origin = (
                        {} if path.startswith("/rest") else {"origin": AUTH["GATEPOST_BASE_URL"]}
                    )
                    answer = await http.request(method, path, json=body, headers=REST | origin)
                    found[answer.status_code] += 1
                    if path.endswith("get-session") and answer.is_success:
                        assert answer.json()["user"]["email"] == f"s{number}-0@example.com"

    async def visitors() -> None:
        await asyncio.gather(*(visitor(number) for number in range(8)))

    asyncio.run(visitors())
    return found


def lines(log: Path) -> list[str]:
    """The messages of a log that name the setting."""
    found = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line["message"] for line in found if "GATEPOST_POOLER" in line.get("message", "")]


def test_undeclared_pooler_is_said_at_the_start_and_every_request_is_503(
    database_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with (
        pgbouncer(database_url, prepared=False) as pooler,
        started({"DATABASE_URL": pooler.url}, log) as url,
    ):
        (line,) = lines(log)  # before the first request that needs the database
        assert "set GATEPOST_POOLER" in line
        ready = httpx.get(f"{url}/readyz")
        assert (ready.status_code, "GATEPOST_POOLER" in ready.text) == (503, True)
        assert set(statuses(url)) == {503}
        assert len(lines(log)) == 1


@pytest.mark.parametrize("prepared", [False, True])
def test_every_statement_works_behind_a_declared_pooler(
    database_url: str, tmp_path: Path, prepared: bool
) -> None:
    if prepared and not keeps_statements(program()):
        pytest.skip("PgBouncer before 1.21 does not keep prepared statements")
    with (
        pgbouncer(database_url, prepared=prepared) as pooler,
        running_service(database_url, tmp_path / "log", **pooler.settings, **AUTH) as service,
    ):
        assert set(statuses(service.url)) <= {200, 201, 204}
        assert not lines(service.log)


def test_pooler_that_loses_named_statements_is_found_when_declared_to_keep_them(
    database_url: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with (
        pgbouncer(database_url, prepared=False) as pooler,
        started(pooler.settings | {"GATEPOST_POOLER": "prepared"}, log) as url,
    ):
        (line,) = lines(log)
        assert "max_prepared_statements" in line
        assert "max_prepared_statements" in httpx.get(f"{url}/readyz").text
        assert set(statuses(url, 8)) == {503}


def opened(**settings: str) -> Database:
    return Database(Settings.from_environment(environment("") | settings))


async def test_statements_stay_prepared_behind_a_pooler_that_keeps_them(database_url: str) -> None:
    if not keeps_statements(program()):
        pytest.skip("PgBouncer before 1.21 does not keep prepared statements")
    everything = raw_statement("test.users", "SELECT * FROM users LIMIT 1")
    kept = raw_statement(
        "test.kept",
        "SELECT count(*) FROM pg_prepared_statements "
        "WHERE statement LIKE '/* gatepost:test.users%'",
    )
    with pgbouncer(database_url, options="server_round_robin = 0") as pooler:
        database = opened(**pooler.settings)
        await database.open()
        try:
            for _ in range(3):
                assert await database.fetch(everything) == []
            assert await database.fetchrow(kept) == (1,)
        finally:
            await database.close()


@pytest.mark.parametrize("prepared", [False, True])
async def test_migration_behind_a_pooler_changes_no_outcome(
    database_url: str, db: asyncpg.Connection, prepared: bool
) -> None:
    everything = raw_statement(
        "test.everything", "SELECT * FROM (VALUES (1)) one (n) LEFT JOIN users ON true LIMIT 1"
    )
    with pgbouncer(database_url, prepared=prepared) as pooler:
        database = opened(**pooler.settings)
        await database.open()
        try:
            for _ in range(6):
                await database.fetchrow(everything)
            await db.execute("ALTER TABLE users ADD COLUMN extra text DEFAULT 'x'")
            for _ in range(6):
                row = await database.fetchrow(everything)
                assert row is not None
                assert "extra" in set(row.keys())
        finally:
            await database.close()


async def test_lost_statement_is_unavailable_and_the_connection_is_replaced(
    database_url: str,
) -> None:
    """What a pooler that passes the server's own process ids does."""
    one = raw_statement("test.one", "SELECT 1 AS one")
    lose = raw_statement("test.lose", "DEALLOCATE ALL")
    database = opened(DATABASE_URL=database_url, GATEPOST_POOL_SIZE="1")
    await database.open()
    try:
        await database.fetch(one)
        await database.fetch(lose)
        with pytest.raises(PoolerError, match="GATEPOST_POOLER"):
            await database.fetch(one)
        assert await database.fetchrow(one) == (1,)
    finally:
        await database.close()


def test_restart_of_the_pooler_is_survived(database_url: str, tmp_path: Path) -> None:
    port = free_port()
    with pgbouncer(database_url, port=port) as pooler:
        settings = pooler.settings | AUTH | {"GATEPOST_ACQUIRE_TIMEOUT": "2"}
        with running_service(database_url, tmp_path / "log", **settings) as service:
            assert httpx.get(f"{service.rest}/users", headers=REST).status_code == 200
            pooler.process.send_signal(signal.SIGKILL)
            pooler.process.wait()
            assert httpx.get(f"{service.rest}/users", headers=REST).status_code == 503
            with pgbouncer(database_url, port=port):
                assert httpx.get(f"{service.rest}/users", headers=REST).status_code == 200
                assert set(statuses(service.url, 8)) <= {200, 201, 204}


async def test_statement_is_cancelled_through_the_pooler(
    database_url: str, db: asyncpg.Connection
) -> None:
    sleep = raw_statement("test.sleep", "SELECT pg_sleep(30)")
    active = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%test.sleep%' AND state = "
    active += "'active' AND pid <> pg_backend_pid() AND datname = current_database()"
    with pgbouncer(database_url) as pooler:
        database = opened(**pooler.settings, GATEPOST_QUERY_TIMEOUT="0.5")
        await database.open()
        try:
            with pytest.raises(QueryTimeoutError):
                await database.fetch(sleep)
            async with asyncio.timeout(10):
                while await db.fetchval(active):  # noqa: ASYNC110 - another process changes it
                    await asyncio.sleep(0.05)
        finally:
            await database.close()


def gatepost(*command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *command], cwd=ROOT, env=os.environ | settings,
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_migrate_asks_for_the_direct_address(database_url: str) -> None:
    with pgbouncer(
        database_url,
        options="ignore_startup_parameters = idle_session_timeout, tcp_keepalives_idle",
    ) as pooler:
        for declared in ({}, {"GATEPOST_POOLER": pooler.mode}):
            done = gatepost("migrate", DATABASE_URL=pooler.url, **declared)
            assert done.returncode == 2
            (line,) = done.stderr.splitlines()
            assert "DATABASE_DIRECT_URL" in line
        done = gatepost("migrate", **pooler.settings)
        assert done.returncode == 0, done.stderr
    with pgbouncer(database_url) as pooler:
        done = gatepost("migrate", DATABASE_URL=pooler.url)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert "DATABASE_DIRECT_URL" in line


def found(**settings: str) -> doctor.Finding:
    findings = asyncio.run(doctor.examine(Settings.from_environment(environment("") | settings)))
    return next(each for each in findings if each.check == "pooler")


def test_doctor_knows_the_pooler(database_url: str) -> None:
    with pgbouncer(database_url) as pooler:
        undeclared = found(DATABASE_URL=pooler.url)
        assert undeclared.level == "fail"
        assert "GATEPOST_POOLER" in undeclared.text
        assert "DATABASE_DIRECT_URL" in undeclared.text
        indirect = found(DATABASE_URL=pooler.url, GATEPOST_POOLER=pooler.mode)
        assert indirect.level == "fail"
        assert "DATABASE_DIRECT_URL" in indirect.text
        assert found(**pooler.settings).level == "ok"
    with pgbouncer(database_url, prepared=False) as pooler:
        wrong = found(**pooler.settings | {"GATEPOST_POOLER": "prepared"})
        assert wrong.level == "fail"
        assert "max_prepared_statements" in wrong.text
