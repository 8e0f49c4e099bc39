"""Sessions by their tokens: lookups that come while a query runs share the next one.

The DataLoader idiom without its cache. A lookup never joins a query that was already sent, so it
sees whatever was committed before it began: a session whose revocation was acknowledged is refused
by the next request. Nothing is kept.
"""

import asyncio
from typing import Final

from prometheus_client import Histogram

from ..database import Database
from ..errors import DatabaseError
from ..statements.sessions import SessionStatements, UserSession

MAX_BATCH: Final = 500
"""Tokens in one query."""
MAX_BATCH_WAIT: Final = 0.05
"""Seconds that lookups wait for the query before theirs; then the two run side by side."""

_tokens: Final = Histogram(
    "gatepost_session_batch_size",
    "Sessions that one query looks up",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, MAX_BATCH),
)

Lookup = tuple[str, asyncio.Future[UserSession | None]]


class SessionLoader:
    """Loads sessions with their users. Raises what Database.fetch raises."""

    def __init__(
        self, database: Database, statements: SessionStatements = SessionStatements()
    ) -> None:
        self._database = database
        self._statement = statements.find
        self._pending: list[Lookup] = []
        self._newest: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[None]] = set()

    def load(self, token: str) -> asyncio.Future[UserSession | None]:
        """The session of a token, expired or not, with its user."""
        found: asyncio.Future[UserSession | None] = asyncio.get_running_loop().create_future()
        if not token.isascii() or "\0" in token:
            found.set_result(None)  # no row has it, and it would spoil the query for the others
            return found
        self._pending.append((token, found))
        if self._newest is None:
            self._start_query()
        return found

    def _start_query(self) -> None:
        query = self._newest = asyncio.create_task(self._query())
        self._running.add(query)  # the event loop keeps no reference to a task
        query.add_done_callback(self._running.discard)

    async def _query(self) -> None:
        batch = self._take_batch()
        _tokens.observe(len(batch))
        this = asyncio.current_task()
        timer = asyncio.get_running_loop().call_later(MAX_BATCH_WAIT, self._start_next, this)
        by_token, failure = {}, None
        try:
            rows = await self._database.fetch(self._statement, list({token for token, _ in batch}))
            by_token = {row.session.token: row for row in rows}
        except Exception as error:  # noqa: BLE001 - raised by each load
            failure = error
        except asyncio.CancelledError:
            for _, found in batch:
                found.cancel()
            raise
        finally:
            timer.cancel()
            self._start_next(this)  # first, so that the next query is sent before these go on
        if failure is not None:
            await self._ask_again(batch)
        for token, found in batch:
            if found.done():  # its request was cancelled
                continue
            if failure is None:
                found.set_result(by_token.get(token))
            else:
                found.set_exception(failure)

    async def _ask_again(self, batch: list[Lookup]) -> None:
        """What is left to do for a batch whose query failed: on one server nothing."""

    def _take_batch(self) -> list[Lookup]:
        # Three quarters of those who wait. All of them would soon come in lockstep, and service
        # and database would work in turns instead of side by side.
        size = min(len(self._pending) - len(self._pending) // 4, MAX_BATCH)
        batch, self._pending = self._pending[:size], self._pending[size:]
        return batch

    def _start_next(self, before: asyncio.Task[None] | None) -> None:
        if before is self._newest:
            self._newest = None
            if self._pending:
                self._start_query()


class ShardLoader(SessionLoader):
    """The same on a Citus cluster, where one worker away fails the query of every token."""

    def __init__(
        self, database: Database, statements: SessionStatements = SessionStatements()
    ) -> None:
        super().__init__(database, statements)
        self._statement = statements.find_on_shards

    async def _ask_again(self, batch: list[Lookup]) -> None:
        if len(batch) > 1:
            await asyncio.gather(*(self._load_alone(*lookup) for lookup in batch))

    async def _load_alone(self, token: str, found: asyncio.Future[UserSession | None]) -> None:
        try:
            rows = await self._database.fetch(self._statement, [token])
        except DatabaseError:
            return
        except asyncio.CancelledError:
            found.cancel()
            raise
        if not found.done():
            found.set_result(rows[0] if rows else None)
