"""``/admin/events``: what happened, the newest first, and what happens while one looks.

A page looks at no more than some thousand events for those it shows. The events of a type that is
rare have an index; those of a frequent one, and of one user's, are looked for among that many, and
the link to older ones goes on from there.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from starlette.responses import Response

from ..auth.context import RequestContext
from ..database import Reads
from ..schema import Event
from ..statements import admin_page, users
from ..statements import events as statements
from .listing import Page, reader_of
from .page import BadQueryError, Screen, asked, render
from .try_it import Call, try_it

_PAGE: Final = 50
_LIVE: Final = 200
"""Events that the script gets at a time."""
_MOST: Final = 20_000
"""Events that a page looks at, where no index finds those it wants."""
_LONGEST: Final = 300
"""Characters of a value that are shown."""
_AFTER_ALL: Final = UUID(int=2**128 - 1)
_BEFORE_ALL: Final = UUID(int=0)


class Change(NamedTuple):
    """A column of an event. A value is None where the event does not have it."""

    name: str
    before: str | None
    after: str | None


class Row(NamedTuple):
    """An event as it is shown."""

    event: Event
    changes: list[Change]
    hidden: list[str]
    """The columns that changed whose values are not shown."""


class Filter(NamedTuple):
    """What is asked for. None: any."""

    type: str | None
    user: UUID | None


async def events(context: RequestContext) -> Mapping[str, Any] | Response:
    if not context.settings.admin.may(context.user.role, "session", "list"):
        return render(context, "refused.html", {}, 403)
    type_, user = asked(context, "type").strip(), asked(context, "user", 320).strip()
    wanted = await _filter(context, type_, user)
    since, reader = _key(asked(context, "since")), reader_of(context)
    if since is not None:
        return await _live(context, reader, wanted, since)
    after = _key(asked(context, "after"))
    seen = await reader.fetchrow(statements.newest, _AFTER_ALL, 1)
    page, looked_at = await _page(reader, wanted, after or _AFTER_ALL)
    newest = max(
        (event.id for event in (seen, *page.rows[:1]) if event is not None), default=_BEFORE_ALL
    )
    return {
        **await described(reader, page.rows),
        "types": statements.TYPES,
        "type": type_,
        "user_given": user,
        "is_first": after is None,
        "pages": page.links(type=type_, user=user),
        "newest": urlencode([each for each in (("type", type_), ("user", user)) if each[1]]),
        "looked_at": looked_at,
        "last": newest,
        "has_events": not context.request.app.state.citus,
        "calls": try_it(context.settings.base_url, *_calls(wanted, newest)),
    }


async def described(reader: Reads, events: Sequence[Event]) -> Mapping[str, Any]:
    """What the rows of a table of events are made from."""
    return {
        "about": True,
        "rows": [_row(event) for event in events],
        "addresses": await _addresses(reader, events),
    }


async def _filter(context: RequestContext, type_: str, user: str) -> Filter:
    """What is asked for. Raises BadQueryError."""
    if type_ and type_ not in statements.TYPES:
        raise BadQueryError("There is no such type of events.")
    if not user:
        return Filter(type_ or None, None)
    user_id = _id(user)
    if user_id is None and "@" in user:
        found = await context.database.fetchrow(users.by_email, user.lower())
        user_id = found.id if found else None
    if user_id is None:
        raise BadQueryError(
            "Nobody has this address. Events of a user who is gone are found by the id."
        )
    return Filter(type_ or None, user_id)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _key(text: str) -> UUID | None:
    """The event that the address names. Raises BadQueryError for what is none."""
    found = _id(text)
    if text and found is None:
        raise BadQueryError("This address is not one of a page.")
    return found


async def _page(reader: Reads, wanted: Filter, after: UUID) -> tuple[Page[Event], int | None]:
    """A page, and at how many events it looked where there may be more beyond these."""
    fetch, most = reader.fetch, _PAGE + 1
    user, type_ = wanted.user, wanted.type
    if user is None and type_ is None:
        return _whole(await fetch(statements.newest, after, most))
    if user is not None and type_ is None:
        return _whole(await fetch(statements.newest_of_user, after, user, most))
    if user is None and type_ != statements.FREQUENT:
        return _whole(await fetch(statements.newest_of_type, after, type_, most))
    if user is None:
        rows = await fetch(statements.bound, after, 1, _MOST)
        bound = rows[0]["id"] if rows else None
        arguments = (after, bound or _BEFORE_ALL, type_, most)
        found = await fetch(statements.newest_within, *arguments)
    else:
        rows = await fetch(statements.bound_of_user, after, user, 1, _MOST)
        bound = rows[0]["id"] if rows else None
        arguments = (after, bound or _BEFORE_ALL, user, type_, most)
        found = await fetch(statements.newest_of_user_within, *arguments)
    if len(found) > _PAGE or bound is None:
        return _whole(found)
    return Page(found, "", f"{bound}"), _MOST


def _whole(found: list[Event]) -> tuple[Page[Event], None]:
    shown = found[:_PAGE]
    return Page(shown, "", f"{shown[-1].id}" if len(found) > _PAGE else ""), None


async def _live(context: RequestContext, reader: Reads, wanted: Filter, since: UUID) -> Response:
    """The page with what came after an event; those of another type count as looked at."""
    if wanted.user is None:
        found = await reader.fetch(statements.page, since, _LIVE)
    else:
        found = await reader.fetch(statements.page_of_user, since, wanted.user, _LIVE)
    shown = [event for event in found if wanted.type in (None, event.type)]
    values = {
        **await described(reader, shown[::-1]),
        "last": found[-1].id if found else since,
        "is_full": len(found) == _LIVE,
    }
    return render(context, "_events.html", values)


async def _addresses(reader: Reads, shown: Sequence[Event]) -> dict[UUID, str]:
    """The addresses of those who are in the events, and are still there."""
    ids = {id_ for each in shown for id_ in (each.user_id, each.actor_id, each.impersonator_id)}
    rows = await reader.fetch(admin_page.addresses, [id_ for id_ in ids if id_])
    return {row["id"]: row["email"] for row in rows}


def _row(event: Event) -> Row:
    before, after = (_values(text) for text in (event.before, event.after))
    names = dict.fromkeys((*before, *after))
    changes = [Change(name, before.get(name), after.get(name)) for name in names]
    return Row(event, changes, [name for name in event.changed or () if name not in names])


def _values(text: str | None) -> dict[str, str]:
    """The columns and values of an event, as text."""
    given = msgspec.json.decode(text) if text else None
    return {name: _shown(value) for name, value in given.items()} if given else {}


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _calls(wanted: Filter, after: UUID) -> list[Call]:
    conditions = {
        "id": f"gt.{after}",
        **({"type": f"eq.{wanted.type}"} if wanted.type else {}),
        **({"user_id": f"eq.{wanted.user}"} if wanted.user else {}),
    }
    query = conditions | {"order": "id", "limit": "1000"}
    return [Call("What comes after the newest event", "/rest/v1/events", query)]


screen = Screen(events, "events.html")
