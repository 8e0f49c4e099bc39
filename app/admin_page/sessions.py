"""``/admin/sessions``: the newest sessions of all users, to look at and to end."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from starlette.responses import Response

from ..auth.context import RequestContext, utc_now
from ..auth.devices import names_of
from ..auth.sessions import has_ended
from ..statements import admin_page as statements
from ..statements.admin_page import ListedSession
from .page import Screen, render
from .try_it import Call, try_it

_PAGE: Final = 50
_FIRST: Final = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1))


class Row(NamedTuple):
    """A session as it is shown."""

    session: ListedSession
    browser: str | None
    system: str | None
    has_ended: bool
    is_own: bool
    """The one of the page."""

    @property
    def called(self) -> str:
        """What the device is called in a sentence."""
        return " on ".join(filter(None, (self.browser, self.system))) or "an unknown device"


async def sessions(context: RequestContext) -> Mapping[str, Any] | Response:
    before = context.request.query_params.get("before")
    place = _FIRST if before is None else _place(before)
    if place is None:
        return render(context, "problem.html", {"problem": "There is no such page."}, 400)
    found = await context.database.fetch(statements.newest_sessions, *place, _PAGE + 1)
    shown = found[:_PAGE]
    names = await names_of({session.user_agent for session in shown})
    now, own = utc_now(), context.current_session.session.id
    return {
        "rows": [
            Row(
                session,
                *names[session.user_agent],
                has_ended=has_ended(context.settings, session, now),
                is_own=session.id == own,
            )
            for session in shown
        ],
        "is_first": before is None,
        "older": _text(shown[-1]) if len(found) > _PAGE else None,
        "may_end": context.settings.admin.may(context.user.role, "session", "revoke"),
        "calls": try_it(context.settings.base_url, *_CALLS),
    }


_CALLS: Final = (
    Call(
        "The sessions that began last, and whose they are",
        "/rest/v1/sessions",
        {
            "select": "id,created_at,expires_at,ip_address,user_agent,users(email)",
            "order": "created_at.desc,id.desc",
            "limit": str(_PAGE),
        },
    ),
    Call(
        "End a session",
        "/rest/v1/sessions",
        {"id": "eq.00000000-0000-0000-0000-000000000000"},
        method="DELETE",
    ),
)


def _text(session: ListedSession) -> str:
    """A place in the order, for an address."""
    return f"{session.created_at.isoformat()}_{session.id}"


def _place(text: str) -> tuple[datetime, UUID] | None:
    time, _, id_ = text.partition("_")
    try:
        moment, session_id = datetime.fromisoformat(time), UUID(id_)
        return moment.astimezone(UTC), session_id
    except (ValueError, OverflowError):
        return None


screen = Screen(sessions, "sessions.html", resource="session")
