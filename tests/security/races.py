"""Races that are run at the one point where they were lost."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import asyncpg

from tests.security.people import Site
from tests.support import wait_until

Result = TypeVar("Result")


class Held:
    """A transaction that has changed something and not committed yet."""

    def __init__(self, at: Site, *statements: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._at = at
        self._connection: Any = self._run(asyncpg.connect(at.service.database_url))
        for statement in ("BEGIN", *statements):
            self._run(self._connection.execute(statement))

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(work)

    def commit(self) -> None:
        self._run(self._connection.execute("COMMIT"))

    def close(self) -> None:
        self._run(self._connection.close())
        self._loop.close()

    def wait_for(self, request: Future[Any]) -> None:
        """Until the request waits for this transaction, or has its answer already."""
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()"
        )
        wait_until(lambda: request.done() or self._at.sql(waiting) != "0", "the request")


@contextmanager
def _held(at: Site, *statements: str) -> Iterator[Held]:
    one = Held(at, *statements)
    try:
        yield one
    finally:
        one.close()


def raced(at: Site, request: Callable[[], Result], *statements: str) -> Result:
    """What the request gives that arrives while a transaction of these statements is open."""
    with _held(at, *statements) as other, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(request)
        other.wait_for(asked)
        other.commit()
        return asked.result()
