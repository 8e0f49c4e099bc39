"""Bans: no session begins, and those that are there end."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from starlette.routing import BaseRoute

from ....admin_fields import MAX_REASON
from ....database import Transaction
from ....errors import AuthError
from ....schema import User
from ....statements import admin
from ....statements.admin import AdminStatements, Standing
from ....statements.admin_users import UserRow
from ... import answers, serializers
from ...context import RequestContext, seconds, utc_now
from ...endpoint import post
from ...validation import fields, optional, text, typed
from .administrators import hold_target, keep_one
from .permissions import permitted, target_id, user_id

NO_REASON: Final = "No reason"
_FORBIDDEN: Final = "YOU_ARE_NOT_ALLOWED_TO_BAN_USERS"
_MOST_SECONDS: Final = 100 * 366 * 86_400


class Bans:
    """ban-user and unban-user."""

    def __init__(self, statements: AdminStatements) -> None:
        self._statements = statements

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            post(
                "/admin/ban-user",
                self.ban,
                body=fields(
                    {
                        "userId": user_id,
                        "banReason": optional(text(MAX_REASON)),
                        "banExpiresIn": optional(typed("number")),
                    }
                ),
                session="bare",
                event="user_banned",
                errors={
                    _FORBIDDEN: 403,
                    "USER_NOT_FOUND": 404,
                    "YOU_CANNOT_BAN_YOURSELF": 400,
                    "LAST_ADMINISTRATOR": 400,
                },
            ),
            post(
                "/admin/unban-user",
                self.unban,
                body=fields({"userId": user_id}),
                session="bare",
                event="user_unbanned",
                errors={_FORBIDDEN: 403, "USER_NOT_FOUND": 404},
            ),
        ]

    @permitted("user", "ban", _FORBIDDEN)
    async def ban(self, context: RequestContext) -> answers.OneUser:
        """Ban a user, for `banExpiresIn` seconds or without an end. All their sessions end."""
        found, body = target_id(context), context.body
        if found == context.user.id:
            raise AuthError(400, "YOU_CANNOT_BAN_YOURSELF")
        reason = body.get("banReason") or NO_REASON
        expires = _expiry(body.get("banExpiresIn"))
        arguments = changes(
            self._statements,
            found,
            {"field_banned": True, "field_ban_reason": reason, "field_ban_expires": expires},
        )

        async def write(transaction: Transaction) -> User | None:
            if found is None:
                return None
            await keep_one(transaction, context.settings.admin.roles, found)
            await hold_target(transaction, context, found, _FORBIDDEN)
            # first, for it waits for the sign-ins under way and refuses those that come later
            user = await transaction.fetchrow(self._statements.update, *arguments)
            await transaction.fetch(admin.end_sessions, found)
            return user

        return self._answer(context, await context.database.transaction("admin.ban", write))

    @permitted("user", "ban", _FORBIDDEN)
    async def unban(self, context: RequestContext) -> answers.OneUser:
        """Lift a ban."""
        found = target_id(context)
        given = {"field_banned": False, "field_ban_reason": None, "field_ban_expires": None}
        arguments = changes(self._statements, found, given)

        async def write(transaction: Transaction) -> User | None:
            await hold_target(transaction, context, found, _FORBIDDEN)
            return await transaction.fetchrow(self._statements.update, *arguments)

        return self._answer(context, await context.database.transaction("admin.unban", write))

    def _answer(self, context: RequestContext, user: User | None) -> answers.OneUser:
        if user is None:
            raise AuthError(404, "USER_NOT_FOUND")
        return {"user": serializers.user(user, context.services.user_fields.shown)}


def is_banned(user: User | Standing | UserRow) -> bool:
    return user.banned and (user.ban_expires is None or user.ban_expires > utc_now())


def _expiry(given: float | None) -> datetime | None:
    """Raises AuthError 400 for what no date is so far away."""
    if not given:
        return None
    if not -_MOST_SECONDS <= given <= _MOST_SECONDS:
        problem = f"[body.banExpiresIn] Too big: expected number to be <={_MOST_SECONDS}"
        raise AuthError(400, "VALIDATION_ERROR", problem)
    moment = utc_now() + seconds(1) * given
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def changes(
    statements: AdminStatements, user_id: UUID | None, given: Mapping[str, Any]
) -> tuple[Any, ...]:
    """The arguments of an update: ``given`` by parameter, everything else stays."""
    update = statements.update
    values: dict[str, Any] = dict.fromkeys(update.names)
    for name in update.names:
        if name.startswith("set_"):
            values[name] = name.removeprefix("set_") in given
    return update.arguments({**values, **given, "id": user_id})
