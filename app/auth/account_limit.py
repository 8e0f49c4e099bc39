"""How often somebody may fail to sign in to one account, wherever from.

An attempt is counted before the password is looked at, and taken back when it was right. Strangers
share one budget for an account; an address that signed in to it lately, or has a session, falls
back on one of its own. So a stranger uses up what strangers have, and the owner still gets in from
where she was before, and from anywhere else after a reset by mail. Whether there is such an account
makes no difference until the password was right.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from ..database import Database
from ..errors import TooManyRequestsError
from ..statements import sessions
from .pseudonyms import Pseudonyms
from .rate_limit import RateLimiter, Rule

LIMIT: Final = Rule(window=15 * 60, limit=20)
_REMEMBERED: Final = 30 * 24 * 3600
"""Seconds for which an address that signed in to an account is known to it."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt under way: what it was counted under, and whose sign-in it is, from where."""

    key: str
    email: str | None = None
    client_ip: str | None = None


def keys_of(
    user_id: UUID, email: str, addresses: Iterable[str], pseudonyms: Pseudonyms | None
) -> dict[str, str]:
    """The keys under which something of a user is counted, and what that is.

    ``addresses``: those from which they came. Without ``pseudonyms`` only what has the id.
    """
    keys = {_own_key(user_id): "password"}
    if pseudonyms is not None:
        keys[_key(pseudonyms.of(email))] = "sign-in"
        for address in addresses:
            pseudonym = pseudonyms.of(email, address)
            keys |= {_key(pseudonym): "sign-in from an address", _mark(pseudonym): "known address"}
    return keys


def _key(pseudonym: str) -> str:
    return f"sign-in|{pseudonym}"


def _mark(pseudonym: str) -> str:
    return f"known|{pseudonym}"


def _own_key(user_id: UUID) -> str:
    return f"password|{user_id}"


class AccountLimit:
    """Counts attempts by account; the keys do not show whose account it is."""

    def __init__(self, limiter: RateLimiter, database: Database, pseudonyms: Pseudonyms) -> None:
        self._limiter = limiter
        self._database = database
        self._pseudonym = pseudonyms.of

    async def begin(self, email: str, client_ip: str | None) -> Attempt:
        """Count an attempt on the account of an address in lower case.

        Raises TooManyRequestsError.
        """
        key = _key(self._pseudonym(email))
        try:
            await self._limiter.take(key, LIMIT)
        except TooManyRequestsError:
            if client_ip is None or not await self._knows(email, client_ip):
                raise
            key = _key(self._pseudonym(email, client_ip))
            await self._limiter.take(key, LIMIT)
        return Attempt(key, email, client_ip)

    async def begin_own(self, user_id: UUID) -> Attempt:
        """Count an attempt on a password by somebody who has a session of its user.

        Raises TooManyRequestsError.
        """
        key = _own_key(user_id)
        await self._limiter.take(key, LIMIT)
        return Attempt(key)

    async def succeed(self, attempt: Attempt) -> None:
        """The password was right."""
        await self._limiter.give_back(attempt.key)
        if attempt.email is not None:
            await self.remember(attempt.email, attempt.client_ip)

    async def remember(self, email: str, client_ip: str | None) -> None:
        """Know an address from which the owner of an account came."""
        if client_ip is not None:
            await self._limiter.mark(_mark(self._pseudonym(email, client_ip)), _REMEMBERED)

    async def _knows(self, email: str, client_ip: str) -> bool:
        if await self._limiter.is_marked(_mark(self._pseudonym(email, client_ip))):
            return True
        now = datetime.now(UTC)
        return bool(await self._database.fetch(sessions.at_address, email, client_ip, now, 1))
