"""A new password by mail, for a user who has forgotten the old one."""

from typing import Any, Final
from urllib.parse import quote
from uuid import UUID, uuid4

from app.auth.context import CREDENTIAL, RequestContext, redirect, seconds, utc_now
from app.auth.endpoint import get, post
from app.auth.tokens import reset_token
from app.auth.validation import email, fields, optional, string
from app.database import Transaction
from app.errors import AuthError
from app.statements import accounts, sessions, users, verifications

_LIFETIME: Final = 3600
_SENT: Final = "If this email exists in our system, check your email for the reset link"


async def request_reset(context: RequestContext) -> Any:
    """POST /request-password-reset: the same answer whoever the address belongs to."""
    services = context.services
    if not services.mail.possible:
        raise AuthError(400, "RESET_PASSWORD_DISABLED")
    user = await context.database.fetchrow(users.by_email, context.body["email"].lower())
    # for an address that nobody has the same is written, for nobody and until the next purge, so
    # that the time of the answer does not tell
    user_id, lifetime = (user.id, _LIFETIME) if user else (uuid4(), 1)
    token, expires_at = reset_token(), utc_now() + seconds(lifetime)
    await context.database.fetch(verifications.create, _identifier(token), str(user_id), expires_at)
    callback = quote(context.body_field("redirectTo") or "", safe="")
    url = f"{services.base_url}/reset-password/{token}?callbackURL={callback}"
    if user is not None:
        await services.mail.send("reset-password", user.email, str(user_id), url, token)
    return {"status": True, "message": _SENT}


async def follow_link(context: RequestContext) -> Any:
    """GET /reset-password/:token: on to the page that asks for the new password."""
    token, callback = context.path_params["token"], context.query["callbackURL"]
    proof = None
    if "\0" not in token:
        proof = await context.database.fetchrow(verifications.find, _identifier(token), 1)
    if not callback:
        return redirect(f"{context.services.base_url}/error?error=INVALID_TOKEN")
    good = proof is not None and proof.expires_at >= utc_now()
    name, value = ("token", token) if good else ("error", "INVALID_TOKEN")
    return redirect(context.services.origins.back_with(callback, name, value))


async def reset_password(context: RequestContext) -> Any:
    """POST /reset-password. The token is used up together with the change, or not at all."""
    password = context.body["newPassword"]
    token = context.body.get("token") or context.query.get("token")
    if not token or "\0" in token:
        raise AuthError(400, "INVALID_TOKEN")
    context.services.passwords.check_new(password)
    identifier = _identifier(token)
    # looked up before the hash is made, which an invalid token is not worth
    if not await context.database.fetch(verifications.find, identifier, 1):
        raise AuthError(400, "INVALID_TOKEN")
    stored = await context.services.passwords.hash(password)

    async def write(transaction: Transaction) -> bool:
        proofs = await transaction.fetch(verifications.consume, identifier)
        newest = max(proofs, key=lambda proof: proof.created_at, default=None)
        if newest is None or newest.expires_at < utc_now():
            return False  # no exception, which would keep the row
        try:
            user_id = UUID(newest.value)
        except ValueError:
            raise AuthError(400, "USER_NOT_FOUND") from None
        if not await transaction.fetch(users.by_id, user_id):
            raise AuthError(400, "USER_NOT_FOUND")
        if context.settings.revoke_sessions_on_password_reset:
            await transaction.fetch(sessions.revoke_all, user_id)
        changed = await transaction.fetch(accounts.change_password, stored, CREDENTIAL, user_id)
        if not changed:
            await transaction.fetch(accounts.create_password, user_id, CREDENTIAL, stored)
        return True

    if not await context.database.transaction("accounts.reset_password", write):
        raise AuthError(400, "INVALID_TOKEN")
    return {"status": True}


def _identifier(token: str) -> str:
    return f"reset-password:{token}"


routes: Final = [
    post(
        "/request-password-reset",
        request_reset,
        body=fields({"email": email, "redirectTo": optional(string)}),
    ),
    get(
        "/reset-password/{token}",
        follow_link,
        query=fields({"callbackURL": string}),
        redirects_to_callback=True,
    ),
    post(
        "/reset-password",
        reset_password,
        body=fields({"newPassword": string, "token": optional(string)}),
        query=fields({"token": optional(string)}),
    ),
]
