"""``/admin/sessions``: the newest sessions of all users, to look at and to end."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..auth.context import RequestContext, utc_now
from ..auth.devices import names_of
from ..auth.sessions import has_ended
from ..statements import admin_page as statements
from ..statements.admin_page import ListedSession
from .listing import NEWEST, page_at, place_of, read_time_key, reader_of, time_key
from .page import Screen
from .try_it import Call, try_it

_PAGE: Final = 50


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


async def sessions(context: RequestContext) -> Mapping[str, Any]:
    place = place_of(context)
    page = await page_at(
        reader_of(context),
        place,
        (statements.newest_sessions, statements.newest_sessions_back),
        read_time_key(place.key) if place.key else NEWEST,
        _PAGE,
        lambda session: time_key(session.created_at, session.id),
    )
    shown = page.rows
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
        "pages": page.links(),
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


screen = Screen(sessions, "sessions.html", resource="session")
