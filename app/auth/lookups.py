"""Sessions looked up together: the lookups that wait while one statement runs become the next one.

A lookup joins a statement that has not begun, never one that is under way, so it sees whatever was
committed before it was asked for: what was revoked and acknowledged is gone. Nothing is kept.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from app.callbacks import Done, GiveUp, awaited, nothing
from app.database import Database, DatabaseUnavailableError, Row
from app.statements import sessions

_log = logging.getLogger("gatepost.auth")
_MOST: Final = 500
"""Tokens in one statement."""
_PATIENCE: Final = 0.05
"""Seconds that lookups wait for the statement under way; then the next one begins beside it."""


class Lookups:
    """Finds sessions by their tokens, those that are asked for together with one statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[str, Done]] = []
        self._newest: _Statement | None = None

    async def find(self, token: str) -> Row | None:
        """The row of ``sessions.find``. Raises DatabaseError or DatabaseUnavailableError."""
        return await awaited(partial(self.ask, token))

    def ask(self, token: str, found: Done) -> GiveUp:
        """Have ``found`` called with the row of ``sessions.find``, or None."""
        if not token.isascii() or "\0" in token:
            # no row has it, and the others would fail with it
            asyncio.get_running_loop().call_soon(found, None, None)
            return nothing
        self._waiting.append((token, found))
        if self._newest is None:
            self._begin()
        return nothing

    def _begin(self) -> None:
        self._newest = statement = _Statement(self._take, self._next)
        try:
            self._database.ask_rows(
                sessions.find, statement.begin, statement.answer, statement.over
            )
        except DatabaseUnavailableError as error:
            asyncio.get_running_loop().call_soon(statement.answer, [], error)

    def _take(self) -> list[tuple[str, Done]]:
        # Not all of those who wait: the server looks up the others while these are answered. Were
        # it all, they would soon ask in step, and service and server wait for each other in turn.
        most = min(len(self._waiting) - len(self._waiting) // 4, _MOST)
        batch, self._waiting = self._waiting[:most], self._waiting[most:]
        return batch

    def _next(self, statement: "_Statement") -> None:
        """Those who wait do so no longer for this statement."""
        if statement is self._newest:
            self._newest = None
            if self._waiting:
                self._begin()


class _Statement:
    """One statement: those who ask before it begins are in it."""

    def __init__(
        self, take: Callable[[], list[tuple[str, Done]]], no_longer: "Callable[[_Statement], None]"
    ) -> None:
        self._take = take
        self._no_longer = no_longer
        self._batch: list[tuple[str, Done]] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> tuple[list[str]]:
        """The arguments; at a second attempt the same."""
        if self._batch is None:
            self._batch = self._take()
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_PATIENCE, self._no_longer, self)
        return (list({token for token, _ in self._batch}),)

    def over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._no_longer(self)

    def answer(self, rows: list[Row], failure: Exception | None) -> None:
        # it may have failed before it began, for want of a connection
        batch = self._take() if self._batch is None else self._batch
        self.over()
        by_token = {row["token"]: row for row in rows or ()}
        for token, found in batch:
            try:
                found(by_token.get(token), failure)
            except Exception:  # noqa: BLE001 - the others wait too
                _log.exception("an answer to a lookup failed")
