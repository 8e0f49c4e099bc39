"""A database with webhooks, what delivers them in this process, and how a test waits."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from standardwebhooks import Webhook

from app.database import Database
from app.settings import Settings
from app.webhooks.deliverer import delivering
from app.webhooks.signing import Vault, new_secret
from tests.support import SECRET, environment
from tests.unit.social.server import Seen

SETTINGS = {
    "GATEPOST_SECRET": SECRET,
    "GATEPOST_BASE_URL": "http://gatepost.test",
    "GATEPOST_WEBHOOKS": "true",
    "GATEPOST_WEBHOOKS_PRIVATE_ADDRESSES": "true",
}
A_USER = "INSERT INTO users (name, email) VALUES ('', $1) RETURNING id"


def settings(url: str, **more: str) -> Settings:
    return Settings.from_environment(environment(url) | SETTINGS | more)


@asynccontextmanager
async def delivery(url: str, **more: str) -> AsyncIterator[None]:
    """Deliver in this process for as long as the block lasts."""
    given = settings(url, **more)
    database = Database(given)
    await database.open()
    try:
        async with delivering(database, given):
            yield
    finally:
        await database.close()


@dataclass(frozen=True)
class Added:
    """A webhook and its secret."""

    id: UUID
    secret: str

    def verified(self, seen: Seen) -> dict[str, Any]:
        """What a receiver takes a request for."""
        return Webhook(self.secret).verify(seen.body, dict(seen.headers))


async def add(db: asyncpg.Connection, url: str, *types: str) -> Added:
    """A webhook that gets what comes from now on."""
    secret = new_secret()
    webhook_id = await db.fetchval(
        "INSERT INTO webhooks (url, types, secret, queued_to)"
        " VALUES ($1, $2, $3, events_horizon()) RETURNING id",
        url,
        list(types),
        Vault([SECRET]).seal(secret),
    )
    return Added(webhook_id, secret)


async def eventually(condition: Callable[[], Any], what: str) -> None:
    """Poll until it holds; ``condition`` may be a coroutine function."""
    deadline = time.monotonic() + 60
    while True:
        found = condition()
        if await found if asyncio.iscoroutine(found) else found:
            return
        assert time.monotonic() < deadline, f"never: {what}"
        await asyncio.sleep(0.02)


async def waiting(db: asyncpg.Connection) -> list[asyncpg.Record]:
    """What is queued, dead letters among it, in the order of the events."""
    return await db.fetch("SELECT * FROM webhook_deliveries ORDER BY event_id")


async def hurry(db: asyncpg.Connection) -> None:
    """Let hours go by: whatever waits for a later attempt is due now.

    What is under way is left alone: its lease ends within the minute.
    """
    await db.execute(
        "UPDATE webhook_deliveries SET next_attempt_at = now()"
        " WHERE NOT next_attempt_at BETWEEN now() + interval '20 s' AND now() + interval '70 s'"
    )


async def all_delivered(db: asyncpg.Connection) -> bool:
    """Whether every event was queued, and nothing waits."""
    return await db.fetchval(
        "SELECT NOT EXISTS (SELECT FROM webhook_deliveries) AND NOT EXISTS"
        " (SELECT FROM events e, webhooks w WHERE e.id > w.queued_to)"
    )


def ids(seen: list[Seen]) -> list[str]:
    return [each.headers["webhook-id"] for each in seen]


def data(seen: Seen) -> dict[str, Any]:
    return json.loads(seen.body)["data"]
