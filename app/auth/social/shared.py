"""What several requests need at once and one of them fetches."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from ...outgoing.client import OutgoingError

T = TypeVar("T")


class Shared(Generic[T]):
    """A value that is fetched when it is needed. Who comes while it is being fetched is given the
    same, or the same failure; whoever comes later tries again."""

    def __init__(self, fetch: Callable[[], Awaitable[T]]) -> None:
        """``fetch`` raises OutgoingError and nothing else."""
        self.value: T | None = None
        self.tried_at = float("-inf")
        """When a fetch ended last, on the monotonic clock."""
        self.fetched_at = float("-inf")
        """When the value was fetched."""
        self._fetch = fetch
        self._lock = asyncio.Lock()
        self._error: str | None = None
        self._rounds = 0

    async def fetch(self) -> T:
        """A value that was fetched after this call, or together with one. Raises OutgoingError."""
        seen = self._rounds
        async with self._lock:
            if self._rounds == seen:
                try:
                    self.value, self._error = await self._fetch(), None
                    self.fetched_at = time.monotonic()
                except OutgoingError as error:
                    self._error = str(error)
                self._rounds += 1
                self.tried_at = time.monotonic()
        if self._error is not None or self.value is None:
            raise OutgoingError(self._error or "nothing was fetched")
        return self.value
