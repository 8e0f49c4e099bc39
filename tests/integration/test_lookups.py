"""The session lookup: coalesced, never stale, and the same answer by the short way and the long."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

import asyncpg
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette

from app.auth import lookups
from app.auth.cookies import Signer
from app.callbacks import Done, GiveUp, nothing
from app.http.answer import Answer
from app.http.middleware import RequestMiddleware
from app.main import create_app
from app.settings import Settings
from tests.support import KEYS, environment

BASE = "http://gatepost.test"
GET_SESSION = "/api/auth/get-session"
SIGNER = Signer(["s" * 32])
REVOCATIONS: Final = int(os.environ.get("GATEPOST_REVOCATIONS", "3000"))

Ask = Callable[..., Awaitable[tuple[int, list[tuple[bytes, bytes]], bytes]]]


def cookie(token: str) -> str:
    return f"better-auth.session_token={quote(SIGNER.sign(token), safe='')}"


def asking(app: Starlette, *, at_once: bool = False) -> Ask:
    """Requests as the server hands them on, without what a client adds; it is thousands.

    ``at_once``: as app/http/protocol.py does, and not by ASGI.
    """
    middleware = app.middleware_stack
    assert isinstance(middleware, RequestMiddleware)

    async def ask(
        path: str, *headers: tuple[str, str], method: str = "GET", query: str = ""
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        answer: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            answer.append(message)

        raw_headers = [(name.encode(), value.encode("latin-1")) for name, value in headers]
        scope = {
            "type": "http", "http_version": "1.1", "scheme": "http", "method": method,
            "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "root_path": "", "headers": raw_headers, "server": ("gatepost.test", 80), "state": {},
        }  # fmt: skip
        if at_once:
            done: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
            found = await done if middleware.at_once(scope, b"", done.set_result) else None
            found = found or await middleware.answer(scope, receive)
            assert found is not None
            middleware.sent(scope, found)
            return found
        await app(scope, receive, send)
        start, *rest = answer
        body = b"".join(part.get("body", b"") for part in rest)
        return start["status"], start["headers"], body

    return ask


@asynccontextmanager
async def gatepost(
    url: str, *, short_way: bool = True, **settings: str
) -> AsyncIterator[Starlette]:
    given = {
        "GATEPOST_SECRET": "s" * 32,
        "GATEPOST_BASE_URL": BASE,
        "GATEPOST_RATE_LIMIT": "off",
        "GATEPOST_TRUSTED_ORIGINS": "https://app.example.com",
    }
    with pytest.MonkeyPatch.context() as patch:
        if not short_way:
            patch.setattr("app.auth.door.PlainGetSession", lambda *_: lambda *_: None)
        app = create_app(Settings.from_environment(environment(url) | given | settings))
    async with app.router.lifespan_context(app):
        yield app


async def tokens(db: asyncpg.Connection, count: int, life: str = "6 days 12 hours") -> list[str]:
    """New sessions of one user, not due for a refresh unless ``life`` makes them."""
    await db.execute(
        "INSERT INTO users (name, email) VALUES ('Ann', 'ann@example.com') ON CONFLICT DO NOTHING"
    )
    rows = await db.fetch(
        "INSERT INTO sessions (user_id, token, created_at, expires_at)"
        " SELECT u.id, replace(gen_random_uuid()::text, '-', ''), now() - interval '8 days',"
        "  now() + $2::text::interval"
        " FROM users u, generate_series(1, $1) RETURNING token",
        count, life,
    )  # fmt: skip
    return [row["token"] for row in rows]


def statements(name: str = "sessions.find") -> float:
    return REGISTRY.get_sample_value("gatepost_statement_seconds_count", {"statement": name}) or 0


def all_statements() -> float:
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        if metric.name == "gatepost_statement_seconds"
        for sample in metric.samples
        if sample.name.endswith("_count")
    )


# --- coalescing -----------------------------------------------------------------------------------


async def test_lookups_that_wait_are_one_statement_and_no_other(
    database_url: str, db: asyncpg.Connection
) -> None:
    known = await tokens(db, 200)
    async with gatepost(database_url) as app:
        ask = asking(app)
        await ask(GET_SESSION, ("cookie", cookie(known[0])))
        before, every = statements(), all_statements()
        async with db.transaction():
            await db.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
            first = asyncio.create_task(ask(GET_SESSION, ("cookie", cookie(known[0]))))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            rest = [
                asyncio.create_task(ask(GET_SESSION, ("cookie", cookie(token))))
                for token in [*known, *known]
            ]
            await asyncio.sleep(0.2)
        answers = await asyncio.gather(first, *rest)
        for token, (status, _, body) in zip([known[0], *known, *known], answers, strict=True):
            assert status == 200
            assert f'"token":"{token}"'.encode() in body
        # the first, three quarters of the 400 that waited, three quarters of the rest, and so on
        assert statements() - before == 1 + len((300, 75, 19, 5, 1))
        assert all_statements() - every == statements() - before


async def test_no_plan_is_made_for_a_batch(database_url: str, db: asyncpg.Connection) -> None:
    known = await tokens(db, 60)
    connection = await asyncpg.connect(database_url)
    prepared = await connection.prepare(lookups.sessions.find.text)
    for size in (1, 1, 1, 1, 1, 1, 60, 2, 30, 1, 7):
        assert len(await prepared.fetch(known[:size])) == size
    custom = await connection.fetchval(
        "SELECT custom_plans FROM pg_prepared_statements WHERE name = $1", prepared.get_name()
    )
    await connection.close()
    assert custom == 5


async def test_a_few_thousand_users_are_not_all_read(
    database_url: str, db: asyncpg.Connection
) -> None:
    await db.execute(
        "INSERT INTO users (name, email) SELECT 'A', n || '@example.com'"
        " FROM generate_series(1, 2000) n;"
        "INSERT INTO sessions (user_id, token, expires_at)"
        " SELECT id, md5(id::text || n), now() + interval '1 day'"
        " FROM users, generate_series(1, 5) n"
    )
    await db.execute("ANALYZE users, sessions")
    await db.execute("SET plan_cache_mode = force_generic_plan")
    plan = await db.fetch(f"EXPLAIN {lookups.sessions.find.text}", ["x" * 32])
    assert not [row[0] for row in plan if "Seq Scan" in row[0]]


async def test_a_connection_that_hangs_holds_nobody_else_up(
    database_url: str, db: asyncpg.Connection
) -> None:
    one, other = await tokens(db, 2)
    async with gatepost(database_url) as app:
        ask = asking(app)
        assert one.encode() in (await ask(GET_SESSION, ("cookie", cookie(one))))[2]
        backend = await db.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'gatepost'"
            " AND datname = current_database()"
        )
        os.kill(backend, signal.SIGSTOP)
        try:
            hanging = asyncio.create_task(ask(GET_SESSION, ("cookie", cookie(one))))
            await asyncio.sleep(0.01)
            async with asyncio.timeout(20):
                answer = await ask(GET_SESSION, ("cookie", cookie(other)))
            assert other.encode() in answer[2]
            assert not hanging.done()
        finally:
            os.kill(backend, signal.SIGCONT)
        assert one.encode() in (await hanging)[2]


async def test_whoever_gives_up_leaves_the_others_their_answer(
    database_url: str, db: asyncpg.Connection
) -> None:
    known = await tokens(db, 20)
    async with gatepost(database_url) as app:
        ask = asking(app)
        await ask(GET_SESSION, ("cookie", cookie(known[0])))
        async with db.transaction():
            await db.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
            tasks = [
                asyncio.create_task(ask(GET_SESSION, ("cookie", cookie(token)))) for token in known
            ]
            await asyncio.sleep(0.1)
            for task in tasks[::2]:
                task.cancel()
            await asyncio.sleep(0)
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])
        for token, answer in zip(known[1::2], answers[1::2], strict=True):
            assert not isinstance(answer, BaseException)
            assert token.encode() in answer[2]


async def test_one_token_that_no_row_can_have_spoils_nothing(
    database_url: str, db: asyncpg.Connection
) -> None:
    known = await tokens(db, 1)
    odd = ["nul\0nul", "é" * 32, "\udcff" * 3, "x" * 5000, "'; DROP TABLE users; --"]
    async with gatepost(database_url) as app:
        ask = asking(app)
        asked = [
            ask(GET_SESSION, ("cookie", cookie(token)))
            for token in [*known, *odd[:2], *odd[3:], *known]
        ]
        answers = await asyncio.gather(*asked)
    assert [status for status, _, _ in answers] == [200] * 6
    assert [known[0].encode() in body for _, _, body in answers] == [True, *[False] * 4, True]


async def test_lookups_without_a_connection_fail_and_nobody_is_signed_out(
    database_url: str, db: asyncpg.Connection
) -> None:
    known = await tokens(db, 8)
    settings = {"GATEPOST_POOL_SIZE": "1", "GATEPOST_ACQUIRE_TIMEOUT": "0.2"}
    async with gatepost(database_url, **settings) as app:
        for at_once in (False, True):
            ask = asking(app, at_once=at_once)
            async with db.transaction():
                await db.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
                reading = asyncio.create_task(ask("/rest/v1/users", ("apikey", KEYS["all"])))
                await asyncio.sleep(0.1)
                asked = [ask(GET_SESSION, ("cookie", cookie(token))) for token in known]
                assert {status for status, _, _ in await asyncio.gather(*asked)} == {503}
            assert (await reading)[0] == 200
            for token in known:
                assert token.encode() in (await ask(GET_SESSION, ("cookie", cookie(token))))[2]


# --- never stale ----------------------------------------------------------------------------------


class Sharing(lookups.Lookups):
    """The mistake that the race must find: to join a lookup that is under way."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._under_way: dict[str, list[Done]] = {}

    def ask(self, token: str, found: Done) -> GiveUp:
        joined = self._under_way.get(token)
        if joined is not None:
            joined.append(found)
            return nothing
        asked = self._under_way[token] = [found]

        def shared(row: Any, failure: Exception | None) -> None:
            del self._under_way[token]
            for each in asked:
                each(row, failure)

        return super().ask(token, shared)


