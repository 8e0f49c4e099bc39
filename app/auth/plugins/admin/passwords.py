"""set-user-password: for a user who cannot reset it, or whose account somebody else has taken."""

from typing import Final

from starlette.routing import BaseRoute

from ....database import Transaction
from ....errors import AuthError
from ....schema import User
from ....statements import accounts, admin
from ....statements.admin import AdminStatements
from ... import answers, proofs
from ...context import CREDENTIAL, RequestContext
from ...endpoint import hashing, post
from ...passwords import NEW_PASSWORD
from ...validation import fields, string
from .administrators import hold_target
from .permissions import not_empty, permitted, target_id, user_id

_FORBIDDEN: Final = "YOU_ARE_NOT_ALLOWED_TO_SET_USERS_PASSWORD"
_FIELDS: Final = fields(
    {"newPassword": not_empty("newPassword", string), "userId": not_empty("userId", user_id)}
)


class Passwords:
    """Ends the user's sessions and every mailed link as well."""

    def __init__(self, statements: AdminStatements) -> None:
        self._statements = statements

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            post(
                "/admin/set-user-password",
                hashing(self.set_password),
                body=_FIELDS,
                session="bare",
                event="password_set",
                errors=NEW_PASSWORD | {_FORBIDDEN: 403, "USER_NOT_FOUND": 404},
            )
        ]

    @permitted("user", "set-password", _FORBIDDEN)
    async def set_password(self, context: RequestContext) -> answers.Done:
        """Give a user a new password. Their sessions and mailed links end, and they are told."""
        password, found = context.body["newPassword"], target_id(context)
        context.services.passwords.check_new(password)
        if not await context.database.fetchrow(self._statements.by_id, found):
            raise AuthError(404, "USER_NOT_FOUND")
        stored = await context.services.passwords.hash(password, context.request)

        async def write(transaction: Transaction) -> User:
            # first, for it waits for the sign-ins under way and refuses those that come later
            changed = await transaction.fetch(accounts.change_password, stored, CREDENTIAL, found)
            await hold_target(transaction, context, found, _FORBIDDEN)
            user = await transaction.fetchrow(self._statements.by_id, found)
            if user is None:
                raise AuthError(404, "USER_NOT_FOUND")
            if not changed:
                await transaction.fetch(accounts.create_password, user.id, CREDENTIAL, stored)
            await proofs.end_all(transaction, user.id, [])
            await transaction.fetch(admin.end_sessions, user.id)
            return user

        user = await context.database.transaction("admin.set_password", write)
        await context.services.mail.notify("password-changed", user.email, str(user.id))
        return {"status": True}
