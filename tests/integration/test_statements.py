"""Every fixed statement runs, and none reads a table of users from end to end."""

import asyncio

import asyncpg
import pytest

from app.database import explain
from app.schema import RELATIONS
from app.sql import Statement
from app.statements import ALL

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
def plans(module_database_url: str) -> dict[Statement, str]:
    """Each statement's plan on tables of 20,000 rows."""

    async def run() -> dict[Statement, str]:
        connection = await asyncpg.connect(module_database_url)
        try:
            await connection.execute(FILL)
        finally:
            await connection.close()
        return dict(await explain(module_database_url, ALL))

    return asyncio.run(run())


@pytest.mark.parametrize("statement", ALL, ids=lambda statement: statement.name)
def test_no_sequential_scan(statement: Statement, plans: dict[Statement, str]) -> None:
    for table in RELATIONS:
        assert f"Seq Scan on {table}" not in plans[statement]


def test_names_are_unique_and_in_the_text() -> None:
    assert len({statement.name for statement in ALL}) == len(ALL) > 0
    assert all(s.text.startswith(f"/* gatepost:{s.name} */ ") for s in ALL)
