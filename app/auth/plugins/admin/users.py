"""Users in administrators' hands: shown, created, changed and deleted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from starlette.routing import BaseRoute

from ....database import Transaction
from ....errors import AuthError, StatementError
from ....schema import User
from ....statements import admin, users
from ....statements.admin import AdminStatements
from ... import answers, proofs, serializers
from ...context import CREDENTIAL, RequestContext, Services
from ...endpoint import get, hashing, post
from ...fields import Fields
from ...passwords import NEW_PASSWORD
from ...validation import (
    boolean,
    fields,
    is_email,
    long_string,
    nullable,
    optional,
    raise_if_invalid,
    record,
    short_string,
    string,
)
from . import roles
from .administrators import hold_target, keep_one
from .bans import changes
from .permissions import permitted, require, role, target_id, user_id

_CREATE: Final = "YOU_ARE_NOT_ALLOWED_TO_CREATE_USERS"
_UPDATE: Final = "YOU_ARE_NOT_ALLOWED_TO_UPDATE_USERS"
_DELETE: Final = "YOU_ARE_NOT_ALLOWED_TO_DELETE_USERS"
_BAN: Final = "YOU_ARE_NOT_ALLOWED_TO_BAN_USERS"
_SET_EMAIL: Final = "YOU_ARE_NOT_ALLOWED_TO_SET_USERS_EMAIL"
_TAKEN: Final = "USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL"
_BAN_FIELDS: Final = ("banned", "banReason", "banExpires")
_UNIQUE_VIOLATION: Final = "23505"

_DATA: Final = fields(
    {
        "name": optional(short_string),
        "email": optional(string),
        "emailVerified": optional(boolean),
        "image": optional(nullable(long_string)),
    }
)
_COLUMNS: Final = {
    "name": "name",
    "email": "email",
    "emailVerified": "email_verified",
    "image": "image",
}


class Users:
    """get-user, create-user, update-user, set-role and remove-user."""

    def __init__(self, services: Services, statements: AdminStatements) -> None:
        self._statements = statements
        # an administrator may write what a user may not
        all_fields = services.schema.users.fields
        self._fields = Fields([replace(each, input=True, refused=False) for each in all_fields])

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            get(
                "/admin/get-user",
                self.get,
                query=fields({"id": string}),
                session="bare",
                errors={"YOU_ARE_NOT_ALLOWED_TO_GET_USER": 403, "USER_NOT_FOUND": 404},
            ),
            post(
                "/admin/create-user",
                hashing(self.create),
                body=fields(
                    {
                        "email": string,
                        "password": optional(string),
                        "name": short_string,
                        "role": optional(role),
                        "data": optional(record),
                    }
                ),
                session="bare",
                event="user_created",
                errors=NEW_PASSWORD
                | roles.ERRORS
                | {_CREATE: 403, _BAN: 403, "INVALID_EMAIL": 400, _TAKEN: 400}
                | {"MISSING_FIELD": 400},
            ),
            post(
                "/admin/update-user",
                self.update,
                body=fields({"userId": user_id, "data": record}),
                session="bare",
                event="user_updated",
                errors=roles.ERRORS
                | {_UPDATE: 403, _BAN: 403, _SET_EMAIL: 403, "USER_NOT_FOUND": 404}
                | dict.fromkeys(
                    (
                        "NO_DATA_TO_UPDATE",
                        "PASSWORD_CANNOT_BE_UPDATED_VIA_UPDATE_USER",
                        "USER_ID_CANNOT_BE_UPDATED",
                        "YOU_CANNOT_BAN_YOURSELF",
                        "INVALID_EMAIL",
                        "LAST_ADMINISTRATOR",
                        _TAKEN,
                    ),
                    400,
                ),
            ),
            post(
                "/admin/set-role",
                self.set_role,
                body=fields({"userId": user_id, "role": role}),
                session="bare",
                event="role_set",
                errors=roles.ERRORS | {"USER_NOT_FOUND": 404, "LAST_ADMINISTRATOR": 400},
            ),
            post(
                "/admin/remove-user",
                self.remove,
                body=fields({"userId": user_id}),
                session="bare",
                event="user_deleted",
                errors={
                    _DELETE: 403,
                    "YOU_CANNOT_REMOVE_YOURSELF": 400,
                    "USER_NOT_FOUND": 404,
                    "LAST_ADMINISTRATOR": 400,
                },
            ),
        ]

    @permitted("user", "get", "YOU_ARE_NOT_ALLOWED_TO_GET_USER")
    async def get(self, context: RequestContext) -> answers.User:
        """Show a user."""
        try:
            found = UUID(context.query["id"])
        except ValueError:
            raise AuthError(404, "USER_NOT_FOUND") from None
        user = await context.database.fetchrow(self._statements.by_id, found)
        if user is None:
            raise AuthError(404, "USER_NOT_FOUND")
        return self._shown(context, user)

    @permitted("user", "create", _CREATE)
    async def create(self, context: RequestContext) -> answers.OneUser:
        """Create a user, with a password or without one. Nobody is signed in, and no mail sent."""
        body, services = context.body, context.services
        data = dict(body.get("data") or {})
        for name in ("email", "name", "password", "id"):
            data.pop(name, None)
        if "role" in body:
            data["role"] = body["role"]
        if "role" in data:
            data["role"] = roles.given_role(context, data["role"])
        if any(name in data for name in _BAN_FIELDS):
            require(context, "user", "ban", _BAN)
        address, password = _address(body["email"]), body.get("password")
        raise_if_invalid(_DATA("body.data", data))
        fields = self._fields.of_new_row(data)
        if password:
            services.passwords.check_new(password)
        if await context.database.fetchrow(users.by_email, address):
            raise AuthError(400, _TAKEN)
        values = fields | {"name": body["name"], "email": address, "image": data.get("image")}
        statement = self._statements.create
        if password:
            statement = services.user_statements.sign_up
            stored = await services.passwords.hash(password, context.request)
            values |= {"provider": CREDENTIAL, "password": stored}
        arguments = statement.arguments(values)
        given = self._given(data)

        async def write(transaction: Transaction) -> User | None:
            user = await transaction.fetchrow(statement, *arguments)
            if user is None or not given:
                return user
            more = changes(self._statements, user.id, given)
            return await transaction.fetchrow(self._statements.update, *more)

        user = await context.database.transaction("admin.create", write)
        if user is None:  # another sign-up was faster
            raise AuthError(400, _TAKEN)
        context.event_target = user.id
        return {"user": self._shown(context, user)}

    @permitted("user", "update", _UPDATE)
    async def update(self, context: RequestContext) -> answers.User:
        """Change fields of a user; unknown ones are ignored.

        A new address ends the user's mailed links, and the old one is told. A ban ends their
        sessions.
        """
        found, data = target_id(context), dict(context.body["data"])
        if not data:
            raise AuthError(400, "NO_DATA_TO_UPDATE")
        if "password" in data:
            raise AuthError(400, "PASSWORD_CANNOT_BE_UPDATED_VIA_UPDATE_USER")
        if "id" in data:
            raise AuthError(400, "USER_ID_CANNOT_BE_UPDATED")
        if "role" in data:
            data["role"] = roles.given_role(context, data["role"])
        if any(name in data for name in _BAN_FIELDS):
            require(context, "user", "ban", _BAN)
        if "email" in data or "emailVerified" in data:
            require(context, "user", "set-email", _SET_EMAIL)
        if data.get("banned") is True and found == context.user.id:
            raise AuthError(400, "YOU_CANNOT_BAN_YOURSELF")
        raise_if_invalid(_DATA("body.data", data))
        if "email" in data:
            data["email"] = _address(data["email"])
        user, old = await self._write(context, found, self._given(data), _UPDATE)
        if user.email != old.email:
            await context.services.mail.notify("email-changed", old.email, str(user.id))
        return self._shown(context, user)

    @permitted("user", "set-role", roles.CHANGE)
    async def set_role(self, context: RequestContext) -> answers.OneUser:
        """Give a user another role, or several. One administrator always stays."""
        text = roles.given_role(context, context.body["role"])
        found = target_id(context)
        user, _ = await self._write(context, found, {"field_role": text}, roles.CHANGE)
        return {"user": self._shown(context, user)}

    async def _write(
        self, context: RequestContext, found: UUID | None, given: Mapping[str, Any], code: str
    ) -> tuple[User, User]:
        """The user after and before the change, and with it what follows from it."""
        settings, banned = context.settings.admin, given.get("field_banned") is True
        new_role = given.get("field_role", settings.roles[0])
        arguments = changes(self._statements, found, given)

        async def write(transaction: Transaction) -> tuple[User, User]:
            if found is not None and (banned or not settings.is_administrator(new_role)):
                await keep_one(transaction, settings.roles, found)
            await hold_target(transaction, context, found, code)
            old = await transaction.fetchrow(self._statements.by_id, found)
            user = await transaction.fetchrow(self._statements.update, *arguments)
            if old is None or user is None:
                raise AuthError(404, "USER_NOT_FOUND")
            if user.email != old.email:
                await proofs.end_all(transaction, user.id, [])
            if banned:
                await transaction.fetch(admin.end_sessions, user.id)
            elif not settings.may(user.role, "user", "impersonate"):
                await transaction.fetch(admin.end_impersonations, user.id)
            return user, old

        try:
            return await context.database.transaction("admin.update", write)
        except StatementError as error:
            if error.sqlstate == _UNIQUE_VIOLATION and "email" in given:
                raise AuthError(400, _TAKEN) from None
            raise

    @permitted("user", "delete", _DELETE)
    async def remove(self, context: RequestContext) -> answers.Succeeded:
        """Delete a user with all accounts and sessions. There is no way back."""
        found = target_id(context)
        if found == context.user.id:
            raise AuthError(400, "YOU_CANNOT_REMOVE_YOURSELF")

        async def write(transaction: Transaction) -> User | None:
            if found is None:
                return None
            for plugin in context.services.plugins:
                await plugin.before_deletion(transaction, found)
            await hold_target(transaction, context, found, _DELETE)
            user = await transaction.fetchrow(self._statements.by_id, found)
            await proofs.end_all(transaction, found, [])
            await transaction.fetch(users.delete, found)
            return user

        user = await context.database.transaction("admin.remove", write)
        if user is None:
            raise AuthError(404, "USER_NOT_FOUND")
        await context.services.mail.notify("account-deleted", user.email, str(user.id))
        return {"success": True}

    def _given(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of what ``data`` changes. Raises AuthError 400 VALIDATION_ERROR."""
        given = {_COLUMNS[name]: value for name, value in data.items() if name in _COLUMNS}
        values = self._fields.of_update(data)
        return given | {
            name: value
            for name, value in values.items()
            if name.startswith("field_") and values[f"set_{name}"]
        }

    def _shown(self, context: RequestContext, user: User) -> answers.User:
        return serializers.user(user, context.services.user_fields.shown)


def _address(text: str) -> str:
    if not is_email(text):
        raise AuthError(400, "INVALID_EMAIL")
    return text.lower()
