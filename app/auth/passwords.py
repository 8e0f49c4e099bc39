"""Passwords: their policy, and scrypt as Better Auth stores it, in a bounded pool of threads.

``salt:key`` in hex: N 16384, r 16, p 1, 64 bytes; the salt is the hex text itself; the password is
NFKC. One hash takes 60–150 ms of a core and 32 MiB; hashlib releases the interpreter lock.
"""

import asyncio
import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from app.errors import AuthError

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 128
_THREADS: Final = 2
_MEMORY: Final = 64 * 1024 * 1024
_COMMON: Final = Path(__file__).with_name("common_passwords.txt")

Result = TypeVar("Result")


class Passwords:
    """Hashes with at most two threads, so that sign-ins leave the rest of the service its time."""

    def __init__(self, refused: frozenset[str] = frozenset()) -> None:
        """``refused``: passwords, in lower case, that nobody may choose."""
        self._pool = ThreadPoolExecutor(_THREADS, "password")
        self._refused = refused

    def check_new(self, password: str) -> None:
        """Raises AuthError 400 for a new password that is too short, too long or too common."""
        if length(password) < MIN_LENGTH:
            raise AuthError(400, "PASSWORD_TOO_SHORT")
        check_length(password)
        if _normal(password).lower() in self._refused:
            raise AuthError(400, "PASSWORD_COMPROMISED")

    async def hash(self, password: str) -> str:
        """What is stored for a password."""
        return await self._run(lambda: hashed(password, secrets.token_hex(16)))

    async def verify(self, stored: str, password: str) -> bool:
        """Whether it is the stored password's."""
        salt, _, key = stored.partition(":")
        return await self._run(
            lambda: hmac.compare_digest(_key(password, salt).encode(), key.encode())
        )

    async def dummy_hash(self, password: str) -> None:
        """Take the time of a hash, so that an unknown user costs what a known one does."""
        await self.hash(password)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


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
