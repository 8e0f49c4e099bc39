"""Places at the pool: how many statements of the REST API, and of one of its keys, run at once.

Whatever its callers send, the API leaves connections to the auth API, and a key leaves some to the
other keys.
"""

from asyncio import Semaphore
from time import perf_counter
from typing import Final

from starlette.requests import ClientDisconnect, Request

from app.deadline import Deadline
from app.errors import PoolExhaustedError

_PATIENCE: Final = 0.1
"""Seconds that a request waits before its client may have given it up."""


def for_api(pool_size: int) -> int:
    """The whole pool but a fifth, and one connection at least; of a pool of one, that one."""
    return max(1, pool_size - max(1, pool_size // 5))


def for_key(pool_size: int, keys: int) -> int:
    """Half of the pool; for the only key what the API has."""
    return for_api(pool_size) if keys == 1 else max(1, pool_size // 2)


class Places:
    """The places of a key, each of which is one of the API's as well."""

    def __init__(self, api: Semaphore, size: int, timeout: float) -> None:
        """``timeout`` is how long a request waits, in seconds."""
        self._api = api
        self._own = Semaphore(size)
        self._timeout = timeout

    async def take(self, request: Request) -> None:
        """Take a place; ``give_back`` gives it back.

        Raises PoolExhaustedError when none gets free in time, ClientDisconnect when the client did
        not wait for it.
        """
        waits = self._own.locked() or self._api.locked()
        if not waits:  # neither of them suspends then
            await self._own.acquire()
            await self._api.acquire()
            return
        started = perf_counter()
        try:
            with Deadline(self._timeout):
                await self._own.acquire()
                try:
                    await self._api.acquire()
                except BaseException:
                    self._own.release()
                    raise
        except TimeoutError:
            raise PoolExhaustedError("every connection that the key may use is in use") from None
        try:
            # to ask costs as much as a quick statement: not of those who waited for one alone
            if perf_counter() - started > _PATIENCE and await request.is_disconnected():
                raise ClientDisconnect
        except BaseException:
            self.give_back()
            raise

    def give_back(self) -> None:
        self._api.release()
        self._own.release()
