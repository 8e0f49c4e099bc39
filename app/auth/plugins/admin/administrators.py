"""What protects administrators: there is always one, and nobody else has power over them."""

from collections.abc import Sequence
from uuid import UUID

from ....database import Transaction
from ....errors import AuthError
from ....statements import admin
from ....statements.admin import Standing
from ...context import RequestContext


async def keep_one(transaction: Transaction, roles: Sequence[str], user_id: UUID) -> None:
    """Before this user is demoted, banned or deleted in the transaction: somebody else stays.

    It comes before anything else is locked. Raises AuthError 400 LAST_ADMINISTRATOR when nobody
    else has one of the roles.
    """
    held = await transaction.fetch(admin.hold_administrators, list(roles), 2)
    if [row["id"] for row in held] == [user_id]:
        raise AuthError(400, "LAST_ADMINISTRATOR")


async def hold_target(
    transaction: Transaction, context: RequestContext, user_id: UUID | None, code: str
) -> Standing:
    """Lock the user whom an endpoint is about, until the end of the transaction.

    Raises AuthError: 404 USER_NOT_FOUND; 403 with ``code`` when the user is an administrator, and
    the one who asks has but another role that grants the action.
    """
    standing = None if user_id is None else await transaction.fetchrow(admin.hold, user_id)
    if standing is None:
        raise AuthError(404, "USER_NOT_FOUND")
    settings = context.settings.admin
    if settings.is_administrator(standing.role) and not settings.is_administrator(
        context.user.role
    ):
        raise AuthError(403, code)
    return standing
