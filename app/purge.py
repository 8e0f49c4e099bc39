"""Deletes what has expired, in the background of the service or by ``gatepost purge``.

Before that it shortens what was prolonged beyond the limits of its user (session_policies).

A pass goes through the tables page by page; each chunk is one statement and commits by itself. The
row in ``purges`` records how far the pass is and who holds the lease: one process purges at a time,
also behind a pooler, and another one continues where a process that died stopped.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from prometheus_client import Counter, Gauge

from .database import Database, described
from .errors import DatabaseError, PurgeBlockedError, PurgeRunningError, StatementError
from .settings import Settings
from .sql import Record, Statement
from .statements import (
    events,
    purges,
    rate_limits,
    session_policies,
    sessions,
    verifications,
)

CHUNK_PAGES: Final = 64
"""Pages for each statement: half a megabyte, some two thousand rows. With twice as many, concurrent
session lookups became noticeably slower (docs/PERFORMANCE.md)."""

LEASE: Final = timedelta(seconds=60)
"""How long a process that died keeps others out; longer than a chunk and the pause after it."""

NAME: Final = "expired"
"""The row of this purge in ``purges``."""

STATEMENTS: Final[Mapping[str, Statement[Any]]] = MappingProxyType(
    {
        "sessions": sessions.purge,
        "verifications": verifications.purge,
        "rate_limits": rate_limits.purge,
    }
)
"""The statement that purges a chunk of each table, in the order of a pass."""

EVENTS: Final = "events"
"""The last table of a pass, by a statement of its own: what is too old is at its beginning."""

EVENTS_CHUNK: Final = 2000
"""Events for each statement."""

LIMITED_CHUNK: Final = 1000
"""Users with limits of their own for each statement."""

_ANY_ROW: Final = {
    "sessions": sessions.any_row,
    "verifications": verifications.any_row,
    "rate_limits": rate_limits.any_row,
}

_PAUSE_FACTOR: Final = 4.0  # of the time a chunk took: at most a fifth of one backend is used
_MAX_PAUSE: Final = 30.0  # seconds
_MAX_FIRST_DELAY: Final = 5.0  # seconds after the start
_POLL_INTERVAL: Final = 60.0  # seconds between two checks whether a pass is due, at most
_RELEASE_TIMEOUT: Final = 5.0  # seconds

_log = logging.getLogger("gatepost.purge")
_purged = Counter("gatepost_purged", "Expired rows deleted", ["table"])
for _table in (*STATEMENTS, EVENTS):
    _purged.labels(_table)  # exported as 0 from the start
_last_success = Gauge(
    "gatepost_purge_last_success_timestamp_seconds",
    "When this process last completed a pass of the purge; 0: not yet",
)
_lag = Gauge(
    "gatepost_purge_lag_seconds",
    "Seconds since a purge was finished, by whichever process; before the first: since the start",
)


Report = Callable[[str], None]


async def purge_now(settings: Settings, report: Report = lambda _: None) -> Mapping[str, int]:
    """Run a complete pass without pauses, whether due or not. Returns the rows deleted by table.

    ``report`` receives how far it is, after each chunk.
    Raises PurgeRunningError, PurgeBlockedError, and DatabaseUnavailableError for any failure of the
    database.
    """
    url, database = settings.database_url, Database(settings)
    await database.open()
    try:
        deleted = await purge(
            database,
            settings.purge_every,
            forced=True,
            retention=settings.events_retention,
            citus=settings.citus,
            report=report,
        )
    except DatabaseError as error:
        raise described(error, url) from None
    finally:
        await database.close()
    if deleted is None:
        raise PurgeRunningError("another purge is running, or was killed less than a minute ago")
    return deleted


@asynccontextmanager
async def purge_in_background(
    database: Database, interval: int, *, retention: int | None = None, citus: bool = False
) -> AsyncIterator[None]:
    """Run a pass every ``interval`` seconds for as long as the block lasts; 0: never."""
    if not interval:
        yield
        return
    purging = _purge_periodically(database, interval, retention=retention, citus=citus)
    task = asyncio.create_task(purging)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _purge_periodically(
    database: Database, interval: int, *, retention: int | None, citus: bool
) -> None:
    """Check regularly whether a pass is due. After a failure the next check tries again."""
    # random, so that several processes do not poll at the same moment
    delay = random.uniform(0, min(_MAX_FIRST_DELAY, interval))  # noqa: S311
    finished = time.monotonic()
    _lag.set_function(lambda: time.monotonic() - finished)
    while True:
        await asyncio.sleep(delay)
        try:
            await purge(
                database, interval, pause_factor=_PAUSE_FACTOR, retention=retention, citus=citus
            )
            age = (await database.fetch(purges.age, NAME))[0]["age"]
            if age is not None:
                finished = time.monotonic() - age.total_seconds()
        except PurgeBlockedError as error:
            _log.error("the purge cannot do its work: %s", error)
        except StatementError as error:
            _log.error("the purge was postponed, the database refused a statement: %s", error)
        except (DatabaseError, PurgeRunningError) as error:
            # without its text, which can hold the database's address
            _log.warning("the purge was postponed: %s", type(error).__name__)
        except Exception:
            _log.exception("the purge failed")
        delay = random.uniform(0.5, 1) * min(_POLL_INTERVAL, interval)  # noqa: S311


async def purge(
    database: Database,
    interval: int,
    *,
    forced: bool = False,
    pause_factor: float = 0,
    retention: int | None = None,
    citus: bool = False,
    report: Report = lambda _: None,
) -> dict[str, int] | None:
    """Run a pass, or what an interrupted one has left. Returns the rows deleted by table.

    None: another purge is running, or the last pass ended less than ``interval`` seconds ago. A
    ``forced`` pass runs whether due or not, and from the first page. After each chunk the pass
    pauses for ``pause_factor`` times as long as the chunk took. Events older than ``retention``
    seconds go, too; None: events stay.

    Raises DatabaseError, PurgeBlockedError when a table's rows are out of reach, and
    PurgeRunningError when this process was suspended for so long that another one took over.
    """
    await database.fetch(purges.create, NAME)
    rows = await database.fetch(purges.claim, LEASE, NAME, timedelta(seconds=interval), forced)
    if not rows:
        return None
    tables, claimed = list(STATEMENTS), rows[0]
    first, page = claimed["relation"], claimed["next_page"]
    if forced or first not in STATEMENTS:  # events begin anew as soon as the others are done
        first, page = tables[0], 0
    lease = _Lease(database, claimed["leased_until"])
    deleted = {}
    chunks = _chunks_of_shards if citus else _chunks
    try:
        if not citus and (first, page) == (tables[0], 0):
            await _enforce_limits(database, lease, tables[0], pause_factor)
        for table in tables[tables.index(first) :]:
            deleted[table] = await _purge_table(
                database, lease, table, page, pause_factor, chunks, report
            )
            page = 0
        if retention is not None:
            deleted[EVENTS] = await _purge_events(database, lease, retention, pause_factor, report)
        await lease.finish()
    except BaseException:
        await lease.release()
        raise
    _last_success.set_to_current_time()
    return deleted


Chunk = tuple[int, Callable[[int], Awaitable[int]], int]
"""The pages of a chunk, what purges it from a page on, and the pages of the table."""


async def _chunks(database: Database, table: str) -> Chunk:
    async def purge_chunk(page: int) -> int:
        rows = await database.fetch(STATEMENTS[table], (page, 0), (page + CHUNK_PAGES, 0))
        return rows[0]["deleted"]

    pages = (await database.fetch(purges.pages, table))[0]["pages"]
    if not pages and await database.fetch(_ANY_ROW[table], 1):
        raise PurgeBlockedError(
            f"{table} has rows but no pages of its own: on a Citus cluster set GATEPOST_CITUS"
        )
    return CHUNK_PAGES, purge_chunk, pages


async def _chunks_of_shards(database: Database, table: str) -> Chunk:
    from . import citus

    async def purge_chunk(page: int) -> int:
        return await citus.purge_chunk(database, STATEMENTS[table], table, page)

    return citus.CHUNK_PAGES, purge_chunk, await citus.pages(database, table)


async def _purge_table(
    database: Database,
    lease: "_Lease",
    table: str,
    page: int,
    pause_factor: float,
    chunks: Callable[[Database, str], Awaitable[Chunk]],
    report: Report,
) -> int:
    """Purge a table from ``page`` to its present end; rows added later have not expired."""
    deleted = 0
    size, purge_chunk, pages = await chunks(database, table)
    while page < pages:
        started = time.monotonic()
        count = await purge_chunk(page)
        elapsed = time.monotonic() - started
        _purged.labels(table).inc(count)
        deleted += count
        page += size
        report(f"{table}: {min(100, 100 * page // pages)} %, {deleted} deleted")
        await lease.renew(table, page)
        await asyncio.sleep(min(pause_factor * elapsed, _MAX_PAUSE))
    return deleted


async def _enforce_limits(
    database: Database, lease: "_Lease", table: str, pause_factor: float
) -> None:
    """Shorten the sessions that another server has prolonged beyond their users' limits."""
    after: UUID | None = UUID(int=0)
    while after is not None:
        started = time.monotonic()
        rows = await database.fetch(session_policies.enforce, after, LIMITED_CHUNK)
        elapsed = time.monotonic() - started
        after = rows[0]["last"]
        await lease.renew(table, 0)
        await asyncio.sleep(min(pause_factor * elapsed, _MAX_PAUSE))


