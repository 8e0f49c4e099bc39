"""Whether the time of an answer tells who is registered, at the endpoints that do not say it.

    python bench/timing.py [--requests 2000] [--only reset next verification change sign-up sign-in]

Requests for an address that somebody has and for one that nobody has take turns, in random order
within each pair, on one connection. The area under the curve is how often the first takes longer
than the second: at 0.5 the time tells nothing, at 0 or 1 everything. PostgreSQL commits as it does
by default, and the mails go to a server that takes them.
"""

import argparse
import asyncio
import http.client
import json
import os
import random
import secrets
import statistics
import sys
import tempfile
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # instead of the folder of the script

import asyncpg  # noqa: E402
from aiosmtpd.controller import Controller  # noqa: E402

from app.auth.passwords import hashed  # noqa: E402
from app.devserver.postgres import EmbeddedPostgres  # noqa: E402
from app.migrations.runner import migrate  # noqa: E402
from app.statements import users  # noqa: E402
from bench.harness import free_port, server, table  # noqa: E402

PASSWORD: Final = "correct horse battery"
BASE: Final = "http://timing.test"
KNOWN: Final = 200  # addresses, so that none of their rows is warmer than others
HEADERS: Final = {"content-type": "application/json", "origin": BASE}


class Inbox:
    async def handle_DATA(self, *_: object) -> str:  # noqa: N802 - aiosmtpd's name
        return "250 OK"


