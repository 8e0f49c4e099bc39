"""``/admin/users/ID``: one user with everything that is known and may be done, and an export."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from starlette.responses import Response

from ..auth.context import RequestContext, Services, utc_now
from ..auth.devices import names_of
from ..auth.personal_data import PersonalData
from ..auth.plugins.admin.bans import is_banned
from ..auth.session_limits import Limits, greatest
from ..auth.sessions import has_ended
from ..schema import SessionPolicy, User
from ..settings import AuthSettings
from ..settings.environment import in_units
from ..statements import accounts, admin_users, session_policies
from ..statements.admin import AdminStatements
from .events import described
from .listing import page_at, place_of
from .page import BadQueryError, NotFoundError, Screen
from .try_it import Call, try_it

_MAX_SESSIONS: Final = 100
_EVENTS: Final = 20
"""Events of a page."""
_OF_THE_PLUGIN: Final = {"role", "banned", "banReason", "banExpires"}
_LAST: Final = UUID(int=2**128 - 1)
_BANS: Final = {
    "": "for good",
    "3600": "an hour",
    "86400": "a day",
    "604800": "a week",
    "2592000": "30 days",
    "31536000": "a year",
}
"""By their seconds."""
_LIFETIMES: Final = (900, 1800, 3600, 4 * 3600, 8 * 3600, 86_400, 7 * 86_400, 30 * 86_400)
"""Seconds to choose from, of what a session may last."""


class UserScreens:
    """The screens of one user. The statement is made once, of the columns that the table has."""

    def __init__(self, services: Services) -> None:
        schema = services.schema
        self._by_id = AdminStatements.of(schema.users, schema.sessions).by_id
        self.screen = Screen(self.user, "user.html", action="get")
        self.export_screen = Screen(self.export, "user.html", action="export", is_download=True)

    async def user(self, context: RequestContext) -> Mapping[str, Any]:
        found = await self._find(context)
        settings, role = context.settings, context.user.role
        may_see_sessions = settings.admin.may(role, "session", "list")
        policy = await context.database.fetchrow(session_policies.of_user, found.id)
        return {
            "found": found,
            "limits": _limits(settings, policy),
            "shows_last_seen": context.services.sightings is not None,
            "is_oneself": found.id == context.user.id,
            "is_banned": is_banned(found),
            "is_administrator": settings.admin.is_administrator(found.role),
            "fields": self._fields(context, found),
            "accounts": await context.database.fetch(accounts.of_user, found.id),
            "devices": await _devices(context, found.id) if may_see_sessions else [],
            "events": await _events(context, found.id) if may_see_sessions else None,
            "most": _MAX_SESSIONS,
            "bans": _BANS,
            "roles": sorted(settings.admin.permissions),
            "mails": settings.mail.possible,
            "calls": try_it(settings.base_url, *_calls(found.id)),
        }

    async def export(self, context: RequestContext) -> Response:
        """All that is kept of the user, as JSON."""
        found = await self._find(context)
        services = context.services
        data = PersonalData(context.database, services.schema, services.settings.secrets)
        export = await data.export(found.id)
        if export is None:
            raise NotFoundError
        context.event_target = found.id
        context.log_event("user_exported", "ok")
        text = msgspec.json.format(msgspec.json.encode(export))
        headers = {"content-disposition": f'attachment; filename="user-{found.id}.json"'}
        return Response(text, media_type="application/json", headers=headers)

    async def _find(self, context: RequestContext) -> User:
        try:
            user_id = UUID(context.path_params["id"])
        except ValueError:
            raise NotFoundError from None
        found = await context.database.fetchrow(self._by_id, user_id)
        if found is None:
            raise NotFoundError
        return found

    def _fields(self, context: RequestContext, user: User) -> list[tuple[str, str]]:
        """The additional fields: names and values."""
        return [
            (name, _text(convert(getattr(user, column))))
            for name, column, convert in context.services.user_fields.shown
            if name not in _OF_THE_PLUGIN
        ]


def _calls(user_id: UUID) -> tuple[Call, ...]:
    row = {"id": f"eq.{user_id}", "select": "id,name,email,role,sessions(id,created_at,expires_at)"}
    return (
        Call("This user and the sessions", "/rest/v1/users", row),
        Call(
            "This user, as an administrator",
            "/api/auth/admin/get-user",
            {"id": str(user_id)},
            credential="session",
        ),
    )


async def _devices(context: RequestContext, user_id: UUID) -> Sequence[Mapping[str, Any]]:
    """The newest sessions, also those that have ended."""
    found = await context.database.fetch(admin_users.sessions_of, user_id, _MAX_SESSIONS)
    names = await names_of({session.user_agent for session in found})
    now, current = utc_now(), context.current_session.session.id
    return [
        {
            "session": session,
            "name": " on ".join(filter(None, names[session.user_agent])),
            "has_ended": has_ended(context.settings, session, now),
            "is_current": session.id == current,
        }
        for session in found
    ]


def _limits(settings: AuthSettings, policy: SessionPolicy | None) -> Mapping[str, Any]:
    """What holds for the user's sessions, and what a form may offer: durations by their seconds."""
    holds, most = Limits.of(settings, policy), greatest(settings)

    def choices(name: str, setting: int) -> dict[str, str]:
        own = getattr(policy, name) if policy else None
        offered = {each for each in (*_LIFETIMES, own) if each is not None and each <= most[name]}
        as_set = f"as the settings have it ({in_units(setting) if setting else 'no end'})"
        return {"": as_set} | {str(each): in_units(each) for each in sorted(offered)}

    return {
        "lifetime": in_units(int(holds.lifetime.total_seconds())) if holds.lifetime else None,
        "idle": in_units(int(holds.idle.total_seconds())),
        "max_sessions": holds.max_sessions,
        "most_sessions": most["max_sessions"],
        "own": policy,
        "lifetimes": choices("lifetime", settings.session_max_age),
        "idle_lifetimes": choices("idle_lifetime", settings.session_expires_in),
    }


async def _events(context: RequestContext, user_id: UUID) -> Mapping[str, Any]:
    place = place_of(context)
    try:
        beyond = UUID(place.key) if place.key else _LAST
    except ValueError:
        raise BadQueryError("This address is not one of a page.") from None
    statements = (admin_users.events_of, admin_users.events_of_back)
    values = {"user_id": user_id, "id": beyond}
    database = context.database  # not a replica: whoever acts on a user sees what is so
    page = await page_at(database, place, statements, values, _EVENTS, lambda row: str(row.id))
    return {**await described(database, page.rows), "pages": page.links()}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
