"""Races: two Gatepost processes on one database, asked for the same thing at the same moment."""

import asyncio
import secrets
import string
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from itertools import cycle, product
from typing import Any

import asyncpg
import httpx
import pytest

from tests.interop.auth.servers import BASE_URL, Running, Setup, gatepost
from tests.interop.auth.visitor import KEPT_ALIVE, PASSWORD, PREFIX, signed
from tests.support import Server

PATIENT = Setup({"GATEPOST_REQUEST_TIMEOUT": "300"})  # a hundred passwords are hashed at a time
LIMITED = Setup({"GATEPOST_RATE_LIMIT": "database"})


@dataclass(frozen=True)
class Race:
    """The processes by turns, and a connection to their database."""

    clients: tuple[httpx.AsyncClient, ...]
    db: asyncpg.Connection
    servers: tuple[Running, ...]

    async def all(self, *asked: tuple[str, str, str | None, Any]) -> list[httpx.Response]:
        """Ask all of (method, path, cookie, JSON) at once, each process in its turn."""
        return await asyncio.gather(
            *(
                client.request(
                    method,
                    PREFIX + path,
                    json=body,
                    headers={"cookie": cookie, "origin": BASE_URL} if cookie else None,
                )
                for client, (method, path, cookie, body) in zip(
                    cycle(self.clients), asked, strict=False
                )
            )
        )

    async def user(self, name: str) -> tuple[str, str]:
        """A new user's id and the cookie of a session."""
        body = {"name": name, "email": f"{name}@example.com", "password": PASSWORD}
        (answer,) = await self.all(("POST", "/sign-up/email", None, body))
        assert answer.status_code == 200, answer.text
        token = answer.json()["token"]
        return answer.json()["user"]["id"], cookie_of(token)

    async def due(self, user: str, count: int) -> list[str]:
        """The tokens of new sessions of a user, each due for a refresh."""
        tokens = [
            "".join(secrets.choice(string.ascii_letters) for _ in range(32)) for _ in range(count)
        ]
        await self.db.execute(
            "INSERT INTO sessions (user_id, token, created_at, expires_at)"
            " SELECT $1::text::uuid, token, now() - interval '2 days', now() + interval '5 days'"
            " FROM unnest($2::text[]) AS token",
            user, tokens,
        )  # fmt: skip
        return tokens


def cookie_of(token: str) -> str:
    return f"better-auth.session_token={signed(token)}"


@pytest.fixture(scope="module", params=[PATIENT], ids=["processes"])
def servers(
    request: pytest.FixtureRequest,
    postgres: Server,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[str, tuple[Running, ...]]]:
    with ExitStack() as stack:
        database = stack.enter_context(postgres.database(template))
        running = tuple(
            stack.enter_context(
                gatepost(request.param, postgres, database, tmp_path_factory.mktemp("race"))
            )
            for _ in range(2)
        )
        yield postgres.url(database), running


@pytest.fixture
async def race(servers: tuple[str, tuple[Running, ...]]) -> AsyncIterator[Race]:
    url, running = servers
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=f"http://127.0.0.1:{server.port}",
                    cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # keeps none
                    limits=httpx.Limits(max_connections=100, keepalive_expiry=KEPT_ALIVE),
                    timeout=300,
                )
            )
            for server in running
        ]
        db = await asyncpg.connect(url)
        stack.push_async_callback(db.close)
        yield Race(tuple(clients), db, running)


async def test_refresh_does_not_restore_a_revoked_session(race: Race) -> None:
    """1,000 times a session is refreshed at one process and revoked at the other."""
    user, cookie = await race.user("revoker")
    outcomes = Counter[str]()
    for number in range(20):
        tokens = await race.due(user, 50)
        asked = []
        for token in tokens:
            refresh = ("GET", "/get-session", cookie_of(token), None)
            revoke = ("POST", "/revoke-session", cookie, {"token": token})
            asked += (refresh, revoke) if number % 2 else (revoke, refresh)
        for answer in await race.all(*asked):
            assert answer.status_code in (200, 401), answer.text
            if answer.request.method == "POST":
                assert answer.json() == {"status": True}
            elif answer.status_code == 401:
                assert answer.json()["code"] == "FAILED_TO_GET_SESSION"
                outcomes["revoked meanwhile"] += 1
            else:
                outcomes["revoked before" if answer.json() is None else "refreshed before"] += 1
        left = "SELECT count(*) FROM sessions WHERE token = ANY($1)"
        assert await race.db.fetchval(left, tokens) == 0
        after = await race.all(*(("GET", "/get-session", cookie_of(t), None) for t in tokens[:4]))
        assert [answer.json() for answer in after] == [None] * 4
    assert outcomes.total() == 1000
    # they did race: neither side always came first
    assert outcomes["refreshed before"] > 0
    assert outcomes["refreshed before"] < 1000


