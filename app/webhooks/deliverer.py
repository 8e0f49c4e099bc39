"""Delivers webhooks for as long as it runs: queues, leases, sends, and records what came of it.

No transaction is open while something is sent. What a process that was killed had under way is sent
again by another when the lease ends. The events of one user go one after the other: a lane sends
the first that waits, and when the receiver has it, the next.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Final
from uuid import UUID

from ..database import Database
from ..errors import DatabaseError, StatementError
from ..logs import RATE_LIMIT
from ..outgoing.client import DEADLINE, check_proxies, tls_context
from ..settings import Settings
from ..statements import events, webhook_deliveries, webhooks
from ..statements.webhook_deliveries import Attempt
from ..statements.webhooks import Work
from ..webhook_queue import queue_events
from . import messages, metrics
from .addresses import host_of
from .schedule import LEASE, delay_after
from .sender import GONE, Outcome, Sender
from .signing import Vault

MAX_MESSAGES: Final = 32
"""Messages under way at most."""
MAX_MESSAGES_TO_ONE: Final = 4
"""… to one receiver; to one that failed last, a single one, so that it holds up nobody."""
POLL: Final = 1.0
"""Seconds between two looks at what there is to do, when nothing is."""
GRACE: Final = 5.0
"""Seconds for what is under way when the process is to end."""
_LOOK: Final = 64
"""Deliveries that a statement looks at; some may have to wait for others."""
_LANE: Final = 100
"""Events of one user after which the webhook is looked up anew."""
_MEASURE: Final = 15.0
"""Seconds between two counts for the metrics."""
_STATEMENTS: Final = 2
"""Connections of the pool that are used at once."""

_log = logging.getLogger("gatepost.webhooks")  # a webhook begins to fail: a line for each
_limited = logging.getLogger("gatepost.webhooks.deliveries")
_limited.addFilter(RATE_LIMIT)


def check(settings: Settings) -> None:
    """Raises SettingsError when nothing could be sent, before anything begins."""
    settings.check_webhooks("webhooks cannot be delivered")
    check_proxies()
    tls_context()


@asynccontextmanager
async def delivering(database: Database, settings: Settings) -> AsyncIterator[None]:
    """Deliver for as long as the block lasts. Raises SettingsError when nothing can be."""
    secrets = settings.check_webhooks("webhooks cannot be delivered").secrets
    sender = Sender(private=settings.webhooks.private_addresses)
    deliverer = Deliverer(database, sender, Vault(secrets))
    task = asyncio.create_task(deliverer.run())
    try:
        yield
    finally:
        await deliverer.stop()
        task.cancel()
        await asyncio.wait([task])
        await sender.close()


class _Gate:
    """Lets the deliveries use a small part of the pool."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_STATEMENTS)

    async def enter(self) -> None:
        await self._places.acquire()

    def leave(self) -> None:
        self._places.release()


