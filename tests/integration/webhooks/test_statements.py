"""The statements of webhooks while many run them at once, and their plans."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from app.statements import webhook_deliveries, webhooks
from app.webhooks.schedule import LEASE
from tests.integration.webhooks.place import A_USER, add

pytestmark = pytest.mark.every_server

USERS, EVENTS = 20, 6


@asynccontextmanager
async def connections(url: str, number: int) -> AsyncIterator[list[asyncpg.Connection]]:
    made = [await asyncpg.connect(url) for _ in range(number)]
    try:
        yield made
    finally:
        for each in made:
            each.terminate()


async def test_every_event_is_queued_once_while_writers_end_out_of_order(
    db: asyncpg.Connection, module_database_url: str
) -> None:
    rng = random.Random(5)
    hook = await add(db, "https://example.com/")

    async def write(number: int, connection: asyncpg.Connection) -> None:
        for turn in range(15):
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(A_USER, f"u{number}-{turn}@example.com")
            await asyncio.sleep(rng.expovariate(200))
            await (transaction.rollback() if rng.random() < 0.2 else transaction.commit())

    async def queue(connection: asyncpg.Connection, writing: asyncio.Future[Any]) -> int:
        queued = 0
        while True:
            ended = writing.done()
            row = await connection.fetchrow(webhooks.queue.text, hook.id, 3)
            queued += row["queued"] if row else 0
            left = "SELECT EXISTS (SELECT FROM events e, webhooks w WHERE e.id > w.queued_to)"
            if ended and row is None and not await connection.fetchval(left):
                return queued

    async with (
        connections(module_database_url, 8) as writers,
        connections(module_database_url, 4) as queuers,
    ):
        writing = asyncio.gather(*(write(n, each) for n, each in enumerate(writers)))
        counts = await asyncio.gather(*(queue(each, writing) for each in queuers))
    assert sum(map(bool, counts)) > 1  # more than one of them did it
    queued = await db.fetch("SELECT event_id FROM webhook_deliveries ORDER BY event_id")
    recorded = await db.fetch("SELECT id FROM events ORDER BY id")
    assert [row["event_id"] for row in queued] == [row["id"] for row in recorded]
    assert sum(counts) == len(recorded) > 60


async def test_no_event_is_leased_twice_and_no_two_of_a_user_at_once(
    db: asyncpg.Connection, module_database_url: str
) -> None:
    """Many processes, of which some fail, some die and some are slow to say so."""
    rng = random.Random(3)
    hook = await add(db, "https://example.com/")
    for number in range(USERS):
        user = await db.fetchval(A_USER, f"u{number}@example.com")
        for turn in range(EVENTS - 1):
            await db.execute("UPDATE users SET name = $1 WHERE id = $2", str(turn), user)
    await db.fetch(webhooks.queue.text, hook.id, 1000)
    rows = await db.fetch("SELECT event_id, user_id FROM webhook_deliveries ORDER BY event_id")
    assert len(rows) == USERS * EVENTS
    owners = {row["event_id"]: row["user_id"] for row in rows}
    under_way: dict[UUID, UUID] = {}
    done: dict[UUID, list[UUID]] = {}

    async def work(connection: asyncpg.Connection) -> None:
        while sum(map(len, done.values())) < len(rows):
            leased = [
                (row["event_id"], row["attempts"])
                for row in await connection.fetch(
                    webhook_deliveries.lease.text, hook.id, 16, 1, LEASE, 2
                )
                if row["leased"]
            ]
            for event, _ in leased:
                assert owners[event] not in under_way
                under_way[owners[event]] = event
            for first, first_attempts in leased:
                event, attempts = first, first_attempts
                while True:
                    await asyncio.sleep(rng.expovariate(500))
                    user = owners[event]
                    assert under_way.pop(user) == event
                    if rng.random() < 0.3:
                        await connection.execute(
                            webhook_deliveries.failed.text,
                            LEASE * 0, 500, "HTTP 500", hook.id, event, attempts,
                        )  # fmt: skip
                        break
                    done.setdefault(user, []).append(event)
                    following = await connection.fetchrow(
                        webhook_deliveries.delivered.text, hook.id, event, attempts, 1, LEASE
                    )
                    if following is None:
                        break
                    event, attempts = following
                    assert owners[event] == user
                    assert user not in under_way
                    under_way[user] = event
            # what waits behind another is not to wait here for a second
            await connection.execute(
                "UPDATE webhook_deliveries SET next_attempt_at = now()"
                " WHERE ctid = ANY (ARRAY(SELECT ctid FROM webhook_deliveries"
                " WHERE next_attempt_at < now() + interval '10 s' FOR UPDATE SKIP LOCKED))"
            )

    async with connections(module_database_url, 6) as workers:
        await asyncio.wait_for(asyncio.gather(*map(work, workers)), 120)
    for user, events in done.items():
        assert events == sorted(events)
        assert events == [event for event, owner in owners.items() if owner == user]
    assert await db.fetchval("SELECT count(*) FROM webhook_deliveries") == 0


async def test_outcome_of_an_attempt_that_another_process_has_made_again_changes_nothing(
    db: asyncpg.Connection,
) -> None:
    hook = await add(db, "https://example.com/")
    await db.execute(A_USER, "ann@example.com")
    await db.fetch(webhooks.queue.text, hook.id, 1000)

    async def lease() -> tuple[UUID, int]:
        await db.execute("UPDATE webhook_deliveries SET next_attempt_at = now() - interval '1 s'")
        row = await db.fetchrow(webhook_deliveries.lease.text, hook.id, 16, 1, LEASE, 4)
        assert row
        assert row["leased"]
        return row["event_id"], row["attempts"]

    event, late = await lease()
    _, current = await lease()
    assert (late, current) == (1, 2)
    it = (hook.id, event)
    before = await db.fetch("SELECT * FROM webhook_deliveries")
    await db.fetch(webhook_deliveries.delivered.text, *it, late, 1, LEASE)
    await db.fetch(webhook_deliveries.died.text, 500, "late", *it, late, 1, LEASE)
    await db.fetch(webhook_deliveries.failed.text, LEASE, 500, "late", *it, late)
    await db.fetch(webhook_deliveries.release.text, *it, late)
    assert await db.fetch("SELECT * FROM webhook_deliveries") == before
    await db.fetch(webhook_deliveries.delivered.text, *it, current, 1, LEASE)
    assert await db.fetch("SELECT * FROM webhook_deliveries") == []


BY_AN_INDEX = {
    webhooks.queue: ("events_pkey", "Index Cond: ((id > "),
    webhook_deliveries.lease: ("webhook_deliveries_due_idx", "webhook_deliveries_user_idx"),
    webhook_deliveries.delivered: ("webhook_deliveries_pkey", "webhook_deliveries_user_idx"),
    webhook_deliveries.died: ("webhook_deliveries_pkey", "webhook_deliveries_user_idx"),
    webhook_deliveries.failed: ("webhook_deliveries_pkey",),
    webhook_deliveries.release: ("webhook_deliveries_pkey",),
    webhook_deliveries.dead: ("webhook_deliveries_dead_idx",),
    webhook_deliveries.first_failed: ("webhook_deliveries_failed_idx",),
    webhook_deliveries.purge: ("webhook_deliveries_dead_idx",),
    webhooks.well: ("webhook_deliveries_failed_idx",),
    webhooks.work: (
        "events_pkey",
        "Index Cond: ((id > w.queued_to) AND (id <",
        "webhook_deliveries_due_idx",
    ),
}
FILL = """
    INSERT INTO webhooks (url, secret, queued_to)
    SELECT 'https://example.com/' || n, '', events_horizon() FROM generate_series(1, 10) n;
    INSERT INTO users (name, email)
    SELECT '', 'f' || n || '@example.com' FROM generate_series(1, 5000) n;
    INSERT INTO webhook_deliveries (webhook_id, event_id, user_id, last_error, dead_since)
    SELECT w.id, e.id, e.user_id, CASE WHEN random() < 0.05 THEN '' END,
           CASE WHEN random() < 0.1 THEN now() END
    FROM webhooks w, events e;
