"""get-session, and what users see and end of their sessions."""

from typing import Any, Final

from app.auth import serializers, sessions
from app.auth.context import RequestContext, utc_now
from app.auth.endpoint import get, post
from app.auth.validation import boolean, fields, optional, record, string
from app.errors import AuthError
from app.statements import sessions as statements

_MAX_LISTED: Final = 100


async def get_session(context: RequestContext) -> Any:
    """GET (and with deferred refresh POST) /get-session."""
    context.response_headers["pragma"] = "no-cache"
    deferred = context.settings.defer_session_refresh
    if context.method == "POST" and not deferred:
        raise AuthError(405, "METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED")
    found = await sessions.find(context, may_write=context.method == "POST" or not deferred)
    stale = context.services.cookies.stale_cleared(context.cookies)
    context.response_cookies += [line for line in stale if line not in context.response_cookies]
    if found is None:
        return None
    answer: dict[str, Any] = {
        "session": serializers.session(found.session),
        "user": serializers.user(found.user),
    }
    if deferred and context.method == "GET" and found.needs_refresh is not None:
        answer["needsRefresh"] = found.needs_refresh
    return answer


async def list_sessions(context: RequestContext) -> Any:
    """GET /list-sessions."""
    user_id = context.user.id
    now, max_age = utc_now(), context.settings.greatest_session_age
    found = await context.database.fetch(statements.of_user, user_id, now, _MAX_LISTED)
    return [
        serializers.session(session)
        for session in found
        if not sessions.has_ended(session, now, max_age)
    ]


async def revoke_session(context: RequestContext) -> Any:
    """POST /revoke-session: one of the user's own, by its token."""
    token = context.body["token"]
    if "\0" not in token:
        await context.database.fetch(statements.revoke_own, token, context.user.id)
    if token == context.current_session.session.token:
        context.clear_cookies()
    return {"status": True}


async def revoke_sessions(context: RequestContext) -> Any:
    """POST /revoke-sessions: every session of the user, this one too."""
    await context.database.fetch(statements.revoke_all, context.user.id)
    context.clear_cookies()
    return {"status": True}


async def revoke_other_sessions(context: RequestContext) -> Any:
    """POST /revoke-other-sessions: all of them, where Better Auth stops at the first hundred."""
    current = context.current_session.session
    await context.database.fetch(statements.revoke_others, context.user.id, current.token)
    return {"status": True}


async def update_session(_: RequestContext) -> Any:
    """POST /update-session: a session has no field that a client may set."""
    raise AuthError(400, message="No fields to update")


async def sign_out(context: RequestContext) -> Any:
    """POST /sign-out, with or without a session."""
    token = context.session_token
    if token is not None and "\0" not in token:
        await context.database.fetch(statements.revoke, token)
    context.clear_cookies()
    return {"success": True}


_SIGN_OUT: Final = fields(
    {
        "callbackURL": optional(string),
        "disableRedirect": optional(boolean),
        "state": optional(string),
    }
)

GET_SESSION: Final = get("/get-session", get_session)

routes: Final = [
    GET_SESSION,
    post("/get-session", get_session, ignores_body=True),
    get("/list-sessions", list_sessions, session="fresh"),
    post(
        "/revoke-session",
        revoke_session,
        body=fields({"token": string}),
        session="session",
        event="session_revoked",
    ),
    post("/revoke-sessions", revoke_sessions, session="session", event="sessions_revoked"),
    post(
        "/revoke-other-sessions", revoke_other_sessions, session="session", event="sessions_revoked"
    ),
    post("/update-session", update_session, body=record, session="session"),
    post("/sign-out", sign_out, body=optional(_SIGN_OUT), event="sign_out"),
]
