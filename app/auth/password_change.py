"""Changing a password: with the old one, or by a mail when it is forgotten."""

from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from app.auth import sessions, wire
from app.auth.call import CREDENTIAL, Call, now, redirect, seconds
from app.auth.errors import AuthError
from app.auth.sign_in import check_not_too_long
from app.auth.sign_up import check_length
from app.auth.tokens import reset_token
from app.database import Transaction
from app.statements import accounts, users, verifications
from app.statements import sessions as session_statements

_LIFE: Final = 3600
_SENT: Final = "If this email exists in our system, check your email for the reset link"


async def change(call: Call) -> Any:
    """POST /change-password."""
    body, user = call.body, call.user
    check_length(body["newPassword"])
    check_not_too_long(body["currentPassword"])
    if not await _is_password(call, body["currentPassword"]):
        raise AuthError(400, "INVALID_PASSWORD")
    stored = await call.auth.passwords.hash(body["newPassword"])
    revoke = body.get("revokeOtherSessions") is True

    async def write(transaction: Transaction) -> Any:
        await transaction.fetch(accounts.change_password, stored, CREDENTIAL, user["id"])
        if not revoke:
            return None
        await transaction.fetch(session_statements.revoke_all, user["id"])
        arguments = sessions.new_session(call, user["id"])
        (row,) = await transaction.fetch(session_statements.create, *arguments)
        return row

    session = await call.database.transact("accounts.change_password", write)
    if session is not None:
        call.set_session_cookie(session["token"])
    return {"token": session["token"] if session else None, "user": wire.user(user)}


async def verify(call: Call) -> Any:
    """POST /verify-password."""
    check_not_too_long(call.body["password"])
    if not await _is_password(call, call.body["password"], missing="INVALID_PASSWORD"):
        raise AuthError(400, "INVALID_PASSWORD")
    return {"status": True}


async def _is_password(
    call: Call, password: str, missing: str = "CREDENTIAL_ACCOUNT_NOT_FOUND"
) -> bool:
    rows = await call.database.fetch(accounts.password, CREDENTIAL, call.user["id"])
    if not rows or rows[0]["password"] is None:
        raise AuthError(400, missing)
    return await call.auth.passwords.verify(rows[0]["password"], password)


async def request_reset(call: Call) -> Any:
    """POST /request-password-reset: the same answer whoever the address belongs to."""
    if not call.auth.mail.possible:
        raise AuthError(400, "RESET_PASSWORD_DISABLED")
    rows = await call.database.fetch(users.by_email, call.body["email"].lower())
    token = reset_token()
    if not rows:
        await call.database.fetch(verifications.find, _identifier(token), 1)
        return {"status": True, "message": _SENT}
    user = rows[0]
    await call.database.fetch(
        verifications.create, _identifier(token), str(user["id"]), now() + seconds(_LIFE)
    )
    callback = quote(call.given("redirectTo") or "", safe="")
    url = f"{call.auth.base}/reset-password/{token}?callbackURL={callback}"
    await call.auth.mail.send("reset-password", user["email"], str(user["id"]), url, token)
    return {"status": True, "message": _SENT}


async def follow_reset(call: Call) -> Any:
    """GET /reset-password/:token: on to the page that asks for the new password."""
    token, callback = call.parameters["token"], call.query["callbackURL"]
    rows = []
    if "\0" not in token:
        rows = await call.database.fetch(verifications.find, _identifier(token), 1)
    good = bool(rows) and rows[0]["expires_at"] >= now()
    if not callback:
        return redirect(f"{call.auth.base}/error?error=INVALID_TOKEN")
    name, value = ("token", token) if good else ("error", "INVALID_TOKEN")
    return redirect(call.auth.origins.back_with(callback, name, value))


async def reset(call: Call) -> Any:
    """POST /reset-password. The token is used up together with the change, or not at all."""
    password = call.body["newPassword"]
    token = call.body.get("token") or call.query.get("token")
    if not token or "\0" in token:
        raise AuthError(400, "INVALID_TOKEN")
    check_length(password)
    identifier = _identifier(token)
    # looked up first: a token that is not good costs no hash
    if not await call.database.fetch(verifications.find, identifier, 1):
        raise AuthError(400, "INVALID_TOKEN")
    stored = await call.auth.passwords.hash(password)

    async def write(transaction: Transaction) -> bool:
        rows = await transaction.fetch(verifications.consume, identifier)
        newest = max(rows, key=lambda row: row["created_at"], default=None)
        if newest is None or newest["expires_at"] < now():
            return False  # and not an error, which would keep the row
        try:
            user_id = UUID(newest["value"])
        except ValueError:
            raise AuthError(400, "USER_NOT_FOUND") from None
        if not await transaction.fetch(users.by_id, user_id):
            raise AuthError(400, "USER_NOT_FOUND")
        if call.settings.revoke_sessions_on_password_reset:
            await transaction.fetch(session_statements.revoke_all, user_id)
        changed = await transaction.fetch(accounts.change_password, stored, CREDENTIAL, user_id)
        if not changed:
            await transaction.fetch(accounts.create_password, user_id, CREDENTIAL, stored)
        return True

    if not await call.database.transact("accounts.reset_password", write):
        raise AuthError(400, "INVALID_TOKEN")
    return {"status": True}


def _identifier(token: str) -> str:
    return f"reset-password:{token}"
