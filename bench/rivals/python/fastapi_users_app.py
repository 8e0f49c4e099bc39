"""fastapi-users with a cookie and sessions in the database, after the example of its documentation.

Run as a program, with the numbers of users and sessions, it makes its tables and fills them.
DATABASE_URL is read from the environment.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from typing import Annotated
from uuid import UUID

import asyncpg
from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, CookieTransport
from fastapi_users.authentication.strategy.db import AccessTokenDatabase, DatabaseStrategy
from fastapi_users.db import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users_db_sqlalchemy.access_token import (
    SQLAlchemyAccessTokenDatabase,
    SQLAlchemyBaseAccessTokenTableUUID,
)
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

URL = os.environ["DATABASE_URL"]
WEEK = 7 * 24 * 3600  # seconds

# asyncpg reads the address itself: SQLAlchemy knows no sslmode for it.
engine = create_async_engine(
    "postgresql+asyncpg://",
    async_creator=lambda: asyncpg.connect(URL),
    pool_size=10,
    max_overflow=0,
)
session_maker = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class User(SQLAlchemyBaseUserTableUUID, Base):
    pass


class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
    pass


class UserRead(schemas.BaseUser[UUID]):
    pass


class UserUpdate(schemas.BaseUserUpdate):
    pass


class UserManager(UUIDIDMixin, BaseUserManager[User, UUID]):
    pass


async def get_session() -> AsyncGenerator[AsyncSession, None]:
    async with session_maker() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]


async def get_user_manager(session: Session) -> AsyncGenerator[UserManager, None]:
    yield UserManager(SQLAlchemyUserDatabase(session, User))


async def get_access_tokens(
    session: Session,
) -> AsyncGenerator[AccessTokenDatabase[AccessToken], None]:
    yield SQLAlchemyAccessTokenDatabase(session, AccessToken)


def get_strategy(
    tokens: Annotated[AccessTokenDatabase[AccessToken], Depends(get_access_tokens)],
) -> DatabaseStrategy:
    return DatabaseStrategy(tokens, lifetime_seconds=WEEK)


backend = AuthenticationBackend(
    name="database", transport=CookieTransport(cookie_max_age=WEEK), get_strategy=get_strategy
)
users = FastAPIUsers[User, UUID](get_user_manager, [backend])
app = FastAPI()
app.include_router(users.get_auth_router(backend), prefix="/auth")
app.include_router(users.get_users_router(UserRead, UserUpdate), prefix="/users")

USERS = """
INSERT INTO "user" (id, email, hashed_password, is_active, is_superuser, is_verified)
SELECT md5('user ' || n)::uuid, 'user' || n || '@example.com', repeat('x', 97), true, false, true
FROM generate_series(1, $1::int) AS n
"""
# A token is 32 bytes in URL-safe Base64 without padding.
SESSIONS = """
INSERT INTO accesstoken (token, created_at, user_id)
SELECT rtrim(translate(encode(sha256(('token ' || n)::bytea), 'base64'), '+/', '-_'), '='),
    now(), md5('user ' || 1 + n % $1::int)::uuid
FROM generate_series(1, $2::int) AS n
"""


async def prepare(users: int, sessions: int) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    connection = await asyncpg.connect(URL)
    await connection.execute(USERS, users)
    await connection.execute(SESSIONS, users, sessions)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


if __name__ == "__main__":
    asyncio.run(prepare(int(sys.argv[1]), int(sys.argv[2])))
