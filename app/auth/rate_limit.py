"""Rate limits: how often one address may ask for one path.

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

from app.database import Database
from app.errors import TooManyRequestsError
from app.settings import RateLimitMode
from app.statements import rate_limits

_MAX_KEYS: Final = 50_000
"""Keys of one generation."""
_MAX_PATH: Final = 100
"""Characters of a path that count: unknown paths are as long as a client likes."""


@dataclass(frozen=True, slots=True)
class Rule:
    """At most ``limit`` requests, each within ``window`` seconds of the one before."""

    window: int
    limit: int


GENERAL: Final = Rule(10, 100)
_STRICT: Final = (
    (("/sign-in", "/sign-up", "/change-password", "/change-email"), Rule(10, 3)),
    (("/request-password-reset", "/send-verification-email", "/forget-password"), Rule(60, 3)),
)
_GENERATION: Final = 60_000
"""Milliseconds, as long as the longest window."""


def default_rule(path: str) -> Rule:
    """Better Auth's rule for a path below ``/api/auth``."""
    return next((rule for prefixes, rule in _STRICT if path.startswith(prefixes)), GENERAL)


class RateLimiter:
    """Counts requests by ``address|path``."""

    def __init__(self, mode: RateLimitMode, database: Database) -> None:
        self._mode = mode
        self._database = database
        # Two generations: a key that was not used for a whole window would start again at zero, so
        # the older generation can be dropped as a whole.
        self._counts: dict[str, tuple[int, int]] = {}
        self._previous: dict[str, tuple[int, int]] = {}
        self._started = 0

    async def check(
        self, client_ip: str | None, path: str, rule: Rule, *, known: bool = True
    ) -> None:
        """Count a request; ``known``: an endpoint has this path.

        Raises TooManyRequestsError when it is one too many.
        """
        if self._mode == "off":
            return
        key, now = f"{client_ip or 'no-trusted-ip'}|{path[:_MAX_PATH]}", _now()
        if rule is GENERAL or not known or self._mode == "memory":
            self._count(key, now, rule)
            return
        arguments = (key, 1, now, rule.window * 1000, rule.limit)
        if not await self._database.fetch(rate_limits.take, *arguments):
            rows = await self._database.fetch(rate_limits.look, key)
            raise _refusal(rows[0]["last_request"] if rows else now, now, rule)

    def _count(self, key: str, now: int, rule: Rule) -> None:
        if now - self._started > _GENERATION or len(self._counts) >= _MAX_KEYS:
            self._previous, self._counts, self._started = self._counts, {}, now
        count, last = self._counts.get(key) or self._previous.pop(key, None) or (0, 0)
        if now - last > rule.window * 1000:
            count = 0
        if count >= rule.limit:
            self._counts[key] = (count, last)
            raise _refusal(last, now, rule)
        self._counts[key] = (count + 1, now)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _refusal(last: int, now: int, rule: Rule) -> TooManyRequestsError:
    left = last + rule.window * 1000 - now
    return TooManyRequestsError(max(1, math.ceil(left / 1000)))