class Deliverer:
    """What one process has under way."""

    def __init__(self, database: Database, sender: Sender, vault: Vault) -> None:
        self._database = database.behind(_Gate())
        self._sender = sender
        self._vault = vault
        self._lanes: dict[asyncio.Task[None], UUID] = {}
        self._under_way = Counter[UUID]()
        self._failed = set[UUID]()
        """The webhooks whose last attempt failed."""
        self._full = set[UUID]()
        """Those for which more was due than there were places."""
        self._wake = asyncio.Event()
        self._stopping = False
        self._measured = -_MEASURE

    async def run(self) -> None:
        """Deliver until it is stopped; what goes wrong is tried again."""
        while not self._stopping:
            self._wake.clear()
            try:
                await self._round()
            except StatementError as error:
                _limited.error("the database refused a statement: %s", error)
            except DatabaseError as error:
                # without its text, which can hold the database's address
                _limited.warning("webhooks wait for the database: %s", type(error).__name__)
            except Exception:
                _limited.exception("the delivery of webhooks failed")
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL * random.uniform(0.75, 1.25)):  # noqa: S311
                    await self._wake.wait()

    async def stop(self) -> None:
        """Begin nothing more, wait a little for what is under way, and give the rest back."""
        self._stopping = True
        self._wake.set()
        if self._lanes:
            _, late = await asyncio.wait(self._lanes, timeout=GRACE)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)

    async def _round(self) -> None:
        for webhook in await self._database.fetch(webhooks.work, 1):
            queued = 0
            if webhook.behind:
                queued = await queue_events(self._database, webhook.id)
            if (webhook.due or queued) and not webhook.paused:
                await self._lease(webhook)
        if monotonic() - self._measured >= _MEASURE:
            self._measured = monotonic()
            load = await self._database.fetchrow(webhook_deliveries.load)
            if load is not None:
                metrics.show(load)

    def _places(self, webhook_id: UUID) -> int:
        most = 1 if webhook_id in self._failed else MAX_MESSAGES_TO_ONE
        return min(MAX_MESSAGES - len(self._lanes), most - self._under_way[webhook_id])

    async def _lease(self, webhook: Work) -> None:
        """Begin what is due, as far as there are places."""
        self._full.discard(webhook.id)
        while (places := self._places(webhook.id)) > 0 and not self._stopping:
            leased_at = monotonic()
            examined = await self._database.fetch(
                webhook_deliveries.lease, webhook.id, _LOOK, 1, LEASE, places
            )
            leased = [each for each in examined if each.leased]
            for each in leased:
                self._begin(webhook, Attempt(each.event_id, each.attempts), leased_at)
            if len(leased) < places and len(examined) < _LOOK:
                return  # that was all
        self._full.add(webhook.id)

    def _begin(self, webhook: Work, attempt: Attempt, leased_at: float) -> None:
        task = asyncio.create_task(self._lane(webhook, attempt, leased_at))
        self._lanes[task] = webhook.id
        self._under_way[webhook.id] += 1
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        webhook_id = self._lanes.pop(task)
        self._under_way[webhook_id] -= 1
        if not self._under_way[webhook_id]:
            del self._under_way[webhook_id]
        if webhook_id in self._full:
            self._wake.set()

    async def _lane(self, webhook: Work, attempt: Attempt | None, leased_at: float) -> None:
        """Send the events of one user, until one is not received or none waits."""
        try:
            for _ in range(_LANE):
                if attempt is None:
                    return
                # who was stopped until then leaves it to another process
                if monotonic() - leased_at > LEASE.total_seconds() - DEADLINE:
                    return
                outcome = await self._attempt(webhook, attempt)
                leased_at = monotonic()
                attempt = await self._record(webhook, attempt, outcome)
                if self._stopping:
                    break
            if attempt is not None:
                await self._release(webhook, attempt)
        except asyncio.CancelledError:
            if attempt is not None:
                with suppress(DatabaseError):
                    await self._release(webhook, attempt)
            raise
        except DatabaseError as error:
            _limited.warning("webhooks wait for the database: %s", type(error).__name__)
        except Exception:
            _limited.exception("the delivery of a webhook failed")

    async def _attempt(self, webhook: Work, attempt: Attempt) -> Outcome:
        event = await self._database.fetchrow(events.payload, attempt.event_id)
        if event is None:
            return Outcome(error="the event is not kept any more", final=True)
        secret = self._vault.open(webhook.secret)
        old = self._vault.open(webhook.old_secret) if webhook.old_secret else None
        if secret is None:
            return Outcome(error="its secret is encrypted with another GATEPOST_SECRET")
        secrets = [secret, old] if old else [secret]
        return await self._sender.send(
            webhook.url, secrets, str(attempt.event_id), messages.body(event)
        )

    async def _record(self, webhook: Work, attempt: Attempt, outcome: Outcome) -> Attempt | None:
        """Write what came of it; gives the next attempt of the lane."""
        it = (webhook.id, attempt.event_id, attempt.attempts)
        if outcome.error is None:
            following = await self._database.fetchrow(webhook_deliveries.delivered, *it, 1, LEASE)
            metrics.count("delivered")
            was_failing = webhook.failing or attempt.attempts > 1 or webhook.id in self._failed
            self._failed.discard(webhook.id)
            if was_failing and (well := await self._database.fetchrow(webhooks.well, webhook.id)):
                _log.warning(
                    "webhook %s (%s) is well again, it failed since %s",
                    webhook.id, host_of(webhook.url), f"{well.failed_since:%Y-%m-%dT%H:%M:%SZ}",
                )  # fmt: skip
            return following
        status, error = outcome.status, outcome.error
        delay = delay_after(attempt.attempts, random.random, outcome.retry_after)
        if outcome.final or delay is None:
            following = await self._database.fetchrow(
                webhook_deliveries.died, status, error, *it, 1, LEASE
            )
            metrics.count("dead")
            _limited.warning(
                "webhook %s (%s) did not get event %s, which is a dead letter now: %s",
                webhook.id, host_of(webhook.url), attempt.event_id, error,
            )  # fmt: skip
        else:
            if status == GONE:
                await self._pause(webhook)
            following = None
            await self._database.fetch(webhook_deliveries.failed, delay, status, error, *it)
            metrics.count("failed")
        if not outcome.final:
            self._failed.add(webhook.id)
            if await self._database.fetch(webhooks.failing, webhook.id):
                _log.warning("webhook %s (%s) fails: %s", webhook.id, host_of(webhook.url), error)
        return following

    async def _pause(self, webhook: Work) -> None:
        if await self._database.fetch(webhooks.pause, "the receiver answered 410 Gone", webhook.id):
            _log.warning(
                "webhook %s (%s) is paused: the receiver answered 410 Gone",
                webhook.id, host_of(webhook.url),
            )  # fmt: skip

    async def _release(self, webhook: Work, attempt: Attempt) -> None:
        await self._database.fetch(
            webhook_deliveries.release, webhook.id, attempt.event_id, attempt.attempts
        )
