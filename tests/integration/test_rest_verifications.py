"""Accounts and verifications through the REST API: their secrets, and using one up exactly once."""

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest

from app.schema import new_token
from tests.support import KEYS, Service

VERIFICATIONS = "/rest/v1/verifications"
CONSUME = {"expires_at": "gt.now", "order": "created_at.desc", "limit": "1"}
RETURNED = {"Prefer": "return=representation"}
ROWS = """
    INSERT INTO verifications (identifier, value, created_at, expires_at)
    SELECT $1, i::text, now() - i * interval '1 second', now() + interval '1 hour'
    FROM generate_series($2::int, $3::int) i
"""


async def take(client: httpx.AsyncClient, url: str, **filters: str) -> list[dict[str, Any]]:
    answer = await client.request("DELETE", url, params=CONSUME | filters, headers=RETURNED)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def owner(client: httpx.AsyncClient) -> str:
    row = {"name": "Ann", "email": "ann@example.com"}
    answer = await client.post("/rest/v1/users", json=row, headers=RETURNED)
    return answer.json()[0]["id"]


async def test_verification_is_used_up_by_one_of_fifty_callers(
    service: Service, db: asyncpg.Connection
) -> None:
    headers = {"apikey": service.keys["all"]}
    limits = httpx.Limits(max_connections=50)
    url = f"{service.rest}/verifications"
    async with httpx.AsyncClient(headers=headers, limits=limits, timeout=60) as client:
        for _ in range(5):
            identifier = f"reset-password:{new_token()}"
            await db.execute(ROWS, identifier, 1, 1)
            callers = [take(client, url, identifier=f"eq.{identifier}") for _ in range(50)]
            answers = await asyncio.gather(*callers)
            (winner,) = [answer for answer in answers if answer]
            assert [row["value"] for row in winner] == ["1"]
    assert await db.fetchval("SELECT count(*) FROM verifications") == 0


async def test_delete_with_a_limit_takes_the_newest_alone(
    client: httpx.AsyncClient, db: asyncpg.Connection
) -> None:
    # the planner believes there is one row, and might choose it again for each that there is
    await db.execute(ROWS, "code", 9, 9)
    await db.execute("ANALYZE verifications")
    await db.execute(ROWS, "code", 1, 8)
    for n in range(1, 10):
        rows = await take(client, VERIFICATIONS, identifier="eq.code")
        assert [row["value"] for row in rows] == [str(n)]
    assert await take(client, VERIFICATIONS, identifier="eq.code") == []


async def test_delete_without_a_limit_takes_all_newest_first(
    client: httpx.AsyncClient, db: asyncpg.Connection
) -> None:
    await db.execute(ROWS, "code", 1, 5)
    await db.execute(ROWS, "another", 1, 1)
    filters = {"identifier": "eq.code", "expires_at": "gt.now", "order": "created_at.desc"}
    answer = await client.request("DELETE", VERIFICATIONS, params=filters, headers=RETURNED)
    assert [row["value"] for row in answer.json()] == ["1", "2", "3", "4", "5"]
    assert await db.fetchval("SELECT count(*) FROM verifications") == 1


async def test_update_with_a_limit_changes_no_more_rows(
    client: httpx.AsyncClient, db: asyncpg.Connection
) -> None:
    await db.execute(ROWS, "code", 1, 1)
    await db.execute("ANALYZE verifications")
    await db.execute(ROWS, "code", 2, 9)
    answer = await client.patch(
        VERIFICATIONS,
        params={"identifier": "eq.code", "order": "created_at", "limit": "1"},
        json={"value": "changed"},
    )
    assert answer.status_code == 204
    assert await db.fetchval("SELECT count(*) FROM verifications WHERE value = 'changed'") == 1


async def test_expired_verification_is_not_taken(
    client: httpx.AsyncClient, db: asyncpg.Connection
) -> None:
    await db.execute(
        "INSERT INTO verifications (identifier, value, created_at, expires_at)"
        " VALUES ('code', 'old', now() - interval '2 hours', now() - interval '1 hour')"
    )
    assert await take(client, VERIFICATIONS, identifier="eq.code") == []
    assert await db.fetchval("SELECT count(*) FROM verifications") == 1


async def test_tokens_and_passwords_are_hidden_without_the_scope(
    client: httpx.AsyncClient, owner: str
) -> None:
    tokens = {"access_token": "at", "refresh_token": "rt", "id_token": "it"}
    for row in (
        {"provider_id": "credential", "account_id": owner, "password": "salt:key"},
        {"provider_id": "github", "account_id": "1", "scope": "user:email", **tokens},
    ):
        answer = await client.post("/rest/v1/accounts", json={"user_id": owner} | row)
        assert answer.status_code == 201, answer.text
    row = {"identifier": "reset-password:t", "value": owner, "expires_at": "2100-01-01T00:00:00Z"}
    assert (await client.post(VERIFICATIONS, json=row)).status_code == 201

    (reader, all_) = ({"apikey": KEYS[name]} for name in ("reader", "all"))
    secret = {"access_token", "refresh_token", "id_token", "password"}
    for url, columns in (
        ("/rest/v1/accounts", secret),
        ("/rest/v1/users?select=...accounts(*)", secret),
        (VERIFICATIONS, {"identifier", "value"}),
    ):
        shown = (await client.get(url, headers=reader)).json()
        full = (await client.get(url, headers=all_)).json()
        assert set(full[0]) - set(shown[0]) == columns, url
        assert set(full[0]) > columns
    for query in (
        "/rest/v1/accounts?select=password",
        "/rest/v1/accounts?refresh_token=eq.rt",
        "/rest/v1/users?select=accounts(id)&accounts.access_token=eq.at",
        f"{VERIFICATIONS}?identifier=like.reset-password:*",
        f"{VERIFICATIONS}?order=value",
    ):
        answer = await client.get(query, headers=reader)
        assert (answer.status_code, answer.json()["code"]) == (403, "42501"), query


async def test_error_does_not_quote_a_secret(client: httpx.AsyncClient, owner: str) -> None:
    own = {"user_id": owner, "provider_id": "credential", "account_id": owner}
    await client.post("/rest/v1/accounts", json=own | {"password": "salt:key"})
    accounts = f"/rest/v1/accounts?user_id=eq.{owner}"
    answer = await client.patch(accounts, json={"provider_id": "github"})
    assert answer.status_code == 400
    assert "accounts_credential_password" in answer.text
    backend = {"apikey": KEYS["backend"]}  # may not write what a check of the table depends on
    answer = await client.patch(accounts, json={"provider_id": "github"}, headers=backend)
    assert answer.status_code == 403
    assert "salt:key" not in answer.text


async def test_deletion_of_expired_rows_needs_no_secrets(
    client: httpx.AsyncClient, db: asyncpg.Connection
) -> None:
    await db.execute(ROWS, "live", 1, 2)
    await db.execute(
        "INSERT INTO verifications (identifier, value, created_at, expires_at)"
        " VALUES ('old', 'v', now() - interval '2 hours', now() - interval '1 hour')"
    )
    answer = await client.delete(
        f"{VERIFICATIONS}?expires_at=lt.now", headers={"apikey": KEYS["backend"]}
    )
    assert answer.status_code == 204
    assert await db.fetchval("SELECT array_agg(DISTINCT identifier) FROM verifications") == ["live"]
