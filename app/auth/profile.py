"""update-user, change-email and delete-user."""

from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from ..database import Transaction
from ..errors import AuthError, StatementError
from ..schema import User
from ..statements import users, verifications
from . import answers, email_verification, passwords, proofs, sessions
from .context import RequestContext, redirect, utc_now
from .endpoint import get, hashing, post
from .fields import UPDATE
from .password_change import CURRENT_PASSWORD, check_current
from .tokens import deletion_token
from .validation import (
    Check,
    email,
    fields,
    long_string,
    nullable,
    optional,
    record,
    short_string,
    string,
)

_DELETION_LIFETIME: Final = 24 * 3600


_PROFILE: Final = fields({"name": optional(short_string), "image": optional(nullable(long_string))})

# Better Auth stores a number as text and fails on a null name
check_update: Final = Check(
    lambda path, value: record(path, value) or _PROFILE(path, value), _PROFILE.schema
)


async def update_user(context: RequestContext) -> answers.Done:
    """Change the user's name, image and additional fields. Other fields are ignored."""
    body, fields = context.body, context.services.user_fields
    if body.get("email"):
        raise AuthError(400, "EMAIL_CAN_NOT_BE_UPDATED")
    values = fields.of_update(body)
    if "name" not in body and "image" not in body and not fields.are_in(body):
        raise AuthError(400, message="No fields to update")
    for name in ("name", "image"):
        values |= {f"set_{name}": name in body, name: body.get(name)}
    statement = context.services.user_statements.update_profile
    arguments = statement.arguments(values | {"id": context.user.id})
    await context.database.fetch(statement, *arguments)
    context.set_session_cookie(context.current_session.session.token)
    return {"status": True}


async def change_email(context: RequestContext) -> answers.Done:
    """Change the user's address, by a mail to the new one or directly while none is verified.

    The old address is told in any case. The answer is the same for an address that is taken.
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


async def delete_user(context: RequestContext) -> answers.Deleted:
    """Delete the user's account: by the password, a mailed token, or soon after signing in.

    The address is told. It is 404 unless `GATEPOST_DELETE_USER` is on.
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


async def delete_user_callback(context: RequestContext) -> answers.Deleted | Response:
    """Delete the user's account by the link of the mail, which leads here."""
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


async def _delete(context: RequestContext) -> answers.Deleted:
    user = context.user

    async def write(transaction: Transaction) -> None:
        for plugin in context.services.plugins:
            await plugin.before_deletion(transaction, user.id)
        await proofs.end_all(transaction, user.id, [])
        await transaction.fetch(users.delete, user.id)

    await context.database.transaction("users.delete", write)
    await context.services.mail.notify("account-deleted", user.email, str(user.id))
    context.clear_cookies()
    return {"success": True, "message": "User deleted"}


_CALLBACK: Final = {"callbackURL": optional(string)}
_DELETION: Final = {"password": optional(string), "token": optional(string)}

routes: Final = [
    post(
        "/update-user",
        update_user,
        body=check_update,
        session="session",
        errors=UPDATE | {"EMAIL_CAN_NOT_BE_UPDATED": 400, "No fields to update": 400},
    ),
    post(
        "/change-email",
        change_email,
        body=fields({"newEmail": email} | _CALLBACK),
        session="fresh",
        event="email_change_requested",
        errors={
            "CHANGE_EMAIL_DISABLED": 400,
            "Email is the same": 400,
            "Verification email isn't enabled": 400,
        },
    ),
    post(
        "/delete-user",
        hashing(delete_user),
        body=fields(_CALLBACK | _DELETION),
        session="session",
        event="user_deleted",
        errors=CURRENT_PASSWORD
        | {"PASSWORD_TOO_LONG": 400, "SESSION_EXPIRED": 400, "INVALID_TOKEN": 404, "": 404},
    ),
    get(
        "/delete-user/callback",
        delete_user_callback,
        query=fields({"token": string} | _CALLBACK),
        session="optional",
        redirects_to_callback=True,
        event="user_deleted",
        errors={"NOT_FOUND": 404, "FAILED_TO_GET_USER_INFO": 404, "INVALID_TOKEN": 404},
    ),
]
