"""The settings of the admin plugin: roles, and what each may do."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from ..errors import SettingsError
from .environment import BOOLEAN, DAY, duration, parser, read, setting, text, texts

Permissions = Mapping[str, Collection[str]]
"""By resource, the actions."""

EVERYTHING: Final[Permissions] = MappingProxyType(
    {
        "user": frozenset(
            (
                "create", "list", "set-role", "ban", "impersonate", "delete", "set-password",
                "set-email", "set-phone", "get", "update", "export",
            )
        ),
        "session": frozenset(("list", "revoke", "delete")),
    }
)  # fmt: skip
"""What an administrator may do; not to act as another one (``impersonate-admins``). ``export`` is
Gatepost's own: a file with all that is kept of a user."""


@parser('a JSON object such as `{"support": {"user": ["list", "get"], "session": ["list"]}}`')
def _roles(name: str, text: str) -> dict[str, Permissions]:
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict) or not given:
        raise SettingsError(f"{name} must be a JSON object: what each role may do")
    return {_role(name, role): _permissions(name, role, each) for role, each in given.items()}


def _role(name: str, role: str) -> str:
    if not role or "," in role or len(role) > 100 or not role.isprintable():
        raise SettingsError(f"{name}: a role has 1 to 100 characters and no comma")
    return role


def _permissions(name: str, role: str, given: Any) -> Permissions:
    problem = f'{name}: {role} must be an object such as {{"user": ["list", "get"]}}'
    if not isinstance(given, dict):
        raise SettingsError(problem)
    for actions in given.values():
        if not isinstance(actions, list) or not all(isinstance(each, str) for each in actions):
            raise SettingsError(problem)
    return {resource: frozenset(actions) for resource, actions in given.items()}


@dataclass(frozen=True, kw_only=True)
class AdminSettings:
    """The roles of the [admin plugin](PLUGINS.md#admin), when `GATEPOST_PLUGINS` names it."""

    # fmt: off
    roles: tuple[str, ...] = setting("GATEPOST_ADMIN_ROLES", texts, default=("admin",),
        documented_default="`admin`",
        doc="The roles of administrators, who may do everything, whom nobody acts as, and of whom "
            "one always stays.")
    default_role: str = setting(
        "GATEPOST_DEFAULT_ROLE", text("a role, without a comma", r"[^,\x00-\x1f\x7f]{1,100}"),
        default="user",
        doc="The role of a user who is given none.")
    own: Mapping[str, Permissions] | None = setting("GATEPOST_ROLES", _roles, default=None,
        doc="Roles of your own, and what each may do. A role that is not among them, "
            "`GATEPOST_ADMIN_ROLES` and `GATEPOST_DEFAULT_ROLE` is then refused.")
    impersonation_expires_in: int = setting(
        "GATEPOST_IMPERSONATION_EXPIRES_IN", duration(60, DAY), default=3600,
        doc="How long an administrator acts as a user at most; such a session is never refreshed.")
    page: bool = setting("GATEPOST_ADMIN_PAGE", BOOLEAN, default=False,
        doc="The [page `/admin`](ADMIN.md), where administrators see users and sessions and end "
            "some. It needs the plugin `admin` and `gatepost[admin]`. `gatepost dev` has both on.")
    # fmt: on

    @cached_property
    def permissions(self) -> Mapping[str, Permissions]:
        """What each role may do."""
        return {**dict.fromkeys(self.roles, EVERYTHING), self.default_role: {}, **(self.own or {})}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "AdminSettings":
        found = cls(**read(cls, environment))
        for role in found.roles:
            _role("GATEPOST_ADMIN_ROLES", role)
        # the index by which administrators are found leaves it out
        if found.default_role in found.roles or "user" in found.roles:
            raise SettingsError(
                "GATEPOST_ADMIN_ROLES must not have 'user' or GATEPOST_DEFAULT_ROLE: "
                "everybody would be an administrator"
            )
        return found

    def may(self, role: str | None, resource: str, *actions: str) -> bool:
        """Whether one of a user's roles grants all of it. ``role`` is the column's text."""
        granted = (self.permissions.get(each, {}) for each in self.roles_of(role))
        return any(set(actions) <= set(each.get(resource, ())) for each in granted)

    def roles_of(self, role: str | None) -> list[str]:
        return (role or self.default_role).split(",")

    def is_administrator(self, role: str | None) -> bool:
        return not set(self.roles).isdisjoint(self.roles_of(role))
