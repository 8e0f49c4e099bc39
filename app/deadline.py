"""A deadline for the current task: asyncio.timeout at half of its cost.

It can do less: it cannot be moved, and it is entered by ``with``. A request has two of them.
"""

import asyncio
from types import TracebackType
from typing import Self


class Deadline:
    """Cancels what runs in its block after some seconds, which then ends in TimeoutError."""

    __slots__ = ("_loop", "_seconds", "_task", "_timer", "expired")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.expired = False
        """Whether the block ended by this deadline, and not by a TimeoutError of its own."""

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline needs a task")
        self._task = task
        self._loop = task.get_loop()
        self._timer = self._loop.call_later(self._seconds, task.cancel)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._timer.cancel()
        # a cancellation before the deadline is somebody else's
        if kind is asyncio.CancelledError and self._loop.time() >= self._timer.when():
            self._task.uncancel()
            self.expired = True
            raise TimeoutError from error
