"""100,000 users and 500,000 sessions through the REST API, then the plans of reads on them.

    python bench/bulk_load.py

Runs on an embedded PostgreSQL and a service of its own. The rows are inserted in bulk; the plans
are those that the API's statements really had, written by auto_explain to the server's log.
"""

import asyncio
import json
import os
import random
import re
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

import asyncpg
import httpx

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # instead of the folder of the script

from app.devserver.postgres import EmbeddedPostgres  # noqa: E402
from app.migrations.runner import migrate  # noqa: E402

USERS: Final = 100_000
SESSIONS: Final = 500_000
BATCH: Final = 5_000
CONCURRENT: Final = 3
REPEATS: Final = 8  # more than five: by then the server has chosen between its plans
START: Final = datetime(2025, 1, 1, tzinfo=UTC)
YEAR: Final = 365 * 24 * 3600  # seconds
AGENTS: Final = ("Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone)", "curl/8.5.0", "")

AUTO_EXPLAIN: Final = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_format": "json",
    "auto_explain.log_parameter_max_length": "0",
}


# --- the service ----------------------------------------------------------------------------------


@asynccontextmanager
async def service(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """The service as a process of its own, and a client with every scope."""
    key = secrets.token_urlsafe(32)
    digest = sha256(key.encode()).hexdigest()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "GATEPOST_SERVICE_KEYS": f"bench:{digest}:read+write+secrets",
        "GATEPOST_POOL_SIZE": str(CONCURRENT),
    }
    process = _start(port, environment)
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"apikey": key}, timeout=60
        ) as client:
            await _ready(client, process)
            yield client
    finally:
        process.terminate()
        process.wait(30)


def _start(port: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "uvicorn", "app.main:app", "--log-level", "warning"]
    return subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


async def _ready(client: httpx.AsyncClient, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            if (await client.get("/readyz")).is_success:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.05)
    raise SystemExit("the service did not start")


# --- the rows -------------------------------------------------------------------------------------


def user_ids() -> list[UUID]:
    chance = random.Random(1)
    return [UUID(int=chance.getrandbits(128), version=4) for _ in range(USERS)]


def users(ids: list[UUID]) -> Iterator[dict[str, Any]]:
    for number, id_ in enumerate(ids):
        yield {
            "id": str(id_),
            "name": f"User {number}",
            "email": f"user{number:06}@example.com",
            "created_at": (START + timedelta(seconds=number * YEAR / USERS)).isoformat(),
        }


def sessions(ids: list[UUID]) -> Iterator[dict[str, Any]]:
    """Without a token: the service generates it."""
    chance = random.Random(2)
    for number in range(SESSIONS):
        created = START + timedelta(seconds=number * YEAR / SESSIONS)
        yield {
            "user_id": str(chance.choice(ids)),
            "expires_at": (created + timedelta(days=7)).isoformat(),
            "ip_address": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            "user_agent": chance.choice(AGENTS),
            "created_at": created.isoformat(),
        }


async def load(client: httpx.AsyncClient, table: str, rows: Iterator[dict[str, Any]]) -> int:
    """Insert ``rows`` in batches, several concurrently; returns how many were inserted."""
    headers = {"Prefer": "return=minimal", "Content-Type": "application/json"}

    async def worker() -> int:
        inserted = 0
        while batch := list(islice(rows, BATCH)):
            body = json.dumps(batch).encode()
            response = await client.post(f"/rest/v1/{table}", content=body, headers=headers)
            if response.status_code != 201:
                raise SystemExit(f"{table}: {response.status_code} {response.text[:500]}")
            inserted += len(batch)
        return inserted

    return sum(await asyncio.gather(*(worker() for _ in range(CONCURRENT))))


async def count(client: httpx.AsyncClient, table: str) -> int:
    response = await client.head(f"/rest/v1/{table}?limit=1", headers={"Prefer": "count=exact"})
    return int(response.headers["content-range"].rpartition("/")[2])


# --- the plans ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Read:
    """A read, as the query that a client sends."""

    target: str
    counted: bool = False


