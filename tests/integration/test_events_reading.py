"""The record read by its cursor: never a gap and never twice, however transactions end."""

import asyncio
import json
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from app import doctor
from app.devserver.postgres import scratch
from app.migrations import dbmate
from app.rest.errors import READING_METHODS
from app.settings import Settings
from tests.conftest import SERVERS
from tests.support import KEYS, ROOT, Server, environment, wait_until

pytestmark = pytest.mark.every_server

WRITERS, TRANSACTIONS = 24, 20
RENAME = "UPDATE users SET name = 'x' WHERE email = $1"
A_USER = "INSERT INTO users (name, email) VALUES ('', $1)"


async def pages(client: httpx.AsyncClient, limit: int) -> AsyncIterator[list[dict[str, Any]]]:
    """The record as any client of PostgREST reads it, without an end."""
    cursor = str(UUID(int=0))
    while True:
        answer = await client.get(
            "/rest/v1/events", params={"id": f"gt.{cursor}", "order": "id", "limit": limit}
        )
        assert answer.status_code == 200, answer.text
        page = answer.json()
        cursor = page[-1]["id"] if page else cursor
        yield page


async def test_reader_misses_nothing_and_sees_nothing_twice_while_writers_end_out_of_order(
    client: httpx.AsyncClient, db: asyncpg.Connection, database_url: str
) -> None:
    rng = random.Random(18)
    committed: set[str] = set()

    async def write(number: int) -> None:
        connection = await asyncpg.connect(database_url)
        try:
            for turn in range(TRANSACTIONS):
                address = f"u{number}-{turn}@example.com"
                transaction = connection.transaction()
                await transaction.start()
                await connection.execute(A_USER, address)  # here it gets its number
                await asyncio.sleep(rng.expovariate(50))
                if rng.random() < 0.3:
                    await connection.execute(RENAME, address)
                    await asyncio.sleep(rng.expovariate(50))
                if rng.random() < 0.15:
                    await transaction.rollback()
                else:
                    await transaction.commit()
                    committed.add(address)
        finally:
            await connection.close()

    seen: list[str] = []
    interleaved = 0

    async def read(writing: asyncio.Future[list[None]]) -> None:
        nonlocal interleaved
        async for page in pages(client, rng.choice((1, 7, 50))):
            seen.extend(row["id"] for row in page)
            interleaved += bool(page) and not writing.done()
            written = await db.fetchval("SELECT count(*) FROM events")
            if writing.done() and len(seen) >= written:
                return
            await asyncio.sleep(0.002)

    writing = asyncio.gather(*map(write, range(WRITERS)))
    await asyncio.wait_for(asyncio.gather(writing, read(writing)), 120)
    rows = await db.fetch("SELECT id::text, type, after ->> 'email' AS email FROM events")
    assert len(committed) > WRITERS * TRANSACTIONS / 2
    assert {row["email"] for row in rows if row["type"] == "user.created"} == committed
    assert interleaved > 10  # it was read while it was written
    assert seen == sorted(row["id"] for row in rows)  # each once, in one order


async def test_event_waits_for_a_transaction_that_may_still_come_before_it(
    client: httpx.AsyncClient, db: asyncpg.Connection, database_url: str
) -> None:
    slow = await asyncpg.connect(database_url)
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute(A_USER, "first@example.com")
    await db.execute(A_USER, "second@example.com")
    for path in ("/rest/v1/events", "/rest/v1/events?select=type&order=created_at.desc"):
        assert (await client.get(path)).json() == []
    counted = await client.get("/rest/v1/events", headers={"Prefer": "count=exact"})
    assert counted.headers["content-range"] == "*/0"
    assert (await client.get("/rest/v1/events?select=count()")).json() == [{"count": 0}]
    await transaction.commit()
    await slow.close()
    found: list[dict[str, Any]] = []
    async for page in pages(client, 10):
        found += page
        if len(found) == 2:
            break
        await asyncio.sleep(0.02)
    assert [row["after"]["email"] for row in found] == ["first@example.com", "second@example.com"]


