"""A deadline for the current task: asyncio.timeout at half of its cost.

It can do less: it cannot be moved, and it is entered by ``with``. A request has two of them.
"""

import asyncio
from types import TracebackType
from typing import Self


class Deadline:
    """Cancels what runs in its block after some seconds, which then ends in TimeoutError."""

    __slots__ = ("_cancelling", "_fired", "_seconds", "_task", "_timer", "expired")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
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
        self._fired = True
        self._task.cancel()
