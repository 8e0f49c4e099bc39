"""The pool: connections handed on, waited for in turn, closed when their state is in doubt."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from app.database import DatabaseUnavailableError, PoolExhaustedError
from app.database.pool import Place, Pool


@asynccontextmanager
async def pool(url: str, size: int = 1, patience: float = 5.0) -> AsyncIterator[Pool]:
    async def connect() -> Any:
        return await asyncpg.connect(url, command_timeout=30)

    made = Pool(connect, size=size, timeout=patience, limit=30)
    try:
        yield made
    finally:
        await made.close(5)


async def pid(pool: Pool) -> int:
    """The backend that a statement is given now."""
    place = await pool.take()
    try:
        return await place.connection.fetchval("SELECT pg_backend_pid()")
    finally:
        pool.give(place)


async def backends(db: asyncpg.Connection) -> int:
    return await db.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


async def test_one_connection_serves_one_after_the_other(
    database_url: str, db: asyncpg.Connection
) -> None:
    async with pool(database_url, size=5) as connections:
        assert len({await pid(connections) for _ in range(20)}) == 1
        assert await backends(db) == 1
        assert len(set(await asyncio.gather(*(pid(connections) for _ in range(40))))) == 5
        assert await backends(db) == 5
    await asyncio.sleep(0.1)
    assert await backends(db) == 0


async def test_who_waits_is_served_in_turn(database_url: str) -> None:
    async with pool(database_url) as connections:
        held = await connections.take()
        served: list[int] = []

        async def wait(number: int) -> None:
            place = await connections.take()
            served.append(number)
            await asyncio.sleep(0)
            connections.give(place)

        tasks = []
        for number in range(10):
            tasks.append(asyncio.create_task(wait(number)))
            await asyncio.sleep(0)
        tasks[3].cancel()
        connections.give(held)
        tasks[4].cancel()
        late = asyncio.create_task(wait(10))
        await asyncio.gather(*tasks, late, return_exceptions=True)
        assert served == [0, 1, 2, 5, 6, 7, 8, 9, 10]


async def test_a_place_given_to_one_who_is_gone_goes_on(database_url: str) -> None:
    async with pool(database_url) as connections:
        held = await connections.take()
        gone = asyncio.create_task(connections.take())
        await asyncio.sleep(0)
        connections.give(held)  # it has the place, and has not run yet
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        async with asyncio.timeout(5):
            assert await pid(connections)


async def test_no_place_in_time(database_url: str) -> None:
    async with pool(database_url, patience=0.05) as connections:
        held = await connections.take()
        with pytest.raises(PoolExhaustedError):
            await connections.take()
        connections.give(held)
        assert await pid(connections)


async def test_a_cancelled_statement_is_over_before_its_place_is_free(
    database_url: str, db: asyncpg.Connection
) -> None:
    async with pool(database_url) as connections:
        place = await connections.take()
        backend = place.connection.get_server_pid()
        statement = asyncio.create_task(place.connection.execute("SELECT pg_sleep(60)"))
        await asyncio.sleep(0.1)
        statement.cancel()
        await asyncio.gather(statement, return_exceptions=True)
        connections.give(place, doubtful=True)
        assert await pid(connections) != backend
        assert not await db.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%'"
            " AND state = 'active' AND pid <> pg_backend_pid()"
        )


async def test_an_open_transaction_is_not_handed_on(
    database_url: str, db: asyncpg.Connection
) -> None:
    async with pool(database_url) as connections:
        place = await connections.take()
        await place.connection.execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        connections.give(place)
        async with asyncio.timeout(10):
            place = await connections.take()
            assert await place.connection.fetchval("SELECT count(*) FROM users") == 0
            connections.give(place)


async def test_what_expired_or_was_closed_is_not_handed_on(
    database_url: str, db: asyncpg.Connection
) -> None:
    async with pool(database_url) as connections:
        first = await pid(connections)
        connections.expire()
        second = await pid(connections)
        assert first != second
        await db.execute("SELECT pg_terminate_backend($1)", second)
        await asyncio.sleep(0.1)
        assert await pid(connections) != second


async def test_a_server_that_cannot_be_reached_costs_no_place(database_url: str) -> None:
    reachable = False

    async def connect() -> Any:
        if not reachable:
            raise ConnectionRefusedError("refused")
        return await asyncpg.connect(database_url)

    connections = Pool(connect, size=2, timeout=5, limit=30)
    for _ in range(5):
        with pytest.raises(DatabaseUnavailableError, match="refused"):
            await connections.take()
    reachable = True
    places: list[Place] = [await connections.take() for _ in range(2)]
    for place in places:
        connections.give(place)
    await connections.close(5)


async def test_closing_waits_for_what_runs(database_url: str) -> None:
    async with pool(database_url, size=3) as connections:
        place = await connections.take()
        statement = asyncio.create_task(place.connection.fetchval("SELECT 1 FROM pg_sleep(0.3)"))
        closing = asyncio.create_task(connections.close(5))
        assert await statement == 1
        assert not closing.done()
        connections.give(place)
        await closing
        assert place.connection.is_closed()


async def test_closing_does_not_wait_for_ever(database_url: str) -> None:
    async with pool(database_url) as connections:
        place = await connections.take()
        statement = asyncio.create_task(place.connection.fetchval("SELECT 1 FROM pg_sleep(60)"))
        await asyncio.sleep(0.1)
        await connections.close(0.2)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await statement


async def test_what_runs_when_the_pool_is_closed_ends_in_the_driver_s_own_error(
    database_url: str,
) -> None:
    async with pool(database_url) as connections:
        running = asyncio.create_task(
            connections.run(lambda connection: connection.fetchval("SELECT 1 FROM pg_sleep(60)"))
        )
        await asyncio.sleep(0.2)
        await connections.close(0.2)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await running


async def test_late_work_is_late_whatever_error_it_ends_in(database_url: str) -> None:
    async def stubborn(connection: Any) -> None:
        try:
            await connection.execute("SELECT pg_sleep(60)")
        except asyncio.CancelledError:
            raise LookupError from None

    async def connect() -> Any:
        return await asyncpg.connect(database_url)

    connections = Pool(connect, size=1, timeout=5, limit=0.1)
    with pytest.raises(TimeoutError):
        await connections.run(stubborn)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert await connections.run(lambda connection: connection.fetchval("SELECT 1")) == 1
    await connections.close(5)
