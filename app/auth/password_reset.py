"""A new password by mail, for a user who has forgotten the old one.

A reset ends every other link that was mailed to the user, and, of one who has not verified the
address, the accounts of providers. Asking for one ends none: anybody can ask, and would keep the
owner of the address from following any.
"""

from typing import Final
from urllib.parse import quote
from uuid import UUID, uuid4

from starlette.responses import Response

from ..database import Transaction
from ..errors import AuthError
from ..schema import User
from ..statements import accounts, sessions, users
from . import answers, proofs
from .context import CREDENTIAL, RequestContext, redirect, utc_now
from .endpoint import get, hashing, post
from .passwords import NEW_PASSWORD
from .tokens import reset_token
from .validation import email, fields, optional, string

_LIFETIME: Final = 3600
_SENT: Final = "If this email exists in our system, check your email for the reset link"


async def request_reset(context: RequestContext) -> answers.Sent:
    """Mail a link with which the user can choose a new password.

    The answer is the same whoever the address belongs to.
    """
    services = context.services
    if not services.mail.possible:
        raise AuthError(400, "RESET_PASSWORD_DISABLED")
    user = await context.database.fetchrow(users.by_email, context.body["email"].lower())
    token = reset_token()
    # for an address that nobody has the same is written, for nobody and until the next purge, so
    # that the time of the answer does not tell
    user_id, lifetime = (user.id, _LIFETIME) if user else (uuid4(), 1)
    await proofs.keep(context, proofs.RESET, token, user_id, lifetime)
    callback = quote(context.body_field("redirectTo") or "", safe="")
    url = f"{services.base_url}/reset-password/{token}?callbackURL={callback}"
    if user is not None:
        await services.mail.send("reset-password", user.email, str(user_id), url, token)
    return {"status": True, "message": _SENT}


async def follow_link(context: RequestContext) -> Response:
    """Go on to the page that asks for the new password, with the token: the mailed link."""
    token, callback = context.path_params["token"], context.query["callbackURL"]
    proof = await proofs.find(context, proofs.RESET, token)
    if not callback:
        return redirect(f"{context.services.base_url}/error?error=INVALID_TOKEN")
    name, value = ("token", token) if proof else ("error", "INVALID_TOKEN")
    return redirect(context.services.origins.back_with(callback, name, value))


async def reset_password(context: RequestContext) -> answers.Done:
    """Set a new password with the token of a mailed link.

    The token is used up together with the change, or not at all.
    """
    password = context.body["newPassword"]
    token = context.body.get("token") or context.query.get("token")
    if not token:
        raise AuthError(400, "INVALID_TOKEN")
    context.services.passwords.check_new(password)
    # looked up before the hash is made, which an invalid token is not worth
    proof = await proofs.find(context, proofs.RESET, token)
    if proof is None:
        raise AuthError(400, "INVALID_TOKEN")
    try:
        user_id = UUID(proof.value)
    except ValueError:
        raise AuthError(400, "USER_NOT_FOUND") from None
    stored = await context.services.passwords.hash(password, context.request)
    identifiers = proofs.identifiers(context, proofs.RESET, token)
    context.event_user = user_id

    async def write(transaction: Transaction) -> User:
        user = await transaction.fetchrow(users.by_id, user_id)
        if user is None:
            raise AuthError(400, "USER_NOT_FOUND")
        changed = await transaction.fetch(accounts.change_password, stored, CREDENTIAL, user_id)
        ended = await proofs.end_all(transaction, user_id, identifiers)
        if not any(p.identifier in identifiers and p.expires_at >= utc_now() for p in ended):
            raise AuthError(400, "INVALID_TOKEN")
        if not changed:
            await transaction.fetch(accounts.create_password, user_id, CREDENTIAL, stored)
        if context.settings.revoke_sessions_on_password_reset:
            await transaction.fetch(sessions.revoke_all, user_id)
        if not user.email_verified:
            # whoever signed up with this address at a provider has not shown that it is theirs
            kept = [CREDENTIAL, *context.settings.social.trusted_providers]
            if await transaction.fetch(accounts.end_unproved, user_id, kept):
                # and once more for a sign-in that held such an account
                await transaction.fetch(sessions.revoke_all, user_id)
        return user

    user = await context.database.transaction("accounts.reset_password", write)
    await context.services.mail.notify("password-changed", user.email, str(user.id))
    # whoever reads the owner's mail is no stranger
    await context.services.account_limit.remember(user.email, context.client_ip)
    return {"status": True}


routes: Final = [
    post(
        "/request-password-reset",
        request_reset,
        body=fields({"email": email, "redirectTo": optional(string)}),
        event="password_reset_requested",
        errors={"RESET_PASSWORD_DISABLED": 400},
    ),
    get(
        "/reset-password/{token}",
        follow_link,
        query=fields({"callbackURL": string}),
        redirects_to_callback=True,
    ),
    post(
        "/reset-password",
        hashing(reset_password),
        body=fields({"newPassword": string, "token": optional(string)}),
        query=fields({"token": optional(string)}),
        event="password_reset",
        errors=NEW_PASSWORD | {"INVALID_TOKEN": 400, "USER_NOT_FOUND": 400},
    ),
]
