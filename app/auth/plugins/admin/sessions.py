"""The sessions of a user, for administrators."""

from typing import Final
from uuid import UUID

from starlette.routing import BaseRoute

from ....statements import admin, sessions
from ....statements.admin import AdminStatements
from ... import answers, serializers
from ...context import RequestContext
from ...devices import SESSION_ID
from ...endpoint import post
from ...validation import fields, string
from .permissions import permitted, target_id, user_id

_MOST: Final = 100
_REVOKE: Final = "YOU_ARE_NOT_ALLOWED_TO_REVOKE_USERS_SESSIONS"


class Sessions:
    """list-user-sessions, revoke-user-session, revoke-user-sessions and, Gatepost's own,
    revoke-device."""

    def __init__(self, statements: AdminStatements) -> None:
        self._statements = statements

    @property
    def routes(self) -> list[BaseRoute]:
        whose = fields({"userId": user_id})
        return [
            post(
                "/admin/list-user-sessions",
                self.listed,
                body=whose,
                session="bare",
                errors={"YOU_ARE_NOT_ALLOWED_TO_LIST_USERS_SESSIONS": 403},
            ),
            post(
                "/admin/revoke-user-session",
                self.revoke,
                body=fields({"sessionToken": string}),
                session="bare",
                event="session_revoked",
                errors={_REVOKE: 403},
            ),
            post(
                "/admin/revoke-user-sessions",
                self.revoke_all,
                body=whose,
                session="bare",
                event="sessions_revoked",
                errors={_REVOKE: 403},
            ),
            post(
                "/admin/revoke-device",
                self.revoke_device,
                body=fields({"userId": user_id, "id": SESSION_ID}),
                session="bare",
                event="session_revoked",
                errors={_REVOKE: 403},
            ),
        ]

    @permitted("session", "list", "YOU_ARE_NOT_ALLOWED_TO_LIST_USERS_SESSIONS")
    async def listed(self, context: RequestContext) -> answers.Sessions:
        """List a user's sessions, also those that have expired: the first hundred."""
        found = target_id(context)
        rows = await context.database.fetch(self._statements.sessions_of, found, _MOST)
        shown = context.services.session_fields.shown
        return {"sessions": [serializers.session(row, shown) for row in rows]}

    @permitted("session", "revoke", _REVOKE)
    async def revoke(self, context: RequestContext) -> answers.Succeeded:
        """End a session, by its token."""
        ended = await context.database.fetchrow(sessions.revoke, context.body["sessionToken"])
        context.event_target = ended["user_id"] if ended else None
        return {"success": True}

    @permitted("session", "revoke", _REVOKE)
    async def revoke_all(self, context: RequestContext) -> answers.Succeeded:
        """End every session of a user, and those in which they act as somebody else."""
        await context.database.fetch(admin.end_sessions, target_id(context))
        return {"success": True}

    @permitted("session", "revoke", _REVOKE)
    async def revoke_device(self, context: RequestContext) -> answers.Succeeded:
        """End a session of a user, by its id, which unlike the token opens nothing."""
        session_id = UUID(context.body["id"])
        arguments = (session_id, target_id(context))
        ended = await context.database.fetch(sessions.revoke_own_by_id, *arguments)
        if ended and session_id == context.current_session.session.id:
            context.clear_cookies()
        return {"success": True}
