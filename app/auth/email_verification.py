"""Proof that an address is the user's: the mail and what follows from it.

The token is a JWT and is kept nowhere. Following the link again changes nothing: an address that is
verified stays so, without a new session, and a change of address is good once because it names the
address that it replaces.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from app.auth import sessions, wire
from app.auth.call import Call, redirect
from app.auth.errors import AuthError
from app.database import DatabaseError
from app.statements import users

LIFE: Final = 3600
_LEAST: Final = 0.5
"""Seconds that an anonymous request for a mail takes at least, whoever the address belongs to."""


async def send(call: Call, user: Mapping[str, Any], callback: str) -> None:
    """Send the mail that verifies a user's address."""
    claims = {"email": user["email"], "userId": str(user["id"])}
    token = call.auth.tokens.sign(claims, LIFE)
    await _mail(call, user["email"], user, token, callback)


async def send_change(call: Call, user: Mapping[str, Any], new_email: str, callback: str) -> None:
    """Send the mail that changes a user's address to a new one; it goes to the new one."""
    claims = {
        "email": user["email"],
        "updateTo": new_email,
        "requestType": "change-email-verification",
        "userId": str(user["id"]),
    }
    token = call.auth.tokens.sign(claims, LIFE)
    await _mail(call, new_email, user, token, callback)


async def _mail(call: Call, email: str, user: Mapping[str, Any], token: str, callback: str) -> None:
    url = f"{call.auth.base}/verify-email?token={token}&callbackURL={quote(callback, safe='')}"
    await call.auth.mail.send("verify-email", email, str(user["id"]), url, token)


async def request_mail(call: Call) -> Any:
    """POST /send-verification-email."""
    if not call.auth.mail.possible:
        raise AuthError(400, "VERIFICATION_EMAIL_NOT_ENABLED")
    email, callback = call.body["email"].lower(), call.given("callbackURL") or "/"
    current = await sessions.find(call)
    if current is not None:
        if current.user["email"] != email:
            raise AuthError(400, "EMAIL_MISMATCH")
        if current.user["email_verified"]:
            raise AuthError(400, "EMAIL_ALREADY_VERIFIED")
        await send(call, current.user, callback)
        return {"status": True}
    started = time.monotonic()
    rows = await call.database.fetch(users.by_email, email)
    if rows and not rows[0]["email_verified"]:
        await send(call, rows[0], callback)
    else:
        call.auth.tokens.sign({"email": email}, LIFE)
    await asyncio.sleep(max(0.0, _LEAST - (time.monotonic() - started)))
    return {"status": True}


async def verify(call: Call) -> Any:
    """GET /verify-email."""
    callback = call.query.get("callbackURL")
    try:
        answer = await _verified(call)
    except AuthError as error:
        if not callback or error.status != 401:
            raise
        return redirect(call.auth.origins.back_with_error(callback, error.code or "UNKNOWN"))
    return redirect(call.auth.origins.back(callback)) if callback else answer


async def _verified(call: Call) -> Any:
    claims = call.auth.tokens.read(call.query["token"])
    claims["email"] = claims["email"].lower()
    if "updateTo" in claims:
        return await _changed(call, claims)
    rows = await call.database.fetch(users.by_email, claims["email"])
    if not rows:
        raise AuthError(401, "USER_NOT_FOUND")
    user = rows[0]
    if claims.get("userId", str(user["id"])) != str(user["id"]):
        raise AuthError(401, "INVALID_TOKEN")
    if not user["email_verified"]:
        await call.database.fetch(users.verify_email, True, claims["email"])
        if call.settings.auto_sign_in_after_verification:
            current = await sessions.find(call)
            if current is not None and current.user["id"] == user["id"]:
                call.set_session_cookie(current.session["token"])
            else:
                await sessions.start(call, user["id"])
    return {"status": True, "user": None}


async def _changed(call: Call, claims: Mapping[str, Any]) -> Any:
    new_email = claims["updateTo"].lower()
    try:
        rows = await call.database.fetch(users.by_id, UUID(claims.get("userId", "")))
    except ValueError:
        raise AuthError(401, "INVALID_TOKEN") from None
    if not rows:
        raise AuthError(401, "USER_NOT_FOUND")
    user = rows[0]
    if user["email"] != claims["email"]:
        raise AuthError(401, "INVALID_TOKEN")
    current = await sessions.find(call)
    if current is not None and current.user["id"] != user["id"]:
        raise AuthError(401, "INVALID_USER")
    match claims.get("requestType"):
        case "change-email-confirmation":  # the old address agrees; now the new one is asked
            await send_change(call, user, new_email, call.query.get("callbackURL") or "/")
            return {"status": True}
        case "change-email-verification":
            pass
        case _:
            raise AuthError(401, "INVALID_TOKEN")
    try:
        changed = await call.database.fetch(
            users.change_email, new_email, user["id"], claims["email"]
        )
    except DatabaseError as error:
        # somebody else took the address meanwhile
        raise AuthError(401, "INVALID_TOKEN") from error
    if not changed:
        raise AuthError(401, "INVALID_TOKEN")
    if current is not None:
        call.set_session_cookie(current.session["token"])
    return {"status": True, "user": wire.user(changed[0])}
