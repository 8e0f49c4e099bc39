"""Changing and verifying the password of a user who is signed in."""

from typing import Final

from ..database import Transaction
from ..errors import AuthError
from ..schema import Session
from ..statements import accounts
from ..statements import sessions as session_statements
from . import answers, passwords, proofs, serializers, sessions
from .context import CREDENTIAL, RequestContext
from .endpoint import hashing, post
from .passwords import NEW_PASSWORD
from .validation import boolean, fields, optional, string

CURRENT_PASSWORD: Final = {"CREDENTIAL_ACCOUNT_NOT_FOUND": 400, "INVALID_PASSWORD": 400}
"""The errors of ``check_current``."""


async def change_password(context: RequestContext) -> answers.WithToken:
    """Change the user's password, and end their other sessions when that is wanted.

    The user is told by mail.
    """
    body, user = context.body, context.user
    context.services.passwords.check_new(body["newPassword"])
    passwords.check_length(body["currentPassword"])
    old = await check_current(context, body["currentPassword"])
    stored = await context.services.passwords.hash(body["newPassword"], context.request)
    revoke = body.get("revokeOtherSessions") is True
    new = sessions.new_session(context)

    async def write(transaction: Transaction) -> Session | None:
        # first, for it waits for the sign-ins under way and refuses those that come later
        arguments = (stored, CREDENTIAL, user.id, old)
        if not await transaction.fetch(accounts.replace_password, *arguments):
            raise AuthError(400, "INVALID_PASSWORD")
        await proofs.end_all(transaction, user.id, [])
        if not revoke:
            return None
        await transaction.fetch(session_statements.revoke_all, user.id)
        return await sessions.insert(transaction, context, user.id, new)

    session = await context.database.transaction("accounts.change_password", write)
    await context.services.mail.notify("password-changed", user.email, str(user.id))
    if session is not None:
        context.set_session_cookie(session.token)
    answer = serializers.user(user, context.services.user_fields.shown)
    return {"token": session.token if session else None, "user": answer}


async def verify_password(context: RequestContext) -> answers.Done:
    """Check the password of the user who is signed in."""
    password = context.body["password"]
    passwords.check_length(password)
    await check_current(context, password, missing="INVALID_PASSWORD")
    return {"status": True}


async def check_current(
    context: RequestContext, password: str, missing: str = "CREDENTIAL_ACCOUNT_NOT_FOUND"
) -> str:
    """Check the password of the user who is signed in; gives the stored hash.

    Raises AuthError 400: INVALID_PASSWORD, or ``missing`` for a user without a password.
    """
    found = await context.database.fetchrow(accounts.password, CREDENTIAL, context.user.id)
    if found is None or found.password is None:
        raise AuthError(400, missing)
    services, user = context.services, context.user
    attempt = await services.account_limit.begin_own(user.id)
    if not await services.passwords.verify(found.password, password, context.request):
        raise AuthError(400, "INVALID_PASSWORD")
    await services.account_limit.succeed(attempt)
    return found.password


_CHANGE: Final = fields(
    {
        "newPassword": string,
        "currentPassword": string,
        "revokeOtherSessions": optional(boolean),
    }
)

routes: Final = [
    post(
        "/change-password",
        hashing(change_password),
        body=_CHANGE,
        session="session",
        event="password_changed",
        errors=NEW_PASSWORD | CURRENT_PASSWORD,
    ),
    post(
        "/verify-password",
        hashing(verify_password),
        body=fields({"password": string}),
        session="session",
        event="password_verified",
        errors={"PASSWORD_TOO_LONG": 400, "INVALID_PASSWORD": 400},
    ),
]
