"""better-auth-server on FastAPI and SQLAlchemy, as its documentation sets it up.

Run as a program, with the numbers of users and sessions, it makes its tables and fills them.
DATABASE_URL, BETTER_AUTH_SECRET and BETTER_AUTH_URL are read from the environment.
"""

import asyncio
import os
import sys

import asyncpg
from better_auth import BetterAuth, EmailAndPassword, RateLimit
from better_auth.adapters.sqlalchemy import SQLAlchemyAdapter
from better_auth.integrations.fastapi import BetterAuthFastAPI
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import create_async_engine

URL = os.environ["DATABASE_URL"]

# asyncpg reads the address itself: SQLAlchemy knows no sslmode for it.
engine = create_async_engine(
    "postgresql+asyncpg://",
    async_creator=lambda: asyncpg.connect(URL),
    pool_size=10,
    max_overflow=0,
)
adapter = SQLAlchemyAdapter(engine)
auth = BetterAuth(
    secret=os.environ["BETTER_AUTH_SECRET"],
    base_url=os.environ["BETTER_AUTH_URL"],
    adapter=adapter,
    email_and_password=EmailAndPassword(enabled=True),
    rate_limit=RateLimit(enabled=True),
)
app = FastAPI()
app.include_router(BetterAuthFastAPI(auth).router)

USERS = """
INSERT INTO "user" (id, name, email, "emailVerified", "createdAt", "updatedAt")
SELECT md5('user ' || n), 'User ' || n, 'user' || n || '@example.com', true, t, t
FROM generate_series(1, $1::int) AS n, (SELECT now() AT TIME ZONE 'UTC') AS moment (t)
"""
SESSIONS = """
INSERT INTO session
    (id, "expiresAt", token, "ipAddress", "userAgent", "userId", "createdAt", "updatedAt")
SELECT md5('session ' || n), t + interval '7 days', md5('token ' || n), '10.0.0.1',
    repeat('x', 100), md5('user ' || 1 + n % $1::int), t, t
FROM generate_series(1, $2::int) AS n, (SELECT now() AT TIME ZONE 'UTC') AS moment (t)
"""


async def prepare(users: int, sessions: int) -> None:
    await adapter.create_tables()
    connection = await asyncpg.connect(URL)
    await connection.execute(USERS, users)
    await connection.execute(SESSIONS, users, sessions)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


if __name__ == "__main__":
    asyncio.run(prepare(int(sys.argv[1]), int(sys.argv[2])))
