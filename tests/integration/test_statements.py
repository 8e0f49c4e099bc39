"""Every fixed statement runs, and none reads a table of users from end to end."""

import asyncpg
import pytest

from app.database import explain
from app.sql import Statement
from app.statements import ALL

FILL = """
    INSERT INTO users (name, email)
    SELECT 'n' || n, n || '@example.com' FROM generate_series(1, 20000) n;
    INSERT INTO sessions (user_id, token, expires_at)
    SELECT id, encode(sha256(id::text::bytea), 'hex'), now() + '7 days' FROM users;
    ANALYZE;
"""


@pytest.mark.parametrize("statement", ALL, ids=lambda statement: statement.name)
async def test_plan(statement: Statement, database_url: str, db: asyncpg.Connection) -> None:
    await db.execute(FILL)
    ((_, plan),) = await explain(database_url, [statement])
    for table in ("users", "sessions", "accounts", "verifications"):
        assert f"Seq Scan on {table}" not in plan


def test_names_are_unique_and_in_the_text() -> None:
    assert len({statement.name for statement in ALL}) == len(ALL) > 0
    assert all(s.text.startswith(f"/* gatepost:{s.name} */ ") for s in ALL)