async def test_record_is_read_with_a_key_and_written_with_none(client: httpx.AsyncClient) -> None:
    address, one = "/rest/v1/events", {"type": "user.created"}
    for key, status in (("reader", 200), ("writer", 403), ("backend", 200)):
        answer = await client.get(address, headers={"apikey": KEYS[key]})
        assert answer.status_code == status
    for answer in (
        await client.post(address, json=one),
        await client.put(f"{address}?id=eq.{uuid4()}", json=one),
        await client.patch(f"{address}?id=not.is.null", json=one),
        await client.delete(f"{address}?id=not.is.null"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (405, "PGRST117")
        assert answer.headers["allow"] == ",".join(READING_METHODS)
    assert (await client.options(address)).headers["allow"] == ",".join(READING_METHODS)


async def test_doctor_names_rows_of_another_server_and_what_keeps_readers_waiting(
    db: asyncpg.Connection, database_url: str
) -> None:
    settings = Settings(database_url=database_url, database_direct_url=database_url)

    async def found() -> tuple[str, str]:
        findings = await doctor.examine(settings)
        return next((each.level, each.text) for each in findings if each.check == "events")

    assert (await found())[0] == "ok"
    await db.execute(A_USER, "ann@example.com")
    assert (await found())[0] == "ok"
    await db.execute("UPDATE events SET id = '00000001-0000-0000-0000-000000000001'")
    level, text = await found()
    assert (level, "numbered by another server" in text) == ("fail", True)
    page = (ROOT / "docs" / "EVENTS.md").read_text()  # as it says there
    await db.execute(page.partition("```sql\n-- after a restore\n")[2].partition("```")[0])
    assert (await found())[0] == "ok"
    await db.execute(A_USER, "bob@example.com")
    newest = await db.fetchval("SELECT after ->> 'email' FROM events ORDER BY id DESC LIMIT 1")
    assert newest == "bob@example.com"
    slow = await asyncpg.connect(database_url)
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute(A_USER, "eve@example.com")
    await db.execute("UPDATE users SET name = 'B'")
    await db.execute("UPDATE events SET created_at = now() - interval '2 minutes'")
    level, text = await found()
    assert (level, "pg_stat_activity" in text) == ("warn", True)
    await transaction.rollback()
    await slow.close()


# --- gatepost events ------------------------------------------------------------------------------


def gatepost_events(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", "events", *arguments],
        cwd=ROOT, env=environment(url), check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@contextmanager
def following(url: str, out: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with out.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "events", "--follow", "--interval=0.05", *arguments],
            cwd=ROOT, env=environment(url), stdout=output, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def add(server: Server, name: str, *addresses: str) -> None:
    for address in addresses:
        server.sql(f"INSERT INTO users (name, email) VALUES ('Ann\nB', '{address}')", name)


def settled(server: Server, name: str) -> bool:
    """Whether every event can be read: another database of the server can hold them back."""
    return server.sql("SELECT count(*) FROM events WHERE id >= events_horizon()", name) == "0"


def test_command_prints_events_of_a_user_a_type_and_a_time(
    one_postgres: Server, one_template: str
) -> None:
    with one_postgres.database(one_template) as name:
        url = one_postgres.url(name)
        add(one_postgres, name, "ann@example.com", "bob@example.com")
        one_postgres.sql("UPDATE users SET name = 'B' WHERE email = 'bob@example.com'", name)
        one_postgres.sql(
            "UPDATE events SET created_at = now() - interval '2 hours' WHERE type = 'user.updated'",
            name,
        )
        wait_until(lambda: settled(one_postgres, name), "every event to be readable")
        done = gatepost_events(url)
        assert (done.returncode, done.stderr) == (0, "")
        ann, bob, changed = lines(done.stdout)
        assert list(ann) == list(changed)
        assert (ann["type"], changed["changed"]) == ("user.created", ["name"])
        assert changed["after"] == {"name": "B"}  # JSON, and not a text of it
        for arguments, expected in (
            (["--user", "bob@example.com"], [bob, changed]),
            (["--user", str(ann["user_id"])], [ann]),
            (["--type", "user.updated"], [changed]),
            (["--type", "session", "--type", "user"], [ann, bob, changed]),
            (["--type", "session"], []),
            (["--since", "1h"], [ann, bob]),
            (["--since", "2020-01-01"], [ann, bob, changed]),
            (["--since", "2100-01-01T00:00:00Z"], []),
            (["--after", str(ann["id"])], [bob, changed]),
        ):
            done = gatepost_events(url, *arguments)
            assert lines(done.stdout) == expected, (arguments, done.stderr)
        for arguments, code, said in (
            (["--since", "yesterday"], 2, "how long ago"),
            (["--since", "1h", "--after", str(ann["id"])], 2, "--since or --after"),
            (["--user", "nobody@example.com"], 8, "there is no user nobody@example.com"),
        ):
            done = gatepost_events(url, *arguments)
            assert (done.returncode, done.stdout) == (code, "")
            assert said in done.stderr


def test_command_follows_and_ends_by_a_signal_and_with_its_reader(
    one_postgres: Server, one_template: str, tmp_path: Path
) -> None:
    with one_postgres.database(one_template) as name:
        url, out = one_postgres.url(name), tmp_path / "out"
        add(one_postgres, name, "before@example.com")
        with following(url, out, "--after", str(UUID(int=0))) as process:
            wait_until(lambda: len(lines(out.read_text())) == 1, "what is there")
            add(one_postgres, name, "ann@example.com")
            wait_until(lambda: len(lines(out.read_text())) == 2, "what comes")
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
            assert process.stderr is not None
            assert process.stderr.read() == b""
        for stopping in (signal.SIGTERM, None):
            process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "events", "--follow", "--since", "1h"],
                cwd=ROOT, env=environment(url), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["type"] == "user.created"
            if stopping is None:
                process.stdout.close()
                add(one_postgres, name, "nobody.reads@example.com")
            else:
                process.send_signal(stopping)
            assert process.wait(30) == 0
            assert process.stderr is not None
            assert process.stderr.read() == b""
            process.stdout.close()
            process.stderr.close()


@pytest.mark.skipif(SERVERS == ["given"], reason="a server that this may stop")
def test_command_follows_through_a_restart_of_the_database(tmp_path: Path) -> None:
    with scratch() as server:
        asyncio.run(dbmate.up(server.url()))
        out = tmp_path / "out"

        async def write(address: str) -> None:
            connection = await asyncpg.connect(server.url())
            await connection.execute(A_USER, address)
            await connection.close()

        def addresses() -> list[object]:
            found = (line["after"] for line in lines(out.read_text()))
            return [after["email"] for after in found if isinstance(after, dict)]

        with following(server.url(), out, "--after", str(UUID(int=0))) as process:
            asyncio.run(write("before@example.com"))
            wait_until(lambda: len(addresses()) == 1, "the first")
            server.stop()
            assert process.stderr is not None
            assert b"waiting for it" in process.stderr.readline()
            server.start()
            asyncio.run(write("after@example.com"))
            wait_until(lambda: len(addresses()) == 2, "the second")
            assert process.poll() is None
        assert addresses() == ["before@example.com", "after@example.com"]
