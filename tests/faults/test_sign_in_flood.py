"""Five hundred sign-ins at once: some are hashed, others hear 503 early, and then all is well."""

import asyncio
import json
import re
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from tests.security.people import BASE, PASSWORD, Site, site
from tests.support import Server, Service, end

FLOOD = 500
WRONG = "not the password"
GRACE = 10
"""Seconds that the stop gives to requests under way (docs/OPERATIONS.md)."""


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str
    seconds: float


@pytest.fixture
def running(postgres: Server, template: str, tmp_path: Path) -> Iterator[Site]:
    patient = {"GATEPOST_QUERY_TIMEOUT": "60"}
    with site(postgres, template, tmp_path, **patient) as found:
        yield found


@asynccontextmanager
async def posted(
    url: str, path: str, body: dict[str, str]
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A request that was sent, and its connection."""
    parts, data = urlsplit(url), json.dumps(body).encode()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = (
        f"POST /api/auth{path} HTTP/1.1\r\nHost: x\r\nOrigin: {BASE}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    try:
        writer.write(head.encode() + data)
        yield reader, writer
    finally:
        writer.close()


async def sign_in(url: str, email: str, password: str = PASSWORD) -> Answer:
    return await ask(url, "/sign-in/email", {"email": email, "password": password})


async def ask(url: str, path: str, body: dict[str, str]) -> Answer:
    started = time.monotonic()
    async with posted(url, path, body) as (reader, _):
        head, _, text = (await reader.read()).decode().partition("\r\n\r\n")
    seconds = time.monotonic() - started
    lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return Answer(int(lines[0].split()[1]), headers, text, seconds)


def hashes(service: Service) -> tuple[float, float]:
    """The passwords that wait and that are hashed now, as the metrics have it."""
    text = httpx.get(service.metrics, timeout=30).text
    found = dict(re.findall(r"^gatepost_password_hashes_(\w+) (\S+)$", text, re.MULTILINE))
    return float(found["waiting"]), float(found["running"])


async def usual_time(url: str, email: str) -> float:
    """Seconds of a good sign-in, the median of five."""
    answers = [await sign_in(url, email) for _ in range(5)]
    assert {answer.status for answer in answers} == {200}
    return statistics.median(answer.seconds for answer in answers)


async def test_flood_of_sign_ins_is_refused_early_and_leaves_nothing_behind(running: Site) -> None:
    url, known = running.service.url, running.sign_up().email
    before = await usual_time(url, known)
    wrong = [known, "nobody@example.com"]
    answers = await asyncio.gather(*(sign_in(url, wrong[n % 2], WRONG) for n in range(FLOOD)))
    after = await usual_time(url, known)

    refused = [answer for answer in answers if answer.status == 503]
    assert {answer.status for answer in answers} == {401, 503}
    assert len(refused) > FLOOD / 2
    # early: before the others were hashed
    hashed = [answer.seconds for answer in answers if answer.status == 401]
    assert statistics.median(answer.seconds for answer in refused) < max(hashed) / 2
    for answer in refused:
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert answer.headers["content-type"] == "application/json"
        assert set(json.loads(answer.body)) == {"message"}
    # and alike whether there is such an account or not
    for_known, for_unknown = answers[::2], answers[1::2]
    bodies = [{(a.status, a.body) for a in half} for half in (for_known, for_unknown)]
    assert bodies[0] == bodies[1]
    assert after < max(1.0, 5 * before)
    assert hashes(running.service) == (0, 0)


async def test_work_of_clients_that_have_gone_is_not_done(running: Site) -> None:
    url, known = running.service.url, running.sign_up().email
    before = await usual_time(url, known)
    body = {"email": known, "password": WRONG}

    async def leave() -> None:
        async with posted(url, "/sign-in/email", body) as (_, writer):
            await writer.drain()
            await asyncio.sleep(0.5)

    await asyncio.gather(*(leave() for _ in range(FLOOD // 5)))
    await asyncio.sleep(0.3)
    after = await sign_in(url, known)
    assert after.status == 200
    assert after.seconds < max(1.5, 8 * before)
    assert hashes(running.service) == (0, 0)


async def test_stop_takes_its_grace_and_no_more(running: Site) -> None:
    """The queue is full, and one request waits for a lock that nobody gives back."""
    url, known = running.service.url, running.sign_up().email
    locked = await asyncpg.connect(running.service.database_url)
    try:
        await locked.execute("BEGIN; LOCK TABLE verifications IN ACCESS EXCLUSIVE MODE")
        held = asyncio.create_task(ask(url, "/request-password-reset", {"email": known}))
        flood = [asyncio.create_task(sign_in(url, known, WRONG)) for _ in range(FLOOD // 2)]
        await asyncio.sleep(1)
        started = time.monotonic()
        code = await asyncio.to_thread(end, running.service.process, 60)
        took = time.monotonic() - started
        answers = await asyncio.gather(held, *flood, return_exceptions=True)
    finally:
        await locked.close()
    assert code == 0
    assert GRACE <= took < GRACE + 5
    statuses = {answer.status for answer in answers if isinstance(answer, Answer)}
    assert statuses == {401, 503}
    assert isinstance(answers[0], Answer)
    assert answers[0].status == 503
    assert answers[0].headers["retry-after"] == "1"
    # the log says so, and not with a traceback for each
    assert running.service.log.read_text().count("Exception in ASGI application") < 12
