"""get-session, and what users see and end of their sessions."""

from typing import Final

from ..errors import AuthError
from ..statements import sessions as statements
from . import answers, serializers, sessions
from .context import RequestContext, utc_now
from .endpoint import get, post
from .fields import UPDATE
from .validation import boolean, fields, optional, record, string

_MAX_LISTED: Final = 100


async def get_session(context: RequestContext) -> answers.CurrentSession | None:
    """Who is signed in: the session of the request and its user, or null.

    A session that is due for it is refreshed. With `GATEPOST_DEFER_SESSION_REFRESH` a GET says
    that it is due, and POST refreshes it.
    """
    context.response_headers["pragma"] = "no-cache"
    deferred = context.settings.defer_session_refresh
    if context.method == "POST" and not deferred:
        raise AuthError(405, "METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED")
    found = await sessions.find(context, may_write=context.method == "POST" or not deferred)
    stale = context.services.cookies.stale_cleared(context.cookies)
    context.response_cookies += [line for line in stale if line not in context.response_cookies]
    if found is None:
        return None
    context.current, services = found, context.services
    answer: answers.CurrentSession = {
        "session": serializers.session(found.session, services.session_fields.shown),
        "user": serializers.user(found.user, services.user_fields.shown),
    }
    if deferred and context.method == "GET" and found.needs_refresh is not None:
        answer["needsRefresh"] = found.needs_refresh
    return answer


async def list_sessions(context: RequestContext) -> list[answers.Session]:
    """List the user's sessions that are still good."""
    user_id = context.user.id
    now = utc_now()
    of_user = context.services.session_statements.of_user
    found = await context.database.fetch(of_user, user_id, now, _MAX_LISTED)
    additional = context.services.session_fields.shown
    return [
        serializers.session(session, additional)
        for session in found
        if session.impersonated_by is None
        and not sessions.has_ended(context.settings, session, now)
    ]


async def revoke_session(context: RequestContext) -> answers.Done:
    """End one of the user's own sessions, by its token."""
    token = context.body["token"]
    if "\0" not in token:
        await context.database.fetch(statements.revoke_own, token, context.user.id)
    if token == context.current_session.session.token:
        context.clear_cookies()
    return {"status": True}


async def revoke_sessions(context: RequestContext) -> answers.Done:
    """End every session of the user, this one too."""
    await context.database.fetch(statements.revoke_all, context.user.id)
    context.clear_cookies()
    return {"status": True}


async def revoke_other_sessions(context: RequestContext) -> answers.Done:
    """End every session of the user but this one."""
    # all of them, where Better Auth stops at the first hundred
    current = context.current_session.session
    await context.database.fetch(statements.revoke_others, context.user.id, current.token)
    return {"status": True}


async def update_session(context: RequestContext) -> answers.UpdatedSession:
    """Change a session's additional fields, the only ones that a client may set."""
    fields, statement = context.services.session_fields, context.services.session_statements.update
    values = fields.of_update(context.body)
    if statement is None or not fields.are_in(context.body):
        raise AuthError(400, message="No fields to update")
    token = context.current_session.session.token
    arguments = statement.arguments(values | {"token": token})
    session = await context.database.fetchrow(statement, *arguments)
    if session is None:  # revoked a moment ago
        context.clear_cookies()
        raise AuthError(401, "FAILED_TO_GET_SESSION")
    context.set_session_cookie(token)
    return {"session": serializers.session(session, fields.shown)}


async def sign_out(context: RequestContext) -> answers.SignedOut:
    """Sign out: end the session, if there is one, and clear its cookies.

    Of a user who signed in with an OpenID provider that has an address for signing out, `url` leads
    there, and from there to the `callbackURL` of the request.
    """
    token, ended = context.session_token, None
    if token is not None and "\0" not in token:
        ended = await context.database.fetchrow(statements.revoke, token)
    context.clear_cookies()
    social = context.services.social
    if social is None or ended is None or ended["expires_at"] <= utc_now():
        return {"success": True}
    url = await social.end_session_url(context, ended["user_id"])
    if url is None:
        return {"success": True}
    redirect = context.body_field("disableRedirect") is not True
    if redirect:
        context.response_headers["location"] = url
    return {"success": True, "url": url, "redirect": redirect}


_SIGN_OUT: Final = fields(
    {
        "callbackURL": optional(string),
        "disableRedirect": optional(boolean),
        "state": optional(string),
    }
)

GET_SESSION: Final = get("/get-session", get_session, session="optional", looks_up=True)

routes: Final = [
    GET_SESSION,
    post(
        "/get-session",
        get_session,
        session="optional",
        ignores_body=True,
        errors={"METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED": 405},
    ),
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
    post(
        "/update-session",
        update_session,
        body=record,
        session="session",
        errors=UPDATE | {"No fields to update": 400, "FAILED_TO_GET_SESSION": 401},
    ),
    post("/sign-out", sign_out, body=optional(_SIGN_OUT), session="optional", event="sign_out"),
]
