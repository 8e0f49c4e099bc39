"""The pool: connections handed on, waited for in turn, closed when their state is in doubt."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from app.database import DatabaseUnavailableError, PoolExhaustedError
from app.database.pool import Job, Pool, Work

LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


class Asked(Job):
    """A job that can be awaited, and that a test can hold up."""

    def __init__(self, pool: Pool, work: Work) -> None:
        super().__init__(work)
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        pool.ask(self)

    def done(self, result: Any, failure: Exception | None) -> None:
        if failure is None:
            self.answer.set_result(result)
        else:
            self.answer.set_exception(failure)


class Held(Asked):
    """Keeps its place until it is let go."""

    def __init__(self, pool: Pool) -> None:
        self.begun, self.let_go = asyncio.Event(), asyncio.Event()
        super().__init__(pool, self._hold)

    async def _hold(self, connection: Any) -> Any:
        self.begun.set()
        await self.let_go.wait()
        return connection


@asynccontextmanager
async def pool(
    url: str, size: int = 1, patience: float = 5.0, limit: float = 30
) -> AsyncIterator[Pool]:
    async def connect() -> Any:
        return await asyncpg.connect(url, command_timeout=30)

    made = Pool(connect, size=size, timeout=patience, limit=limit)
    try:
        yield made
    finally:
        await made.close(5)


async def run(pool: Pool, text: str) -> Any:
    async with asyncio.timeout(20):
        return await Asked(pool, lambda connection: connection.fetchval(text)).answer


async def pid(pool: Pool) -> int:
    """The backend that a statement is given now."""
    return await run(pool, "SELECT pg_backend_pid()")


async def backends(db: asyncpg.Connection) -> int:
    return await db.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


async def active(db: asyncpg.Connection, text: str) -> int:
    return await db.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%' || $1 || '%'"
        " AND state = 'active' AND pid <> pg_backend_pid()",
        text,
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
        held = Held(connections)
        served: list[int] = []

        def asked(number: int) -> Asked:
            async def work(_: Any) -> None:
                served.append(number)
                await asyncio.sleep(0)

            return Asked(connections, work)

        jobs = [asked(number) for number in range(10)]
        jobs[3].give_up()
        held.let_go.set()
        jobs[4].give_up()
        await jobs[0].answer
        last = asked(10)
        await last.answer
        assert served == [0, 1, 2, 5, 6, 7, 8, 9, 10]
        assert not jobs[3].answer.done()


async def test_who_gave_up_while_the_connection_was_made_is_left_out(database_url: str) -> None:
    ran: list[int] = []

    async def work(_: Any) -> None:
        ran.append(1)

    async with pool(database_url) as connections:
        gone = Asked(connections, work)
        await asyncio.sleep(0)
        gone.give_up()
        assert await pid(connections)
        assert not ran
        assert not gone.answer.done()


async def test_no_place_in_time(database_url: str) -> None:
    # the patience is for making a connection too, which may take a while
    async with pool(database_url, patience=2) as connections:
        held = Held(connections)
        async with asyncio.timeout(20):
            await held.begun.wait()
        with pytest.raises(PoolExhaustedError):
            await pid(connections)
        held.let_go.set()
        await held.answer
    async with pool(database_url) as connections:
        assert await pid(connections)


async def test_a_statement_that_was_given_up_is_over_before_its_place_is_free(
    database_url: str, db: asyncpg.Connection
) -> None:
    async with pool(database_url) as connections:
        backend = await pid(connections)
        statement = Asked(connections, lambda c: c.execute("SELECT pg_sleep(60)"))
        await asyncio.sleep(0.1)
        assert await active(db, "pg_sleep(60)") == 1
        statement.give_up()
        assert await pid(connections) != backend
        assert await active(db, "pg_sleep(60)") == 0
        assert not statement.answer.done()


async def test_an_open_transaction_is_not_handed_on(
    database_url: str, db: asyncpg.Connection
) -> None:
    async with pool(database_url) as connections:
        backend = await pid(connections)
        lock = "BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE"
        await Asked(connections, lambda connection: connection.execute(lock)).answer
        assert await run(connections, "SELECT count(*) FROM users") == 0
        assert await pid(connections) != backend


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


async def test_what_was_idle_for_long_is_not_handed_on(
    database_url: str, db: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pool(database_url) as connections:
        first = await pid(connections)
        assert await pid(connections) == first
        monkeypatch.setattr("app.database.pool._IDLE", -1)
        assert await pid(connections) != first
        assert await backends(db) == 1


async def test_a_server_that_cannot_be_reached_costs_no_place(database_url: str) -> None:
    reachable = False

    async def connect() -> Any:
        if not reachable:
            raise ConnectionRefusedError("refused")
        return await asyncpg.connect(database_url)

    connections = Pool(connect, size=2, timeout=5, limit=30)
    for _ in range(5):
        with pytest.raises(DatabaseUnavailableError, match="refused"):
            await pid(connections)
    reachable = True
    assert len(set(await asyncio.gather(pid(connections), pid(connections)))) == 2
    await connections.close(5)


async def test_closing_waits_for_what_runs_and_for_what_waits(database_url: str) -> None:
    async with pool(database_url, size=2) as connections:
        held = Held(connections)
        jobs = [
            Asked(connections, lambda c: c.fetchval("SELECT 1 FROM pg_sleep(0.1)"))
            for _ in range(3)
        ]
        await asyncio.sleep(0.1)
        closing = asyncio.create_task(connections.close(5))
        assert await asyncio.gather(*(job.answer for job in jobs)) == [1, 1, 1]
        assert not closing.done()
        held.let_go.set()
        await closing
        assert (await held.answer).is_closed()
        with pytest.raises(DatabaseUnavailableError, match="closed"):
            await pid(connections)


async def test_closing_does_not_wait_for_ever(database_url: str) -> None:
    async with pool(database_url) as connections:
        running = Asked(connections, lambda c: c.fetchval("SELECT 1 FROM pg_sleep(60)"))
        waiting = Asked(connections, lambda c: c.fetchval("SELECT 1"))
        await asyncio.sleep(0.2)
        await connections.close(0.2)
        with pytest.raises(LOST):
            await running.answer
        with pytest.raises(DatabaseUnavailableError, match="closed"):
            await waiting.answer


async def test_late_work_is_late_whatever_error_it_ends_in(database_url: str) -> None:
    async def stubborn(connection: Any) -> None:
        try:
            await connection.execute("SELECT pg_sleep(60)")
        except asyncio.CancelledError:
            raise LookupError from None

    async with pool(database_url, limit=0.1) as connections:
        for work in (stubborn, lambda c: c.execute("SELECT pg_sleep(60)")):
            with pytest.raises(TimeoutError):
                await Asked(connections, work).answer
            assert await run(connections, "SELECT 1") == 1


async def test_an_error_is_theirs_who_asked_and_the_place_goes_on(database_url: str) -> None:
    async with pool(database_url) as connections:
        backend = await pid(connections)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await run(connections, "SELECT 1 / 0")
        assert await pid(connections) == backend
