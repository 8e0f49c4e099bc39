"""The connections to one database: opened when needed, and handed on as they are.

A library's pool costs two tasks and a round trip for each statement, which is as much as a session
lookup itself. Here a connection has one task, which does one job after the other for as long as
there are any. Nothing leaves state on a connection (no SET, no temporary table, no open
transaction), so there is nothing to reset; one whose state is in doubt is closed.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import asyncpg

from app.database.errors import DatabaseUnavailableError, PoolExhaustedError

Row = Mapping[str, Any]  # what the driver's records are used as

# PgBouncer passes these three on; it refuses a start-up parameter that it does not track.
SESSION: Final = {"application_name": "gatepost", "timezone": "UTC", "datestyle": "ISO, MDY"}

_IDLE: Final = 300.0
"""Seconds after which an unused connection is closed: what lies between may have dropped it."""

_LOOKS: Final = 50
"""How often the timer looks within the shorter deadline; so much may one be late."""

_STALE: Final = (asyncpg.InvalidCachedStatementError, asyncpg.InternalClientError)
"""What a connection prepared, or knows of types, is of an older schema."""

Work = Callable[[Any], Awaitable[Any]]
"""Takes a connection."""


class Job:
    """What is to be done with a connection.

    ``done`` is called in a later turn of the loop, with the result of ``work`` or with what it
    raised: the driver's errors as they are, TimeoutError past the limit, DatabaseUnavailableError
    when there is no connection to be had, PoolExhaustedError when all stay in use.
    """

    until = 0.0
    place: "Place | None" = None
    given_up = False

    def __init__(self, work: Work) -> None:
        self.work = work

    def done(self, result: Any, failure: Exception | None) -> None:
        raise NotImplementedError

    def give_up(self) -> None:
        """End it if it has begun; ``done`` is not called, unless it is over already."""
        self.given_up = True
        if self.place is not None:
            self.place.stop()


class Place:
    """Room for one connection, and the job that is done with it until when."""

    __slots__ = ("connection", "generation", "job", "since", "stopped", "task", "until")

    def __init__(self) -> None:
        self.connection: Any = None
        self.generation = 0
        self.since = 0.0
        self.job: Job | None = None
        self.task: asyncio.Task[None] | None = None
        self.until = 0.0
        self.stopped = False

    def stop(self) -> None:
        if self.task is not None and not self.stopped:
            self.stopped = True
            self.task.cancel()


class Pool:
    """``size`` places. Who waits for one is served in turn.

    ``timeout`` in seconds is how long to wait for a place, and how long for a new connection;
    ``limit`` is how long a job may take. One timer looks after these deadlines: one for each would
    cost a quick statement a good part of its time.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[Any]], *, size: int, timeout: float, limit: float
    ) -> None:
        self._connect = connect
        self._timeout = timeout
        self.limit = limit
        self._places = [Place() for _ in range(size)]
        self._free = self._places.copy()  # the last one used is the next one taken
        self._waiting: deque[Job] = deque()
        self._generation = 0
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, job: Job) -> None:
        """Have ``job`` done as soon as there is a place."""
        if self._free:
            place = self._free.pop()
            place.task = self._loop.create_task(self._serve(place, job))
        else:
            job.until = self._loop.time() + self._timeout
            self._waiting.append(job)
        if self._timer is None:
            self._watch()

    def expire(self) -> None:
        """Let no connection that is open now be taken again: it leads to the wrong server."""
        self._generation += 1

    async def close(self, within: float) -> None:
        """Close every connection: when all jobs are done, or ``within`` seconds later."""
        try:
            async with asyncio.timeout(within):
                while busy := [place.task for place in self._places if place.task is not None]:
                    await asyncio.wait(busy)
                for place in self._places:
                    if place.connection is not None:
                        await place.connection.close()
        except TimeoutError:
            for place in self._places:
                if place.connection is not None:
                    place.connection.terminate()
        finally:
            self._closed = True

    async def _serve(self, place: Place, first: Job) -> None:
        """Do one job after the other, until nobody waits for a place."""
        loop, job = self._loop, first
        connection = place.connection
        usable = (
            connection is not None
            and not connection.is_closed()
            and loop.time() - place.since <= _IDLE
        )
        try:
            while True:
                result, failure = None, None
                try:
                    if not usable or place.generation != self._generation:
                        connection = await self._renew(place)
                    if not job.given_up:
                        job.place, place.job, place.until = place, job, loop.time() + self.limit
                        result = await job.work(connection)
                except asyncio.CancelledError:
                    if not place.stopped:  # the loop ends
                        raise
                    failure = TimeoutError()
                except Exception as error:  # noqa: BLE001 - theirs who asked
                    failure = TimeoutError() if place.stopped else error
                job.place = place.job = None
                if not job.given_up:
                    # later, so that the next statement goes out first
                    loop.call_soon(job.done, result, failure)
                usable = connection is not None and not connection.is_closed()
                if (
                    place.stopped
                    or (failure is not None and isinstance(failure, _STALE))
                    or (usable and place.connection.is_in_transaction())
                ):
                    await self._clear(place)
                    usable = False
                following = self._next()
                if following is None:
                    break
                job = following
        finally:
            place.job, place.task, place.since = None, None, loop.time()
            self._free.append(place)

    def _next(self) -> Job | None:
        while self._waiting:
            job = self._waiting.popleft()
            if not job.given_up:
                return job
        return None

    def _watch(self) -> None:
        pause = min(self._timeout, self.limit) / _LOOKS
        self._timer = self._loop.call_later(pause, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        for place in self._places:
            if place.job is not None and now >= place.until:
                place.stop()
        while self._waiting and now >= self._waiting[0].until:
            job = self._waiting.popleft()
            if not job.given_up:
                error = PoolExhaustedError("every connection is in use")
                self._loop.call_soon(job.done, None, error)
        self._timer = None
        if self._waiting or len(self._free) < len(self._places):
            self._watch()

    async def _renew(self, place: Place) -> Any:
        """A new connection. Raises DatabaseUnavailableError."""
        if self._closed:
            raise DatabaseUnavailableError("the pool is closed")
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
        return place.connection

    async def _clear(self, place: Place) -> None:
        """Close a connection, on which a statement may still run: the driver cancels it first."""
        if place.stopped and place.task is not None:
            place.stopped = False
            place.task.uncancel()
        connection, place.connection = place.connection, None
        if connection is not None:
            # whatever becomes of it: those who wait for the place need one that goes on
            with suppress(Exception):
                await connection.close(timeout=self._timeout)


def reason(error: BaseException) -> str:
    """What the driver says of a connection that failed."""
    return str(error) or type(error).__name__
