"""The service with a fault put into it: ``python tests/faults/history/seeded.py FAULT``.

Each is a mistake that somebody could make for good reasons. The checker has to catch it. Run as a
file, because the package ``tests`` takes the settings out of the environment.
"""

import asyncio
import random
import sys
import time
from typing import Any, Final

import asyncpg

from app import server
from app.auth.session_loader import SessionLoader
from app.database import Database, database
from app.schema import Session
from app.sql import raw_statement
from app.statements import sessions
from app.statements.sessions import UserSession

_CACHED: Final = 1.0  # seconds

_UPSERT: Final = raw_statement(
    "sessions.upsert",
    "INSERT INTO sessions AS s (user_id, token, expires_at) VALUES ($1, $2, $3)"
    " ON CONFLICT (token) DO UPDATE SET expires_at = excluded.expires_at"
    f" RETURNING {', '.join(f's.{name}' for name in Session.__struct_fields__)}",
    [("user_id", "uuid"), ("token", "text"), ("expires_at", "timestamptz")],
    Session,
)


def cache() -> None:
    """Keep what was looked up for a second."""
    load, kept = SessionLoader.load, dict[str, tuple[float, UserSession]]()

    def cached(self: SessionLoader, token: str) -> asyncio.Future[UserSession | None]:
        since, found = kept.get(token, (0.0, None))
        if found is not None and time.monotonic() - since < _CACHED:
            hit: asyncio.Future[UserSession | None] = asyncio.get_running_loop().create_future()
            hit.set_result(found)
            return hit

        def keep(done: asyncio.Future[UserSession | None]) -> None:
            if not done.cancelled() and done.exception() is None and (row := done.result()):
                kept[token] = time.monotonic(), row

        future = load(self, token)
        future.add_done_callback(keep)
        return future

    SessionLoader.load = cached


def upsert() -> None:
    """Refresh by an upsert, which brings back what was revoked since it was read."""
    load, users = SessionLoader.load, dict[str, Any]()
    fetchrow = Database.fetchrow

    def remembered(self: SessionLoader, token: str) -> asyncio.Future[UserSession | None]:
        def remember(done: asyncio.Future[UserSession | None]) -> None:
            if not done.cancelled() and done.exception() is None and (row := done.result()):
                users[token] = row.user.id

        future = load(self, token)
        future.add_done_callback(remember)
        return future

    async def upserted(self: Database, statement: Any, *arguments: Any, **more: Any) -> Any:
        if statement is not sessions.refresh:
            return await fetchrow(self, statement, *arguments, **more)
        expires_at, token, *_ = arguments
        await asyncio.sleep(random.uniform(0, 0.05))  # so that few attempts show it
        return await fetchrow(self, _UPSERT, users[token], token, expires_at)

    SessionLoader.load = remembered
    Database.fetchrow = upserted


def retry() -> None:
    """Send a statement again whose connection was lost, whatever became of it."""
    pause = database.pause_before_retry

    def impatient(error: Exception, attempt: int) -> float | None:
        lost = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)
        if isinstance(error, lost) and attempt < 3:
            return 0.01
        return pause(error, attempt)

    database.pause_before_retry = impatient


FAULTS: Final = {"cache": cache, "upsert": upsert, "retry": retry}

if __name__ == "__main__":
    FAULTS[sys.argv[1]]()
    server.main()
