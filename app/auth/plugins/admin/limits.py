"""Limits of one user's sessions, for administrators. Better Auth's plugin has none."""

from typing import Any, Final

from starlette.routing import BaseRoute

from ....database import Transaction
from ....errors import AuthError
from ....schema import SessionPolicy
from ....statements import admin, session_policies
from ... import answers, session_limits
from ...context import RequestContext
from ...endpoint import get, post
from ...session_limits import Changed, Limits
from ...validation import Check, fields, js_type, nullable, optional, string
from .administrators import hold_target
from .permissions import permitted, target_id, user_id, uuid_of

_GET: Final = "YOU_ARE_NOT_ALLOWED_TO_GET_USER"
_UPDATE: Final = "YOU_ARE_NOT_ALLOWED_TO_UPDATE_USERS"
_FIELDS: Final = dict(
    zip(("lifetime", "idleLifetime", "maxSessions"), session_limits.NAMES, strict=True)
)
"""The fields of the two endpoints, and their columns."""


def _whole(path: str, value: Any) -> list[str]:
    # is_integer of a float alone: an int may be greater than any
    if js_type(value) == "number" and (isinstance(value, int) or value.is_integer()):
        return []
    return [f"[{path}] Invalid input: expected int, received {js_type(value)}"]


_number: Final = optional(nullable(Check(_whole, {"type": "integer"})))


class UserLimits:
    """session-policy and set-session-policy."""

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            get(
                "/admin/session-policy",
                self.get,
                query=fields({"userId": string}),
                session="bare",
                errors={_GET: 403, "USER_NOT_FOUND": 404},
            ),
            post(
                "/admin/set-session-policy",
                self.set,
                body=fields({"userId": user_id} | dict.fromkeys(_FIELDS, _number)),
                session="bare",
                event="session_policy_set",
                errors={_UPDATE: 403, "USER_NOT_FOUND": 404},
            ),
        ]

    @permitted("user", "get", _GET)
    async def get(self, context: RequestContext) -> answers.SessionPolicy:
        """Show what limits a user's sessions: limits of their own, and what holds."""
        found = uuid_of(context.query["userId"])
        if found is None or not await context.database.fetch(admin.standing, found):
            raise AuthError(404, "USER_NOT_FOUND")
        policy = await context.database.fetchrow(session_policies.of_user, found)
        return _answer(context, policy)

    @permitted("user", "update", _UPDATE)
    async def set(self, context: RequestContext) -> answers.ChangedSessionPolicy:
        """Limit a user's sessions, in seconds and by their number; null: the setting holds.

        What is not given stays. Sessions that are too old or too many end, the others end in time.
        """
        given = _given(context)
        found = target_id(context)

        async def write(transaction: Transaction) -> Changed:
            await hold_target(transaction, context, found, _UPDATE)
            if found is None:
                raise AuthError(404, "USER_NOT_FOUND")
            return await session_limits.change(transaction, context.settings, found, given)

        changed = await context.database.transaction("admin.set_session_policy", write)
        return {**_answer(context, changed.policy), "ended": changed.ended}


def _given(context: RequestContext) -> dict[str, int | None]:
    """The limits in the body, by column. Raises AuthError 400 for what the settings refuse."""
    greatest, given = session_limits.greatest(context.settings), dict[str, int | None]()
    for name, column in _FIELDS.items():
        if name not in context.body:
            continue
        value, least = context.body[name], session_limits.least(column)
        if value is not None and value < least:
            problem = f"[body.{name}] Too small: expected number to be >={least}"
            raise AuthError(400, "VALIDATION_ERROR", problem)
        if value is not None and value > greatest[column]:
            problem = f"[body.{name}] Too big: expected number to be <={greatest[column]}"
            raise AuthError(400, "VALIDATION_ERROR", problem)
        given[column] = None if value is None else int(value)
    return given


def _answer(context: RequestContext, policy: SessionPolicy | None) -> answers.SessionPolicy:
    limits = Limits.of(context.settings, policy)
    return {
        "lifetime": policy and policy.lifetime,
        "idleLifetime": policy and policy.idle_lifetime,
        "maxSessions": policy and policy.max_sessions,
        "limits": {
            "lifetime": int(limits.lifetime.total_seconds()) if limits.lifetime else None,
            "idleLifetime": int(limits.idle.total_seconds()),
            "maxSessions": limits.max_sessions,
        },
    }
