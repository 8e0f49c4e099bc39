"""What users change about themselves: name and picture, address, and being here at all."""

from typing import Any, Final
from urllib.parse import quote

from app.auth import email_verification, sessions
from app.auth.call import CREDENTIAL, Call, now, redirect, seconds
from app.auth.errors import AuthError
from app.auth.sign_in import check_not_too_long
from app.auth.tokens import deletion_token
from app.auth.validation import fields, nullable, optional, record, string
from app.database import DatabaseError
from app.statements import accounts, users, verifications

_DELETION_LIFE: Final = 24 * 3600


def check_update(path: str, value: Any) -> list[str]:
    """The body of /update-user. Better Auth stores a number as text and fails on a null name."""
    return record(path, value) or fields(
        {"name": optional(string), "image": optional(nullable(string))}
    )(path, value)


async def update_user(call: Call) -> Any:
    """POST /update-user: name and image; everything else is left alone."""
    body = call.body
    if body.get("email"):
        raise AuthError(400, "EMAIL_CAN_NOT_BE_UPDATED")
    if "name" not in body and "image" not in body:
        raise AuthError(400, message="No fields to update")
    arguments = ("name" in body, body.get("name"), "image" in body, body.get("image"))
    await call.database.fetch(users.update_profile, *arguments, call.user["id"])
    call.set_session_cookie(call.signed_in.session["token"])
    return {"status": True}


async def change_email(call: Call) -> Any:
    """POST /change-email: by a mail to the new address, or at once while none is verified."""
    settings, user = call.settings, call.user
    if not settings.change_email:
        raise AuthError(400, "CHANGE_EMAIL_DISABLED")
    email = call.body["newEmail"].lower()
    if email == user["email"]:
        raise AuthError(400, message="Email is the same")
    at_once = settings.change_email_without_verification and not user["email_verified"]
    if not at_once and not call.auth.mail.possible:
        raise AuthError(400, message="Verification email isn't enabled")
    callback = call.given("callbackURL") or "/"
    if await call.database.fetch(users.by_email, email):
        # nobody learns who has an account here
        call.auth.tokens.sign({"email": user["email"], "updateTo": email}, email_verification.LIFE)
        return {"status": True}
    if not at_once:
        await email_verification.send_change(call, user, email, callback)
        return {"status": True}
    try:
        rows = await call.database.fetch(users.change_email, email, user["id"], user["email"])
    except DatabaseError:
        return {"status": True}  # taken a moment ago; said no more than above
    if rows:
        call.set_session_cookie(call.signed_in.session["token"])
        if call.auth.mail.possible:
            await email_verification.send(call, rows[0], callback)
    return {"status": True}


async def delete_user(call: Call) -> Any:
    """POST /delete-user: by the password, by a mailed token, or soon after signing in."""
    settings, user = call.settings, call.user
    if not settings.delete_user:
        raise AuthError(404)
    if password := call.given("password"):
        check_not_too_long(password)
        rows = await call.database.fetch(accounts.password, CREDENTIAL, user["id"])
        if not rows or rows[0]["password"] is None:
            raise AuthError(400, "CREDENTIAL_ACCOUNT_NOT_FOUND")
        if not await call.auth.passwords.verify(rows[0]["password"], password):
            raise AuthError(400, "INVALID_PASSWORD")
    if token := call.given("token"):
        await _consume(call, token)
        return await _deleted(call)
    if settings.delete_user_by_mail and call.auth.mail.possible:
        await _send_deletion(call)
        return {"success": True, "message": "Verification email sent"}
    if not password and not sessions.is_fresh(call, call.signed_in):
        raise AuthError(400, "SESSION_EXPIRED")
    return await _deleted(call)


async def delete_user_callback(call: Call) -> Any:
    """GET /delete-user/callback: where the mail leads."""
    if not call.settings.delete_user:
        raise AuthError(404, "NOT_FOUND")
    call.current = await sessions.find(call)
    if call.current is None:
        raise AuthError(404, "FAILED_TO_GET_USER_INFO")
    await _consume(call, call.query["token"])
    answer = await _deleted(call)
    callback = call.query.get("callbackURL")
    return redirect(call.auth.origins.back(callback)) if callback else answer


async def _send_deletion(call: Call) -> None:
    token = deletion_token()
    user, callback = call.user, call.given("callbackURL") or "/"
    await call.database.fetch(
        verifications.create, _identifier(token), str(user["id"]), now() + seconds(_DELETION_LIFE)
    )
    query = f"token={token}&callbackURL={quote(callback, safe='')}"
    url = f"{call.auth.base}/delete-user/callback?{query}"
    await call.auth.mail.send("delete-account", user["email"], str(user["id"]), url, token)


async def _consume(call: Call, token: str) -> None:
    rows = []
    if "\0" not in token:
        rows = await call.database.fetch(verifications.consume, _identifier(token))
    newest = max(rows, key=lambda row: row["created_at"], default=None)
    mine = newest is not None and newest["value"] == str(call.user["id"])
    if newest is None or not mine or newest["expires_at"] < now():
        raise AuthError(404, "INVALID_TOKEN")


async def _deleted(call: Call) -> Any:
    await call.database.fetch(users.delete, call.user["id"])
    call.clear_cookies()
    return {"success": True, "message": "User deleted"}


def _identifier(token: str) -> str:
    return f"delete-account-{token}"
