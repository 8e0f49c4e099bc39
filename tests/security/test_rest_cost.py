"""A key that asks for all it may ask for keeps nobody from signing in."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import asyncpg
import httpx
import pytest

from app.rest import queries
from app.rest.places import for_key
from tests.support import KEYS, SECRET, Service, running_service

READER = {"apikey": KEYS["reader"]}
DEAREST = (
    "/users?select=*,a:sessions(*,users(*,b:sessions(*))),c:sessions(*,users(*,d:sessions(*)))"
    "&order=name.desc"
)
"""As much nesting as is allowed, and no limit."""
NAME = "Ann"
FILL = """
    INSERT INTO users (name, email)
    SELECT 'u' || n, n || '@example.com' FROM generate_series(1, 300) n;
    INSERT INTO sessions (user_id, token, expires_at, user_agent)
    SELECT id, md5(id::text || n), now() + interval '1 day', repeat('x', 200)
    FROM users, generate_series(1, 200) n;
    ANALYZE;
"""


@pytest.fixture(params=[10, 1])
def pool_size(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture
def service(database_url: str, tmp_path: Path, pool_size: int) -> Iterator[Service]:
    settings = {
        "GATEPOST_POOL_SIZE": str(pool_size),
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": "http://127.0.0.1:8000",
        "GATEPOST_RATE_LIMIT": "off",
        "GATEPOST_REST_QUERY_TIMEOUT": "2",
        "GATEPOST_ACQUIRE_TIMEOUT": "20",
        "GATEPOST_REQUEST_TIMEOUT": "60",
    }
    with running_service(database_url, tmp_path / "log", **settings) as running:
        yield running


async def test_flood_of_the_dearest_reads_stops_no_sign_in(
    service: Service, pool_size: int
) -> None:
    connection = await asyncpg.connect(service.database_url)
    await connection.execute(FILL)
    user = {"name": NAME, "email": "ann@example.com", "password": "correct horse battery"}
    async with httpx.AsyncClient(timeout=60) as http:
        auth = f"{service.url}/api/auth"
        assert (await http.post(f"{auth}/sign-up/email", json=user)).status_code == 200
        flood = [
            asyncio.create_task(http.get(f"{service.rest}{DEAREST}", headers=READER))
            for _ in range(20)
        ]
        await asyncio.sleep(1)
        for _ in range(5 if pool_size > 1 else 1):
            http.cookies.clear()
            answer = await http.post(f"{auth}/sign-in/email", json=user)
            assert answer.status_code == 200, answer.text
            found = await http.get(f"{auth}/get-session")
            assert found.json()["user"]["name"] == NAME
        assert not all(task.done() for task in flood), "the flood was over too soon"
        running = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
            " AND query LIKE '/* gatepost:rest.%' AND datname = current_database()"
        )
        assert 1 <= running <= for_key(pool_size)
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
    await connection.close()


async def test_client_that_left_frees_its_place(service: Service) -> None:
    """Requests that wait when their client leaves are not run at all."""
    brief = httpx.Timeout(30, read=0.05)
    connection = await asyncpg.connect(service.database_url)
    await connection.execute(FILL)
    async with httpx.AsyncClient(timeout=60) as http:
        for _ in range(40):
            with pytest.raises(httpx.ReadTimeout):
                await http.get(f"{service.rest}{DEAREST}", headers=READER, timeout=brief)
        started = perf_counter()
        answer = await http.get(f"{service.rest}/users?select=id&limit=1", headers=READER)
        assert answer.status_code == 200
        # two rounds of those that run; forty one after the other would take eighty seconds
        assert perf_counter() - started < 15
    await connection.close()


async def test_lists_are_nested_up_to_the_limit(client: httpx.AsyncClient) -> None:
    allowed = ("sessions(users(sessions(id)))", "sessions(users(accounts(users(id))))")
    for select in allowed:
        assert (await client.get(f"/rest/v1/users?select={select}")).status_code == 200
    inner = "sessions!inner(users!inner(sessions!inner(users!inner(accounts!inner(id)))))"
    for select in ("sessions(users(sessions(users(accounts(id)))))", inner):
        answer = await client.get(f"/rest/v1/users?select={select}")
        assert (answer.status_code, answer.json()["code"]) == (400, "PGRST100")
        assert "2 lists of rows nested in each other" in answer.json()["message"]
    path = "sessions.users.sessions.users.accounts"
    tests = f"{path}=not.is.null"
    answer = await client.get(f"/rest/v1/users?select=id&{tests}")
    assert answer.status_code == 400


async def test_response_has_a_limit_and_a_write_is_undone(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MAX_RESPONSE", 2000)
    users = "/rest/v1/users"
    rows = [{"name": "n" * 100, "email": f"{n}@example.com"} for n in range(20)]
    full = {"Prefer": "return=representation"}
    written = await client.post(users, json=rows, headers=full)
    for answer in (written, await client.post(users, json=rows)):
        assert answer.status_code == (400 if answer is written else 201)
    assert written.json()["code"] == "54000"
    for answer in (
        await client.get(users),
        await client.get(users, headers={"Accept": "text/csv"}),
        await client.patch(f"{users}?id=not.is.null", json={"image": "x"}, headers=full),
        await client.delete(f"{users}?id=not.is.null", headers=full),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "54000"), answer.text
        assert json.dumps(answer.json()).find("gatepost.response") < 0
    some = await client.get(f"{users}?select=id,image&limit=5")
    assert [row["image"] for row in some.json()] == [None] * 5
    assert (await client.head(users)).status_code == 200
