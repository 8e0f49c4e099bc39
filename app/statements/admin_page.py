"""The statements of the page /admin that no other has."""

from typing import Final

import msgspec

from ..sql import (
    Expression,
    Order,
    Parameter,
    Query,
    Statement,
    Table,
    named,
    raw_statement,
    statement,
)
from .admin_users import is_beyond
from .sessions import PublicSession, by_beginning

_s, _u = Table("sessions", alias="s"), Table("users", alias="u")

COUNTED: Final = 10_000
"""Rows of a table that are counted; of a larger one the planner's estimate is good enough."""


class Overview(msgspec.Struct, frozen=True):
    """Of more than ``COUNTED`` rows one more."""

    users: int
    sessions: int
    active_sessions: int
    """Of those that were counted."""
    estimated_users: int
    estimated_sessions: int


overview: Final[Statement[Overview]] = raw_statement(
    "admin_page.overview",
    f"""
    SELECT (SELECT count(*) FROM (SELECT FROM users ORDER BY id LIMIT {COUNTED + 1}) few) AS users,
           newest.sessions, newest.active_sessions,
           (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'users'::regclass)
               AS estimated_users,
           (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'sessions'::regclass)
               AS estimated_sessions
    FROM (SELECT count(*) AS sessions, count(*) FILTER (WHERE expires_at > now()) AS active_sessions
          FROM (SELECT expires_at FROM sessions ORDER BY created_at DESC, id DESC
                LIMIT {COUNTED + 1}) few) newest
    """,  # noqa: S608 - a number of the code
    row=Overview,
)


addresses: Final = statement(
    "admin_page.addresses",
    Query.from_(_u)
    .select(_u.id, _u.email)
    .where(Expression("{} = ANY ({})", _u.id, Parameter("ids", "uuid[]"))),
)


class ListedSession(PublicSession, frozen=True):
    """A session, and whose it is."""

    user_email: str
    user_name: str


def _sessions(name: str, operator: str) -> Statement[ListedSession]:
    return statement(
        f"admin_page.{name}",
        by_beginning(Order.desc if operator == "<" else Order.asc)
        .join(_u)
        .on(_u.id == _s.user_id)
        .select(named(_u.email, "user_email"), named(_u.field("name"), "user_name"))
        .where(is_beyond(_s, operator)),
        ListedSession,
    )


newest_sessions: Final = _sessions("newest_sessions", "<")
"""Sessions of whomever, also those that have expired."""
newest_sessions_back: Final = _sessions("newest_sessions_back", ">")
