"""Proof that an address is the user's: the mail, and what following its link does.

The token is a JWT, which names the address that it was sent to or that it replaces: it shows
nothing of another. Following the link again changes nothing, and it ends with a new password or
address.
"""

import asyncio
import time
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID, uuid4

from starlette.responses import Response

from ..database import Transaction
from ..errors import AuthError, StatementError
from ..schema import Session, User
from ..statements import users
from . import answers, proofs, serializers, sessions
from .context import RequestContext, redirect
from .endpoint import get, post
from .validation import email, fields, is_email, optional, string

LIFETIME: Final = 3600
_MIN_DURATION: Final = 0.5
"""Seconds that an anonymous request for a mail takes at least, whoever the address belongs to."""


async def send(context: RequestContext, user: User, callback: str) -> None:
    """Send the mail that verifies a user's address."""
    jti = await proofs.keep_mail(context, "verify-email", user.id, LIFETIME)
    claims = {"email": user.email, "userId": str(user.id), "jti": jti}
    token = context.services.tokens.sign(claims, LIFETIME)
    await _mail(context, user.email, user, token, callback)


async def do_as_if_sent(context: RequestContext, address: str) -> None:
    """The work of ``send`` for nobody, so that the time of the answer does not tell; the row stands
    for nobody until the next purge."""
    jti = await proofs.keep_mail(context, "verify-email", uuid4(), 1)
    context.services.tokens.sign({"email": address, "userId": "", "jti": jti}, LIFETIME)


async def change_token(context: RequestContext, user: User, new_email: str) -> str:
    """The token of the mail that changes a user's address; one from before ends."""
    claims = {
        "email": user.email,
        "updateTo": new_email,
        "requestType": "change-email-verification",
        "userId": str(user.id),
        "jti": await proofs.keep_mail(context, "change-email", user.id, LIFETIME),
    }
    return context.services.tokens.sign(claims, LIFETIME)


async def send_change(
    context: RequestContext, user: User, new_email: str, token: str, callback: str
) -> None:
    """Send the mail that changes a user's address to a new one; it goes to the new one."""
    await _mail(context, new_email, user, token, callback)


async def _mail(
    context: RequestContext, address: str, user: User, token: str, callback: str
) -> None:
    query = f"token={token}&callbackURL={quote(callback, safe='')}"
    url = f"{context.services.base_url}/verify-email?{query}"
    await context.services.mail.send("verify-email", address, str(user.id), url, token)


async def request_mail(context: RequestContext) -> answers.Done:
    """Mail a link that verifies an address.

    Without a session the answer is the same whoever the address belongs to.
    """
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
        await do_as_if_sent(context, address)
    await asyncio.sleep(max(0.0, _MIN_DURATION - (time.monotonic() - started)))
    return {"status": True}


async def verify_email(context: RequestContext) -> answers.Verified | Response:
    """Verify or change an address by the link of a mail, which leads here."""
    origins, callback = context.services.origins, context.query.get("callbackURL")
    try:
        answer = await _verify(context)
    except AuthError as error:
        if not callback or error.status != 401:
            raise
        context.refusal = error.code
        return redirect(origins.back_with_error(callback, error.code or "UNKNOWN"))
    return redirect(origins.back(callback)) if callback else answer


async def _verify(context: RequestContext) -> answers.Verified:
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
        await _set_verified(context, user, claims)
    return {"status": True, "user": None}


async def _set_verified(context: RequestContext, user: User, claims: dict[str, Any]) -> None:
    signs_in, current = context.settings.auto_sign_in_after_verification, None
    if signs_in:
        current = await sessions.find(context)
        signs_in = current is None or current.user.id != user.id
    new = sessions.new_session(context)

    async def write(transaction: Transaction) -> Session | None:
        if not await transaction.fetch(users.verify_email, True, user.id, claims["email"]):
            now = await transaction.fetchrow(users.by_id, user.id)
            if now is None or now.email != claims["email"]:
                raise AuthError(401, "INVALID_TOKEN")
            return None  # the same link, followed twice at once
        await proofs.consume_mail(transaction, context, "verify-email", user.id, claims)
        return await sessions.insert(transaction, context, user.id, new) if signs_in else None

    session = await context.database.transaction("users.verify_email", write)
    if session is not None:
        context.set_session_cookie(session.token, remember=True)
    elif current is not None:
        context.set_session_cookie(current.session.token)


async def _change_email(context: RequestContext, claims: dict[str, Any]) -> answers.Verified:
    new_email = claims["updateTo"].lower()
    if not context.settings.change_email or not is_email(new_email):
        raise AuthError(401, "INVALID_TOKEN")
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
            token = await change_token(context, user, new_email)
            callback = context.query.get("callbackURL") or "/"
            context.event = "email_change_requested"
            await send_change(context, user, new_email, token, callback)
            return {"status": True}
        case "change-email-verification":
            pass
        case _:
            raise AuthError(401, "INVALID_TOKEN")

    async def write(transaction: Transaction) -> User:
        await proofs.consume_mail(transaction, context, "change-email", user.id, claims)
        arguments = (new_email, user.id, claims["email"])
        statement = context.services.user_statements.change_email
        changed = await transaction.fetchrow(statement, *arguments)
        if changed is None:
            raise AuthError(401, "INVALID_TOKEN")
        await proofs.end_all(transaction, user.id, [])
        return changed

    try:
        changed = await context.database.transaction("users.change_email", write)
    except StatementError as error:
        # somebody else took the address meanwhile
        raise AuthError(401, "INVALID_TOKEN") from error
    await context.services.mail.notify("email-changed", user.email, str(user.id))
    if current is not None:
        context.set_session_cookie(current.session.token)
    return {"status": True, "user": serializers.user(changed, context.services.user_fields.shown)}


_CALLBACK: Final = {"callbackURL": optional(string)}

routes: Final = [
    post(
        "/send-verification-email",
        request_mail,
        body=fields({"email": email} | _CALLBACK),
        session="optional",
        event="email_verification_requested",
        errors={
            "VERIFICATION_EMAIL_NOT_ENABLED": 400,
            "EMAIL_MISMATCH": 400,
            "EMAIL_ALREADY_VERIFIED": 400,
        },
    ),
    get(
        "/verify-email",
        verify_email,
        query=fields({"token": string} | _CALLBACK),
        session="optional",
        redirects_to_callback=True,
        event="email_verified",
        errors={
            "INVALID_TOKEN": 401,
            "TOKEN_EXPIRED": 401,
            "INVALID_USER": 401,
            "USER_NOT_FOUND": 401,
            "BANNED_USER": 403,
        },
    ),
]
