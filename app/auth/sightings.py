"""When sessions were last seen, noted in memory and written now and then by one statement.

Imported only when ``GATEPOST_LAST_SEEN_EVERY`` is set. A sighting costs get-session no statement.
What is lost when a process is killed is what it has noted since its last write.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

from ..database import Database
from ..errors import DatabaseError
from ..statements import session_activity

MOST: Final = 10_000
"""Sessions that a process notes at most; with one more they are written at once. What comes while
that takes its time is noted again up to as many, and beyond that not until its next use."""
_LAST_WRITE: Final = 5.0  # seconds that a stop waits for it

_log = logging.getLogger("gatepost")


class Sightings:
    """The sessions that this process has seen since it last wrote them, each with the last time."""

    def __init__(self, database: Database, interval: float) -> None:
        """``interval``: seconds between two writes."""
        self._database = database
        self._interval = interval
        self._seen: dict[UUID, datetime] = {}
        self._full = asyncio.Event()

    def note(self, session_id: UUID, now: datetime) -> None:
        """A session was used. Above ``MOST`` only the sessions that are noted already are."""
        seen = self._seen
        if len(seen) < MOST or session_id in seen:
            seen[session_id] = now
        else:
            self._full.set()

    def last(self, session_id: UUID, written: datetime | None) -> datetime | None:
        """When a session was last seen, of what was written and what this process has noted."""
        noted = self._seen.get(session_id)
        return max((each for each in (noted, written) if each is not None), default=None)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write for as long as the block lasts, and what is left at its end."""
        task = asyncio.create_task(self._write_periodically())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            try:
                async with asyncio.timeout(_LAST_WRITE):
                    await self._write()
            except TimeoutError:
                _log.warning("when sessions were last seen was not written before the stop")

    async def _write_periodically(self) -> None:
        # random, so that several processes do not write at the same moment
        wait = random.uniform(0, self._interval)  # noqa: S311
        while True:
            try:
                async with asyncio.timeout(wait):
                    await self._full.wait()
            except TimeoutError:
                pass
            if not await self._write():
                await asyncio.sleep(self._interval)  # full or not: the database is in trouble
            wait = self._interval

    async def _write(self) -> bool:
        """Write what is noted. After a failure it is noted again, and the next write has it."""
        seen, self._seen = self._seen, {}
        self._full.clear()
        if not seen:
            return True
        try:
            await self._database.fetch(session_activity.record, list(seen), list(seen.values()))
        except DatabaseError as error:
            # without its text, which can hold the database's address
            name = type(error).__name__
            _log.warning("when sessions were last seen was not written yet: %s", name)
            self._restore(seen)
            return False
        except asyncio.CancelledError:
            self._restore(seen)
            raise
        return True

    def _restore(self, seen: dict[UUID, datetime]) -> None:
        self._seen = {**dict(list(seen.items())[: MOST - len(self._seen)]), **self._seen}
