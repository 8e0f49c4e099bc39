"""The limits of a user's sessions: those of the settings, or stricter ones of the user's own.

Nothing of it is looked at where a session is only found. They are read in the transaction of a new
session and before a refresh that is due; whoever changes them ends and shortens the sessions there
are in the same transaction. What another server on the same tables makes of a session's end is
taken back by the purge.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from ..database import Transaction
from ..schema import Session, SessionPolicy
from ..settings import AuthSettings
from ..statements import session_policies as statements

LEAST: Final = 60
"""Seconds: the shortest lifetime."""
GREATEST: Final = 400 * 86_400
"""Seconds: the longest, where the settings have no bound."""
NAMES: Final = ("lifetime", "idle_lifetime", "max_sessions")
"""What can be limited, by the columns of session_policies."""
_MOST_POSTPONED: Final = 10_000
_FOREVER: Final = timedelta(days=365_000)


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for a user."""

    lifetime: timedelta | None
    """None: no end but the idle one."""
    idle: timedelta
    max_sessions: int
    update_age: timedelta
    """How long after a refresh the next one is due: half of an idle lifetime of the user's own."""

    @classmethod
    def of(cls, settings: AuthSettings, policy: SessionPolicy | None) -> "Limits":
        """The stricter of both."""
        lifetime, idle = settings.session_max_age, settings.session_expires_in
        number, update_age = settings.max_sessions, settings.session_update_age
        if policy is not None:
            if policy.lifetime is not None:
                lifetime = min(policy.lifetime, lifetime or policy.lifetime)
            if policy.idle_lifetime is not None and policy.idle_lifetime < idle:
                idle = policy.idle_lifetime
                update_age = min(update_age, idle // 2)
            number = min(policy.max_sessions or number, number)
        return cls(
            lifetime=timedelta(seconds=lifetime) if lifetime else None,
            idle=timedelta(seconds=idle),
            max_sessions=number,
            update_age=timedelta(seconds=update_age),
        )

    def end(self, created_at: datetime, now: datetime) -> datetime:
        """When a session ends that is used for the last time now."""
        end = now + self.idle
        return end if self.lifetime is None else min(end, created_at + self.lifetime)

    def due_at(self, session: Session) -> datetime:
        """From when on a refresh is due."""
        return session.expires_at - self.idle + self.update_age


def greatest(settings: AuthSettings) -> dict[str, int]:
    """The greatest value that each of ``NAMES`` may have for a user: what the settings allow."""
    values = (settings.session_max_age or GREATEST, settings.session_expires_in)
    return dict(zip(NAMES, (*values, settings.max_sessions), strict=True))


def least(name: str) -> int:
    """The least value that one of ``NAMES`` may have."""
    return 1 if name == "max_sessions" else LEAST


def first_end(policy: SessionPolicy | None, begun: datetime, end: datetime) -> datetime:
    """When a session ends first that begins now and would end at ``end``."""
    own = [] if policy is None else [policy.lifetime, policy.idle_lifetime]
    return min([end, *(begun + timedelta(seconds=each) for each in own if each is not None)])


class Changed(NamedTuple):
    """The limits of a user after a change, and how many sessions ended by it."""

    policy: SessionPolicy | None
    ended: int


async def change(
    transaction: Transaction,
    settings: AuthSettings,
    user_id: UUID,
    given: Mapping[str, int | None],
    *,
    reset: bool = False,
) -> Changed:
    """Give a user limits of their own: those of ``NAMES`` that are given; None: the setting holds.

    The transaction holds the user's row for update, so that a sign-in under way is waited for, and
    a later one knows these limits. ``reset``: what is not given goes, too. The values have been
    held against ``greatest``.
    """
    policy = await transaction.fetchrow(statements.of_user, user_id)
    wanted: dict[str, int | None] = dict.fromkeys(NAMES)
    if policy is not None and not reset:
        wanted = {name: getattr(policy, name) for name in NAMES}
    wanted |= given
    if any(value is not None for value in wanted.values()):
        values: dict[str, Any] = {"user_id": user_id, **wanted}
        policy = await transaction.fetchrow(statements.put, *statements.put.arguments(values))
    else:
        policy = None
        await transaction.fetch(statements.remove, user_id)
    limits = Limits.of(settings, policy)
    values = {
        "user_id": user_id,
        "kept": limits.max_sessions,
        "lifetime": limits.lifetime or _FOREVER,
        "idle_lifetime": limits.idle,
    }
    ended = await transaction.fetch(statements.end, *statements.end.arguments(values))
    await transaction.fetch(statements.shorten, *statements.shorten.arguments(values))
    return Changed(policy, len(ended))


class Postponed:
    """Sessions whose refresh, due by the settings, is not due yet by their users' limits.

    Without it each use of such a session would ask the database for these limits. A session that
    anybody has written since is asked about again.
    """

    def __init__(self) -> None:
        self._until: dict[UUID, tuple[datetime, datetime]] = {}

    def add(self, session: Session, due_at: datetime) -> None:
        """Remember that the refresh of a session is due at a time, and not before."""
        if len(self._until) >= _MOST_POSTPONED:
            self._until.clear()  # they come back, each at the cost of a question
        self._until[session.id] = (session.updated_at, due_at)

    def has(self, session: Session, now: datetime) -> bool:
        """Whether the refresh of a session is still to wait."""
        known = self._until.get(session.id)
        if known is None:
            return False
        if known[0] == session.updated_at and now < known[1]:
            return True
        del self._until[session.id]
        return False
