"""Acting as a user: a session of theirs that says who it is, and ends within its hour.

It is never refreshed (app/auth/sessions.py), whatever cookies come with it.
"""

from typing import Final
from uuid import UUID

from starlette.routing import BaseRoute

from ....database import Transaction
from ....errors import AuthError
from ....schema import Session, User
from ....settings import AdminSettings
from ....statements import admin
from ....statements import sessions as session_statements
from ....statements.admin import AdminStatements, Standing
from ... import answers, serializers, sessions
from ...context import RequestContext, utc_now
from ...endpoint import post
from ...validation import fields
from .bans import is_banned
from .permissions import permitted, target_id, user_id

COOKIE: Final = "admin_session"
"""Where an administrator finds the way back: the token of their own session, and ``true`` behind
the colon when it is not to be remembered."""
_FORBIDDEN: Final = "YOU_ARE_NOT_ALLOWED_TO_IMPERSONATE_USERS"


class Impersonation:
    """impersonate-user and stop-impersonating."""

    def __init__(self, statements: AdminStatements) -> None:
        self._statements = statements

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            post(
                "/admin/impersonate-user",
                self.begin,
                body=fields({"userId": user_id}),
                session="bare",
                event="impersonation_begun",
                errors={
                    _FORBIDDEN: 403,
                    "USER_NOT_FOUND": 404,
                    "YOU_CANNOT_IMPERSONATE_ADMINS": 403,
                    "BANNED_USER": 403,
                },
            ),
            post(
                "/admin/stop-impersonating",
                self.stop,
                session="bare",
                event="impersonation_ended",
                errors={
                    "You are not impersonating anyone": 400,
                    "Failed to find admin session": 400,
                },
            ),
        ]

    @permitted("user", "impersonate", _FORBIDDEN)
    async def begin(self, context: RequestContext) -> answers.SessionAndUser:
        """Sign in as another user, for an hour. The way back is a cookie."""
        found, settings = target_id(context), context.settings.admin
        current = context.current_session
        lifetime = context.settings.greatest_impersonation_age
        new = {
            **sessions.new_session(context),
            "expires_at": utc_now() + lifetime,
            "field_impersonated_by": current.user.id,
        }

        async def write(transaction: Transaction) -> tuple[User, Session | None]:
            user = await transaction.fetchrow(self._statements.by_id, found)
            if user is None:
                raise AuthError(404, "USER_NOT_FOUND")
            # in one order, so that two who act as each other do not wait for each other
            for held in sorted({current.user.id, user.id}):
                standing = await transaction.fetchrow(admin.hold, held)
                if standing is None:
                    raise AuthError(404, "USER_NOT_FOUND")
                if held == current.user.id:
                    _check_still_may(settings, standing)
                if held == user.id and settings.is_administrator(standing.role):
                    _check_may_be_administrator(context)
            session = await sessions.insert(transaction, context, user.id, new, replaces=False)
            return user, session

        user, session = await context.database.transaction("admin.impersonate", write)
        if session is None:
            raise AuthError(404, "USER_NOT_FOUND")
        context.clear_cookies()
        cookies, forgotten = context.services.cookies, "true" if context.dont_remember else ""
        value = f"{current.session.token}:{forgotten}"
        age = context.settings.session_expires_in
        context.response_cookies.append(cookies.signed(cookies.named(COOKIE), value, age))
        context.set_session_cookie(session.token, remember=False)
        return _answer(context, session, user)

    async def stop(self, context: RequestContext) -> answers.SessionAndUser:
        """Go back to one's own session. The borrowed one ends."""
        borrowed = context.current_session.session
        if borrowed.impersonated_by is None:
            raise AuthError(400, message="You are not impersonating anyone")
        context.event_target, context.event_user = borrowed.user_id, borrowed.impersonated_by
        cookies = context.services.cookies
        name = cookies.named(COOKIE)
        kept = cookies.signed_value(context.cookies, name) or ""
        token, _, forgotten = kept.rpartition(":")
        own = await self._own(context, token, borrowed.impersonated_by)
        await context.database.fetch(session_statements.revoke, borrowed.token)
        context.set_session_cookie(own[0].token, remember=not forgotten)
        context.response_cookies.append(cookies.cleared(name))
        return _answer(context, *own)

    async def _own(
        self, context: RequestContext, token: str, administrator: UUID
    ) -> tuple[Session, User]:
        found = await context.services.session_loader.load(token)
        if (
            found is None
            or found.user.id != administrator
            or sessions.has_ended(context.settings, found.session, utc_now())
            or sessions.is_refused(context, found)
        ):
            raise AuthError(400, message="Failed to find admin session")
        return found.session, found.user


def _check_still_may(settings: AdminSettings, standing: Standing) -> None:
    if is_banned(standing) or not settings.may(standing.role, "user", "impersonate"):
        raise AuthError(403, _FORBIDDEN)


def _check_may_be_administrator(context: RequestContext) -> None:
    if not context.settings.admin.may(context.user.role, "user", "impersonate-admins"):
        raise AuthError(403, "YOU_CANNOT_IMPERSONATE_ADMINS")


def _answer(context: RequestContext, session: Session, user: User) -> answers.SessionAndUser:
    services = context.services
    return {
        "session": serializers.session(session, services.session_fields.shown),
        "user": serializers.user(user, services.user_fields.shown),
    }
