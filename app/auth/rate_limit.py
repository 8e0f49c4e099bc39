"""Rate limits: how often one address, or one session, may ask for one path.

Source: Better Auth 1.7. A key counts the requests let through, each less than a window after the
one before it; a refused request does not count. In database mode the rules of endpoints are kept in
rate_limits, exact across processes and shared with a Better Auth server. The general rule, under
which get-session falls, is always counted in memory and costs the database nothing; so are paths
that no endpoint has, which anybody can make up.
"""

import math
import time
from dataclasses import dataclass
from typing import Final

from ..database import Database
from ..errors import TooManyRequestsError
from ..settings import RateLimitMode
from ..statements import rate_limits

_MAX_KEYS: Final = 50_000
"""Keys of one generation."""
_MAX_PATH: Final = 100
"""Characters of a path that count: unknown paths are as long as a client likes."""
_NO_LIMIT: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Rule:
    """At most ``limit`` requests, each within ``window`` seconds of the one before."""

    window: int
    limit: int


GENERAL: Final = Rule(10, 100)
SCREENS: Final = Rule(10, 200)
"""Of the page ``/admin``, whose search asks at each letter; counted in memory as well."""
_STRICT: Final = (
    (("/sign-in", "/sign-up", "/change-password", "/change-email"), Rule(10, 3)),
    (("/request-password-reset", "/send-verification-email", "/forget-password"), Rule(60, 3)),
)


def default_rule(path: str) -> Rule:
    """Better Auth's rule for a path below ``/api/auth``."""
    return next((rule for prefixes, rule in _STRICT if path.startswith(prefixes)), GENERAL)


class _Counts:
    """Counts in memory. ``window`` is the longest of the rules, in seconds."""

    def __init__(self, window: int) -> None:
        # Two generations: a key that was not used for a whole window would start again at zero, so
        # the older generation can be dropped as a whole.
        self._counts: dict[str, tuple[int, int]] = {}
        self._previous: dict[str, tuple[int, int]] = {}
        self._generation = window * 1000
        self._started = 0

    def get(self, key: str) -> tuple[int, int]:
        """The count, and when the last request was let through."""
        return self._counts.get(key) or self._previous.get(key) or (0, 0)

    def put(self, key: str, count: int, last: int, now: int) -> None:
        if now - self._started > self._generation or len(self._counts) >= _MAX_KEYS:
            self._previous, self._counts, self._started = self._counts, {}, now
        self._counts[key] = (count, last)

    def take(self, key: str, now: int, rule: Rule) -> None:
        count, last = self.get(key)
        if now - last > rule.window * 1000:
            count = 0
        if count >= rule.limit:
            self.put(key, count, last, now)
            raise _refusal(last, now, rule)
        self.put(key, count + 1, now, now)


class RateLimiter:
    """Counts requests by ``address|path``, and what else is limited by a key of its own."""

    def __init__(self, mode: RateLimitMode, database: Database) -> None:
        self._mode = mode
        self._database = database
        self._paths = _Counts(60)
        # apart, so that whoever makes up paths cannot push these out
        self._made_up = _Counts(60)
        self._keys = _Counts(3600)

    async def check(self, who: str | None, path: str, rule: Rule, *, known: bool = True) -> None:
        """Count a request; ``known``: an endpoint has this path.

        ``who`` is the client's address, or the token of the session that is looked up, which is
        counted in memory alone.

        Raises TooManyRequestsError when it is one too many.
        """
        if self._mode == "off":
            return
        key = f"{who or 'no-trusted-ip'}|{path[:_MAX_PATH]}"
        if rule is GENERAL or rule is SCREENS or not known or self._mode == "memory":
            (self._paths if known else self._made_up).take(key, _now(), rule)
        else:
            await self._take(key, rule)

    async def take(self, key: str, rule: Rule) -> None:
        """Count something under a key that is no path. Raises TooManyRequestsError."""
        if self._mode == "database":
            await self._take(key, rule)
        elif self._mode == "memory":
            self._keys.take(key, _now(), rule)

    async def give_back(self, key: str) -> None:
        """Take back what ``take`` counted."""
        if self._mode == "database":
            await self._database.fetch(rate_limits.give_back, key)
        elif self._mode == "memory":
            (count, last), now = self._keys.get(key), _now()
            self._keys.put(key, max(0, count - 1), last, now)

    async def mark(self, key: str, lifetime: int) -> None:
        """Remember a key for ``lifetime`` seconds; in memory, for an hour or two."""
        now = _now()
        end = now + lifetime * 1000
        if self._mode == "database":
            # as a request of the time when it ends: the purge then deletes the row a day later
            await self._database.fetch(rate_limits.take, key, 1, end, 0, _NO_LIMIT)
        elif self._mode == "memory":
            self._keys.put(key, 1, end, now)

    async def is_marked(self, key: str) -> bool:
        if self._mode == "database":
            rows = await self._database.fetch(rate_limits.look, key)
            return bool(rows) and rows[0]["last_request"] > _now()
        return self._keys.get(key)[1] > _now()

    async def _take(self, key: str, rule: Rule) -> None:
        now = _now()
        arguments = (key, 1, now, rule.window * 1000, rule.limit)
        if not await self._database.fetch(rate_limits.take, *arguments):
            rows = await self._database.fetch(rate_limits.look, key)
            raise _refusal(rows[0]["last_request"] if rows else now, now, rule)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _refusal(last: int, now: int, rule: Rule) -> TooManyRequestsError:
    left = last + rule.window * 1000 - now
    return TooManyRequestsError(max(1, math.ceil(left / 1000)))
