"""What the page of the development server says of the database."""

from typing import Final

import msgspec

from ..sql import Statement, raw_statement

COUNTED: Final = 1000
"""Rows of a table that are counted; of a larger one the planner's estimate is good enough."""


class Overview(msgspec.Struct, frozen=True):
    server_version: str
    users: int
    sessions: int
    """Of more than ``COUNTED`` rows one more."""
    estimated_users: int
    estimated_sessions: int


overview: Final[Statement[Overview]] = raw_statement(
    "development.overview",
    f"""
    SELECT current_setting('server_version') AS server_version,
           (SELECT count(*) FROM (SELECT FROM users ORDER BY id LIMIT {COUNTED + 1}) few) AS users,
           (SELECT count(*) FROM (SELECT FROM sessions ORDER BY id LIMIT {COUNTED + 1}) few)
               AS sessions,
           (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'users'::regclass)
               AS estimated_users,
           (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'sessions'::regclass)
               AS estimated_sessions
    """,  # noqa: S608 - a number of the code
    row=Overview,
)
