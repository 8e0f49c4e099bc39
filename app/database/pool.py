"""The connections to one database: opened when needed, and handed on as they are.

A library's pool costs two tasks and a round trip for each statement, which is as much as a session
lookup itself. Nothing here leaves state on a connection (no SET, no temporary table, no open
transaction), so there is nothing to reset; a connection whose state is in doubt is closed.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

import asyncpg

from app.database.errors import DatabaseUnavailableError, PoolExhaustedError

Row = Mapping[str, Any]  # what the driver's records are used as

# PgBouncer passes these three on; it refuses a start-up parameter that it does not track.
SESSION: Final = {"application_name": "gatepost", "timezone": "UTC", "datestyle": "ISO, MDY"}

_IDLE: Final = 300.0
"""Seconds after which an unused connection is closed: what lies between may have dropped it."""

_LOOKS: Final = 50
"""How often the timer looks within the shorter deadline; so much may one be late."""

Result = TypeVar("Result")


class Place:
    """Room for one connection, and who uses it until when."""

    __slots__ = ("connection", "generation", "late", "since", "task", "until")

    def __init__(self) -> None:
        self.connection: Any = None
        self.generation = 0
        self.since = 0.0
        self.task: asyncio.Task[Any] | None = None
        self.until = 0.0
        self.late = False


class Pool:
    """``size`` places. Whoever takes one gives it back; who waits is served in turn.

    ``timeout`` in seconds is how long to wait for a place, and how long for a new connection;
    ``limit`` is how long work may take. One timer looks after these deadlines: one for each would
    cost a quick statement a good part of its time.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[Any]], *, size: int, timeout: float, limit: float
    ) -> None:
        self._connect = connect
        self._timeout = timeout
        self._limit = limit
        self._places = [Place() for _ in range(size)]
        self._free = self._places.copy()  # the last one used is the next one taken
        self._waiting: deque[tuple[asyncio.Future[Place], float]] = deque()
        self._generation = 0
        self._closing: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, work: Callable[[Any], Awaitable[Result]]) -> Result:
        """Do ``work`` with a connection. Raises DatabaseUnavailableError, or TimeoutError."""
        place = await self.take()
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("a connection is for a task")
        cancelling, doubtful = task.cancelling(), False
        place.until, place.task = self._loop.time() + self._limit, task
        self._watch()
        try:
            return await work(place.connection)
        except BaseException as error:
            doubtful = place.late or isinstance(error, asyncio.CancelledError)
            # as asyncio.timeout does: a cancellation from elsewhere goes on
            if place.late and task.uncancel() <= cancelling:
                raise TimeoutError from None
            raise
        finally:
            place.task, place.late = None, False
            self.give(place, doubtful=doubtful)

    async def take(self) -> Place:
        """A place with an open connection. Raises DatabaseUnavailableError."""
        place = self._free.pop() if self._free else await self._wait()
        connection = place.connection
        if (
            connection is None
            or connection.is_closed()
            or place.generation != self._generation
            or self._loop.time() - place.since > _IDLE
        ):
            try:
                await self._renew(place)
            except BaseException:
                self._hand_on(place)
                raise
        return place

    def give(self, place: Place, *, doubtful: bool = False) -> None:
        """Hand the place on. ``doubtful``: a statement may still run on its connection."""
        connection = place.connection
        if doubtful or (not connection.is_closed() and connection.is_in_transaction()):
            # the driver cancels the statement first; until then the place is not free
            task = self._loop.create_task(self._clear(place))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        else:
            place.since = self._loop.time()
            self._hand_on(place)

    def expire(self) -> None:
        """Let no connection that is open now be taken again: it leads to the wrong server."""
        self._generation += 1

    async def close(self, within: float) -> None:
        """Close every connection: those in use when they are free, or ``within`` seconds later."""
        try:
            async with asyncio.timeout(within):
                for _ in self._places:
                    while not self._free:
                        with suppress(PoolExhaustedError):
                            self._free.append(await self._wait())
                    place = self._free.pop()
                    if place.connection is not None:
                        await place.connection.close()
        except TimeoutError:
            for place in self._places:
                if place.connection is not None:
                    place.connection.terminate()

    async def _wait(self) -> Place:
        future: asyncio.Future[Place] = self._loop.create_future()
        self._waiting.append((future, self._loop.time() + self._timeout))
        self._watch()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._hand_on(future.result())
            raise

    def _hand_on(self, place: Place) -> None:
        while self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_result(place)
                return
        self._free.append(place)

    def _watch(self) -> None:
        if self._timer is None:
            pause = min(self._timeout, self._limit) / _LOOKS
            self._timer = self._loop.call_later(pause, self._look)

    def _look(self) -> None:
        now, busy = self._loop.time(), False
        for place in self._places:
            if place.task is not None:
                busy = True
                if now >= place.until and not place.late:
                    place.late = True
                    place.task.cancel()
        while self._waiting and now >= self._waiting[0][1]:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(PoolExhaustedError("every connection is in use"))
        self._timer = None
        if busy or self._waiting:
            self._watch()

    async def _renew(self, place: Place) -> None:
        if place.connection is not None:
            place.connection.terminate()
            place.connection = None
        generation = self._generation
        try:
            async with asyncio.timeout(self._timeout):
                place.connection = await self._connect()
        except TimeoutError:
            raise DatabaseUnavailableError("the database did not answer") from None
        except asyncpg.PostgresError as error:
            raise DatabaseUnavailableError(f"{error.sqlstate}: {error.message}") from None
        except ValueError:
            # the driver's message can quote a part of the password
            raise DatabaseUnavailableError("DATABASE_URL is not an address") from None
        except (OSError, asyncpg.InterfaceError) as error:
            raise DatabaseUnavailableError(reason(error)) from None
        place.generation = generation

    async def _clear(self, place: Place) -> None:
        connection, place.connection = place.connection, None
        try:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await connection.close(timeout=self._timeout)
        finally:
            self._hand_on(place)


def reason(error: BaseException) -> str:
    """What the driver says of a connection that failed."""
    return str(error) or type(error).__name__
