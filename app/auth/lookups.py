"""Sessions looked up together: the lookups that wait while one statement runs become the next one.

A lookup joins a statement that has not begun, never one that is under way, so it sees whatever was
committed before it was asked for: what was revoked and acknowledged is gone. Nothing is kept.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from app.database import Database, Row
from app.statements import sessions

_log = logging.getLogger("gatepost.auth")
_MOST: Final = 500
"""Tokens in one statement."""
_PATIENCE: Final = 0.05
"""Seconds that lookups wait for the statement under way; then the next one begins beside it."""

Found = Callable[[Row | None, Exception | None], None]
"""Takes the row, or None and perhaps the reason why the statement failed."""


class Lookups:
    """Finds sessions by their tokens, those that are asked for together with one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[str, Found]] = []
        self._newest: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def find(self, token: str) -> Row | None:
        """The row of ``sessions.find``. Raises DatabaseError or DatabaseUnavailableError."""
        future: asyncio.Future[Row | None] = asyncio.get_running_loop().create_future()

        def found(row: Row | None, failure: Exception | None) -> None:
            if future.done():  # the request was given up
                return
            if failure is None:
                future.set_result(row)
            else:
                future.set_exception(failure)

        self.ask(token, found)
        return await future

    def ask(self, token: str, found: Found) -> None:
        """Have ``found`` called, later, with the row of ``sessions.find`` or with the failure."""
        if not token.isascii() or "\0" in token:
            # no row has it, and the others would fail with it
            asyncio.get_running_loop().call_soon(found, None, None)
            return
        self._waiting.append((token, found))
        if self._newest is None:
            self._begin()

    def _begin(self) -> None:
        # as a task it starts after everybody has asked who asks in this turn of the loop
        self._newest = task = asyncio.create_task(self._run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        task = asyncio.current_task()
        # Not all of those who wait: the server looks up the others while these are answered. Were
        # it all, they would soon ask in step, and service and server wait for each other in turn.
        most = min(len(self._waiting) - len(self._waiting) // 4, _MOST)
        batch, self._waiting = self._waiting[:most], self._waiting[most:]
        timer = asyncio.get_running_loop().call_later(_PATIENCE, self._hold_up_no_longer, task)
        failure, rows = None, []
        try:
            rows = await self._database.fetch(sessions.find, list({token for token, _ in batch}))
        except Exception as error:  # noqa: BLE001 - theirs who asked
            failure = error
        finally:
            timer.cancel()
            self._hold_up_no_longer(task)
        if self._newest is not None:
            await asyncio.sleep(0)  # the next statement goes out first
        by_token = {row["token"]: row for row in rows}
        for token, found in batch:
            try:
                found(by_token.get(token), failure)
            except Exception:  # noqa: BLE001 - the others wait too
                _log.exception("an answer to a lookup failed")

    def _hold_up_no_longer(self, task: asyncio.Task[None] | None) -> None:
        if task is self._newest:
            self._newest = None
            if self._waiting:
                self._begin()
