"""The statements on events. Triggers write them; nobody else does."""

from datetime import datetime
from functools import reduce
from operator import and_
from typing import Any, Final

import msgspec

from ..schema import Event, events
from ..sql import (
    AliasedQuery,
    Expression,
    Field,
    Order,
    Parameter,
    Query,
    Record,
    Statement,
    Table,
    statement,
)

TYPES: Final = (
    *("user.created", "user.updated", "user.deleted", "user.truncated"),
    *("session.created", "session.updated", "session.ended", "session.truncated"),
    *("session_policy.created", "session_policy.updated", "session_policy.deleted"),
    *("session_policy.truncated", "account.created", "account.updated"),
    *("account.password_changed", "account.deleted", "account.truncated"),
)
"""Every type that the triggers write, as docs/EVENTS.md has them."""

KINDS: Final = tuple(dict.fromkeys(each.partition(".")[0] for each in TYPES))
"""The first words of these types, each of which stands for all of them."""

_e = Table("events", alias="e")
_columns = [_e.field(name) for name in events.columns]
_LIMIT = Parameter("limit", "bigint")
_is_next = (_e.id > Parameter("after", "uuid")) & Expression(f"{{}} < {events.served_below}", _e.id)

page: Final[Statement[Event]] = statement(
    "events.page",
    Query.from_(_e).select(*_columns).where(_is_next).orderby(_e.id).limit(_LIMIT),
    Event,
)
"""What comes after an event. What is left out for now, because something may still come before it,
is on a later page."""

page_of_user: Final[Statement[Event]] = statement(
    "events.page_of_user",
    Query.from_(_e)
    .select(*_columns)
    .where(_is_next & (_e.user_id == Parameter("user_id", "uuid")))
    .orderby(_e.id)
    .limit(_LIMIT),
    Event,
)


class Payload(msgspec.Struct, frozen=True):
    """An event as a webhook gets it."""

    type: str
    created_at: datetime
    data: str
    """As the REST API gives it: JSON."""


payload: Final[Statement[Payload]] = statement(
    "events.payload",
    Query.from_(_e)
    .select(
        _e.type,
        _e.created_at,
        Expression("row_to_json({})::text", Field("e"), alias="data"),
    )
    .where(_e.id == Parameter("id", "uuid")),
    Payload,
)

of_user: Final = statement(
    "events.of_user",
    Query.from_(_e)
    .select(Expression("to_jsonb({})::text", Field("e"), alias="row"))
    .where(_e.user_id == Parameter("user_id", "uuid"))
    .orderby(_e.id),
)
"""All that are about a user, as JSON."""

_BEFORE = Parameter("before", "uuid")
_is_older = (_e.id < _BEFORE) & Expression(f"{{}} < {events.served_below}", _e.id)
_is_of_user = _e.user_id == Parameter("user_id", "uuid")
_is_of_type = _e.type == Parameter("type", "text")
_is_within = _e.id >= Parameter("bound", "uuid")
FREQUENT: Final = "session.created"
"""The type that the index of types leaves out."""


def _newest(name: str, *conditions: Any) -> Statement[Event]:
    query = Query.from_(_e).select(*_columns).where(reduce(and_, conditions, _is_older))
    query = query.orderby(_e.id, order=Order.desc).limit(_LIMIT)
    return statement(f"events.{name}", query, Event)


newest: Final = _newest("newest")
newest_of_user: Final = _newest("newest_of_user", _is_of_user)
newest_of_type: Final = _newest(
    "newest_of_type", _is_of_type, Expression(f"{{}} <> '{FREQUENT}'", _e.type)
)
"""By an index, however rare the type is."""

newest_within: Final = _newest("newest_within", _is_within, _is_of_type)
"""Of a type, down to a bound: by no index but that of the order."""

newest_of_user_within: Final = _newest(
    "newest_of_user_within", _is_within, _is_of_user, _is_of_type
)


def _bound(name: str, condition: Any) -> Statement[Record]:
    query = Query.from_(_e).select(_e.id).where(condition).orderby(_e.id, order=Order.desc)
    query = query.offset(Parameter("most", "bigint")).limit(_LIMIT)
    return statement(f"events.{name}", query)


bound: Final = _bound("bound", _e.id < _BEFORE)
"""The event that is so many before another, for the statements that look at no more than these. No
row: there are not so many."""
bound_of_user: Final = _bound("bound_of_user", (_e.id < _BEFORE) & _is_of_user)

redact: Final = statement(
    "events.redact",
    Query.select(Expression("redact_events({})", Parameter("user_id", "uuid"), alias="redacted")),
)
"""Takes values and addresses out of the events of a user who is gone."""

horizon: Final = statement(
    "events.horizon", Query.select(Expression(events.served_below or "", alias="horizon"))
)
"""The id that all later events have or exceed."""

_later = AliasedQuery("later")
first_since: Final = statement(
    "events.first_since",
    Query.from_(_later)
    .select(_later.id)
    .orderby(_later.id)
    .limit(_LIMIT)
    .materialized(
        Query.from_(_e)
        .select(_e.id)
        .where(_e.created_at >= Parameter("since", "timestamptz"))
        .orderby(_e.created_at),
        "later",
    ),
)
"""The least id of the events since a time. MATERIALIZED, or the ids would be walked up to there."""

purge: Final = statement(
    "events.purge",
    Query.select(
        Expression(
            "purge_events({}, {})",
            Parameter("older_than", "interval"),
            Parameter("at_most", "integer"),
            alias="deleted",
        )
    ),
)
"""Deletes those of the oldest ``at_most`` that are older than that."""
