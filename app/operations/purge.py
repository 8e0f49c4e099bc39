"""Deleting what has expired, in the background of the service or by ``gatepost purge``.

A pass walks the tables page by page, a chunk a statement, each a short transaction of its own. The
row in ``purges`` says how far it is and who holds the lease: one process at a time works, through
any pooler, and another goes on where one that died had come to.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from prometheus_client import Counter, Gauge

from app.database import Database, DatabaseError, DatabaseUnavailableError, Row
from app.operations.dbmate import place, without_password
from app.settings import Settings
from app.sql import Statement
from app.statements import purges, rate_limits, sessions, verifications

CHUNK: Final = 64
"""Pages that one statement walks: half a megabyte, some two thousand rows. With twice as many the
lookups beside it waited noticeably (docs/PERFORMANCE.md)."""

LEASE: Final = timedelta(seconds=60)
"""How long a runner that died keeps others out; longer than a chunk and the rest after it."""

NAME: Final = "expired"
"""The row of this purge in ``purges``."""

TABLES: Final[Mapping[str, Statement]] = MappingProxyType(
    {
        "sessions": sessions.purge,
        "verifications": verifications.purge,
        "rate_limits": rate_limits.purge,
    }
)
"""What is walked, in this order."""

_REST: Final = 4.0  # times what the chunk took, so that it is a fifth of one backend at most
_LONGEST_REST: Final = 30.0  # seconds
_FIRST: Final = 5.0  # seconds after the start, at most
_POLL: Final = 60.0  # seconds between two looks at whether a pass is due, at most
_FAREWELL: Final = 5.0  # seconds to give the lease back in

_log = logging.getLogger("gatepost.purge")
_purged = Counter("gatepost_purged", "Expired rows deleted", ["table"])
for _table in TABLES:
    _purged.labels(_table)  # there from the start, as 0
_last_success = Gauge(
    "gatepost_purge_last_success_timestamp_seconds",
    "When this process last ended a pass of the purge; 0: not yet",
)


class PurgeBusyError(Exception):
    """Another purge is running, or took over after this one was stopped for long."""


async def purge_now(settings: Settings) -> Mapping[str, int]:
    """A whole pass, without rests, even when none is due. Gives the rows deleted by table.

    Raises PurgeBusyError, or DatabaseUnavailableError also when the database refuses.
    """
    url, database = settings.database_url, Database(settings)
    await database.open()
    try:
        deleted = await purge(database, settings.purge_every, at_once=True)
    except (DatabaseError, DatabaseUnavailableError) as error:
        reason = without_password(str(error), url)
        if isinstance(error, DatabaseError) and error.sqlstate == "42P01":  # no such table
            reason += ": run 'gatepost migrate'"
        raise DatabaseUnavailableError(f"the database at {place(url)}: {reason}") from None
    finally:
        await database.close()
    if deleted is None:
        raise PurgeBusyError("another purge is running, or was killed less than a minute ago")
    return deleted


@asynccontextmanager
async def purging(database: Database, every: int) -> AsyncIterator[None]:
    """Purge in the background while the block lasts, ``every`` so many seconds; 0: never."""
    if not every:
        yield
        return
    task = asyncio.create_task(_keep_purged(database, every))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _keep_purged(database: Database, every: int) -> None:
    """Look now and then whether a pass is due; whatever fails is tried again at the next look."""
    wait = random.uniform(0, min(_FIRST, every))  # noqa: S311 - workers do not fall in step
    while True:
        await asyncio.sleep(wait)
        try:
            await purge(database, every, rest=_REST)
        except DatabaseError as error:
            _log.error("the purge is put off, the database refuses: %s", error)
        except (DatabaseUnavailableError, PurgeBusyError) as error:
            # not its text: it can hold the database's address
            _log.warning("the purge is put off: %s", type(error).__name__)
        except Exception:
            _log.exception("the purge failed")
        wait = random.uniform(0.5, 1) * min(_POLL, every)  # noqa: S311


async def purge(
    database: Database, every: int, *, at_once: bool = False, rest: float = 0
) -> dict[str, int] | None:
    """A pass, or what an interrupted one has left of it. Gives the rows deleted by table.

    None: another one is running, or the last one ended less than ``every`` seconds ago, which with
    ``at_once`` is no reason; it then begins with the first page. After each chunk it rests ``rest``
    times as long as that took.

    Raises PurgeBusyError when it was stopped for so long that another one took over, DatabaseError
    and DatabaseUnavailableError.
    """
    await database.fetch(purges.make, NAME)
    claimed = await database.fetch(purges.claim, LEASE, NAME, at_once, timedelta(seconds=every))
    if not claimed:
        return None
    tables, row = list(TABLES), claimed[0]
    first, page = row["relation"], row["next_page"]
    if at_once or first not in TABLES:
        first, page = tables[0], 0
    lease = _Lease(database, row["leased_until"])
    deleted = {}
    try:
        for table in tables[tables.index(first) :]:
            deleted[table] = await _walk(database, lease, table, page, rest)
            page = 0
        await lease.finish()
    except BaseException:
        await lease.release()
        raise
    _last_success.set_to_current_time()
    return deleted


async def _walk(database: Database, lease: "_Lease", table: str, page: int, rest: float) -> int:
    """Go through a table from a page on; what is added behind meanwhile has not expired."""
    deleted = 0
    pages = (await database.fetch(purges.pages, table))[0]["pages"]
    while page < pages:
        begun = time.monotonic()
        rows = await database.fetch(TABLES[table], (page, 0), (page + CHUNK, 0))
        took, count = time.monotonic() - begun, rows[0]["deleted"]
        _purged.labels(table).inc(count)
        deleted += count
        page += CHUNK
        await lease.renew(table, page)
        await asyncio.sleep(min(rest * took, _LONGEST_REST))
    return deleted


class _Lease:
    """The right to go on. It is known by the time until which it was given."""

    def __init__(self, database: Database, until: datetime) -> None:
        self._database = database
        self._until = until

    async def renew(self, table: str, page: int) -> None:
        """Hold it longer, and note that everything before ``page`` is done."""
        rows = await self._database.fetch(purges.advance, table, page, LEASE, NAME, self._until)
        self._until = _own(rows)["leased_until"]

    async def finish(self) -> None:
        """Give it back at the end of a pass."""
        _own(await self._database.fetch(purges.finish, NAME, self._until))

    async def release(self) -> None:
        """Give it back in the midst of a pass, or else it lapses by itself."""
        with suppress(DatabaseError, DatabaseUnavailableError, TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await self._database.fetch(purges.release, NAME, self._until)


def _own(rows: list[Row]) -> Row:
    """The row, unless the lease lapsed and is another's now."""
    if not rows:
        raise PurgeBusyError("this purge was stopped for so long that another one took over")
    return rows[0]
