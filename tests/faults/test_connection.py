"""Statements that stay prepared: so many, none behind a pooler, none of an older schema."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import pytest

from app.callbacks import awaited
from app.database import Database, DatabaseError
from app.settings import Settings
from app.sql import Statement
from tests.support import environment

PREPARED = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%AS kept'"


@asynccontextmanager
async def opened(url: str, **more: str) -> AsyncIterator[Database]:
    given = environment(url) | {"GATEPOST_POOL_SIZE": "1"} | more
    database = Database(Settings.from_environment(given))
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def row(database: Database, text: str, *arguments: Any) -> Any:
    return await awaited(partial(database.ask_row, Statement("test", text, ()), arguments))


async def test_a_statement_stays_prepared_until_there_are_too_many(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.database.service._KEPT", 3)
    async with opened(database_url) as database:
        for _ in range(3):
            for number in (1, 2):
                found = await row(database, f"SELECT $1::int + {number} AS kept", number)
                assert found["kept"] == 2 * number
        assert (await row(database, PREPARED))["count"] == 2
        for number in range(20):
            assert (await row(database, f"SELECT $1::int + {number} AS kept", 1))["kept"] > 0
        assert (await row(database, PREPARED))["count"] <= 4


async def test_nothing_stays_prepared_behind_a_pooler(database_url: str) -> None:
    direct = f"{database_url}&application_name=direct"
    async with opened(database_url, DATABASE_DIRECT_URL=direct) as database:
        for _ in range(3):
            assert (await row(database, "SELECT $1::int AS kept", 7))["kept"] == 7
        assert (await row(database, PREPARED))["count"] == 0


async def test_a_row_of_another_shape_is_asked_for_again(
    database_url: str, db: asyncpg.Connection
) -> None:
    text = "SELECT * FROM (VALUES (1)) one (n) LEFT JOIN users ON true LIMIT 1"
    async with opened(database_url) as database:
        before = await row(database, text)
        await db.execute("ALTER TABLE users ADD COLUMN extra text DEFAULT 'x'")
        after = await row(database, text)
        assert set(after.keys()) == set(before.keys()) | {"extra"}
        await db.execute(
            "ALTER TABLE users ALTER COLUMN extra DROP DEFAULT,"
            " ALTER COLUMN extra TYPE integer USING 1"
        )
        assert set((await row(database, text)).keys()) == set(after.keys())


async def test_an_error_keeps_the_connection(database_url: str) -> None:
    async with opened(database_url) as database:
        pid = (await row(database, "SELECT pg_backend_pid()"))[0]
        with pytest.raises(DatabaseError, match="22012"):
            await row(database, "SELECT 1 / $1::int", 0)
        assert (await row(database, "SELECT pg_backend_pid()"))[0] == pid
