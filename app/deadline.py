"""A deadline for the current task: asyncio.timeout at half of its cost.

It is entered by ``with``, and moved without a new timer where it can be: in uvloop a timer costs
as much as all the rest. A request has one of them, and each of its statements another.
"""

import asyncio
from types import TracebackType
from typing import Final, Self

_EARLY: Final = 0.001
"""Seconds that a timer may come before its time: uvloop counts whole milliseconds."""


class Deadline:
    """Cancels what runs in its block after some seconds, which then ends in TimeoutError."""

    __slots__ = ("_at", "_cancelling", "_fired", "_seconds", "_task", "_timer", "expired")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._at = 0.0  # the loop's time that it was moved to
        self._fired = False
        self.expired = False
        """Whether the block ended by this deadline, and not by a TimeoutError of its own."""

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline needs a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._timer = task.get_loop().call_later(self._seconds, self._fire)
        return self

    def move(self, seconds: float) -> None:
        """Let the rest of the block take so many seconds from now."""
        loop = self._task.get_loop()
        self._at = loop.time() + seconds
        if seconds < self._seconds:  # the timer may be late for it
            self._timer.cancel()
            self._timer = loop.call_later(seconds, self._fire)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._timer.cancel()
        # as asyncio.timeout does: a cancellation that came from outside as well goes on
        if (
            self._fired
            and self._task.uncancel() <= self._cancelling
            and kind is asyncio.CancelledError
        ):
            self.expired = True
            raise TimeoutError from error

    def _fire(self) -> None:
        loop = self._task.get_loop()
        left = self._at - loop.time()
        if left > _EARLY:  # it was moved
            self._timer = loop.call_later(left, self._fire)
            return
        self._fired = True
        self._task.cancel()
