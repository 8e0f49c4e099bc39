"""The life of a session: started by a sign-in, found by its cookie, refreshed when due.

Source: Better Auth 1.7. A refresh is due once updateAge has passed since the last one; it is an
UPDATE of the row as it was read, so it never brings back what was revoked, and it goes no further
than the greatest age of a session.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from app.auth.context import CREDENTIAL, CurrentSession, RequestContext, seconds, utc_now
from app.database import Transaction
from app.errors import AuthError
from app.schema import Session, new_token
from app.statements import sessions

_DONT_REMEMBER_TTL: Final = 24 * 3600
"""Seconds that a session lasts whose user did not want to be remembered."""
_MAX_USER_AGENT: Final = 2000
"""Characters that are kept: what a browser calls itself is never refused for its length."""


async def find(context: RequestContext, *, may_write: bool = True) -> CurrentSession | None:
    """The session of the request's cookie. Clears the cookies of one that has ended.

    ``may_write`` False: a refresh that is due is only reported (deferred refresh).
    Raises AuthError 401 when it was revoked while it was being refreshed.
    """
    token = context.session_token
    if token is None:
        return None
    found = await context.services.session_loader.load(token)
    now, settings = utc_now(), context.settings
    max_age = settings.greatest_session_age
    if found is None or has_ended(found.session, now, max_age):
        context.clear_cookies()
        if found is not None and may_write:
            oldest = now - max_age if max_age else None
            await context.database.fetch(sessions.expire, token, now, oldest)
        return None
    if context.dont_remember or context.query.get("disableRefresh"):
        return CurrentSession(found.session, found.user)
    expires_at = found.session.expires_at
    if expires_at - now > settings.refresh_window:
        return CurrentSession(found.session, found.user, needs_refresh=False)
    later = now + seconds(settings.session_expires_in)
    if max_age:
        later = min(later, found.session.created_at + max_age)
    if later <= expires_at or not may_write:
        return CurrentSession(found.session, found.user, needs_refresh=later > expires_at)
    refreshed = await context.database.fetchrow(sessions.refresh, later, token, expires_at)
    if refreshed is None:
        # it was revoked, or another request was faster
        found = await context.services.session_loader.load(token)
        if found is None:
            context.clear_cookies()
            raise AuthError(401, "FAILED_TO_GET_SESSION")
    context.set_session_cookie(token, remember=True)
    return CurrentSession(refreshed or found.session, found.user)


def has_ended(session: Session, now: datetime, max_age: timedelta | None) -> bool:
    """Whether it has expired, or reached its greatest age."""
    return session.expires_at <= now or (
        max_age is not None and now - session.created_at >= max_age
    )


def is_fresh(context: RequestContext, current: CurrentSession) -> bool:
    """Whether the sign-in itself, not a refresh, was within freshAge."""
    age = context.settings.session_fresh_age
    return age == 0 or utc_now() - current.session.created_at < seconds(age)


NewSession = tuple[str, datetime, str, str]
"""Token, expiry, address and agent: what a new session has besides its user."""


def new_session(context: RequestContext, *, remember: bool = True) -> NewSession:
    """A new session. Made before its transaction begins, for that is when it is created: it must
    not last longer than its lifetime."""
    settings = context.settings
    lifetime = seconds(settings.session_expires_in if remember else _DONT_REMEMBER_TTL)
    if settings.greatest_session_age:
        lifetime = min(lifetime, settings.greatest_session_age)
    user_agent = context.headers.get("user-agent", "")[:_MAX_USER_AGENT]
    return new_token(), utc_now() + lifetime, context.client_ip or "", user_agent


async def insert(
    transaction: Transaction,
    context: RequestContext,
    user_id: UUID,
    new: NewSession,
    *,
    password: str | None = None,
) -> Session | None:
    """The row of a new session; what it replaces ends.

    The transaction has written what the user has shown, or ``password`` is the stored hash that
    was checked. None when that is no longer the user's.
    """
    if password is None:
        session = await transaction.fetchrow(sessions.create, user_id, *new)
    else:
        arguments = (user_id, *new, CREDENTIAL, password)
        session = await transaction.fetchrow(sessions.create_by_password, *arguments)
    if session is not None:
        others = context.settings.max_sessions - 1
        arguments = (user_id, utc_now(), session.token, others, _replaced(context))
        await transaction.fetch(sessions.end_replaced, *arguments)
    return session


def _replaced(context: RequestContext) -> str | None:
    """The session that the browser had, unless a plugin of Better Auth keeps several in it."""
    token = context.session_token
    if token is None or "\0" in token or any("_multi-" in name for name in context.cookies):
        return None
    return token


async def start_by_password(
    context: RequestContext, user_id: UUID, password: str, *, remember: bool = True
) -> Session | None:
    """Sign a user in whose stored hash ``password`` was checked: the row, and its cookie.

    None when it is no longer the user's.
    """
    new = new_session(context, remember=remember)

    async def write(transaction: Transaction) -> Session | None:
        return await insert(transaction, context, user_id, new, password=password)

    session = await context.database.transaction("sessions.start", write)
    if session is not None:
        context.set_session_cookie(session.token, remember=remember)
    return session
