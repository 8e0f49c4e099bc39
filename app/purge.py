"""Deletes what has expired, in the background of the service or by ``gatepost purge``.

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

from prometheus_client import Counter, Gauge

from app.database import Database
from app.errors import (
    DatabaseError,
    DatabaseUnavailableError,
    PurgeBlockedError,
    PurgeRunningError,
    StatementError,
)
from app.redaction import redacted_url, without_password
from app.settings import Settings
from app.sql import Record, Statement
from app.statements import purges, rate_limits, sessions, verifications

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
for _table in STATEMENTS:
    _purged.labels(_table)  # exported as 0 from the start
_last_success = Gauge(
    "gatepost_purge_last_success_timestamp_seconds",
    "When this process last completed a pass of the purge; 0: not yet",
)
_lag = Gauge(
    "gatepost_purge_lag_seconds",
    "Seconds since a purge was finished, by whichever process; before the first: since the start",
)


async def purge_now(settings: Settings) -> Mapping[str, int]:
    """Run a complete pass without pauses, whether due or not. Returns the rows deleted by table.

    Raises PurgeRunningError, PurgeBlockedError, and DatabaseUnavailableError for any failure of the
    database.
    """
    url, database = settings.database_url, Database(settings)
    await database.open()
    try:
        deleted = await purge(database, settings.purge_every, forced=True, citus=settings.citus)
    except DatabaseError as error:
        reason = " ".join(without_password(str(error), url).split())
        if isinstance(error, StatementError) and error.is_undefined_table:
            reason += ": run 'gatepost migrate'"
        raise DatabaseUnavailableError(f"the database at {redacted_url(url)}: {reason}") from None
    finally:
        await database.close()
    if deleted is None:
        raise PurgeRunningError("another purge is running, or was killed less than a minute ago")
    return deleted


@asynccontextmanager
async def purge_in_background(
    database: Database, interval: int, *, citus: bool = False
) -> AsyncIterator[None]:
    """Run a pass every ``interval`` seconds for as long as the block lasts; 0: never."""
    if not interval:
        yield
        return
    task = asyncio.create_task(_purge_periodically(database, interval, citus=citus))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _purge_periodically(database: Database, interval: int, *, citus: bool) -> None:
    """Check regularly whether a pass is due. After a failure the next check tries again."""
    # random, so that several processes do not poll at the same moment
    delay = random.uniform(0, min(_MAX_FIRST_DELAY, interval))  # noqa: S311
    finished = time.monotonic()
    _lag.set_function(lambda: time.monotonic() - finished)
    while True:
        await asyncio.sleep(delay)
        try:
            await purge(database, interval, pause_factor=_PAUSE_FACTOR, citus=citus)
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
    citus: bool = False,
) -> dict[str, int] | None:
    """Run a pass, or what an interrupted one has left. Returns the rows deleted by table.

    None: another purge is running, or the last pass ended less than ``interval`` seconds ago. A
    ``forced`` pass runs whether due or not, and from the first page. After each chunk the pass
    pauses for ``pause_factor`` times as long as the chunk took.

    Raises DatabaseError, PurgeBlockedError when a table's rows are out of reach, and
    PurgeRunningError when this process was suspended for so long that another one took over.
    """
    await database.fetch(purges.create, NAME)
    rows = await database.fetch(purges.claim, LEASE, NAME, timedelta(seconds=interval), forced)
    if not rows:
        return None
    tables, claimed = list(STATEMENTS), rows[0]
    first, page = claimed["relation"], claimed["next_page"]
    if forced or first not in STATEMENTS:
        first, page = tables[0], 0
    lease = _Lease(database, claimed["leased_until"])
    deleted = {}
    chunks = _chunks_of_shards if citus else _chunks
    try:
        for table in tables[tables.index(first) :]:
            deleted[table] = await _purge_table(database, lease, table, page, pause_factor, chunks)
            page = 0
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
    from app import citus

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
        await lease.renew(table, page)
        await asyncio.sleep(min(pause_factor * elapsed, _MAX_PAUSE))
    return deleted


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
