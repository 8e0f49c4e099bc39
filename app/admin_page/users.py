"""``/admin/users``: users by the beginning of their address, by id, or the newest; also as CSV."""

import csv
import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from starlette.responses import Response, StreamingResponse

from ..auth.context import RequestContext
from ..auth.plugins.admin.bans import is_banned
from ..sql import Statement
from ..statements import admin_users
from ..statements.admin_users import UserRow
from .listing import NEWEST, Page, Place, page_at, place_of, read_time_key, reader_of, time_key
from .page import BadQueryError, Screen, asked

SIZE: Final = 50
"""Users of a page."""
MAX_CSV: Final = 10_000
"""Users of a CSV."""
_CHUNK: Final = 1000
_SHOWN: Final = {"": "All", "administrators": "Administrators", "banned": "Banned"}
_GREATEST: Final = "\U0010ffff"
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""With what a cell begins that a spreadsheet runs."""


@dataclass(frozen=True, slots=True)
class Search:
    """What the address asks for: an address or id, or some of all users."""

    text: str
    show: str

    @classmethod
    def of(cls, context: RequestContext) -> "Search":
        """Raises BadQueryError."""
        text, show = asked(context, "q").strip(), asked(context, "show")
        if show not in _SHOWN:
            raise BadQueryError("Only administrators, or those who are banned, can be shown alone.")
        if text and show:
            raise BadQueryError("A search finds any user: it goes without “show”.")
        return cls(text, show)

    @property
    def statements(self) -> tuple[Statement[UserRow], Statement[UserRow]]:
        if self.text:
            return admin_users.by_address, admin_users.by_address_back
        return {
            "": (admin_users.newest, admin_users.newest_back),
            "administrators": (admin_users.administrators, admin_users.administrators_back),
            "banned": (admin_users.banned, admin_users.banned_back),
        }[self.show]

    def values(self, context: RequestContext, key: str) -> dict[str, Any]:
        """The parameters of the statements. Raises BadQueryError for a key that is none."""
        if self.text:
            first = self.text.lower()
            return {"first": first, "end": first + _GREATEST, "email": key}
        beyond = read_time_key(key) if key else NEWEST
        return {**beyond, "roles": list(context.settings.admin.roles)}

    def key(self, row: UserRow) -> str:
        return row.email if self.text else time_key(row.created_at, row.id)

    async def page(self, context: RequestContext, place: Place, size: int) -> Page[UserRow]:
        reader = reader_of(context)
        if (row_id := _as_id(self.text)) is not None:
            found = await reader.fetch(admin_users.by_id, row_id)
            if found:
                return Page(found, "", "")
        values = self.values(context, place.key)
        return await page_at(reader, place, self.statements, values, size, self.key)


async def users(context: RequestContext) -> Mapping[str, Any]:
    search = Search.of(context)
    page = await search.page(context, place_of(context), SIZE)
    return {
        "search": search,
        "shown": _SHOWN,
        "users": page.rows,
        "banned": {row.id for row in page.rows if is_banned(row)},
        "pages": page.links(q=search.text, show=search.show),
        "most": MAX_CSV,
    }


async def users_csv(context: RequestContext) -> Response:
    """The first of those that a search finds, read in pages as they are sent."""
    search = Search.of(context)
    first = await search.page(context, Place("", ""), _CHUNK)
    context.log_event("users_exported", "ok")
    headers = {"content-disposition": 'attachment; filename="users.csv"'}
    return StreamingResponse(
        _lines(context, search, first), media_type="text/csv; charset=utf-8", headers=headers
    )


async def _lines(
    context: RequestContext, search: Search, page: Page[UserRow]
) -> AsyncIterator[str]:
    yield _csv([UserRow.__struct_fields__])
    sent = len(page.rows)
    yield _csv([_cells(row) for row in page.rows])
    while page.following and sent < MAX_CSV:
        page = await search.page(context, Place(page.following, ""), min(_CHUNK, MAX_CSV - sent))
        sent += len(page.rows)
        yield _csv([_cells(row) for row in page.rows])


def _csv(rows: Any) -> str:
    """RFC 4180, every cell in quotes."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue()


def _cells(row: UserRow) -> list[str]:
    values = (getattr(row, name) for name in UserRow.__struct_fields__)
    return [_cell(value) for value in values]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if text.lstrip(" \u00a0\ufeff").startswith(_FORMULAS) else text


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


screen = Screen(users, "users.html")
csv_screen = Screen(users_csv, "users.html", is_download=True)
