"""The life of a session: found by its cookie, refreshed when due, listed, ended.

Source: Better Auth 1.7. A refresh is due once updateAge has passed since the last one; it is an
UPDATE of the row as it was read, so it never brings back what was revoked.
"""

from collections.abc import Mapping
from typing import Any, Final

from app.auth import wire
from app.auth.call import Call, Current, now, seconds
from app.auth.errors import AuthError
from app.schema import new_token
from app.schema import users as users_
from app.statements import sessions

NOT_KEPT: Final = {"cache-control": "no-store", "pragma": "no-cache"}
"""What tells caches to leave an answer with a session alone."""
_LISTED = 100
_REMEMBERED_FOR_A_DAY = 24 * 3600


async def find(call: Call, *, may_write: bool = True) -> Current | None:
    """The session of the request's cookie. Clears the cookies of one that is over.

    ``may_write`` False: what is due is only told (deferred refresh).
    Raises AuthError 401 when it was revoked while it was being refreshed.
    """
    token = call.session_token
    if token is None:
        return None
    found = await _by_token(call, token)
    moment = now()
    if found is None or found.session["expires_at"] < moment:
        call.clear_cookies()
        if found is not None and may_write:
            await call.database.fetch(sessions.expire, token, moment)
        return None
    if call.dont_remember or call.query.get("disableRefresh"):
        return found
    settings = call.settings
    expires_at = found.session["expires_at"]
    due = expires_at - seconds(settings.session_expires_in - settings.session_update_age)
    if due > moment or not may_write:
        return Current(found.session, found.user, needs_refresh=due <= moment)
    later = moment + seconds(settings.session_expires_in)
    rows = await call.database.fetch(sessions.refresh, later, token, expires_at)
    # no row: it was revoked, or another request was faster
    refreshed = Current(rows[0], found.user) if rows else await _by_token(call, token)
    if refreshed is None:
        call.clear_cookies()
        raise AuthError(401, "FAILED_TO_GET_SESSION")
    call.set_session_cookie(token, remember=True)
    return refreshed


async def _by_token(call: Call, token: str) -> Current | None:
    row = await call.auth.lookups.find(token)
    if row is None:
        return None
    return Current(row, {name: row[f"user.{name}"] for name in users_.columns})


def is_fresh(call: Call, current: Current) -> bool:
    """Whether the sign-in itself, not a refresh, was within freshAge."""
    age = call.settings.session_fresh_age
    return age == 0 or now() - current.session["created_at"] < seconds(age)


def new_session(call: Call, user_id: Any, *, remember: bool = True) -> tuple[Any, ...]:
    """The arguments of the statement that creates a session."""
    life = call.settings.session_expires_in if remember else _REMEMBERED_FOR_A_DAY
    agent = call.headers.get("user-agent", "")
    return (user_id, new_token(), now() + seconds(life), call.address or "", agent)


async def start(call: Call, user_id: Any, *, remember: bool = True) -> Mapping[str, Any]:
    """Sign a user in: the row, and its cookie."""
    arguments = new_session(call, user_id, remember=remember)
    (row,) = await call.database.fetch(sessions.create, *arguments)
    call.set_session_cookie(row["token"], remember=remember)
    return row


async def get_session(call: Call) -> Any:
    """GET (and with deferred refresh POST) /get-session."""
    call.headers_out |= NOT_KEPT
    deferred = call.settings.defer_session_refresh
    if call.method == "POST" and not deferred:
        raise AuthError(405, "METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED")
    found = await find(call, may_write=call.method == "POST" or not deferred)
    stale = call.auth.cookies.stale_cleared(call.jar)
    call.cookies_out += [line for line in stale if line not in call.cookies_out]
    if found is None:
        return None
    answer: dict[str, Any] = {"session": wire.session(found.session), "user": wire.user(found.user)}
    if deferred and call.method == "GET" and found.needs_refresh is not None:
        answer["needsRefresh"] = found.needs_refresh
    return answer


async def list_sessions(call: Call) -> Any:
    """GET /list-sessions, of a fresh session."""
    rows = await call.database.fetch(sessions.of_user, call.user["id"], now(), _LISTED)
    return [wire.session(row) for row in rows]


async def revoke(call: Call) -> Any:
    """POST /revoke-session: one of the user's own, by its token."""
    token = call.body["token"]
    if "\0" not in token:
        await call.database.fetch(sessions.revoke_own, token, call.user["id"])
    if token == call.signed_in.session["token"]:
        call.clear_cookies()
    return {"status": True}


async def revoke_all(call: Call) -> Any:
    """POST /revoke-sessions: every session of the user, this one too."""
    await call.database.fetch(sessions.revoke_all, call.user["id"])
    call.clear_cookies()
    return {"status": True}


async def revoke_others(call: Call) -> Any:
    """POST /revoke-other-sessions: all of them, where Better Auth stops at the first hundred."""
    await call.database.fetch(
        sessions.revoke_others, call.user["id"], call.signed_in.session["token"]
    )
    return {"status": True}


async def update_session(_: Call) -> Any:
    """POST /update-session: there are no fields of a session that a client may set."""
    raise AuthError(400, message="No fields to update")


async def sign_out(call: Call) -> Any:
    """POST /sign-out, with or without a session."""
    token = call.session_token
    if token is not None and "\0" not in token:
        await call.database.fetch(sessions.revoke, token)
    call.clear_cookies()
    return {"success": True}
