"""admin: users, their roles, bans and sessions in administrators' hands, as Better Auth's plugin.

The fields that it adds to users and sessions are in app/admin_fields.py. A ban holds wherever a
session begins, and for one that is there, whoever wrote it.
"""

from uuid import UUID

from starlette.responses import Response
from starlette.routing import BaseRoute

from ....database import Transaction
from ....errors import BannedError
from ....statements import admin
from ....statements.admin import AdminStatements
from ....statements.sessions import UserSession
from ...context import PREFIX, RequestContext, Services
from .. import Plugin as Base
from .administrators import keep_one
from .bans import Bans, is_banned
from .impersonation import COOKIE, Impersonation
from .limits import UserLimits
from .passwords import Passwords
from .permissions import routes as permission_routes
from .search import Search
from .sessions import Sessions
from .users import Users

_SIGN_OUT = f"{PREFIX}/sign-out"
_ENDPOINTS = f"{PREFIX}/admin/"


class Plugin(Base):
    """Its endpoints, and the ban."""

    def __init__(self, services: Services) -> None:
        self._roles = services.settings.admin.roles
        schema = services.schema
        statements = AdminStatements.of(schema.users, schema.sessions)
        self._parts = (
            Users(services, statements),
            Search(schema.users),
            Bans(statements),
            Passwords(statements),
            Sessions(statements),
            UserLimits(),
            Impersonation(statements),
        )

    @property
    def routes(self) -> list[BaseRoute]:
        return [*(route for part in self._parts for route in part.routes), *permission_routes]

    def refuses(self, found: UserSession) -> bool:
        """A ban holds for a session that another writer has made, or has left."""
        return is_banned(found.user)

    async def check_new_session(
        self, transaction: Transaction, context: RequestContext, user_id: UUID
    ) -> None:
        """Refuse whoever is banned; a ban that is over goes."""
        standing = await transaction.fetchrow(admin.hold, user_id)
        if standing is None or not standing.banned:
            return
        if is_banned(standing):
            context.event_user = user_id
            raise BannedError
        await transaction.fetch(admin.lift_ban, user_id)

    async def before_deletion(self, transaction: Transaction, user_id: UUID) -> None:
        """The last administrator stays."""
        await keep_one(transaction, self._roles, user_id)

    async def after(self, context: RequestContext, response: Response) -> None:
        """A sign-out ends what would lead back to the administrator's session; a change says how
        far a replica must have come to show it."""
        cookies, path = context.services.cookies, context.request.scope["path"]
        name = cookies.named(COOKIE)
        if path == _SIGN_OUT and name in context.cookies:
            response.headers.append("set-cookie", cookies.cleared(name))
        changes = context.method == "POST" and path.startswith(_ENDPOINTS)
        if changes and context.services.replica is not None and response.status_code == 200:
            from . import position  # what is off is not imported

            await position.keep(context, response)
