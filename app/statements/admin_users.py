"""The statements of the screens ``/admin/users``: pages by a key, in both directions."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from ..schema import Event, events
from ..sql import AliasedQuery, Expression, Order, Parameter, Query, Statement, Table, statement
from .admin import has_role
from .sessions import PublicSession, newest_first

_u, _s = Table("users", alias="u"), Table("sessions", alias="s")
_e = Table("events", alias="e")
_found = AliasedQuery("found")
_LIMIT = Parameter("limit", "bigint")
_USER = Parameter("user_id", "uuid")
_TIME, _ID = Parameter("time", "timestamptz"), Parameter("id", "uuid")
_FIRST, _END = Parameter("first", "text"), Parameter("end", "text")
_is_banned = Expression("{}", _u.banned)


class UserRow(msgspec.Struct, frozen=True):
    """What a list shows of a user. Times are UTC."""

    id: UUID
    name: str
    email: str
    email_verified: bool
    created_at: datetime
    updated_at: datetime
    role: str | None
    banned: bool
    ban_reason: str | None
    ban_expires: datetime | None


_NAMES = UserRow.__struct_fields__


def is_beyond(table: Any, operator: str) -> Expression:
    """Whether a row comes after a place in the order of creation: ``<`` the newest first."""
    terms = (table.field("created_at"), table.field("id"), _TIME, _ID)
    return Expression(f"({{}}, {{}}) {operator} ({{}}, {{}})", *terms)


def _by_time(table: Any, query: Any, operator: str) -> Any:
    """A page of a table in the order of creation: ``<`` the newest first, ``>`` the oldest."""
    order = Order.desc if operator == "<" else Order.asc
    return (
        query.where(is_beyond(table, operator))
        .orderby(table.field("created_at"), order=order)
        .orderby(table.field("id"), order=order)
        .limit(_LIMIT)
    )


def _page(name: str, operator: str, *conditions: Any) -> Statement[UserRow]:
    query = Query.from_(_u).select(*(_u.field(name) for name in _NAMES))
    for condition in conditions:
        query = query.where(condition)
    return statement(f"admin_users.{name}", _by_time(_u, query, operator), UserRow)


def _administrators(name: str, operator: str) -> Statement[UserRow]:
    # MATERIALIZED, or all users would be walked by their times to find these few
    found = Query.from_(_u).select(*(_u.field(name) for name in _NAMES)).where(has_role)
    query = (
        Query.from_(_found)
        .select(*(_found.field(name) for name in _NAMES))
        .materialized(found, "found")
    )
    return statement(f"admin_users.{name}", _by_time(_found, query, operator), UserRow)


def _by_address(name: str, order: Order) -> Statement[UserRow]:
    beyond = Parameter("email", "text")
    return statement(
        f"admin_users.{name}",
        Query.from_(_u)
        .select(*(_u.field(name) for name in _NAMES))
        .where((_u.email >= _FIRST) & (_u.email < _END))
        .where(_u.email > beyond if order is Order.asc else _u.email < beyond)
        .orderby(_u.email, order=order)
        .limit(_LIMIT),
        UserRow,
    )


newest: Final = _page("newest", "<")
newest_back: Final = _page("newest_back", ">")
banned: Final = _page("banned", "<", _is_banned)
banned_back: Final = _page("banned_back", ">", _is_banned)
administrators: Final = _administrators("administrators", "<")
administrators_back: Final = _administrators("administrators_back", ">")
by_address: Final = _by_address("by_address", Order.asc)
"""Those whose addresses begin alike: from ``first`` until before ``end``, and after ``email``."""
by_address_back: Final = _by_address("by_address_back", Order.desc)

by_id: Final[Statement[UserRow]] = statement(
    "admin_users.by_id",
    Query.from_(_u).select(*(_u.field(name) for name in _NAMES)).where(_u.id == _ID),
    UserRow,
)

sessions_of: Final[Statement[PublicSession]] = statement(
    "admin_users.sessions_of",
    newest_first.where(_s.user_id == _USER),
    PublicSession,
)
"""The newest, also those that have expired and have not been purged."""


def _events_of(name: str, order: Order) -> Statement[Event]:
    beyond = _e.id < _ID if order is Order.desc else _e.id > _ID
    return statement(
        f"admin_users.{name}",
        Query.from_(_e)
        .select(*(_e.field(name) for name in events.columns))
        .where((_e.user_id == _USER) & beyond)
        .orderby(_e.id, order=order)
        .limit(_LIMIT),
        Event,
    )


events_of: Final = _events_of("events_of", Order.desc)
"""What is about a user, the newest first."""
events_of_back: Final = _events_of("events_of_back", Order.asc)
