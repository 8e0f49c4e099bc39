"""Passwords: their policy, and scrypt as Better Auth stores it, in two threads and a bounded queue.

``salt:key`` in hex: N 16384, r 16, p 1, 64 bytes; the salt is the hex text itself; the password is
NFKC. One hash takes 60–150 ms of a core and 32 MiB; hashlib releases the interpreter lock.
"""

import asyncio
import hashlib
import hmac
import math
import secrets
import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Final, TypeVar

from prometheus_client import Gauge
from starlette.requests import ClientDisconnect, Request

from ..errors import AuthError, BusyError

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 128
NEW_PASSWORD: Final = {
    "PASSWORD_TOO_SHORT": 400,
    "PASSWORD_TOO_LONG": 400,
    "PASSWORD_COMPROMISED": 400,
}
"""The errors of a password that nobody may choose, by their codes, with their statuses."""
_THREADS: Final = 2
_PLACES: Final = 64
"""Requests at most that hash a password or will: some five seconds of work."""
_MEMORY: Final = 64 * 1024 * 1024
_COMMON: Final = Path(__file__).with_name("common_passwords.txt")

Result = TypeVar("Result")

_waiting = Gauge("gatepost_password_hashes_waiting", "Passwords that wait to be hashed")
_running = Gauge("gatepost_password_hashes_running", "Passwords that are being hashed")


class Passwords:
    """Hashes with at most two threads, so that sign-ins leave the rest of the service its time."""

    def __init__(self, refused: frozenset[str], timeout: float) -> None:
        """``refused``: passwords, in lower case, that nobody may choose.

        ``timeout``: seconds that a request may take.
        """
        self._threads = asyncio.Semaphore(_THREADS)
        self._pool = ThreadPoolExecutor(_THREADS, "password")
        self._refused = refused
        self._longest_wait = timeout / 3
        self._taken = 0
        self._seconds = 0.1
        """What a hash took lately."""

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue, for a request that hashes in the block.

        It is taken before the account is looked at, so that its lack says nothing about it.
        Raises BusyError when there is none, or a third of the request's time would go by.
        """
        wait = self._taken * self._seconds / _THREADS
        if self._taken >= _PLACES or wait > self._longest_wait:
            raise BusyError(math.ceil(wait))
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    def check_new(self, password: str) -> None:
        """Raises AuthError, one of NEW_PASSWORD, when it is too short, too long or too common."""
        check_new(password, self._refused)

    async def hash(self, password: str, request: Request) -> str:
        """What is stored for a password. Raises ClientDisconnect when nobody waits for it."""
        return await self._run(lambda: newly_hashed(password), request)

    async def verify(self, stored: str, password: str, request: Request) -> bool:
        """Whether it is the stored password's. Raises ClientDisconnect when nobody waits for it."""
        salt, _, key = stored.partition(":")
        return await self._run(
            lambda: hmac.compare_digest(_key(password, salt).encode(), key.encode()), request
        )

    async def dummy_hash(self, password: str, request: Request) -> None:
        """Take the time of a hash, so that an unknown user costs what a known one does."""
        await self.hash(password, request)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], Result], request: Request) -> Result:
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(_raise_when_gone(request))
                result = await self._run_in_turn(work)
                watch.cancel()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return result

    async def _run_in_turn(self, work: Callable[[], Result]) -> Result:
        with _waiting.track_inprogress():
            await self._threads.acquire()
        started = perf_counter()
        try:
            with _running.track_inprogress():
                result = await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._threads.release()
        self._seconds += (perf_counter() - started - self._seconds) / 8
        return result


async def _raise_when_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    raise ClientDisconnect


def newly_hashed(password: str) -> str:
    """What is stored for a password, with a salt of its own."""
    return hashed(password, secrets.token_hex(16))


def hashed(password: str, salt: str) -> str:
    return f"{salt}:{_key(password, salt)}"


def _key(password: str, salt: str) -> str:
    return hashlib.scrypt(
        _normal(password).encode(), salt=salt.encode(), n=16384, r=16, p=1, maxmem=_MEMORY, dklen=64
    ).hex()


def _normal(password: str) -> str:
    # lone surrogates count as U+FFFD, as JavaScript's encoder has it
    text = password.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return unicodedata.normalize("NFKC", text)


def check_new(password: str, refused: frozenset[str]) -> None:
    """Raises AuthError 400 for a new password that is too short, too long or too common."""
    if length(password) < MIN_LENGTH:
        raise AuthError(400, "PASSWORD_TOO_SHORT")
    check_length(password)
    if _normal(password).lower() in refused:
        raise AuthError(400, "PASSWORD_COMPROMISED")


def common_passwords() -> frozenset[str]:
    """The 10,000 most common of those that are long enough; some 1.5 MB of memory."""
    return frozenset(_COMMON.read_text().splitlines())


def check_length(password: str) -> None:
    """Raises AuthError 400, before any hashing, for a password that is too long."""
    if length(password) > MAX_LENGTH:
        raise AuthError(400, "PASSWORD_TOO_LONG")


def length(password: str) -> int:
    """In UTF-16 code units, as JavaScript counts."""
    return len(password.encode("utf-16-le", "surrogatepass")) // 2
