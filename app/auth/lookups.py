"""Sessions looked up together: the lookups that wait while one statement runs become the next one.

A lookup joins a statement that has not begun, never one that is under way, so it sees whatever was
committed before it was asked for: what was revoked and acknowledged is gone. Nothing is kept.
"""

import asyncio
from typing import Final

from app.database import Database, Row
from app.statements import sessions

_MOST: Final = 500
"""Tokens in one statement."""
_PATIENCE: Final = 0.05
"""Seconds that lookups wait for the statement under way; then the next one begins beside it."""

_Waiting = tuple[str, "asyncio.Future[Row | None]"]


class Lookups:
    """Finds sessions by their tokens, those that are asked for together with one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Waiting] = []
        self._newest: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def find(self, token: str) -> Row | None:
        """The row of ``sessions.find``. Raises DatabaseError or DatabaseUnavailableError."""
        if not token.isascii() or "\0" in token:
            return None  # no row has it, and the others would fail with it
        future: asyncio.Future[Row | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((token, future))
        if self._newest is None:
            self._begin()
        return await future

    def _begin(self) -> None:
        # as a task it starts after everybody has asked who asks in this turn of the loop
        self._newest = task = asyncio.create_task(self._run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        task = asyncio.current_task()
        batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
        timer = asyncio.get_running_loop().call_later(_PATIENCE, self._hold_up_no_longer, task)
        failure, rows = None, []
        try:
            rows = await self._database.fetch(sessions.find, list({token for token, _ in batch}))
        except Exception as error:  # noqa: BLE001 - theirs who asked
            failure = error
        finally:
            timer.cancel()
            self._hold_up_no_longer(task)  # the server goes on while the answers are written
        found = {row["token"]: row for row in rows}
        for token, future in batch:
            if future.done():  # the request was given up
                continue
            if failure is None:
                future.set_result(found.get(token))
            else:
                future.set_exception(failure)

    def _hold_up_no_longer(self, task: asyncio.Task[None] | None) -> None:
        if task is self._newest:
            self._newest = None
            if self._waiting:
                self._begin()
