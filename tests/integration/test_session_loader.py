"""get-session and the session loader: lookups share queries and are never stale."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

import asyncpg
import pytest
from prometheus_client import REGISTRY
from starlette.applications import Starlette

from app.auth.cookies import Signer
from app.auth.session_loader import SessionLoader
from app.database import Database
from app.main import create_app
from app.settings import Settings
from app.sql import Statement
from app.statements import sessions
from app.statements.sessions import SessionStatements, UserSession
from tests.support import KEYS, LOCAL_PROXY, SECRET, environment

BASE = "http://gatepost.test"
GET_SESSION = "/api/auth/get-session"
SIGNER = Signer([SECRET])
REVOCATIONS: Final = int(os.environ.get("GATEPOST_REVOCATIONS", "3000"))

Request = Callable[..., Coroutine[Any, Any, tuple[int, list[tuple[bytes, bytes]], bytes]]]


def cookie(token: str) -> str:
    return f"better-auth.session_token={quote(SIGNER.sign(token), safe='')}"


def asgi_client(app: Starlette) -> Request:
    """Requests as a server passes them on, without the cost of a client; they are thousands."""

    async def request(
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
            "client": ("127.0.0.1", 50000),
        }  # fmt: skip
        await app(scope, receive, send)
        start, *rest = answer
        body = b"".join(part.get("body", b"") for part in rest)
        return start["status"], start["headers"], body

    return request


@asynccontextmanager
async def gatepost(url: str, **settings: str) -> AsyncIterator[Starlette]:
    defaults = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": BASE,
        "GATEPOST_RATE_LIMIT": "off",
        "GATEPOST_TRUSTED_ORIGINS": "https://app.example.com",
        "GATEPOST_PLUGINS": "bearer",
        **LOCAL_PROXY,
    }
    app = create_app(Settings.from_environment(environment(url) | defaults | settings))
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


async def test_waiting_lookups_share_one_query(database_url: str, db: asyncpg.Connection) -> None:
    known = await tokens(db, 200)
    async with gatepost(database_url) as app:
        request = asgi_client(app)
        await request(GET_SESSION, ("cookie", cookie(known[0])))
        before, every = statements(), all_statements()
        async with db.transaction():
            await db.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
            first = asyncio.create_task(request(GET_SESSION, ("cookie", cookie(known[0]))))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            rest = [
                asyncio.create_task(request(GET_SESSION, ("cookie", cookie(token))))
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


async def test_batch_sizes_share_one_plan(database_url: str, db: asyncpg.Connection) -> None:
    known = await tokens(db, 60)
    connection = await asyncpg.connect(database_url)
    prepared = await connection.prepare(sessions.find.text)
    for size in (1, 1, 1, 1, 1, 1, 60, 2, 30, 1, 7):
        assert len(await prepared.fetch(known[:size])) == size
    custom = await connection.fetchval(
        "SELECT custom_plans FROM pg_prepared_statements WHERE name = $1", prepared.get_name()
    )
    await connection.close()
    assert custom == 5


async def test_lookup_reads_no_table_from_end_to_end(
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
    plan = await db.fetch(f"EXPLAIN {sessions.find.text}", ["x" * 32])
    assert not [row[0] for row in plan if "Seq Scan" in row[0]]


async def test_hanging_connection_delays_no_other_lookup(
    database_url: str, db: asyncpg.Connection
) -> None:
    one, other = await tokens(db, 2)
    async with gatepost(database_url) as app:
        request = asgi_client(app)
        assert one.encode() in (await request(GET_SESSION, ("cookie", cookie(one))))[2]
        backend = await db.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'gatepost'"
            " AND datname = current_database()"
        )
        os.kill(backend, signal.SIGSTOP)
        try:
            hanging = asyncio.create_task(request(GET_SESSION, ("cookie", cookie(one))))
            await asyncio.sleep(0.01)
            async with asyncio.timeout(20):
                answer = await request(GET_SESSION, ("cookie", cookie(other)))
            assert other.encode() in answer[2]
            assert not hanging.done()
        finally:
            os.kill(backend, signal.SIGCONT)
        assert one.encode() in (await hanging)[2]


async def test_cancelled_lookup_leaves_the_others_their_answer(
    database_url: str, db: asyncpg.Connection
) -> None:
    known = await tokens(db, 20)
    async with gatepost(database_url) as app:
        request = asgi_client(app)
        await request(GET_SESSION, ("cookie", cookie(known[0])))
        async with db.transaction():
            await db.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
            tasks = [
                asyncio.create_task(request(GET_SESSION, ("cookie", cookie(token))))
                for token in known
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


async def test_impossible_token_spoils_no_other_lookup(
    database_url: str, db: asyncpg.Connection
) -> None:
    known = await tokens(db, 1)
    odd = ["nul\0nul", "é" * 32, "\udcff" * 3, "x" * 5000, "'; DROP TABLE users; --"]
    async with gatepost(database_url) as app:
        request = asgi_client(app)
        asked = [
            request(GET_SESSION, ("cookie", cookie(token)))
            for token in [*known, *odd[:2], *odd[3:], *known]
        ]
        answers = await asyncio.gather(*asked)
    assert [status for status, _, _ in answers] == [200] * 6
    assert [known[0].encode() in body for _, _, body in answers] == [True, *[False] * 4, True]


async def test_lookups_without_a_connection_answer_503(
    database_url: str, db: asyncpg.Connection
) -> None:
    known = await tokens(db, 8)
    settings = {"GATEPOST_POOL_SIZE": "1", "GATEPOST_ACQUIRE_TIMEOUT": "0.2"}
    async with gatepost(database_url, **settings) as app:
        request = asgi_client(app)
        async with db.transaction():
            await db.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
            reading = asyncio.create_task(request("/rest/v1/users", ("apikey", KEYS["all"])))
            await asyncio.sleep(0.1)
            asked = [request(GET_SESSION, ("cookie", cookie(token))) for token in known]
            assert {status for status, _, _ in await asyncio.gather(*asked)} == {503}
        assert (await reading)[0] == 200
        for token in known:
            assert token.encode() in (await request(GET_SESSION, ("cookie", cookie(token))))[2]


async def test_cancelled_query_leaves_no_lookup_waiting() -> None:
    class Cancelled:
        async def fetch(self, *_: Any) -> None:
            raise asyncio.CancelledError

    loader = SessionLoader(Cancelled())  # pyright: ignore[reportArgumentType]
    async with asyncio.timeout(20):
        with pytest.raises(asyncio.CancelledError):
            await loader.load("t" * 32)
        with pytest.raises(asyncio.CancelledError):
            await loader.load("u" * 32)


# --- never stale ----------------------------------------------------------------------------------


class SharingLoader(SessionLoader):
    """The mistake that the race must find: a lookup joins one that is under way."""

    def __init__(self, database: Database, statements: SessionStatements) -> None:
        super().__init__(database, statements)
        self._loading: dict[str, asyncio.Future[UserSession | None]] = {}

    def load(self, token: str) -> asyncio.Future[UserSession | None]:
        loading = self._loading.get(token)
        if loading is None:
            loading = self._loading[token] = super().load(token)
            loading.add_done_callback(lambda _: self._loading.pop(token))
        return asyncio.shield(loading)


async def stale_answers(app: Starlette, db_url: str, known: list[str], seed: int) -> int:
    """How many requests that came after an acknowledged revocation were answered with a session.

    Each token is asked for by several requests that are under way, in a random order of turns, when
    it is revoked by one of four ways; the next request for it comes with the acknowledgement. What
    a query found is passed on some turns later, as by a service that has much else to do.
    """
    request, chance = asgi_client(app), random.Random(seed)
    fetch = Database.fetch

    async def fetch_and_pause(self: Database, statement: Statement[Any], *given: Any) -> list[Any]:
        rows = await fetch(self, statement, *given)
        if statement is sessions.find:
            for _ in range(chance.randint(0, 8)):
                await asyncio.sleep(0)
        return rows

    direct = await asyncpg.create_pool(db_url, min_size=4, max_size=4)
    key = ("apikey", KEYS["all"])
    stale = 0

    async def revoke(token: str) -> None:
        match chance.randrange(4):
            case 0:
                headers = (("cookie", cookie(token)), ("origin", BASE))
                status, _, _ = await request("/api/auth/sign-out", *headers, method="POST")
                assert status == 200
            case 1:
                query = f"token=eq.{token}"
                status, _, _ = await request("/rest/v1/sessions", key, method="DELETE", query=query)
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
            started = []
            for _ in range(chance.randint(1, 4)):
                started.append(asyncio.create_task(request(GET_SESSION, ("cookie", cookie(token)))))
                for _ in range(chance.randint(0, 6)):
                    await asyncio.sleep(0)
            await revoke(token)
            status, _, body = await request(GET_SESSION, ("cookie", cookie(token)))
            assert status == 200
            stale += body != b"null"
            await asyncio.gather(*started)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "fetch", fetch_and_pause)
        await asyncio.gather(*(worker(known[start::12]) for start in range(12)))
    await direct.close()
    return stale


async def test_revoked_session_is_refused_by_the_next_request(
    database_url: str, db: asyncpg.Connection
) -> None:
    known = await tokens(db, REVOCATIONS)
    async with gatepost(database_url) as app:
        assert await stale_answers(app, database_url, known, seed=1) == 0


async def test_race_finds_a_lookup_that_joins_a_sent_query(
    database_url: str, db: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.auth.api.SessionLoader", SharingLoader)
    known = await tokens(db, REVOCATIONS // 3)
    async with gatepost(database_url) as app:
        assert await stale_answers(app, database_url, known, seed=2) > 0


# --- get-session ----------------------------------------------------------------------------------


async def test_get_session_answers_by_cookies_and_headers(
    database_url: str, db: asyncpg.Connection
) -> None:
    (alive,) = await tokens(db, 1)
    forged = quote("a" * 32 + "." + "A" * 43 + "=", safe="")
    bearer = SIGNER.sign(alive)
    dont_remember = f"better-auth.dont_remember={quote(SIGNER.sign('true'), safe='')}"
    cookies = {  # the lines of Cookie, and whether they hold the session
        "none": ([], False),
        "alive": ([cookie(alive)], True),
        "quoted": ([f'better-auth.session_token="{SIGNER.sign(alive)}"'], True),
        "forged": ([f"better-auth.session_token={forged}"], False),
        "unknown": ([cookie("u" * 32)], False),
        "two headers": (["a=b", cookie(alive)], True),
        "two of a name": ([f"{cookie('u' * 32)}; {cookie(alive)}"], False),
        "among others": ([f"x=1; {cookie(alive)}; y=%zz; z"], True),
        "not remembered": ([f"{cookie(alive)}; {dont_remember}"], True),
        "with a copy": ([f"{cookie(alive)}; better-auth.session_data=abc"], True),
        "with chunks": ([f"{cookie(alive)}; better-auth.session_data.0=a"], True),
    }
    trusted = "https://app.example.com"
    others: dict[str, tuple[list[tuple[str, str]], bool | None, str | None]] = {
        # headers, whether they decide about the session, the origin that may read the answer
        "plain": ([], None, None),
        "trusted origin": ([("origin", trusted)], None, trusted),
        "own origin": ([("origin", BASE)], None, None),
        "null origin": ([("origin", "null")], None, None),
        "another origin": ([("origin", "https://evil.example")], None, None),
        "bearer": ([("authorization", f"Bearer {bearer}")], True, None),
        "bad bearer": ([("authorization", f"bearer {alive}")], None, None),
        "basic": ([("authorization", "Basic abc")], None, None),
        "address": ([("x-forwarded-for", "192.0.2.1"), ("user-agent", "x")], None, None),
        "chain": ([("x-forwarded-for", "192.0.2.1, 10.0.0.1")], None, None),
        "origin twice": ([("origin", "https://evil.example"), ("origin", trusted)], None, None),
    }
    async with gatepost(database_url) as app:
        request = asgi_client(app)
        for lines, has_session in cookies.values():
            for more, decides, readable_by in others.values():
                given = [*(("cookie", line) for line in lines), *more]
                status, headers, body = await request(GET_SESSION, *given)
                assert status == 200, given
                expected = has_session if decides is None else decides
                assert (alive.encode() in body, body == b"null") == (expected, not expected), given
                found = dict(headers)
                allowed = found.get(b"access-control-allow-origin")
                assert allowed == (readable_by.encode() if readable_by else None), given
                assert found[b"cache-control"] == b"no-store"
                assert found[b"vary"] == b"Origin"
                copies = any("session_data" in line for line in lines)
                cleared = any(n == b"set-cookie" and b"session_data" in v for n, v in headers)
                assert cleared == (copies or (not expected and lines_signed(lines))), given


def lines_signed(lines: list[str]) -> bool:
    """Whether a cookie with a good signature came, which is cleared when it has no session."""
    return any(cookie("u" * 32) in line for line in lines)


async def test_get_session_ends_refreshes_and_reports_by_expiry(
    database_url: str, db: asyncpg.Connection
) -> None:
    (alive,) = await tokens(db, 1)
    due, kept = await tokens(db, 2, "1 day")
    (over,) = await tokens(db, 1, "-1 second")
    async with (
        gatepost(database_url) as app,
        gatepost(database_url, GATEPOST_DEFER_SESSION_REFRESH="true") as deferring,
    ):
        request, deferred = asgi_client(app), asgi_client(deferring)
        _, _, body = await request(GET_SESSION, ("cookie", cookie(kept)), query="disableRefresh=1")
        assert kept.encode() in body
        status, headers, body = await request(GET_SESSION, ("cookie", cookie(over)))
        assert (status, body) == (200, b"null")
        assert any(name == b"set-cookie" for name, _ in headers)
        assert not await db.fetchval("SELECT count(*) FROM sessions WHERE token = $1", over)
        _, headers, _ = await request(GET_SESSION, ("cookie", cookie(due)))
        assert any(name == b"set-cookie" for name, _ in headers)
        left = "SELECT expires_at - now() > '6 days 23 hours' FROM sessions WHERE token = $1"
        assert await db.fetchval(left, due)
        assert not await db.fetchval(left, kept)
        _, _, body = await deferred(GET_SESSION, ("cookie", cookie(alive)))
        assert b'"needsRefresh":false' in body
        _, _, body = await deferred(GET_SESSION, ("cookie", cookie(kept)))
        assert b'"needsRefresh":true' in body
        for method, status in (("POST", 405), ("HEAD", 404), ("PUT", 404)):
            headers = [("cookie", cookie(alive)), ("origin", BASE)]
            answer = await request(GET_SESSION, *headers, method=method)
            assert answer[0] == status, method


async def test_get_session_counts_each_request_once(
    database_url: str, db: asyncpg.Connection
) -> None:
    (alive,) = await tokens(db, 1)
    for address, given in (("192.0.2.1", cookie(alive)), ("192.0.2.2", cookie("u" * 32))):
        async with gatepost(database_url, GATEPOST_RATE_LIMIT="database") as app:
            request = asgi_client(app)
            headers = (("x-forwarded-for", address), ("cookie", given))
            statuses = [(await request(GET_SESSION, *headers))[0] for _ in range(102)]
            assert statuses == [200] * 100 + [429] * 2
            assert (await request(GET_SESSION, ("x-forwarded-for", "192.0.2.9")))[0] == 200


async def test_get_session_answers_503_without_a_database() -> None:
    async with gatepost("postgres://nobody:hidden@127.0.0.1:1/none") as app:
        headers = (("cookie", cookie("a" * 32)), ("origin", "https://app.example.com"))
        status, given, body = await asgi_client(app)(GET_SESSION, *headers)
        assert status == 503
        found = dict(given)
        assert found[b"retry-after"]
        assert found[b"cache-control"] == b"no-store"
        assert found[b"access-control-allow-origin"] == b"https://app.example.com"
        assert b"set-cookie" not in found
        assert b"hidden" not in body
