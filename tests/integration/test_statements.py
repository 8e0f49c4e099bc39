"""Every fixed statement can be planned, scans no large table, and selects what its rows hold."""

import asyncio
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from app.database import connect
from app.explain import explain
from app.schema import RELATIONS, Session, User
from app.sql import Statement
from app.statements import admin_page, events, every_statement, sessions, users

pytestmark = pytest.mark.every_server

ALL = list(every_statement())
WITH_ROW = [statement for statement in ALL if statement.row is not None]
FILL = """
    INSERT INTO users (name, email)
    SELECT 'n' || n, n || '@example.com' FROM generate_series(1, 20000) n;
    INSERT INTO sessions (user_id, token, expires_at)
    SELECT id, encode(sha256(id::text::bytea), 'hex'), now() + '7 days' FROM users;
    INSERT INTO accounts (user_id, account_id, provider_id, password)
    SELECT id, id::text, 'credential', '' FROM users;
    INSERT INTO verifications (identifier, value, expires_at)
    SELECT 'reset-password:' || id, id::text, now() + '1 hour' FROM users;
    INSERT INTO erasures (user_pseudonym, email_pseudonym, counts)
    SELECT md5(id::text), md5(email), '{}' FROM users;
    INSERT INTO session_policies (user_id, idle_lifetime) SELECT id, 3600 FROM users;
    INSERT INTO session_activity (session_id, seen_at) SELECT id, now() FROM sessions;
    ANALYZE;
"""


@pytest.fixture(scope="module")
def plans(module_database_url: str) -> dict[Statement[Any], str]:
    """Each statement's plan on tables of 20,000 rows."""

    async def run() -> dict[Statement[Any], str]:
        connection = await asyncpg.connect(module_database_url)
        try:
            await connection.execute(FILL)
        finally:
            await connection.close()
        async with connect(module_database_url) as planner:
            return await explain(planner, ALL)

    return asyncio.run(run())


@pytest.mark.parametrize("statement", ALL, ids=lambda statement: statement.name)
def test_statement_scans_no_large_table(
    statement: Statement[Any], plans: dict[Statement[Any], str]
) -> None:
    assert "(cost=" in plans[statement]
    for table in (*RELATIONS, "session_activity"):
        assert f"Seq Scan on {table}" not in plans[statement]


AFTER_ALL, SOMEBODY = UUID(int=2**128 - 1), UUID(int=1)
NEWEST = {
    admin_page.newest_sessions: (
        "sessions_created_at_id_idx", datetime(9999, 1, 1, tzinfo=UTC), AFTER_ALL, 51,
    ),
    events.newest: ("events_pkey", AFTER_ALL, 51),
    events.newest_of_type: ("events_type_id_idx", AFTER_ALL, "user.updated", 51),
    events.newest_of_user: ("events_user_id_id_idx", AFTER_ALL, SOMEBODY, 51),
    events.newest_within: ("events_pkey", AFTER_ALL, UUID(int=0), "session.created", 51),
    events.bound: ("events_pkey", AFTER_ALL, 1, 20000),
}  # fmt: skip
"""The statements of the page /admin that give the newest rows: an index, and values."""


@pytest.mark.usefixtures("plans")  # which has filled the tables
@pytest.mark.parametrize("newest", NEWEST, ids=lambda statement: statement.name)
async def test_newest_rows_are_read_from_the_end_of_an_index(
    newest: Statement[Any], module_database_url: str
) -> None:
    index, *values = NEWEST[newest]
    connection = await asyncpg.connect(module_database_url)
    try:
        rows = await connection.fetch(f"EXPLAIN {newest.text}", *values)
    finally:
        await connection.close()
    plan = "\n".join(row[0] for row in rows)
    assert re.search(f"Index (Only )?Scan Backward using {index} on", plan), plan
    assert "Sort" not in plan


def test_statement_names_are_unique_and_in_the_text() -> None:
    assert len({statement.name for statement in ALL}) == len(ALL) > 0
    assert all(s.text.startswith(f"/* gatepost:{s.name} */ ") for s in ALL)


def fields(row: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(row)]


def expected_columns(statement: Statement[Any]) -> list[str]:
    """The columns that a statement's rows are made of, in order."""
    if statement in (sessions.find, sessions.find_on_shards):
        return [*fields(Session), *(f"user.{name}" for name in fields(User))]
    if statement is users.with_password:
        return ["password", *fields(User)]
    assert isinstance(statement.row, type)
    return fields(statement.row)


@pytest.mark.parametrize("statement", WITH_ROW, ids=lambda statement: statement.name)
async def test_statement_selects_the_fields_of_its_row_in_order(
    statement: Statement[Any], module_database_url: str
) -> None:
    connection = await asyncpg.connect(module_database_url)
    try:
        prepared = await connection.prepare(statement.text)
        names = [attribute.name for attribute in prepared.get_attributes()]
    finally:
        await connection.close()
    assert names == expected_columns(statement)
