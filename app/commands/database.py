"""What the commands for operators share: a connection, and the user that one names."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ..database import Connection, Database, connect, described
from ..errors import DatabaseError, NotFoundError
from ..schema import User
from ..settings import Settings
from ..statements import sessions, users
from ..statements.sessions import PublicSession
from .development import development_database, development_settings
from .output import printable


@asynccontextmanager
async def connected() -> AsyncIterator[Connection]:
    """A connection to the database of DATABASE_URL, or else to that of ``gatepost dev`` here.

    Raises DatabaseUnavailableError, one line, for whatever the database does not do.
    """
    with development_database(create=False):
        url = Settings.from_environment(os.environ).database_url
        try:
            async with connect(url) as connection:
                yield connection
        except DatabaseError as error:
            raise described(error, url) from None


async def with_database(work: Any, *arguments: Any) -> Any:
    """What ``work`` gives of a pool, the settings and these arguments: on the database of
    DATABASE_URL, or else of ``gatepost dev`` here and with its secret.

    Raises DatabaseUnavailableError, one line, for whatever the database does not do.
    """
    with development_settings():
        settings = Settings.from_environment(os.environ)
        database = Database(settings)
        await database.open()
        try:
            return await work(database, settings, *arguments)
        except DatabaseError as error:
            raise described(error, settings.database_url) from None
        finally:
            await database.close()


def as_id(text: str) -> UUID | None:
    """An id, or None for a text that is an address or its beginning."""
    try:
        return UUID(text)
    except ValueError:
        return None


async def find_user(connection: Connection, text: str) -> User:
    """The user with this id or address. Raises NotFoundError."""
    if user_id := as_id(text):
        found = await connection.fetch(users.by_id, user_id)
    else:
        found = await connection.fetch(users.by_email, text.lower())
    if not found:
        raise NotFoundError(f"there is no user {printable(text)}")
    return found[0]


async def sessions_of(connection: Connection, user_id: UUID, limit: int) -> list[PublicSession]:
    """The newest sessions that have not expired."""
    return await connection.fetch(sessions.newest_of_user, user_id, datetime.now(UTC), limit)
