"""Deadlines of many waits by one timer.

``asyncio.timeout`` and the driver's own set a timer for each wait, which takes as long as a good
part of a quick request. Here one timer looks after all of them, fifty times in the length of a
wait, and so much may a deadline be late. The code inside is cancelled, and TimeoutError follows.
"""

import asyncio
from types import TracebackType
from typing import Any, Final, Self

_LOOKS: Final = 50
"""How often the timer looks within the length of a wait."""


class Deadlines:
    """``with deadlines.open():`` ends in TimeoutError after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds: Final = seconds
        self._open: set[Deadline] = set()
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> "Deadline":
        """For the task that runs now, in one ``with`` statement."""
        return Deadline(self)

    def add(self, deadline: "Deadline", loop: asyncio.AbstractEventLoop) -> None:
        self._open.add(deadline)
        if self._timer is None:
            self._timer = loop.call_later(self.seconds / _LOOKS, self._look, loop)

    def remove(self, deadline: "Deadline") -> None:
        self._open.discard(deadline)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for deadline in self._open:
            deadline.check(now)
        self._timer = None
        if self._open:
            self._timer = loop.call_later(self.seconds / _LOOKS, self._look, loop)


class Deadline:
    """One wait."""

    __slots__ = ("_at", "_cancelling", "_deadlines", "_passed", "_task")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._passed = False

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline is for a task")
        loop = task.get_loop()
        self._task: asyncio.Task[Any] = task
        self._cancelling = task.cancelling()
        self._at = loop.time() + self._deadlines.seconds
        self._deadlines.add(self, loop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._deadlines.remove(self)
        # as asyncio.timeout does: a cancellation from elsewhere goes on
        ours = self._passed and self._task.uncancel() <= self._cancelling
        if ours and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from error

    def check(self, now: float) -> None:
        """Cancel the task when its time is over."""
        if now >= self._at and not self._passed:
            self._passed = True
            self._task.cancel()
