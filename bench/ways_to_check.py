"""What the three ways of gatepost-client to ask "who is this?" take, side by side in one run.

    python bench/ways_to_check.py [--seconds 4] [--rounds 3]

One process asks, a service and a PostgreSQL of its own answer, on the same machine: milliseconds of
one question after the other, questions a second of 32 people at once, and of 5 people with 6 at
once each, as a page asks that needs several things. The ways take turns in each round. At the end
a session is revoked, and each way is asked until it says so.
"""

import argparse
import asyncio
import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # instead of the folder of the script

import httpx  # noqa: E402
from gatepost_client import GatepostClient  # noqa: E402
from gatepost_client.database import DatabaseClient  # noqa: E402
from gatepost_client.jwt import JwtClient  # noqa: E402

from app.devserver.postgres import EmbeddedPostgres  # noqa: E402
from app.migrations.runner import migrate  # noqa: E402
from bench.harness import free_port, server, table  # noqa: E402

BASE: Final = "https://auth.example.com"
SECRET: Final = secrets.token_hex(32)
PEOPLE: Final = 32
PAGES: Final = (5, 6)
"""People, and the questions of each at once."""
LIFETIME: Final = 30
"""Seconds of a token: the shortest that the plugin makes."""

Headers = dict[str, str]
Ask = Callable[[Headers], Awaitable[Any]]


async def one_by_one(ask: Ask, person: Headers, seconds: float) -> float:
    """Milliseconds of a question, the median."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        assert await ask(person)
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


async def at_once(ask: Ask, people: Sequence[Headers], each: int, seconds: float) -> float:
    """Questions a second, when every person has ``each`` on the way."""
    asked, start = 0, time.perf_counter()

    async def repeat(person: Headers) -> None:
        nonlocal asked
        while time.perf_counter() < start + seconds:
            assert all(await asyncio.gather(*(ask(person) for _ in range(each))))
            asked += each

    await asyncio.gather(*map(repeat, people))
    return asked / (time.perf_counter() - start)


async def accepted_for(ask: Ask, person: Headers, revoked_at: float) -> float:
    """Seconds after the revocation in which the answer was still the user."""
    while await ask(person) is not None:  # noqa: ASYNC110 - nothing tells when
        await asyncio.sleep(0.01)
    return time.perf_counter() - revoked_at


async def sign_up(http: httpx.AsyncClient, number: int) -> Headers:
    email, password = f"ada-{number}@example.com", "correct horse battery"
    person = {"name": "Ada", "email": email, "password": password}
    answer = await http.post("/sign-up/email", json=person, headers={"Origin": BASE})
    http.cookies.clear()
    return {"Authorization": f"Bearer {answer.headers['set-auth-token']}"}


async def tokens(http: httpx.AsyncClient, people: Sequence[Headers]) -> list[Headers]:
    found = [(await http.get("/token", headers=person)).json()["token"] for person in people]
    return [{"Authorization": f"Bearer {token}"} for token in found]


async def compare(url: str, database_url: str, rounds: int, seconds: float) -> list[list[str]]:
    async with (
        httpx.AsyncClient(base_url=f"{url}/api/auth") as http,
        GatepostClient(url) as by_http,
        DatabaseClient(database_url, SECRET, max_size=10) as by_database,
        JwtClient(url, issuer=BASE, audience=BASE) as by_jwt,
    ):
        people = [await sign_up(http, number) for number in range(PEOPLE)]
        ways: dict[str, Ask] = {
            "GatepostClient": by_http.session,
            "DatabaseClient": by_database.session,
            "JwtClient": by_jwt.session,
        }
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ways}

        async def shown(ask: Ask) -> list[Headers]:
            """What each person shows; a token lives for some measurements."""
            return await tokens(http, people) if ask == by_jwt.session else people

        for _ in range(rounds):
            for name, ask in ways.items():
                all_of_them = await shown(ask)
                few, each = PAGES
                found[name].append(
                    (
                        await one_by_one(ask, all_of_them[0], seconds),
                        await at_once(ask, all_of_them, 1, seconds),
                        await at_once(ask, all_of_them[:few], each, seconds),
                    )
                )
        last = {ask: (await shown(ask))[0] for ask in ways.values()}
        await http.post("/sign-out", headers=people[0] | {"Origin": BASE}, json={})
        now = time.perf_counter()
        after = await asyncio.gather(*(accepted_for(ask, last[ask], now) for ask in last))
    rows: list[list[str]] = []
    first = statistics.median(many for _, many, _ in found["GatepostClient"])
    for (name, measured), kept in zip(found.items(), after, strict=True):
        single, many, pages = (statistics.median(column) for column in zip(*measured, strict=True))
        rows.append([name, f"{single:.2f}", f"{many:,.0f}", f"{many / first:.2f}", f"{pages:,.0f}"])
        rows[-1].append(f"{kept:.2f}")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement, under 10")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatepost-ways-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # for the user the server runs as; the data in it is private
        with EmbeddedPostgres(folder / "postgres") as postgres:
            asyncio.run(migrate(postgres.url()))
            port = free_port()
            environment = os.environ | {
                "DATABASE_URL": postgres.url(), "PORT": str(port), "PYTHONPATH": str(ROOT),
                "GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": BASE,
                "GATEPOST_RATE_LIMIT": "off", "GATEPOST_PLUGINS": "bearer,jwt",
                "GATEPOST_JWT_EXPIRES_IN": str(LIFETIME),
            }  # fmt: skip
            command = [sys.executable, "-m", "app.cli", "serve"]
            with server(command, environment, port, folder / "service.log", ROOT):
                rows = asyncio.run(
                    compare(
                        f"http://127.0.0.1:{port}", postgres.url(), options.rounds, options.seconds
                    )
                )
    head = ["way", "ms, one by one", f"a second, {PEOPLE} people", "×"]
    head += ["a second, {} people with {} each".format(*PAGES), "s accepted when revoked"]
    print(table(head, rows))


if __name__ == "__main__":
    main()
