"""The ways a user signs in."""

from typing import Final
from uuid import UUID

from ..errors import AuthError
from ..statements import accounts
from . import answers, serializers
from .context import RequestContext
from .endpoint import get, post
from .validation import fields, string


async def list_accounts(context: RequestContext) -> list[answers.Account]:
    """List the ways the user signs in."""
    rows = await context.database.fetch(accounts.of_user, context.user.id)
    return [serializers.account(row) for row in rows]


async def unlink(context: RequestContext) -> answers.Done:
    """Remove one of the ways the user signs in; the last one only where a setting lets them."""
    any_of_them = context.settings.social.unlink_last_account
    rows = await context.database.fetch(accounts.of_user, context.user.id)
    if len(rows) <= 1 and not any_of_them:
        raise AuthError(400, "FAILED_TO_UNLINK_LAST_ACCOUNT")
    account_id = context.body["accountId"]
    if account_id not in {str(row.id) for row in rows}:
        raise AuthError(400, "ACCOUNT_NOT_FOUND")
    statement = accounts.unlink_any if any_of_them else accounts.unlink
    if not await context.database.fetch(statement, context.user.id, UUID(account_id)):
        raise AuthError(400, "FAILED_TO_UNLINK_LAST_ACCOUNT")
    return {"status": True}


routes: Final = [
    get("/list-accounts", list_accounts, session="session"),
    post(
        "/unlink-account",
        unlink,
        body=fields({"accountId": string}),
        session="fresh",
        event="account_unlinked",
        errors={"FAILED_TO_UNLINK_LAST_ACCOUNT": 400, "ACCOUNT_NOT_FOUND": 400},
    ),
]
