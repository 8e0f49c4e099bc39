"""Places at the pool: how many statements of the REST API, and of one of its keys, run at once.

Whatever its callers send, the API leaves connections to the auth API, and a key leaves some to the
other keys.
"""

from asyncio import Semaphore
from time import perf_counter
from typing import Final

from starlette.requests import ClientDisconnect, Request

_PATIENCE: Final = 0.1
"""Seconds that a request waits before its client may have given it up."""


def for_api(pool_size: int) -> int:
    """The whole pool but a fifth, and one connection at least; of a pool of one, that one."""
    return max(1, pool_size - max(1, pool_size // 5))


def for_key(pool_size: int) -> int:
    """Half of the pool, where there are several keys."""
    return max(1, pool_size // 2)


class Place:
    """What the statements of a request pass (``Database.behind``)."""

    def __init__(self, api: Semaphore, own: Semaphore | None, request: Request) -> None:
        """The places of the API, and those of the key: None for the only one."""
        self._api = api
        self._own = own
        self._request = request

    async def enter(self) -> None:
        """Take a place. Raises ClientDisconnect when the client did not wait for it."""
        own, api = self._own, self._api
        waits = api.locked() or (own is not None and own.locked())
        started = perf_counter() if waits else 0
        if own is not None:
            await own.acquire()
        try:
            await api.acquire()
        except BaseException:
            if own is not None:
                own.release()
            raise
        try:
            # to ask costs as much as a quick statement: not of those who waited for one alone
            waited = perf_counter() - started if waits else 0
            if waited > _PATIENCE and await self._request.is_disconnected():
                raise ClientDisconnect
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Give it back."""
        self._api.release()
        if self._own is not None:
            self._own.release()