"""


async def test_statements_have_their_indexes_however_much_waits(db: asyncpg.Connection) -> None:
    await db.execute(FILL)
    await db.execute("ANALYZE")
    await db.execute("SET plan_cache_mode = force_generic_plan")
    for statement, indexes in BY_AN_INDEX.items():
        arguments = ", ".join(["NULL"] * len(statement.parameters))
        types = ", ".join(type_ for _, type_ in statement.parameters)
        declared = f" ({types})" if types else ""
        await db.execute(f"PREPARE planned{declared} AS {statement.text}")
        run = f"EXECUTE planned({arguments})" if arguments else "EXECUTE planned"
        plan = "\n".join(row[0] for row in await db.fetch(f"EXPLAIN {run}"))
        await db.execute("DEALLOCATE planned")
        assert "Seq Scan on webhook_deliveries" not in plan, f"{statement.name}\n{plan}"
        assert "Seq Scan on events" not in plan, f"{statement.name}\n{plan}"
        for index in indexes:
            assert index in plan, f"{statement.name}\n{plan}"


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "https://a:b@example.com/", "https://example.com/#x", "https:///"],
)
async def test_table_takes_no_address_that_belongs_to_no_receiver(
    db: asyncpg.Connection, url: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="webhooks_url_shape"):
        await add(db, url)
