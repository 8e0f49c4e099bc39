"""Pages by a key: what comes after a row, or before it, without counting what was skipped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from ..auth.context import RequestContext
from ..database import Reads
from ..sql import Statement
from .page import BadQueryError, asked

Row = TypeVar("Row")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LAST: Final = datetime(9999, 12, 31, tzinfo=UTC)
NEWEST: Final = {"time": _LAST, "id": UUID(int=2**128 - 1)}
"""Where the newest come after."""


def reader_of(context: RequestContext) -> Reads:
    """What a list is read from: replicas, if there are any, or the primary.

    It shows what the administrator has written, and may be late by what others did.
    """
    services = context.services
    if services.replica is None:
        return services.database
    from ..auth.plugins.admin import position  # what is off is not imported

    return services.replica.reader(services.database, position.kept(context))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: ``after`` a key, ``before`` it, or, without either, with the first."""

    after: str
    before: str

    @property
    def key(self) -> str:
        return self.after or self.before


def place_of(context: RequestContext) -> Place:
    """The place that the address names. Raises BadQueryError."""
    place = Place(asked(context, "after", 1000), asked(context, "before", 1000))
    if place.after and place.before:
        raise BadQueryError("A page is after something or before it, and not both.")
    return place


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows in their order, and the keys to go on from; '' where there is nothing further."""

    rows: Sequence[Row]
    previous: str
    following: str

    def links(self, **query: str) -> dict[str, str]:
        """The queries of the pages before and after this one, '' where there is none."""
        given = {name: value for name, value in query.items() if value}
        keys = {"before": self.previous, "after": self.following}
        return {name: urlencode({**given, name: key}) if key else "" for name, key in keys.items()}


async def page_at(
    reader: Reads,
    place: Place,
    statements: tuple[Statement[Row], Statement[Row]],
    values: dict[str, Any],
    size: int,
    key: Any,
) -> Page[Row]:
    """A page, read forwards or backwards.

    ``values`` are those of the statements but ``limit``; ``key`` gives the text of a row's place.
    """
    backwards = bool(place.before)
    statement = statements[1] if backwards else statements[0]
    arguments = statement.arguments({**values, "limit": size + 1})
    found = await reader.fetch(statement, *arguments)
    rows, more = found[:size], len(found) > size
    if backwards:
        rows.reverse()
    has_previous, has_following = (more, True) if backwards else (bool(place.after), more)
    return Page(
        rows,
        key(rows[0]) if rows and has_previous else "",
        key(rows[-1]) if rows and has_following else "",
    )


def time_key(created_at: datetime, row_id: UUID) -> str:
    return f"{(created_at - _EPOCH) // _MICROSECOND}.{row_id}"


def read_time_key(text: str) -> dict[str, Any]:
    """The parameters ``time`` and ``id`` of a key. Raises BadQueryError."""
    number, _, row_id = text.partition(".")
    try:
        moment = _EPOCH + int(number) * _MICROSECOND
        return {"time": moment, "id": UUID(row_id)}
    except (ValueError, OverflowError):
        raise BadQueryError("This address is not one of a page.") from None
