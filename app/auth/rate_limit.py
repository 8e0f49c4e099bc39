"""Rate limits: how often one address may ask for one path.

Source: Better Auth 1.7. A key counts the requests let through, each less than a window after the
one before it; a refused request does not count. In database mode the strict rules are kept in
rate_limits, exact across processes and shared with a Better Auth server; the general rule, under
which get-session falls, is always counted in memory and costs the database nothing. So is a path
that is no endpoint's: anybody can make those up, and as long as they like.
"""

import math
import time
from dataclasses import dataclass
from typing import Final

from app.auth.errors import AuthError
from app.database import Database
from app.settings import RateLimitMode
from app.statements import rate_limits

_KEPT: Final = 50_000
"""Keys of a generation."""
_PATH_LENGTH: Final = 100
"""Of a path that is no endpoint's, what counts as the same path."""


@dataclass(frozen=True, slots=True)
class Rule:
    """At most ``limit`` requests, each within ``window`` seconds of the one before."""

    window: int
    limit: int


_GENERAL: Final = Rule(10, 100)
_STRICT: Final = (
    (("/sign-in", "/sign-up", "/change-password", "/change-email"), Rule(10, 3)),
    (("/request-password-reset", "/send-verification-email", "/forget-password"), Rule(60, 3)),
)


_LONGEST: Final = 1000 * max(rule.window for rule in (_GENERAL, *(r for _, r in _STRICT)))
"""Milliseconds of the longest window."""


class TooManyRequestsError(AuthError):
    """``retry_after`` in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(429, message="Too many requests. Please try again later.")
        self.retry_after = retry_after


class RateLimiter:
    """Counts requests by ``address|path``."""

    def __init__(self, mode: RateLimitMode, database: Database) -> None:
        self._mode = mode
        self._database = database
        # In generations, as long as the longest window: what was not asked for during all of one
        # begins anew anyway, so nothing has to be kept in order to be forgotten.
        self._counts: dict[str, tuple[int, int]] = {}
        self._before: dict[str, tuple[int, int]] = {}
        self._began = 0

    async def check(self, address: str | None, path: str, *, known: bool) -> None:
        """Count a request; ``known``: an endpoint has this very path.

        Raises TooManyRequestsError when it is one too many.
        """
        if self._mode == "off":
            return
        path = path if known else path[:_PATH_LENGTH]
        rule = next((r for starts, r in _STRICT if path.startswith(starts)), _GENERAL)
        if rule is _GENERAL or not known or self._mode == "memory":
            self._count(address, path, rule)
            return
        key, moment = _key(address, path), _now()
        last = await self._take_shared(key, moment, rule)
        if last is not None:
            raise _refusal(last, moment, rule)

    def count(self, address: str | None, path: str) -> None:
        """Count a request under the general rule, which takes no statement.

        Raises TooManyRequestsError when it is one too many.
        """
        if self._mode != "off":
            self._count(address, path, _GENERAL)

    def _count(self, address: str | None, path: str, rule: Rule) -> None:
        key, moment = _key(address, path), _now()
        if moment - self._began > _LONGEST or len(self._counts) >= _KEPT:
            self._before, self._counts, self._began = self._counts, {}, moment
        count, last = self._counts.get(key) or self._before.pop(key, None) or (0, 0)
        if moment - last > rule.window * 1000:
            count = 0
        if count >= rule.limit:
            self._counts[key] = (count, last)
            raise _refusal(last, moment, rule)
        self._counts[key] = (count + 1, moment)

    async def _take_shared(self, key: str, moment: int, rule: Rule) -> int | None:
        arguments = (key, 1, moment, rule.window * 1000, rule.limit)
        if await self._database.fetch(rate_limits.take, *arguments):
            return None
        rows = await self._database.fetch(rate_limits.look, key)
        return rows[0]["last_request"] if rows else moment


def _key(address: str | None, path: str) -> str:
    return f"{address or 'no-trusted-ip'}|{path}"


def _now() -> int:
    return time.time_ns() // 1_000_000


def _refusal(last: int, moment: int, rule: Rule) -> TooManyRequestsError:
    left = last + rule.window * 1000 - moment
    return TooManyRequestsError(max(1, math.ceil(left / 1000)))
