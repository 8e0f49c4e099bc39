"""Who may do what: the check before each endpoint, and has-permission."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar
from uuid import UUID

from ....errors import AuthError
from ... import answers
from ...context import RequestContext
from ...endpoint import post
from ...validation import UNDEFINED, Check, js_type, string

Self = TypeVar("Self")
Given = TypeVar("Given")
P = ParamSpec("P")
Handler = Callable[[Self, RequestContext], Awaitable[Given]]


def permitted(
    resource: str, action: str, code: str
) -> Callable[[Handler[Self, Given]], Handler[Self, Given]]:
    """A handler that only runs for a user whose role grants the action: else 403 with ``code``."""

    def decorated(handler: Handler[Self, Given]) -> Handler[Self, Given]:
        @wraps(handler)
        async def checked(self: Self, context: RequestContext) -> Given:
            target = target_id(context)
            context.event_target = target
            require(context, resource, action, code)
            return await handler(self, context)

        return checked

    return decorated


def require(context: RequestContext, resource: str, action: str, code: str) -> None:
    """Raises AuthError 403 unless a role of the one who asks grants the action."""
    if not context.settings.admin.may(context.user.role, resource, action):
        raise AuthError(403, code)


def target_id(context: RequestContext) -> UUID | None:
    """Whom a request is about: the ``userId`` of its body; None also for what is no UUID."""
    return uuid_of(context.body_field("userId"))


def uuid_of(given: Any) -> UUID | None:
    """None for what is no UUID."""
    try:
        return UUID(given) if isinstance(given, str) else None
    except ValueError:
        return None


def _find_user_id(path: str, value: Any) -> list[str]:
    # any other value becomes a text, which is nobody's id
    if value is UNDEFINED:
        return [f"[{path}] Invalid input: expected nonoptional, received undefined"]
    return string(path, value) if isinstance(value, str) else []


user_id: Final = Check(_find_user_id, {"type": "string"})


def not_empty(name: str, check: Check) -> Check:
    """The same, and no empty text."""

    def find(path: str, value: Any) -> list[str]:
        return [f"[{path}] {name} cannot be empty"] if value == "" else check(path, value)

    return replace(check, find=find)


def _find_roles(path: str, value: Any) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    good = all(isinstance(text, str) for text in texts)
    return [] if good else [f"[{path}] Invalid input"]


role: Final = Check(
    _find_roles, {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
)
"""A role, or several of them."""


async def has_permission(context: RequestContext) -> answers.HasPermission:
    """Say whether the user may do all of it: actions by resource."""
    settings, asked = context.settings.admin, context.body["permissions"]
    roles = settings.roles_of(context.user.role)
    success = bool(asked) and any(
        all(
            actions and settings.may(each, resource, *actions)
            for resource, actions in asked.items()
        )
        for each in roles
    )
    return {"error": None, "success": success}


def _find_permissions(path: str, value: Any) -> list[str]:
    if js_type(value) != "object":
        return [f"[{path}] Invalid input"]
    options = [name for name in ("permission", "permissions") if name in value]
    if len(options) != 1 or not all(_is_record_of_texts(value[name]) for name in options):
        more = "more than one option matched" if len(options) > 1 else ""
        return [f"[{path}] Invalid input{f': {more}' if more else ''}"]
    return []


def _is_record_of_texts(value: Any) -> bool:
    return js_type(value) == "object" and all(
        isinstance(texts, list) and all(isinstance(text, str) for text in texts)
        for texts in value.values()
    )


_has_permission: Final = Check(
    _find_permissions,
    {
        "type": "object",
        "properties": {
            "permissions": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "string"}},
            },
            "userId": {"type": "string"},
            "role": {"type": "string"},
        },
        "required": ["permissions"],
    },
)

routes: Final = [
    post("/admin/has-permission", has_permission, body=_has_permission, session="bare")
]
