"""Proof that an address is the user's: the mail, and what following its link does.

The token is a JWT and is stored nowhere. Following the link again changes nothing: an address that
is verified stays so, without a new session, and a change of address works once because the token
names the address that it replaces.
"""

import asyncio
import time
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from app.auth import serializers, sessions
from app.auth.context import RequestContext, redirect
from app.auth.endpoint import get, post
from app.auth.validation import email, fields, optional, string
from app.errors import AuthError, StatementError
from app.schema import User
from app.statements import users

LIFETIME: Final = 3600
_MIN_DURATION: Final = 0.5
"""Seconds that an anonymous request for a mail takes at least, whoever the address belongs to."""


async def send(context: RequestContext, user: User, callback: str) -> None:
    """Send the mail that verifies a user's address."""
    claims = {"email": user.email, "userId": str(user.id)}
    token = context.services.tokens.sign(claims, LIFETIME)
    await _mail(context, user.email, user, token, callback)


async def send_change(context: RequestContext, user: User, new_email: str, callback: str) -> None:
    """Send the mail that changes a user's address to a new one; it goes to the new one."""
    claims = {
        "email": user.email,
        "updateTo": new_email,
        "requestType": "change-email-verification",
        "userId": str(user.id),
    }
    token = context.services.tokens.sign(claims, LIFETIME)
    await _mail(context, new_email, user, token, callback)


async def _mail(
    context: RequestContext, address: str, user: User, token: str, callback: str
) -> None:
    query = f"token={token}&callbackURL={quote(callback, safe='')}"
    url = f"{context.services.base_url}/verify-email?{query}"
    await context.services.mail.send("verify-email", address, str(user.id), url, token)


async def request_mail(context: RequestContext) -> Any:
    """POST /send-verification-email."""
    if not context.services.mail.possible:
        raise AuthError(400, "VERIFICATION_EMAIL_NOT_ENABLED")
    address, callback = context.body["email"].lower(), context.body_field("callbackURL") or "/"
    current = await sessions.find(context)
    if current is not None:
        context.event_user = current.user.id
        if current.user.email != address:
            raise AuthError(400, "EMAIL_MISMATCH")
        if current.user.email_verified:
            raise AuthError(400, "EMAIL_ALREADY_VERIFIED")
        await send(context, current.user, callback)
        return {"status": True}
    started = time.monotonic()
    user = await context.database.fetchrow(users.by_email, address)
    if user is not None and not user.email_verified:
        await send(context, user, callback)
    else:
        context.services.tokens.sign({"email": address}, LIFETIME)
    await asyncio.sleep(max(0.0, _MIN_DURATION - (time.monotonic() - started)))
    return {"status": True}


async def verify_email(context: RequestContext) -> Any:
    """GET /verify-email."""
    origins, callback = context.services.origins, context.query.get("callbackURL")
    try:
        answer = await _verify(context)
    except AuthError as error:
        if not callback or error.status != 401:
            raise
        context.refusal = error.code
        return redirect(origins.back_with_error(callback, error.code or "UNKNOWN"))
    return redirect(origins.back(callback)) if callback else answer


async def _verify(context: RequestContext) -> Any:
    claims = context.services.tokens.read(context.query["token"])
    claims["email"] = claims["email"].lower()
    if "updateTo" in claims:
        return await _change_email(context, claims)
    user = await context.database.fetchrow(users.by_email, claims["email"])
    if user is None:
        raise AuthError(401, "USER_NOT_FOUND")
    context.event_user = user.id
    if claims.get("userId", str(user.id)) != str(user.id):
        raise AuthError(401, "INVALID_TOKEN")
    if not user.email_verified:
        await context.database.fetch(users.verify_email, True, claims["email"])
        if context.settings.auto_sign_in_after_verification:
            current = await sessions.find(context)
            if current is not None and current.user.id == user.id:
                context.set_session_cookie(current.session.token)
            else:
                await sessions.start(context, user.id)
    return {"status": True, "user": None}


async def _change_email(context: RequestContext, claims: dict[str, Any]) -> Any:
    new_email = claims["updateTo"].lower()
    context.event = "email_changed"
    try:
        user = await context.database.fetchrow(users.by_id, UUID(claims.get("userId", "")))
    except ValueError:
        raise AuthError(401, "INVALID_TOKEN") from None
    if user is None:
        raise AuthError(401, "USER_NOT_FOUND")
    context.event_user = user.id
    if user.email != claims["email"]:
        raise AuthError(401, "INVALID_TOKEN")
    current = await sessions.find(context)
    if current is not None and current.user.id != user.id:
        raise AuthError(401, "INVALID_USER")
    match claims.get("requestType"):
        case "change-email-confirmation":  # the old address agrees; now the new one is asked
            context.event = "email_change_requested"
            await send_change(context, user, new_email, context.query.get("callbackURL") or "/")
            return {"status": True}
        case "change-email-verification":
            pass
        case _:
            raise AuthError(401, "INVALID_TOKEN")
    try:
        changed = await context.database.fetchrow(
            users.change_email, new_email, user.id, claims["email"]
        )
    except StatementError as error:
        # somebody else took the address meanwhile
        raise AuthError(401, "INVALID_TOKEN") from error
    if changed is None:
        raise AuthError(401, "INVALID_TOKEN")
    if current is not None:
        context.set_session_cookie(current.session.token)
    return {"status": True, "user": serializers.user(changed)}


_CALLBACK: Final = {"callbackURL": optional(string)}

routes: Final = [
    post(
        "/send-verification-email",
        request_mail,
        body=fields({"email": email} | _CALLBACK),
        event="email_verification_requested",
    ),
    get(
        "/verify-email",
        verify_email,
        query=fields({"token": string} | _CALLBACK),
        redirects_to_callback=True,
        event="email_verified",
    ),
]
