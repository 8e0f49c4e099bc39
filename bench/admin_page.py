"""How long the screens of /admin take on a database of any size.

    python bench/admin_page.py [--sessions 10000000] [--events 5000000]

A user has five sessions, and one of them 5,000. An administrator asks for each screen in turns; the
times are the client's, with the service and PostgreSQL on the same cores.
"""

import argparse
import asyncio
import hashlib
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # instead of the folder of the script

import httpx  # noqa: E402

from app.auth.cookies import Signer  # noqa: E402
from bench import filled  # noqa: E402
from bench.harness import free_port, server, table  # noqa: E402

TIMES: Final = 15
MANY: Final = 5_000
"""Sessions of one user."""
SECRET: Final = "6e2f0c94d1b7a8355c9e4f7b20d81a63"
TOKEN: Final = "administrator" * 3
ADMINISTRATOR: Final = UUID(hashlib.md5(b"user0").hexdigest())  # noqa: S324 - as filled.py has it
"""Who asks, and has the many sessions."""
_COUNTED: Final = 15.0
"""Seconds without a change of the daily counts, after which all events are counted."""
_COUNTING: Final = 900.0
"""Seconds after which it is no use to wait for them."""

# In the order of time, with ids below the horizon, as if many had been written by one transaction.
EVENTS: Final = """
INSERT INTO events (id, created_at, type, user_id, session_id)
SELECT (lpad(to_hex(n / 100000), 16, '0') || lpad(to_hex(n), 16, '0'))::uuid,
    at, type, md5('user' || n % {users})::uuid, hash::uuid
FROM (
    SELECT n, md5('event' || n) AS hash,
        now() - interval '40 days' * (1 - n::float8 / {events}) AS at,
        CASE n % 10 WHEN 0 THEN 'session.ended' WHEN 1 THEN 'user.updated'
            WHEN 2 THEN 'account.created' ELSE 'session.created' END AS type
    FROM generate_series(1, {events}) n
) e
"""
PREPARED: Final = f"""
UPDATE users SET role = 'admin' WHERE id = '{ADMINISTRATOR}';
UPDATE sessions SET user_id = '{ADMINISTRATOR}' WHERE id IN (SELECT id FROM sessions LIMIT {MANY});
INSERT INTO sessions (user_id, token, expires_at)
VALUES ('{ADMINISTRATOR}', '{TOKEN}', now() + interval '7 days');
VACUUM (ANALYZE) users, sessions, events;
CHECKPOINT
"""


async def fill(postgres: Any, rows: int, events: int) -> tuple[str, str]:
    """Gives the ids of a user with five sessions, and of an event in the middle."""
    async with filled.connected(postgres, "gatepost") as connection:
        # an event for each of them would be most of the time, and none is of the past
        await connection.execute("ALTER DATABASE gatepost SET session_replication_role = replica")
    variant = filled.Variant("none", 90)
    await filled.load(postgres, "gatepost", rows, variant, filled.WEEK, halves=True)
    async with filled.connected(postgres, "gatepost") as connection:
        await connection.execute(EVENTS.format(users=rows // filled.PER_USER, events=events))
        for statement in PREPARED.split(";"):
            await connection.execute(statement)
        await connection.execute("ALTER DATABASE gatepost RESET session_replication_role")
        user = await connection.fetchval("SELECT md5('user' || $1)::uuid", str(rows // 10))
        event = await connection.fetchval(
            "SELECT id FROM events WHERE created_at > now() - interval '20 days'"
            " ORDER BY created_at, id LIMIT 1"
        )
    return f"{user}", f"{event}"


async def wait_until_counted(postgres: Any) -> float:
    """Until the service has counted the events of each day; gives the seconds that it took."""
    started = changed = time.monotonic()
    before = 0  # of the sign-ins refused today, which come first
    async with filled.connected(postgres, "gatepost") as connection:
        while not before or time.monotonic() - changed < _COUNTED:
            if time.monotonic() - started > _COUNTING:
                raise SystemExit("the service does not count the events")
            await asyncio.sleep(1)
            now = await connection.fetchval("SELECT sum(count) FROM daily_counts")
            if now != before:
                before, changed = now, time.monotonic()
    return changed - started


@contextmanager
def service(url: str, folder: Path) -> Iterator[str]:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "DATABASE_URL": url,
        "GATEPOST_ADMIN_PAGE": "true",
        "GATEPOST_BASE_URL": base,
        "GATEPOST_PLUGINS": "admin",
        "GATEPOST_PURGE_EVERY": "0",
        "GATEPOST_RATE_LIMIT": "off",
        "GATEPOST_SECRET": SECRET,
        "PORT": str(port),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "app.cli", "serve"]
    with server(command, environment, port, folder / "service.log", ROOT):
        yield base


def screens(user: str, event: str) -> dict[str, str]:
    return {
        "the overview": "/admin",
        "the newest users": "/admin/users",
        "users by the beginning of their address": "/admin/users?q=user77",
        "one address": "/admin/users?q=user0%40example.com",
        "one user": f"/admin/users/{user}",
        f"one user with {MANY:,} sessions": f"/admin/users/{ADMINISTRATOR}",
        "the newest sessions": "/admin/sessions",
        "the newest events": "/admin/events",
        "events of 20 days ago": f"/admin/events?after={event}",
        "events of a type": "/admin/events?type=session.ended",
        "events of a user": f"/admin/events?user={user}",
        "health": "/admin/health",
    }


def ask(base: str, found: dict[str, str]) -> list[list[str]]:
    cookie = quote(Signer([SECRET]).sign(TOKEN), safe="")
    times: dict[str, list[float]] = {name: [] for name in found}
    with httpx.Client(base_url=base, timeout=60) as client:
        client.headers["cookie"] = f"better-auth.session_token={cookie}"
        for _ in range(TIMES + 1):
            for name, path in found.items():
                started = time.perf_counter()
                response = client.get(path)
                times[name].append((time.perf_counter() - started) * 1000)
                # a table has its head and a row at least: an empty screen is quick
                if response.status_code != 200 or response.text.count("<tr") < 2:
                    raise SystemExit(f"{path}: {response.status_code} {response.text[:500]}")
    return [
        [name, *(f"{ms:.0f} ms" for ms in (statistics.median(of[1:]), max(of[1:]), of[0]))]
        for name, of in times.items()
    ]


async def run(rows: int, events: int) -> None:
    memory = {"shared_buffers": "1GB"}
    with filled.folder() as folder:
        async with filled.server(memory) as postgres:
            started = time.monotonic()
            user, event = await fill(postgres, rows, events)
            print(f"filled in {time.monotonic() - started:.0f} s", flush=True)
            with service(postgres.url(), folder) as base:
                seconds = await wait_until_counted(postgres)
                print(f"the events of each day counted in {seconds:.0f} s", flush=True)
                rows_of_table = await asyncio.to_thread(ask, base, screens(user, event))
    print(f"\n{rows:,} sessions of {rows // filled.PER_USER:,} users, {events:,} events\n")
    print(table(("screen", "median", "slowest", "the first time"), rows_of_table))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=10_000_000)
    parser.add_argument("--events", type=int, default=5_000_000)
    options = parser.parse_args()
    asyncio.run(run(options.sessions, options.events))


if __name__ == "__main__":
    main()
