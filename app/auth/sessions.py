"""The life of a session: started by a sign-in, found by its cookie, refreshed when due.

Source: Better Auth 1.7. A refresh is due once updateAge has passed since the last one; it is an
UPDATE of the row as it was read, so it never brings back what was revoked, and it goes no further
than the greatest age of a session.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from ..database import Transaction
from ..errors import AuthError
from ..schema import Session, new_token
from ..settings import AuthSettings
from ..statements import session_policies, sessions
from ..statements.sessions import PublicSession, UserSession
from .context import CREDENTIAL, CurrentSession, RequestContext, seconds, utc_now
from .session_limits import Limits, first_end

_DONT_REMEMBER_TTL: Final = 24 * 3600
"""Seconds that a session lasts whose user did not want to be remembered."""
_MAX_USER_AGENT: Final = 2000
"""Characters that are kept: what a browser calls itself is never refused for its length."""
_PROLONGED: Final = timedelta(minutes=1)
"""More than allowed by so much, a session was prolonged by another server: clocks differ."""


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
    if found is None or has_ended(settings, found.session, now):
        context.clear_cookies()
        if found is not None and may_write:
            max_age = _max_age(settings, found.session)
            oldest = now - max_age if max_age else None
            await context.database.fetch(sessions.expire, token, now, oldest)
        return None
    if context.services.plugins and is_refused(context, found):
        context.clear_cookies()
        return None
    if context.services.sightings is not None:
        context.services.sightings.note(found.session.id, now)
    if (
        context.dont_remember
        or found.session.impersonated_by is not None
        or context.query.get("disableRefresh")
    ):
        return CurrentSession(found.session, found.user)
    max_age = settings.greatest_session_age
    expires_at = found.session.expires_at
    if expires_at - now > settings.refresh_window:
        return CurrentSession(found.session, found.user, needs_refresh=False)
    later = now + seconds(settings.session_expires_in)
    if max_age:
        later = min(later, found.session.created_at + max_age)
    if later <= expires_at or context.services.postponed.has(found.session, now):
        return CurrentSession(found.session, found.user, needs_refresh=False)
    if not may_write:
        return CurrentSession(found.session, found.user, needs_refresh=True)
    return await _refreshed(context, found, later, now)


async def _refreshed(
    context: RequestContext, found: UserSession, later: datetime, now: datetime
) -> CurrentSession | None:
    """The session, refreshed as the limits of its user allow it; None: by these it has ended.

    ``later``: until when it may last by the settings.
    """
    session, user = found.session, found.user
    # of the services, for no event says who refreshed
    database = context.services.database
    policy = await database.fetchrow(session_policies.of_user, user.id)
    if policy is not None:
        limits = Limits.of(context.settings, policy)
        later = limits.end(session.created_at, now)
        if later <= now:
            context.clear_cookies()
            oldest = now - limits.lifetime if limits.lifetime else None
            await database.fetch(sessions.expire, session.token, now, oldest)
            return None
        due_at = limits.due_at(session) if later > session.expires_at else session.expires_at
        if due_at > now and session.expires_at - later < _PROLONGED:
            context.services.postponed.add(session, due_at)
            return CurrentSession(session, user, needs_refresh=False)
    refresh = context.services.session_statements.refresh
    arguments = (later, session.token, session.expires_at, session.updated_at)
    refreshed = await database.fetchrow(refresh, *arguments)
    if refreshed is None:
        # it was revoked, another request was faster, or the limits were changed
        again = await context.services.session_loader.load(session.token)
        if again is None:
            context.clear_cookies()
            raise AuthError(401, "FAILED_TO_GET_SESSION")
        session, user = again.session, again.user
    context.set_session_cookie(session.token, remember=True)
    return CurrentSession(refreshed or session, user)


def is_refused(context: RequestContext, found: UserSession) -> bool:
    """Whether a plugin does not let a session be used that has not ended."""
    return any(plugin.refuses(found) for plugin in context.services.plugins)


def _max_age(settings: AuthSettings, session: Session | PublicSession) -> timedelta | None:
    if session.impersonated_by is not None:
        # also where another server has refreshed it
        return settings.greatest_impersonation_age
    return settings.greatest_session_age


def has_ended(settings: AuthSettings, session: Session | PublicSession, now: datetime) -> bool:
    """Whether it has expired, or reached its greatest age."""
    max_age = _max_age(settings, session)
    return session.expires_at <= now or (
        max_age is not None and now - session.created_at >= max_age
    )


def is_fresh(context: RequestContext, current: CurrentSession) -> bool:
    """Whether the sign-in itself, not a refresh, was within freshAge."""
    age = context.settings.session_fresh_age
    return age == 0 or utc_now() - current.session.created_at < seconds(age)


NewSession = Mapping[str, Any]
"""What a new session has besides its user: the parameters of its statement, and when it began."""


def new_session(context: RequestContext, *, remember: bool = True) -> NewSession:
    """A new session. Made before its transaction begins, for that is when it is created: it must
    not last longer than its lifetime."""
    settings = context.settings
    lifetime = seconds(settings.session_expires_in if remember else _DONT_REMEMBER_TTL)
    if settings.greatest_session_age:
        lifetime = min(lifetime, settings.greatest_session_age)
    user_agent = context.headers.get("user-agent", "")[:_MAX_USER_AGENT]
    begun = utc_now()
    return {
        "begun": begun,
        "token": new_token(),
        "expires_at": begun + lifetime,
        "ip_address": context.client_ip or "",
        "user_agent": user_agent,
        **context.services.session_fields.defaults,
    }


async def insert(
    transaction: Transaction,
    context: RequestContext,
    user_id: UUID,
    new: NewSession,
    *,
    password: str | None = None,
    replaces: bool = True,
) -> Session | None:
    """The row of a new session; what it replaces ends.

    The transaction has written what the user has shown, or ``password`` is the stored hash that
    was checked. None when that is no longer the user's. Raises AuthError when a plugin has
    something against it.
    """
    new = _as_before(context, new)
    if password is None:
        await _ask_plugins(transaction, context, user_id)
    policy = await transaction.fetchrow(session_policies.of_user, user_id)
    end = first_end(policy, new["begun"], new["expires_at"])
    statements = context.services.session_statements
    statement = statements.create if password is None else statements.create_by_password
    values = {"user_id": user_id, "provider": CREDENTIAL, "password": password, **new}
    session = await transaction.fetchrow(
        statement, *statement.arguments(values | {"expires_at": end})
    )
    if session is None:
        return None
    if password is not None:
        # not before: everywhere an account is locked before its user
        await _ask_plugins(transaction, context, user_id)
    # once more: the foreign key of the row has waited for a change of the limits that was under way
    policy = await transaction.fetchrow(session_policies.of_user, user_id)
    end = first_end(policy, new["begun"], end)
    if end < session.expires_at:
        arguments = (end, session.token, session.expires_at, session.updated_at)
        session = await transaction.fetchrow(statements.refresh, *arguments) or session
    if replaces:
        others = Limits.of(context.settings, policy).max_sessions - 1
        arguments = (user_id, utc_now(), session.token, others, _replaced(context))
        await transaction.fetch(sessions.end_replaced, *arguments)
    return session


async def _ask_plugins(transaction: Transaction, context: RequestContext, user_id: UUID) -> None:
    for plugin in context.services.plugins:
        await plugin.check_new_session(transaction, context, user_id)


def _as_before(context: RequestContext, new: NewSession) -> NewSession:
    """An administrator who acts as a user gets no session of that user's that lasts longer."""
    current = context.current and context.current.session
    if current is None or current.impersonated_by is None:
        return new
    expires_at = min(new["expires_at"], current.expires_at)
    return {**new, "expires_at": expires_at, "field_impersonated_by": current.impersonated_by}


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
