"""update-user, change-email and delete-user."""

from typing import Any, Final
from urllib.parse import quote

from app.auth import email_verification, passwords, proofs, sessions
from app.auth.context import RequestContext, redirect, utc_now
from app.auth.endpoint import get, hashing, post
from app.auth.password_change import check_current
from app.auth.tokens import deletion_token
from app.auth.validation import (
    email,
    fields,
    long_string,
    nullable,
    optional,
    record,
    short_string,
    string,
)
from app.database import Transaction
from app.errors import AuthError, StatementError
from app.schema import User
from app.statements import users, verifications

_DELETION_LIFETIME: Final = 24 * 3600


def check_update(path: str, value: Any) -> list[str]:
    """The body of /update-user. Better Auth stores a number as text and fails on a null name."""
    return record(path, value) or fields(
        {"name": optional(short_string), "image": optional(nullable(long_string))}
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
    """POST /change-email: by a mail to the new address, or directly while none is verified.

    The old address is told in any case.
    """
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
    is_taken = await context.database.fetchrow(users.by_email, address) is not None
    if not directly:
        # the same work for an address that is taken, so that nobody learns who has an account
        token = await email_verification.change_token(context, user, address)
        await services.mail.notify("email-change-requested", user.email, str(user.id))
        if not is_taken:
            await email_verification.send_change(context, user, address, token, callback)
        return {"status": True}
    changed = None if is_taken else await _change_unverified(context, address)
    if changed is not None:
        await services.mail.notify("email-changed", user.email, str(user.id))
        context.event = "email_changed"
        context.set_session_cookie(context.current_session.session.token)
        if services.mail.possible:
            await email_verification.send(context, changed, callback)
    return {"status": True}


async def _change_unverified(context: RequestContext, address: str) -> User | None:
    user = context.user

    async def write(transaction: Transaction) -> User | None:
        arguments = (address, user.id, user.email)
        changed = await transaction.fetchrow(users.change_unverified_email, *arguments)
        if changed is not None:
            await proofs.end_all(transaction, user.id, [])
        return changed

    try:
        return await context.database.transaction("users.change_unverified_email", write)
    except StatementError:
        return None  # taken a moment ago


async def delete_user(context: RequestContext) -> Any:
    """POST /delete-user: by the password, by a mailed token, or soon after signing in.

    The address is told.
    """
    settings = context.settings
    if not settings.delete_user:
        raise AuthError(404)
    if password := context.body_field("password"):
        passwords.check_length(password)
        await check_current(context, password)
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
    await proofs.keep(context, proofs.DELETION, token, user.id, _DELETION_LIFETIME)
    query = f"token={token}&callbackURL={quote(callback, safe='')}"
    url = f"{context.services.base_url}/delete-user/callback?{query}"
    await context.services.mail.send("delete-account", user.email, str(user.id), url, token)


async def _consume(context: RequestContext, token: str) -> None:
    identifiers = proofs.identifiers(context, proofs.DELETION, token)
    ended = await context.database.fetch(verifications.consume, identifiers)
    newest = max(ended, key=lambda proof: proof.created_at, default=None)
    mine = newest is not None and newest.value == str(context.user.id)
    if newest is None or not mine or newest.expires_at < utc_now():
        raise AuthError(404, "INVALID_TOKEN")


async def _delete(context: RequestContext) -> Any:
    user = context.user

    async def write(transaction: Transaction) -> None:
        await proofs.end_all(transaction, user.id, [])
        await transaction.fetch(users.delete, user.id)

    await context.database.transaction("users.delete", write)
    await context.services.mail.notify("account-deleted", user.email, str(user.id))
    context.clear_cookies()
    return {"success": True, "message": "User deleted"}


_CALLBACK: Final = {"callbackURL": optional(string)}
_DELETION: Final = {"password": optional(string), "token": optional(string)}

routes: Final = [
    post("/update-user", update_user, body=check_update, session="session"),
    post(
        "/change-email",
        change_email,
        body=fields({"newEmail": email} | _CALLBACK),
        session="fresh",
        event="email_change_requested",
    ),
    post(
        "/delete-user",
        hashing(delete_user),
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