class Visitor:
    """A connection to the service."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self.cookie = ""

    def post(self, path: str, body: dict[str, str], status: int = 200) -> float:
        """Milliseconds until the whole answer is there."""
        headers = HEADERS | ({"cookie": self.cookie} if self.cookie else {})
        content = json.dumps(body)
        started = time.perf_counter_ns()
        self._connection.request("POST", f"/api/auth{path}", content, headers)
        answer = self._connection.getresponse()
        answer.read()
        passed = (time.perf_counter_ns() - started) / 1e6
        assert answer.status == status, (path, answer.status)
        for line in answer.headers.get_all("set-cookie", []):
            self.cookie = self.cookie or line.partition(";")[0]
        return passed

    def get(self, path: str) -> float:
        started = time.perf_counter_ns()
        self._connection.request("GET", path)
        self._connection.getresponse().read()
        return (time.perf_counter_ns() - started) / 1e6


Ask = Callable[[Visitor, str], float]


def new_address() -> str:
    return f"{secrets.token_hex(8)}@example.com"


def reset(visitor: Visitor, email: str) -> float:
    return visitor.post("/request-password-reset", {"email": email})


def the_next(visitor: Visitor, email: str) -> float:
    """The request after a reset, which may have to wait for what the reset left to be done."""
    visitor.post("/request-password-reset", {"email": email})
    return visitor.get("/api/auth/ok")


def verification(visitor: Visitor, email: str) -> float:
    return visitor.post("/send-verification-email", {"email": email})


def change(visitor: Visitor, email: str) -> float:
    return visitor.post("/change-email", {"newEmail": email})


def sign_up(visitor: Visitor, email: str) -> float:
    body = {"name": "Ann", "email": email, "password": PASSWORD}
    return visitor.post("/sign-up/email", body)


def sign_in(visitor: Visitor, email: str) -> float:
    return visitor.post("/sign-in/email", {"email": email, "password": "wrong"}, 401)


KINDS: Final[dict[str, tuple[str, Ask, dict[str, str], int]]] = {
    "reset": ("request-password-reset", reset, {}, 1),
    "next": ("the request after it", the_next, {}, 1),
    "verification": ("send-verification-email", verification, {}, 8),  # they wait half a second
    "change": ("change-email", change, {}, 1),
    "sign-up": (
        "sign-up, hidden", sign_up, {"GATEPOST_REQUIRE_EMAIL_VERIFICATION": "true"}, 1,
    ),
    "sign-in": ("sign-in, wrong password", sign_in, {}, 1),
}  # fmt: skip
"""Name, request, settings, and how many connections share the requests."""


def pairs(
    port: int, ask: Ask, known: Sequence[str], number: int, cookie: str
) -> list[tuple[float, float]]:
    """``number`` pairs of milliseconds: for a known address, and for an unknown one."""
    visitor = Visitor(port)
    visitor.cookie = cookie
    found = []
    for turn in range(number + 20):
        asked = {"known": random.choice(known), "unknown": new_address()}
        order = random.sample(sorted(asked), 2)
        taken = {which: ask(visitor, asked[which]) for which in order}
        if turn >= 20:  # the first warm up
            found.append((taken["known"], taken["unknown"]))
    return found


def area(ones: Sequence[float], others: Sequence[float]) -> float:
    """The probability that one of the first is larger than one of the second."""
    rank = sorted(others)
    larger = sum((bisect_left(rank, one) + bisect_right(rank, one)) / 2 for one in ones)
    return larger / (len(ones) * len(others))


async def seed(url: str) -> list[str]:
    """Users whose password is ``PASSWORD``; gives their addresses."""
    known, stored = [new_address() for _ in range(KNOWN)], hashed(PASSWORD, secrets.token_hex(16))
    connection = await asyncpg.connect(url)
    try:
        for email in known:
            await connection.execute(users.sign_up.text, "Ann", email, None, "credential", stored)
    finally:
        await connection.close()
    return known


def measure(url: str, folder: Path, kind: str, number: int, mail_port: int) -> list[str]:
    name, ask, settings, connections = KINDS[kind]
    port = free_port()
    environment = os.environ | settings | {
        "DATABASE_URL": url, "PORT": str(port), "PYTHONPATH": str(ROOT),
        "GATEPOST_SECRET": secrets.token_hex(32), "GATEPOST_BASE_URL": BASE,
        "GATEPOST_RATE_LIMIT": "off", "GATEPOST_CHANGE_EMAIL": "true",
        "MAIL_URL": f"smtp://127.0.0.1:{mail_port}", "MAIL_FROM": "no-reply@example.com",
    }  # fmt: skip
    command = [sys.executable, "-m", "app.cli", "serve"]
    with server(command, environment, port, folder / f"{kind}.log", ROOT):
        known = asyncio.run(seed(url))
        visitor = Visitor(port)
        if kind == "change":
            sign_up(visitor, new_address())
        with ThreadPoolExecutor(connections) as pool:
            share = number // connections
            asked = [
                pool.submit(
                    pairs, port, ask, known, share, visitor.cookie if kind == "change" else ""
                )
                for _ in range(connections)
            ]
            found = [pair for part in asked for pair in part.result()]
    ones, others = zip(*found, strict=True)
    medians = statistics.median(ones), statistics.median(others)
    shuffled = [random.sample(pair, 2) for pair in found]
    noise = area(*zip(*shuffled, strict=True))
    return [
        name, str(len(found)), *(f"{median:.2f}" for median in medians),
        f"{medians[0] - medians[1]:+.3f}", f"{area(ones, others):.3f}", f"{noise:.3f}",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=2000, help="of each kind, in pairs")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    options = parser.parse_args()
    mails = Controller(Inbox(), hostname="127.0.0.1", port=free_port())
    mails.start()
    rows = []
    try:
        with tempfile.TemporaryDirectory(prefix="gatepost-timing-") as name:
            folder = Path(name)
            folder.chmod(0o711)  # for the user the server runs as; the data in it is private
            with EmbeddedPostgres(folder / "postgres") as postgres:
                asyncio.run(migrate(postgres.url()))
                for kind in options.only:
                    row = measure(postgres.url(), folder, kind, options.requests, mails.port)
                    print(*row, flush=True)
                    rows.append(row)
    finally:
        mails.stop()
    head = ["request", "pairs", "known, ms", "unknown, ms", "difference", "area", "by chance"]
    print(table(head, rows))


if __name__ == "__main__":
    main()