async def stale_answers(app: Starlette, db_url: str, known: list[str], seed: int) -> int:
    """How many requests that came after an acknowledged revocation were answered with a session.

    Each token is asked for by several requests that are under way, in a random order of turns, when
    it is revoked by one of four ways; the next request for it comes with the acknowledgement. What
    a statement found is told some turns later, as by a service that has much else to do.
    """
    ask, chance = asking(app, at_once=True), random.Random(seed)
    answer, loop = lookups._Statement.answer, asyncio.get_running_loop()

    def later(turns: int, *given: Any) -> None:
        if turns:
            loop.call_soon(later, turns - 1, *given)
        else:
            answer(*given)

    direct = await asyncpg.create_pool(db_url, min_size=4, max_size=4)
    key = ("apikey", KEYS["all"])
    stale = 0

    async def revoke(token: str) -> None:
        match chance.randrange(4):
            case 0:
                headers = (("cookie", cookie(token)), ("origin", BASE))
                status, _, _ = await ask("/api/auth/sign-out", *headers, method="POST")
                assert status == 200
            case 1:
                query = f"token=eq.{token}"
                status, _, _ = await ask("/rest/v1/sessions", key, method="DELETE", query=query)
                assert status == 204
            case 2:
                await direct.execute("DELETE FROM sessions WHERE token = $1", token)
            case 3:
                await direct.execute(
                    "UPDATE sessions SET expires_at = now() - interval '1 second' WHERE token = $1",
                    token,
                )

    async def worker(own: list[str]) -> None:
        nonlocal stale
        for token in own:
            asked = []
            for _ in range(chance.randint(1, 4)):
                asked.append(asyncio.create_task(ask(GET_SESSION, ("cookie", cookie(token)))))
                for _ in range(chance.randint(0, 6)):
                    await asyncio.sleep(0)
            await revoke(token)
            status, _, body = await ask(GET_SESSION, ("cookie", cookie(token)))
            assert status == 200
            stale += body != b"null"
            await asyncio.gather(*asked)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            lookups._Statement, "answer", lambda *given: later(chance.randint(0, 8), *given)
        )
        await asyncio.gather(*(worker(known[start::12]) for start in range(12)))
    await direct.close()
    return stale


