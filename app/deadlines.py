"""Deadlines of many waits by one timer.

``asyncio.timeout`` and the driver's own set a timer for each wait, which takes as long as a good
part of a quick request. Here one timer looks after all of them, fifty times in the length of a
wait, and so much may a deadline be late. The code inside is cancelled, and TimeoutError follows.
"""

import asyncio
from time import monotonic
from types import TracebackType
from typing import Any, Final, Protocol, Self

_LOOKS: Final = 50
"""How often the timer looks within the length of a wait."""


class Waiting(Protocol):
    """Something that has a deadline."""

    at: float
    """The monotonic clock's time of it; set by ``Deadlines.add``."""

    def expire(self) -> None:
        """Called once the deadline has passed, and perhaps again."""


class Deadlines:
    """``with deadlines.open():`` ends in TimeoutError after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds: Final = seconds
        self._waiting: set[Waiting] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> "Deadline":
        """For the task that runs now, in one ``with`` statement."""
        return Deadline(self)

    def add(self, waiting: Waiting) -> None:
        waiting.at = monotonic() + self.seconds
        self._waiting.add(waiting)
        if self._timer is None:
            self._watch()

    def remove(self, waiting: Waiting) -> None:
        self._waiting.discard(waiting)

    def _watch(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(self.seconds / _LOOKS, self._look)

    def task(self) -> "asyncio.Task[Any]":
        """The task that runs now."""
        # of a loop that is known it is found sooner
        task = asyncio.current_task(self._loop) or asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline is for a task")
        return task

    def _look(self) -> None:
        now = monotonic()
        for waiting in [one for one in self._waiting if now >= one.at]:
            waiting.expire()
        self._timer = None
        if self._waiting:
            self._watch()


class Deadline:
    """One wait of a task."""

    __slots__ = ("_cancelling", "_deadlines", "_passed", "_task", "at")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._passed = False
        self.at = 0.0

    def __enter__(self) -> Self:
        self._task = self._deadlines.task()
        self._cancelling = self._task.cancelling()
        self._deadlines.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._deadlines.remove(self)
        # as asyncio.timeout does: a cancellation from elsewhere goes on
        ours = self._passed and self._task.uncancel() <= self._cancelling
        if ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from error

    def expire(self) -> None:
        """Cancel the task."""
        if not self._passed:
            self._passed = True
            self._task.cancel()
