"""The daily counts: each event once, whoever counts and when; and sign-ins that were refused."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise

import asyncpg
import pytest

from app.daily_counts import CHUNK, REFUSED, Refusals, count_events, counting_in_background
from app.database import Database
from app.security_events import security_event
from app.settings import Settings
from tests.support import environment

NO_PAUSE = timedelta(0)
COUNTS = "SELECT type, sum(count)::int FROM daily_counts GROUP BY type ORDER BY type"
EVENTS = "SELECT type, count(*)::int FROM events GROUP BY type ORDER BY type"
SIGN_UPS = """
    INSERT INTO users (name, email) SELECT 'n', 'n' || n || '@example.com'
    FROM generate_series($1::int, $2::int) n
"""


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(Settings.from_environment(environment(database_url)))
    await database.open()
    yield database
    await database.close()


async def test_each_event_is_counted_once(database: Database, db: asyncpg.Connection) -> None:
    await db.execute(SIGN_UPS, 1, CHUNK + 1)
    assert await count_events(database, pause=NO_PAUSE) == CHUNK + 1
    await db.execute("DELETE FROM users WHERE email = 'n1@example.com'")
    assert await count_events(database, pause=NO_PAUSE) == 1
    assert await count_events(database, pause=NO_PAUSE) == 0
    assert await db.fetch(COUNTS) == await db.fetch(EVENTS)


async def test_day_is_that_of_utc(database: Database, db: asyncpg.Connection) -> None:
    await db.execute(SIGN_UPS, 1, 2)
    times = "'2026-03-01 23:59:59.999+00', '2026-03-02 00:00:00+00'"
    await db.execute(
        f"UPDATE events SET created_at = (ARRAY[{times}]::timestamptz[])"
        "[(SELECT count(*) FROM events other WHERE other.id <= events.id)]"
    )
    await count_events(database, pause=NO_PAUSE)
    found = await db.fetch("SELECT day::text, count FROM daily_counts ORDER BY day")
    assert [tuple(row) for row in found] == [("2026-03-01", 1), ("2026-03-02", 1)]


async def test_ban_is_counted_as_one(database: Database, db: asyncpg.Connection) -> None:
    await db.execute(SIGN_UPS, 1, 2)
    await db.execute("UPDATE users SET banned = true WHERE email = 'n1@example.com'")
    await db.execute("UPDATE users SET banned = false")
    await db.execute("UPDATE users SET name = 'other'")
    await count_events(database, pause=NO_PAUSE)
    counts = {row["type"]: row["sum"] for row in await db.fetch(COUNTS)}
    assert counts == {"user.banned": 1, "user.created": 2, "user.updated": 3}


async def test_event_of_a_transaction_that_ends_late_is_counted(
    database: Database, database_url: str, db: asyncpg.Connection
) -> None:
    late = await asyncpg.connect(database_url)
    try:
        transaction = late.transaction()
        await transaction.start()
        await late.execute(SIGN_UPS, 1, 1)
        await db.execute(SIGN_UPS, 2, 3)
        assert await count_events(database, pause=NO_PAUSE) == 0
        await transaction.commit()
    finally:
        await late.close()
    assert await count_events(database, pause=NO_PAUSE) == 3


async def test_processes_that_count_together_count_once(
    database: Database, db: asyncpg.Connection
) -> None:
    await db.execute(SIGN_UPS, 1, CHUNK + 1000)
    counted = [0]
    while counted[-1] < CHUNK + 1000:
        found = await asyncio.gather(*(count_events(database, pause=NO_PAUSE) for _ in range(4)))
        counted.append(counted[-1] + sum(found))
    assert all(before <= after for before, after in pairwise(counted))
    assert await db.fetch(COUNTS) == await db.fetch(EVENTS)


async def test_process_leaves_it_to_one_that_has_just_counted(
    database: Database, db: asyncpg.Connection
) -> None:
    await count_events(database)
    await db.execute(SIGN_UPS, 1, 1)
    assert await count_events(database) == 0
    await db.execute("UPDATE event_readers SET read_at = now() - interval '1 minute'")
    assert await count_events(database) == 1


async def test_count_that_fails_is_as_if_it_had_not_begun(
    database: Database, db: asyncpg.Connection
) -> None:
    await db.execute(SIGN_UPS, 1, 3)
    await db.execute("ALTER TABLE daily_counts ADD CONSTRAINT never CHECK (count < 3)")
    with pytest.raises(Exception, match="never"):
        await count_events(database, pause=NO_PAUSE)
    await db.execute("ALTER TABLE daily_counts DROP CONSTRAINT never")
    assert await count_events(database, pause=NO_PAUSE) == 3


async def test_refused_sign_ins_are_added(database: Database, db: asyncpg.Connection) -> None:
    refusals = Refusals(database)
    await refusals.add()
    assert await db.fetchval("SELECT count FROM daily_counts") == 0
    for outcome in ("refused", "ok", "refused"):
        security_event("sign_in", outcome=outcome)
    security_event("sign_up", outcome="refused")
    await refusals.add()
    await refusals.add()
    row = await db.fetchrow("SELECT *, (now() AT TIME ZONE 'UTC')::date AS today FROM daily_counts")
    assert row is not None
    assert (row["type"], row["count"], row["day"]) == (REFUSED, 2, row["today"])


async def test_process_that_ends_adds_what_it_refused(
    database: Database, db: asyncpg.Connection
) -> None:
    async with counting_in_background(database):
        while not await db.fetchval("SELECT count(*) FROM daily_counts"):
            await db.execute("SELECT pg_sleep(0.01)")
        security_event("sign_in", outcome="refused")
    assert await db.fetchval("SELECT count FROM daily_counts WHERE type = $1", REFUSED) == 1
