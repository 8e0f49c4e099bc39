"""Counts what happens on each day, for the page /admin, in the background of the service.

A page that counts millions of events each time it is asked for would take seconds, and an index
for it would cost every sign-in. So each event is counted once, a minute after it happened, some
thousand a statement; the row in ``event_readers`` records how far that is, and whoever counts locks
it. Sign-ins that are refused leave nothing in the database: each process adds how many it refused.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import date, timedelta
from typing import Final
from uuid import UUID

from .database import Database, Transaction
from .errors import DatabaseError, StatementError
from .security_events import refused_sign_ins
from .statements import daily_counts as statements

NAME: Final = "daily_counts"
"""The row of this reader in ``event_readers``."""

REFUSED: Final = "sign_in.refused"
"""The type of sign-ins that were refused."""

CHUNK: Final = 5000
"""Events for each statement: some ten milliseconds of a backend."""

_EVERY: Final = 60.0  # seconds
_PAUSE: Final = timedelta(seconds=45)  # after another process has counted
_PAUSE_FACTOR: Final = 4.0  # of the time a chunk took: at most a fifth of one backend is used
_MAX_FIRST_DELAY: Final = 2.0  # seconds after the start
_LAST_TIMEOUT: Final = 2.0  # seconds

_log = logging.getLogger("gatepost.daily_counts")


@asynccontextmanager
async def counting_in_background(database: Database, *, citus: bool = False) -> AsyncIterator[None]:
    """Count once a minute for as long as the block lasts; on a cluster there are no events."""
    refusals = Refusals(database)
    task = asyncio.create_task(_count_periodically(database, refusals, citus=citus))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        with suppress(DatabaseError, TimeoutError):
            async with asyncio.timeout(_LAST_TIMEOUT):
                await refusals.add()


async def _count_periodically(database: Database, refusals: "Refusals", *, citus: bool) -> None:
    """After a failure the next minute tries again."""
    # random, so that several processes do not ask at the same moment
    delay = random.uniform(0, _MAX_FIRST_DELAY)  # noqa: S311
    while True:
        await asyncio.sleep(delay)
        try:
            await refusals.add()
            if not citus:
                await count_events(database, pause_factor=_PAUSE_FACTOR)
        except StatementError as error:
            _log.error("events are not counted, the database refused a statement: %s", error)
        except DatabaseError as error:
            # without its text, which can hold the database's address
            _log.warning("events are counted later: %s", type(error).__name__)
        delay = random.uniform(0.75, 1) * _EVERY  # noqa: S311


async def count_events(
    database: Database, *, pause: timedelta = _PAUSE, pause_factor: float = 0
) -> int:
    """Count the events that have not been counted, and say how many these were.

    0 also when another process is doing it, or has done it less than ``pause`` ago. Raises
    DatabaseError.
    """
    await database.fetch(statements.begin, NAME, UUID(int=0))
    total = 0
    while True:
        started = time.monotonic()
        counted = await _count_chunk(database, pause)
        total += counted
        if counted < CHUNK:
            return total
        pause = timedelta(0)
        await asyncio.sleep(pause_factor * (time.monotonic() - started))


async def _count_chunk(database: Database, pause: timedelta) -> int:
    async def work(transaction: Transaction) -> int:
        place = await transaction.fetchrow(statements.hold, NAME, pause)
        if place is None:
            return 0
        found = await transaction.fetch(statements.read, place.last_event_id, CHUNK)
        counts = Counter[tuple[date, str]]()
        for each in found:
            counts[each.day, each.type] += each.count
        days, types = [day for day, _ in counts], [type_ for _, type_ in counts]
        if found:
            await transaction.fetch(statements.add, days, types, list(counts.values()))
        last = max((each.last_event_id for each in found), default=place.last_event_id)
        await transaction.fetch(statements.move, last, NAME)
        return counts.total()

    return await database.transaction("daily_counts.count", work)


class Refusals:
    """The sign-ins that this process has refused and not yet added."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._added = refused_sign_ins()
        self._begun = False

    async def add(self) -> None:
        """Add them to those of today. The first time also none, for they are counted from now on.

        Raises DatabaseError; then the next call adds them.
        """
        refused = refused_sign_ins()
        if refused == self._added and self._begun:
            return
        await self._database.fetch(statements.add_today, REFUSED, refused - self._added)
        self._added, self._begun = refused, True
