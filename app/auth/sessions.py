"""The life of a session: started by a sign-in, found by its cookie, refreshed when due.

Source: Better Auth 1.7. A refresh is due once updateAge has passed since the last one; it is an
UPDATE of the row as it was read, so it never brings back what was revoked.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from app.auth.context import CurrentSession, RequestContext, seconds, utc_now
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
    now = utc_now()
    if found is None or found.session.expires_at < now:
        context.clear_cookies()
        if found is not None and may_write:
            await context.database.fetch(sessions.expire, token, now)
        return None
    if context.dont_remember or context.query.get("disableRefresh"):
        return CurrentSession(found.session, found.user)
    settings = context.settings
    expires_at = found.session.expires_at
    due = expires_at - seconds(settings.session_expires_in - settings.session_update_age)
    if due > now or not may_write:
        return CurrentSession(found.session, found.user, needs_refresh=due <= now)
    later = now + seconds(settings.session_expires_in)
    refreshed = await context.database.fetchrow(sessions.refresh, later, token, expires_at)
    if refreshed is None:
        # it was revoked, or another request was faster
        found = await context.services.session_loader.load(token)
        if found is None:
            context.clear_cookies()
            raise AuthError(401, "FAILED_TO_GET_SESSION")
    context.set_session_cookie(token, remember=True)
    return CurrentSession(refreshed or found.session, found.user)


def is_fresh(context: RequestContext, current: CurrentSession) -> bool:
    """Whether the sign-in itself, not a refresh, was within freshAge."""
    age = context.settings.session_fresh_age
    return age == 0 or utc_now() - current.session.created_at < seconds(age)


def new_session(
    context: RequestContext, user_id: UUID, *, remember: bool = True
) -> tuple[UUID, str, datetime, str, str]:
    """The arguments of the statement that creates a session."""
    lifetime = context.settings.session_expires_in if remember else _DONT_REMEMBER_TTL
    user_agent = context.headers.get("user-agent", "")[:_MAX_USER_AGENT]
    expires_at = utc_now() + seconds(lifetime)
    return user_id, new_token(), expires_at, context.client_ip or "", user_agent


async def start(context: RequestContext, user_id: UUID, *, remember: bool = True) -> Session:
    """Sign a user in: the row, and its cookie."""
    arguments = new_session(context, user_id, remember=remember)
    (session,) = await context.database.fetch(sessions.create, *arguments)
    context.set_session_cookie(session.token, remember=remember)
    return session
