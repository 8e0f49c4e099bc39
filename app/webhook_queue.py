"""Queues events for webhooks: by who delivers them, and by the purge before it deletes any."""

from typing import Final
from uuid import UUID

from .database import Database
from .statements import webhooks

PAGE: Final = 1000
"""Events for each statement."""


async def queue_events(database: Database, webhook_id: UUID) -> int:
    """Queue the events that a webhook has not seen, up to now; gives how many it wants.

    Another process that is at the same does the rest. Raises DatabaseError.
    """
    queued = 0
    while True:
        found = await database.fetchrow(webhooks.queue, webhook_id, PAGE)
        if found is None:
            return queued
        queued += found.queued
        if found.seen < PAGE:
            return queued


async def queue_all(database: Database) -> None:
    """The same for every webhook. Raises DatabaseError."""
    for each in await database.fetch(webhooks.work, 1):
        if each.behind:
            await queue_events(database, each.id)