async def test_concurrent_refreshes_write_once(race: Race) -> None:
    user, _ = await race.user("refresher")
    await race.db.execute(
        "CREATE TABLE writes (token text);"
        "CREATE FUNCTION note_write() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO writes VALUES (NEW.token); RETURN NULL; END';"
        "CREATE TRIGGER note_write AFTER UPDATE ON sessions"
        " FOR EACH ROW EXECUTE FUNCTION note_write()"
    )
    try:
        for token in await race.due(user, 5):
            answers = await race.all(*[("GET", "/get-session", cookie_of(token), None)] * 100)
            assert [answer.status_code for answer in answers] == [200] * 100
            assert {answer.json()["session"]["token"] for answer in answers} == {token}
            writes = "SELECT count(*) FROM writes WHERE token = $1"
            assert await race.db.fetchval(writes, token) == 1
            (answer,) = await race.all(("GET", "/get-session", cookie_of(token), None))
            assert "set-cookie" not in answer.headers  # and it is no longer due
    finally:
        await race.db.execute("DROP TABLE writes; DROP FUNCTION note_write CASCADE")


async def test_concurrent_resets_succeed_once(race: Race) -> None:
    user, _ = await race.user("resetter")
    token = "".join(secrets.choice(string.ascii_letters) for _ in range(24))
    await race.db.execute(
        "INSERT INTO verifications (identifier, value, expires_at)"
        " VALUES ($1, $2, now() + interval '1 hour')",
        f"reset-password:{token}", user,
    )  # fmt: skip
    passwords = [f"password number {number}" for number in range(50)]
    answers = await race.all(
        *(
            ("POST", "/reset-password", None, {"newPassword": password, "token": token})
            for password in passwords
        )
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 49}
    codes = {answer.json().get("code") for answer in answers if answer.status_code == 400}
    assert codes == {"INVALID_TOKEN"}
    winner = next(n for n, answer in enumerate(answers) if answer.status_code == 200)
    tried = (passwords[winner], passwords[winner - 1], PASSWORD)
    logins = await race.all(
        *(
            ("POST", "/sign-in/email", None, {"email": "resetter@example.com", "password": one})
            for one in tried
        )
    )
    assert [login.status_code for login in logins] == [200, 401, 401]


async def test_concurrent_sign_up_creates_one_user(race: Race) -> None:
    letters = [
        f"{''.join(spelled)}@example.com"
        for spelled in product(*zip("single", "SINGLE", strict=True))
    ]
    addresses = [*letters, *(address.upper() for address in letters)][:100]
    body = {"name": "Single", "password": PASSWORD}
    answers = await race.all(
        *(("POST", "/sign-up/email", None, body | {"email": address}) for address in addresses)
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 422: 99}
    codes = {answer.json().get("code") for answer in answers if answer.status_code == 422}
    assert codes <= {"USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL", "FAILED_TO_CREATE_USER"}
    rows = await race.db.fetchrow(
        "SELECT count(DISTINCT users.id), count(DISTINCT accounts.id), count(DISTINCT sessions.id)"
        " FROM users LEFT JOIN accounts ON accounts.user_id = users.id"
        " LEFT JOIN sessions ON sessions.user_id = users.id"
        " WHERE lower(users.email) = 'single@example.com'"
    )
    assert rows == (1, 1, 1)


@pytest.mark.parametrize("servers", [LIMITED], indirect=True, ids=["limited"])
async def test_rate_limit_holds_across_processes(race: Race) -> None:
    """Better Auth's own rule lets three of these through in ten seconds, however many come."""
    answers = await race.all(*[("POST", "/sign-in/email", None, {})] * 50)
    assert Counter(answer.status_code for answer in answers) == {400: 3, 429: 47}
    count = "SELECT count FROM rate_limits WHERE key LIKE '%|/sign-in/email'"
    assert await race.db.fetchval(count) == 3