async def _purge_events(
    database: Database, lease: "_Lease", retention: int, pause_factor: float, report: Report
) -> int:
    """Delete the events that are too old, the oldest first.

    Those that no webhook has seen yet are queued before, so that none goes without a word: what
    nobody sent until then becomes a dead letter. Dead letters are kept for as long as events.
    """
    # not at the start of the service, a tenth of which it would take
    from .statements import webhook_deliveries
    from .webhook_queue import queue_all

    await queue_all(database)
    while True:
        rows = await database.fetch(
            webhook_deliveries.purge, timedelta(seconds=retention), EVENTS_CHUNK
        )
        if rows[0]["deleted"] < EVENTS_CHUNK:
            break
        await lease.renew(EVENTS, 0)
    deleted = 0
    while True:
        started = time.monotonic()
        rows = await database.fetch(events.purge, timedelta(seconds=retention), EVENTS_CHUNK)
        count = rows[0]["deleted"]
        elapsed = time.monotonic() - started
        _purged.labels(EVENTS).inc(count)
        deleted += count
        if count < EVENTS_CHUNK:
            return deleted
        report(f"{EVENTS}: {deleted} deleted")
        await lease.renew(EVENTS, 0)
        await asyncio.sleep(min(pause_factor * elapsed, _MAX_PAUSE))


class _Lease:
    """The right to purge. The time until which it was granted identifies the holder."""

    def __init__(self, database: Database, until: datetime) -> None:
        self._database = database
        self._until = until

    async def renew(self, table: str, page: int) -> None:
        """Extend the lease, and record that everything before ``page`` is purged."""
        rows = await self._database.fetch(purges.advance, table, page, LEASE, NAME, self._until)
        self._until = _row_of_holder(rows)["leased_until"]

    async def finish(self) -> None:
        """Give the lease back at the end of a pass."""
        _row_of_holder(await self._database.fetch(purges.finish, NAME, self._until))

    async def release(self) -> None:
        """Give the lease back during a pass; if that fails, it lapses."""
        with suppress(DatabaseError, TimeoutError):
            async with asyncio.timeout(_RELEASE_TIMEOUT):
                await self._database.fetch(purges.release, NAME, self._until)


def _row_of_holder(rows: list[Record]) -> Record:
    """The only row. There is none when the lease lapsed and another process took it."""
    if not rows:
        raise PurgeRunningError("this purge was suspended for so long that another one took over")
    return rows[0]
