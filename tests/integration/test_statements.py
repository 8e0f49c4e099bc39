"""Every fixed statement can be planned, scans no large table, and selects what its rows hold."""

import asyncio
from typing import Any

import asyncpg
import msgspec
import pytest

from app.database import connect
from app.explain import explain
from app.schema import RELATIONS, Session, User
from app.sql import Statement
from app.statements import every_statement, sessions, users

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
    for table in RELATIONS:
        assert f"Seq Scan on {table}" not in plans[statement]


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
