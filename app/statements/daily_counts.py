"""The statements on the daily counts, and on how far events have been counted."""

from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec

from ..schema import DailyCount, daily_counts, event_readers, events
from ..sql import (
    AliasedQuery,
    Case,
    Expression,
    Field,
    Parameter,
    Query,
    Rows,
    Statement,
    Table,
    statement,
)

_e, _r, _c = Table("events", alias="e"), Table("event_readers", alias="r"), daily_counts.table
_next = AliasedQuery("next")
_NAME = Parameter("name", "text")
_LIMIT = Parameter("limit", "bigint")
_NOW = Expression("now()")


class Place(msgspec.Struct, frozen=True):
    """Up to which event somebody has read, and when that was. Times are UTC."""

    last_event_id: UUID
    read_at: datetime


class Counted(msgspec.Struct, frozen=True):
    """Some of the next events, by day and type, and the last of these."""

    day: date
    type: str
    count: int
    last_event_id: UUID


begin: Final = statement(
    "daily_counts.begin",
    Query.into(event_readers.table)
    .columns("name", "last_event_id", "read_at")
    .insert(_NAME, Parameter("before_all", "uuid"), Expression("'epoch'::timestamptz"))
    .on_conflict("name")
    .do_nothing(),
)

_place = [_r.field(name) for name in Place.__struct_fields__]
hold: Final[Statement[Place]] = statement(
    "daily_counts.hold",
    Query.from_(_r)
    .select(*_place)
    .where(
        (_r.field("name") == _NAME)
        & (_r.read_at <= Expression("now() - {}", Parameter("pause", "interval")))
    )
    .for_update(skip_locked=True),
    Place,
)
"""No row: another process is counting, or has just done so."""

place: Final[Statement[Place]] = statement(
    "daily_counts.place",
    Query.from_(_r).select(*_place).where(_r.field("name") == _NAME),
    Place,
)

_day = Expression("({} AT TIME ZONE 'UTC')::date", _e.created_at, alias="day")
_type = (
    Case(alias="type")
    .when(
        (_e.type == Expression("'user.updated'"))
        & Expression("'banned' = ANY ({}) AND {} ->> 'banned' = 'true'", _e.changed, _e.after),
        Expression("'user.banned'"),
    )
    .else_(_e.type)
)
read: Final[Statement[Counted]] = statement(
    "daily_counts.read",
    Query.from_(_next)
    .select(
        _next.day,
        _next.type,
        Expression("count(*)", alias="count"),
        # an aggregate for uuid came with PostgreSQL 18; the text has the same order
        Expression('max({}::text COLLATE "C")::uuid', _next.id, alias="last_event_id"),
    )
    .groupby(_next.day, _next.type)
    .materialized(
        Query.from_(_e)
        .select(_e.id, _day, _type)
        .where(
            (_e.id > Parameter("after", "uuid"))
            & Expression(f"{{}} < {events.served_below}", _e.id)
        )
        .orderby(_e.id)
        .limit(_LIMIT),
        "next",
    ),
    Counted,
)
"""The next so many events, none of which another can still come before."""

_rows = Rows(
    "n",
    {
        "day": Parameter("days", "date[]"),
        "type": Parameter("types", "text[]"),
        "count": Parameter("counts", "bigint[]"),
    },
)
_new = Table("n")
add: Final = statement(
    "daily_counts.add",
    Query.into(_c)
    .columns("day", "type", "count")
    .from_(_rows)
    .select(_new.day, _new.type, _new.field("count"))
    .on_conflict("day", "type")
    .do_update("count", Expression("{} + excluded.count", _c.field("count"))),
)

add_today: Final = statement(
    "daily_counts.add_today",
    Query.into(_c)
    .columns("day", "type", "count")
    .insert(
        Expression("(now() AT TIME ZONE 'UTC')::date"),
        Parameter("type", "text"),
        Parameter("count", "bigint"),
    )
    .on_conflict("day", "type")
    .do_update("count", Expression("{} + excluded.count", _c.field("count"))),
)

move: Final = statement(
    "daily_counts.move",
    Query.update(_r)
    .set(Field("last_event_id"), Parameter("last_event_id", "uuid"))
    .set(Field("read_at"), _NOW)
    .where(_r.field("name") == _NAME),
)

since: Final[Statement[DailyCount]] = statement(
    "daily_counts.since",
    Query.from_(_c)
    .select(*(_c.field(name) for name in daily_counts.columns))
    .where(_c.day >= Parameter("day", "date"))
    .orderby(_c.day, _c.type),
    DailyCount,
)

first_day: Final = statement(
    "daily_counts.first_day",
    Query.from_(_c)
    .select(_c.day)
    .where(_c.type == Parameter("type", "text"))
    .orderby(_c.day)
    .limit(_LIMIT),
)
"""Since when a type has been counted."""
