"""What it costs to record when sessions were last seen.

    python bench/last_seen.py [--rounds 15] [--requests 1500] [--sessions 10000]

get-session in one process, without and with the setting in turns: microseconds of CPU a request, of
the whole application without its server. Then the write of that many sessions: the first one, which
makes the rows, and later ones, which move them.
"""

import argparse
import asyncio
import logging
import os
import random
import secrets
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # instead of the folder of the script

import asyncpg  # noqa: E402
import httpx  # noqa: E402

from app.auth.sightings import Sightings  # noqa: E402
from app.database import Database  # noqa: E402
from app.devserver.postgres import EmbeddedPostgres  # noqa: E402
from app.main import create_app  # noqa: E402
from app.migrations.runner import migrate  # noqa: E402
from app.settings import Settings  # noqa: E402
from app.statements import session_activity  # noqa: E402
from bench.harness import table  # noqa: E402

BASE: Final = "http://last-seen.test"
PATH: Final = "/api/auth/get-session"
PEOPLE: Final = 20


async def ask(app: Any, cookie: str, number: int) -> float:
    """Seconds of CPU of so many requests, one after the other, sent to the application itself."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": PATH, "raw_path": PATH.encode(), "query_string": b"",
        "root_path": "", "headers": [(b"host", b"last-seen.test"), (b"cookie", cookie.encode())],
        "client": ("127.0.0.1", 5000), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    started = time.process_time()
    for _ in range(number):
        sent.clear()
        await app({**scope, "state": {}}, receive, send)
    passed = time.process_time() - started
    assert b'"session":{' in sent[-1]["body"], sent
    return passed


async def requests(settings: Settings, rounds: int, number: int) -> list[list[str]]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            body = {"name": "Ada", "email": "ada@example.com", "password": "correct horse battery"}
            answer = await http.post("/api/auth/sign-up/email", json=body, headers={"origin": BASE})
            assert answer.status_code == 200, answer.text
            cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
        services = app.state.auth
        on = Sightings(services.database, 60)
        differences, plain = list[float](), list[float]()
        await ask(app, cookie, number)  # warm
        for _ in range(rounds):
            taken: dict[bool, float] = {}
            for with_it in random.sample((False, True), 2):
                object.__setattr__(services, "sightings", on if with_it else None)
                taken[with_it] = await ask(app, cookie, number) / number * 1e6
            plain.append(taken[False])
            differences.append(taken[True] - taken[False])
        object.__setattr__(services, "sightings", None)
    quartiles = statistics.quantiles(differences, n=4)
    noting = time_to_note(on)
    row = [f"{statistics.median(plain):.1f}", f"{quartiles[1]:+.2f}"]
    return [[*row, f"{quartiles[0]:+.2f} to {quartiles[2]:+.2f}", f"{noting:.2f}"]]


def time_to_note(noted: Sightings) -> float:
    """Microseconds of one note by itself."""
    session_id, now = next(iter(noted._seen)), datetime.now(UTC)
    started = time.process_time()
    for _ in range(1_000_000):
        noted.note(session_id, now)
    return time.process_time() - started


async def writes(settings: Settings, number: int) -> list[list[str]]:
    url = settings.database_url
    connection = await asyncpg.connect(url)
    database = Database(settings)
    await database.open()
    await connection.execute(
        "INSERT INTO users (name, email) SELECT '', n || '@bench.test'"
        f" FROM generate_series(1, {number // PEOPLE}) n;"
        "INSERT INTO sessions (user_id, token, expires_at, user_agent)"
        " SELECT id, md5(email || n), now() + interval '7 days', repeat('x', 100)"
        f" FROM users, generate_series(1, {PEOPLE}) n WHERE email LIKE '%bench.test'"
    )
    await connection.execute("VACUUM ANALYZE")
    ids = [
        row["id"]
        for row in await connection.fetch(
            f"SELECT id FROM sessions ORDER BY random() LIMIT {number}"
        )
    ]
    rows: list[list[str]] = []
    now = datetime.now(UTC)
    for turn in range(8):
        if turn in (0, 1):
            await connection.execute("CHECKPOINT")
        before = await connection.fetchval("SELECT pg_current_wal_insert_lsn()")
        mine, started = time.process_time(), time.perf_counter()
        times = [now + timedelta(minutes=turn)] * len(ids)
        await database.fetch(session_activity.record, ids, times)
        taken, mine = time.perf_counter() - started, time.process_time() - mine
        wal = await connection.fetchval(
            "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1)", before
        )
        name = ("the first", "after a checkpoint")[turn] if turn < 2 else f"write {turn + 1}"
        size = await connection.fetchval("SELECT pg_relation_size('session_activity')")
        rows.append(
            [
                name,
                f"{taken * 1000:.0f}",
                f"{mine * 1000:.0f}",
                f"{float(wal) / 1e6:.2f}",
                f"{size / 1e6:.2f}",
            ]
        )
    await asyncio.sleep(1.1)
    await connection.execute("SELECT pg_stat_force_next_flush()")
    await database.close()
    hot = await connection.fetchrow(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables"
        " WHERE relname = 'session_activity'"
    )
    await connection.close()
    if hot is not None and hot["n_tup_upd"]:
        share = hot["n_tup_hot_upd"] / hot["n_tup_upd"]
        rows.append([f"HOT: {share:.0%} of {hot['n_tup_upd']:,}", "", "", "", ""])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--sessions", type=int, default=10_000)
    options = parser.parse_args()
    logging.disable(logging.INFO)  # the access log costs both the same
    with tempfile.TemporaryDirectory(prefix="gatepost-last-seen-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # for the user the server runs as; the data in it is private
        with EmbeddedPostgres(folder / "postgres") as postgres:
            asyncio.run(migrate(postgres.url()))
            environment = os.environ | {
                "DATABASE_URL": postgres.url(), "GATEPOST_SECRET": secrets.token_hex(32),
                "GATEPOST_BASE_URL": BASE, "GATEPOST_RATE_LIMIT": "off",
                "GATEPOST_PURGE_EVERY": "0",
            }  # fmt: skip
            settings = Settings.from_environment(environment)
            asked = asyncio.run(requests(settings, options.rounds, options.requests))
            written = asyncio.run(writes(settings, options.sessions))
    head = ["µs of CPU a request", "with it", "quartiles", "the note by itself"]
    print(table(head, asked))
    print()
    head = [f"write of {options.sessions:,}", "ms", "ms of CPU, service", "MB of WAL", "MB, table"]
    print(table(head, written))


if __name__ == "__main__":
    main()
