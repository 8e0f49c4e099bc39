"""``/admin``: how many users and sessions there are, and what came and went lately."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from ..auth.context import RequestContext, utc_now
from ..daily_counts import NAME, REFUSED
from ..schema import DailyCount
from ..statements import admin_page as statements
from ..statements import daily_counts, events
from .listing import reader_of
from .page import Screen
from .plots import HEIGHT, WIDTH, Plot, plot
from .try_it import Call, try_it

_DAYS: Final = 30
_LATE: Final = timedelta(minutes=5)
"""The counts are a minute old; when they are older than this, something is wrong or much to do."""

_FIRST: Final = UUID(int=0)

_PLOTS: Final = {
    "user.created": "Sign-ups",
    REFUSED: "Refused sign-ins",
    "session.created": "Sessions begun",
    "session.ended": "Sessions ended",
    "user.banned": "Bans",
    "user.deleted": "Deleted users",
}
"""The types of daily counts that are drawn."""


class Total(NamedTuple):
    """How many rows there are, or about how many."""

    number: int
    is_exact: bool


async def overview(context: RequestContext) -> Mapping[str, Any]:
    database, today = reader_of(context), utc_now().date()
    days = [today - timedelta(days=_DAYS - 1 - number) for number in range(_DAYS)]
    found = (await database.fetch(statements.overview))[0]
    counts = await database.fetch(daily_counts.since, days[0])
    first = await database.fetch(daily_counts.first_day, REFUSED, 1)
    place = await database.fetchrow(daily_counts.place, NAME)
    uncounted = await database.fetchrow(events.page, place.last_event_id if place else _FIRST, 1)
    since = {REFUSED: first[0]["day"] if first else today + timedelta(days=1)}
    plots = [
        _plot(number, type_, days, counts, since.get(type_))
        for number, type_ in enumerate(_PLOTS, start=1)
    ]
    return {
        "users": _total(found.users, found.users, found.estimated_users),
        "sessions": _total(found.sessions, found.active_sessions, found.estimated_sessions),
        "plots": plots,
        "days": list(zip(*(each.bars for each in plots), strict=True))[::-1],
        "columns": [each.title for each in plots],
        "width": WIDTH,
        "height": HEIGHT,
        "refused_since": first[0]["day"] if first else None,
        "first_day": days[0],
        "counted_at": place.read_at if place else None,
        "missing_since": uncounted.created_at
        if uncounted and utc_now() - uncounted.created_at > _LATE
        else None,
        "has_events": not context.request.app.state.citus,
        "calls": try_it(context.settings.base_url, *_CALLS),
    }


_CALLS: Final = (
    Call(
        "The users who came last",
        "/rest/v1/users",
        {"select": "id,name,email,created_at", "order": "created_at.desc,id.desc", "limit": "5"},
    ),
    Call("Whose session this is", "/api/auth/get-session", credential="session"),
)


def _total(rows: int, counted: int, estimate: int) -> Total:
    """``counted`` of the ``rows`` that were looked at; of more than these the estimate."""
    if rows <= statements.COUNTED:
        return Total(counted, is_exact=True)
    return Total(max(rows, estimate), is_exact=False)


def _plot(
    number: int, type_: str, days: list[date], counts: list[DailyCount], since: date | None
) -> Plot:
    of_type = {each.day: each.count for each in counts if each.type == type_}
    return plot(f"plot-{number}", _PLOTS[type_], days, of_type, since)


screen = Screen(overview, "overview.html")
