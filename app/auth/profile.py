"""update-user, change-email and delete-user."""

from typing import Any, Final
from urllib.parse import quote

from app.auth import email_verification, passwords, sessions
from app.auth.context import RequestContext, redirect, seconds, utc_now
from app.auth.endpoint import get, post
from app.auth.password_change import is_current_password
from app.auth.tokens import deletion_token
from app.auth.validation import email, fields, nullable, optional, record, string
from app.errors import AuthError, StatementError
from app.statements import users, verifications

_DELETION_LIFETIME: Final = 24 * 3600


def check_update(path: str, value: Any) -> list[str]:
    """The body of /update-user. Better Auth stores a number as text and fails on a null name."""
    return record(path, value) or fields(
        {"name": optional(string), "image": optional(nullable(string))}
    )(path, value)


async def update_user(context: RequestContext) -> Any:
    """POST /update-user: name and image; other fields are ignored."""
    body = context.body
    if body.get("email"):
        raise AuthError(400, "EMAIL_CAN_NOT_BE_UPDATED")
    if "name" not in body and "image" not in body:
        raise AuthError(400, message="No fields to update")
    arguments = ("name" in body, body.get("name"), "image" in body, body.get("image"))
    await context.database.fetch(users.update_profile, *arguments, context.user.id)
    context.set_session_cookie(context.current_session.session.token)
    return {"status": True}


async def change_email(context: RequestContext) -> Any:
    """POST /change-email: by a mail to the new address, or directly while none is verified."""
    settings, user, services = context.settings, context.user, context.services
    if not settings.change_email:
        raise AuthError(400, "CHANGE_EMAIL_DISABLED")
    address = context.body["newEmail"].lower()
    if address == user.email:
        raise AuthError(400, message="Email is the same")
    directly = settings.change_email_without_verification and not user.email_verified
    if not directly and not services.mail.possible:
        raise AuthError(400, message="Verification email isn't enabled")
    callback = context.body_field("callbackURL") or "/"
    if await context.database.fetchrow(users.by_email, address):
        # the same answer in the same time, so that nobody learns who has an account
        claims = {"email": user.email, "updateTo": address}
        services.tokens.sign(claims, email_verification.LIFETIME)
        return {"status": True}
    if not directly:
        await email_verification.send_change(context, user, address, callback)
        return {"status": True}
    try:
        changed = await context.database.fetchrow(users.change_email, address, user.id, user.email)
    except StatementError:
        return {"status": True}  # taken a moment ago; the same answer as above
    if changed is not None:
        context.event = "email_changed"
        context.set_session_cookie(context.current_session.session.token)
        if services.mail.possible:
            await email_verification.send(context, changed, callback)
    return {"status": True}


async def delete_user(context: RequestContext) -> Any:
    """POST /delete-user: by the password, by a mailed token, or soon after signing in."""
    settings = context.settings
    if not settings.delete_user:
        raise AuthError(404)
    if password := context.body_field("password"):
        passwords.check_length(password)
        if not await is_current_password(context, password):
            raise AuthError(400, "INVALID_PASSWORD")
    if token := context.body_field("token"):
        await _consume(context, token)
        return await _delete(context)
    if settings.delete_user_by_mail and context.services.mail.possible:
        context.event = "user_deletion_requested"
        await _send_deletion(context)
        return {"success": True, "message": "Verification email sent"}
    if not password and not sessions.is_fresh(context, context.current_session):
        raise AuthError(400, "SESSION_EXPIRED")
    return await _delete(context)


async def delete_user_callback(context: RequestContext) -> Any:
    """GET /delete-user/callback: where the mail leads."""
    if not context.settings.delete_user:
        raise AuthError(404, "NOT_FOUND")
    context.current = await sessions.find(context)
    if context.current is None:
        raise AuthError(404, "FAILED_TO_GET_USER_INFO")
    await _consume(context, context.query["token"])
    answer = await _delete(context)
    callback = context.query.get("callbackURL")
    return redirect(context.services.origins.back(callback)) if callback else answer


async def _send_deletion(context: RequestContext) -> None:
    token = deletion_token()
    user, callback = context.user, context.body_field("callbackURL") or "/"
    expires_at = utc_now() + seconds(_DELETION_LIFETIME)
    await context.database.fetch(verifications.create, _identifier(token), str(user.id), expires_at)
    query = f"token={token}&callbackURL={quote(callback, safe='')}"
    url = f"{context.services.base_url}/delete-user/callback?{query}"
    await context.services.mail.send("delete-account", user.email, str(user.id), url, token)


async def _consume(context: RequestContext, token: str) -> None:
    proofs = []
    if "\0" not in token:
        proofs = await context.database.fetch(verifications.consume, _identifier(token))
    newest = max(proofs, key=lambda proof: proof.created_at, default=None)
    mine = newest is not None and newest.value == str(context.user.id)
    if newest is None or not mine or newest.expires_at < utc_now():
        raise AuthError(404, "INVALID_TOKEN")


async def _delete(context: RequestContext) -> Any:
    await context.database.fetch(users.delete, context.user.id)
    context.clear_cookies()
    return {"success": True, "message": "User deleted"}


def _identifier(token: str) -> str:
    return f"delete-account-{token}"


_CALLBACK: Final = {"callbackURL": optional(string)}
_DELETION: Final = {"password": optional(string), "token": optional(string)}

routes: Final = [
    post("/update-user", update_user, body=check_update, session="session"),
    post(
        "/change-email",
        change_email,
        body=fields({"newEmail": email} | _CALLBACK),
        session="session",
        event="email_change_requested",
    ),
    post(
        "/delete-user",
        delete_user,
        body=fields(_CALLBACK | _DELETION),
        session="session",
        event="user_deleted",
    ),
    get(
        "/delete-user/callback",
        delete_user_callback,
        query=fields({"token": string} | _CALLBACK),
        redirects_to_callback=True,
        event="user_deleted",
    ),
]