def reads(ids: list[UUID], tokens: list[str]) -> Iterator[Read]:
    some = ",".join(str(id_) for id_ in ids[::9973])
    first = START + timedelta(days=100)
    day = f"created_at=gte.{_time(first)}&created_at=lt.{_time(first + timedelta(days=1))}"
    yield Read(f"users?id=eq.{ids[777]}")
    yield Read("users?email=eq.user077777@example.com")
    yield Read("users?email=like.user0777*&order=email")
    yield Read(f"users?id=in.({some})")
    yield Read(f"sessions?user_id=eq.{ids[777]}")
    yield Read(f"sessions?token=eq.{tokens[0]}")
    yield Read(f"sessions?token=in.({','.join(tokens)})")
    yield Read(f"sessions?user_id=in.({some})&order=created_at.desc")
    yield Read("users?order=id&limit=50")
    yield Read("users?order=id&limit=50&offset=50000")
    yield Read("users?order=created_at.desc&limit=50")
    yield Read("users?order=created_at&limit=50&offset=50000")
    yield Read("users?order=email&limit=50")
    yield Read("users?order=email&limit=50&offset=50000")
    yield Read("sessions?limit=50")
    yield Read("sessions?order=id&limit=50&offset=250000")
    yield Read("sessions?order=created_at.desc&limit=50")
    yield Read("sessions?order=created_at&limit=50&offset=250000")
    yield Read(f"sessions?{day}&order=created_at&limit=50")
    yield Read(f"sessions?user_id=eq.{ids[777]}&limit=1", counted=True)
    yield Read(f"sessions?{day}&order=created_at&limit=50", counted=True)
    yield Read("users?limit=1", counted=True)
    yield Read("sessions?limit=1", counted=True)
    yield Read(f"users?id=in.({some})&select=*,sessions(*)")
    yield Read(
        "users?select=id,email,sessions(id,expires_at)&order=created_at.desc&limit=20"
        "&sessions.order=created_at.desc&sessions.limit=3"
    )
    yield Read("users?select=id,sessions!inner(id)&limit=20")
    yield Read("sessions?select=*,users(*)&order=created_at.desc&limit=50")
    yield Read("sessions?select=id,...users!inner(email)&users.email=eq.user000777@example.com")


def _time(moment: datetime) -> str:
    return quote(moment.isoformat(), safe="")


async def explain(
    client: httpx.AsyncClient, log: Path, read: Read
) -> tuple[float, list[dict[str, Any]]]:
    """The median time of a read in milliseconds, and the plan of each time it ran."""
    before = len(_written(log))
    headers = {"Prefer": "count=exact"} if read.counted else {}
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        response = await client.get(f"/rest/v1/{read.target}", headers=headers)
        times.append((time.perf_counter() - started) * 1000)
        if not response.is_success:
            raise SystemExit(f"{read.target}: {response.status_code} {response.text[:500]}")
    found = re.findall(r"plan:\n((?:\t.*\n)+)", _written(log)[before:])
    plans = [json.loads(text) for text in found]
    return statistics.median(times), [p["Plan"] for p in plans if "gatepost:" in p["Query Text"]]


def _written(log: Path) -> str:
    return log.read_text()


def nodes(plan: dict[str, Any], depth: int = 0) -> Iterator[tuple[int, str]]:
    """Each node of a plan with its depth, as one line."""
    words = [plan["Node Type"], plan.get("Index Name"), plan.get("Relation Name")]
    role = plan.get("Parent Relationship", "")
    note = f" ({plan['Subplan Name']})" if role in ("SubPlan", "InitPlan") else ""
    yield depth, " ".join(word for word in words if word) + note
    for child in plan.get("Plans", ()):
        yield from nodes(child, depth + 1)


# --- the run --------------------------------------------------------------------------------------


async def timed(label: str, work: Callable[[], Awaitable[int]]) -> None:
    started = time.perf_counter()
    rows = await work()
    took = time.perf_counter() - started
    print(f"{label}: {rows:,} rows in {took:.1f} s, {rows / took:,.0f} a second")


async def run(server: EmbeddedPostgres) -> None:
    url = server.url()
    ids = user_ids()
    async with service(url) as client:
        await timed("users", lambda: load(client, "users", users(ids)))
        await timed("sessions", lambda: load(client, "sessions", sessions(ids)))
        print(f"counted: {await count(client, 'users'):,} users, ", end="")
        print(f"{await count(client, 'sessions'):,} sessions")
        some = await client.get("/rest/v1/sessions?select=token&limit=5")
        tokens = [row["token"] for row in some.json()]
    database = await asyncpg.connect(url)
    await database.execute("VACUUM (ANALYZE) users, sessions")  # as autovacuum would, soon
    for name, value in AUTO_EXPLAIN.items():
        await database.execute(f"ALTER DATABASE gatepost SET {name} = '{value}'")
    await database.close()
    sequential = []
    async with service(url) as client:
        for read in reads(ids, tokens):
            took, plans = await explain(client, server.log, read)
            print(f"\nGET /rest/v1/{read.target:.150}{'  count=exact' if read.counted else ''}")
            print(f"  {took:.1f} ms")
            for depth, line in nodes(plans[-1]):
                print(f"  {'  ' * depth}{line}")
            if any("Seq Scan" in line for plan in plans for _, line in nodes(plan)):
                sequential.append(read.target)
    print("\nSequential scans:", "none" if not sequential else "")
    for target in sequential:
        print(f"  {target:.150}")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="gatepost-bench-") as folder:
        Path(folder).chmod(0o711)  # for the user the server runs as; the data in it is private
        with EmbeddedPostgres(Path(folder) / "postgres") as server:
            asyncio.run(migrate(server.url()))
            asyncio.run(run(server))


if __name__ == "__main__":
    main()