async def test_a_revoked_session_is_refused_by_the_next_request(
    database_url: str, db: asyncpg.Connection
) -> None:
    known = await tokens(db, REVOCATIONS)
    async with gatepost(database_url) as app:
        assert await stale_answers(app, database_url, known, seed=1) == 0


async def test_the_race_would_find_a_lookup_that_is_shared(
    database_url: str, db: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.auth.door.Lookups", Sharing)
    known = await tokens(db, REVOCATIONS // 3)
    async with gatepost(database_url) as app:
        assert await stale_answers(app, database_url, known, seed=2) > 0


# --- the short way and the long -------------------------------------------------------------------


def comparable(answer: tuple[int, list[tuple[bytes, bytes]], bytes]) -> Any:
    status, headers, body = answer
    return status, sorted(h for h in headers if h[0] != b"x-request-id"), body


async def test_both_ways_give_the_same_answer(database_url: str, db: asyncpg.Connection) -> None:
    alive, remembered = await tokens(db, 2)
    (due,) = await tokens(db, 1, "1 day")
    forged = quote("a" * 32 + "." + "A" * 43 + "=", safe="")
    bearer = SIGNER.sign(alive)
    cookies = {
        "none": [],
        "alive": [cookie(alive)],
        "quoted": [f'better-auth.session_token="{SIGNER.sign(alive)}"'],
        "forged": [f"better-auth.session_token={forged}"],
        "unknown": [cookie("u" * 32)],
        "two headers": ["a=b", cookie(alive)],
        "two of a name": [f"{cookie('u' * 32)}; {cookie(alive)}"],
        "among others": [f"x=1; {cookie(alive)}; y=%zz; z"],
        "not remembered": [
            f"{cookie(remembered)}; better-auth.dont_remember={quote(SIGNER.sign('true'), safe='')}"
        ],
        "with a copy": [f"{cookie(alive)}; better-auth.session_data=abc"],
        "with chunks": [f"{cookie(alive)}; better-auth.session_data.0=a"],
    }
    others: dict[str, list[tuple[str, str]]] = {
        "plain": [],
        "trusted origin": [("origin", "https://app.example.com")],
        "own origin": [("origin", BASE)],
        "null origin": [("origin", "null")],
        "another origin": [("origin", "https://evil.example")],
        "bearer": [("authorization", f"Bearer {bearer}")],
        "bad bearer": [("authorization", f"bearer {alive}")],
        "basic": [("authorization", "Basic abc")],
        "address": [("x-forwarded-for", "192.0.2.1"), ("user-agent", "x")],
        "chain": [("x-forwarded-for", "192.0.2.1, 10.0.0.1")],
        "origin twice": [("origin", "https://evil.example"), ("origin", "https://app.example.com")],
    }
    async with (
        gatepost(database_url) as short,
        gatepost(database_url, short_way=False) as long,
        gatepost(database_url, GATEPOST_DEFER_SESSION_REFRESH="true") as deferred,
    ):
        quick = asking(short)
        direct = asking(short, at_once=True)
        slow = asking(long)
        seen = set()
        for given in cookies.values():
            for more in others.values():
                headers = [*(("cookie", line) for line in given), *more]
                # the long way first: it must not profit from what the short way did
                expected = comparable(await slow(GET_SESSION, *headers))
                assert comparable(await quick(GET_SESSION, *headers)) == expected, headers
                assert comparable(await direct(GET_SESSION, *headers)) == expected, headers
                seen.add(expected[2][:20])
        assert len(seen) == 2  # null, and a session
        for method in ("POST", "HEAD", "PUT"):
            headers = [("cookie", cookie(alive))]
            expected = comparable(await slow(GET_SESSION, *headers, method=method))
            assert comparable(await quick(GET_SESSION, *headers, method=method)) == expected
            assert comparable(await direct(GET_SESSION, *headers, method=method)) == expected
        # what the endpoint alone does: end a session that is over, refresh, or say that it is due
        ended = []
        for ask in (slow, quick, direct):
            (over,) = await tokens(db, 1, "-1 second")
            ended.append(comparable(await ask(GET_SESSION, ("cookie", cookie(over)))))
            assert not await db.fetchval("SELECT count(*) FROM sessions WHERE token = $1", over)
        assert ended[0] == ended[1] == ended[2]
        assert ended[0][2] == b"null"
        _, headers, _ = await quick(GET_SESSION, ("cookie", cookie(due)))
        assert any(name == b"set-cookie" for name, _ in headers)
        _, _, body = await asking(deferred)(GET_SESSION, ("cookie", cookie(alive)))
        assert b'"needsRefresh":false' in body
        _, _, body = await quick(GET_SESSION, ("cookie", cookie(due)), query="disableRefresh=true")
        assert due.encode() in body


async def test_the_short_way_counts_against_the_limits_once(
    database_url: str, db: asyncpg.Connection
) -> None:
    (alive,) = await tokens(db, 1)
    for address, given in (("192.0.2.1", cookie(alive)), ("192.0.2.2", cookie("u" * 32))):
        # the second is answered by the endpoint, after the short way had counted it
        async with gatepost(database_url, GATEPOST_RATE_LIMIT="database") as app:
            ask = asking(app)
            headers = (("x-forwarded-for", address), ("cookie", given))
            statuses = [(await ask(GET_SESSION, *headers))[0] for _ in range(102)]
            assert statuses == [200] * 100 + [429] * 2
            assert (await ask(GET_SESSION, ("x-forwarded-for", "192.0.2.9")))[0] == 200


async def test_a_database_that_is_away_is_never_signed_out() -> None:
    url = "postgres://nobody:hidden@127.0.0.1:1/none"
    async with gatepost(url) as short, gatepost(url, short_way=False) as long:
        headers = (("cookie", cookie("a" * 32)), ("origin", "https://app.example.com"))
        answer = await asking(short)(GET_SESSION, *headers)
        at_once = await asking(short, at_once=True)(GET_SESSION, *headers)
        expected = await asking(long)(GET_SESSION, *headers)
        assert comparable(answer) == comparable(at_once) == comparable(expected)
        assert answer[0] == 503
        assert dict(answer[1])[b"retry-after"]
