"""What a service key can become: a table in docs/API.md says it, and each column is tried.

``backend`` reads and writes, ``all`` has the scope ``secrets`` as well.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import httpx
import pytest

from app.schema import RELATIONS, Column
from tests.support import KEYS, ROOT

BACKEND: Final = {"apikey": KEYS["backend"]}
ANN, EVE = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2))
LATER: Final = "2100-01-01T00:00:00+00:00"
ROWS: Final[Mapping[str, dict[str, Any]]] = {
    "users": {"id": ANN, "name": "Ann", "email": "ann@example.com"},
    "sessions": {"id": ANN, "user_id": ANN, "token": "t" * 32, "expires_at": LATER},
    "accounts": {
        "id": ANN,
        "user_id": ANN,
        "account_id": "1",
        "provider_id": "github",
        "access_token": "secret",
    },
    "verifications": {"id": ANN, "identifier": "i", "value": "v", "expires_at": LATER},
}
"""A row of each table."""
NEW: Final[Mapping[str, Any]] = {"uuid": EVE, "text": "eve", "boolean": True, "timestamptz": LATER}
COLUMNS: Final = [(table, name) for table in RELATIONS for name in RELATIONS[table].columns]


@pytest.fixture
async def victim(client: httpx.AsyncClient) -> None:
    for table, row in ROWS.items():
        made = await client.post(f"/rest/v1/{table}", json=row)
        assert made.status_code == 201, made.text


def documented() -> dict[str, tuple[str, ...]]:
    """The columns of the table in docs/API.md and the scopes that it says they take."""
    page = (ROOT / "docs" / "API.md").read_text()
    rows = re.findall(r"^\| (`.*?`) \| (\w+) \| (\w+) \| (\w+) \|", page, re.MULTILINE)
    return {
        column: tuple(scopes)
        for columns, *scopes in rows
        for column in re.findall(r"`(\w+\.\w+)`", columns)
    }


def scopes(column: Column) -> tuple[str, ...]:
    """The scopes to see a column, to give it to a new row and to change it."""
    secrets = (column.secret, column.guarded, column.settled)
    plain = ("read", "write", "write")
    return tuple("secrets" if s else p for s, p in zip(secrets, plain, strict=True))


def test_every_column_is_documented_as_it_is() -> None:
    columns = {f"{t}.{name}": scopes(RELATIONS[t].columns[name]) for t, name in COLUMNS}
    assert documented() == columns


def test_what_lets_somebody_in_takes_secrets() -> None:
    guarded = {f"{t}.{name}" for t, name in COLUMNS if RELATIONS[t].columns[name].guarded}
    assert guarded >= {
        *("sessions.user_id", "sessions.expires_at", "sessions.token", "accounts.user_id"),
        *("accounts.account_id", "accounts.provider_id", "accounts.password"),
        *(f"verifications.{name}" for name in RELATIONS["verifications"].columns),
    }
    settled = {f"{t}.{name}" for t, name in COLUMNS if RELATIONS[t].columns[name].settled}
    assert settled >= guarded | {"users.id", "users.email", "users.email_verified"}


@pytest.mark.parametrize(("table", "name"), COLUMNS)
async def test_column_is_written_with_its_scope_only(
    client: httpx.AsyncClient, db: asyncpg.Connection, victim: None, table: str, name: str
) -> None:
    """By each way a column can be named, and as one row among several."""
    column, path = RELATIONS[table].columns[name], f"/rest/v1/{table}"
    one, row = {name: NEW[column.type]}, ROWS[table]
    merge = {"Prefer": "resolution=merge-duplicates"} | BACKEND
    ignore = {"Prefer": "resolution=ignore-duplicates"} | BACKEND
    csv = {"Content-Type": "text/csv"} | BACKEND
    inserts = [
        await client.post(path, json=one, headers=BACKEND),
        await client.post(path, json=[one, one], headers=BACKEND),
        await client.post(f"{path}?columns={name}", json={**one, "x": 1}, headers=BACKEND),
        await client.post(f"{path}?columns={name}", json={}, headers=BACKEND),
        await client.post(f"{path}?on_conflict={name}", json=one, headers=ignore),
        await client.post(path, content=f"{name}\n{NEW[column.type]}\n", headers=csv),
        await client.post(path, data=one, headers=BACKEND),
    ]
    for answer in inserts:
        assert (answer.status_code == 403) is column.guarded, answer.text
    changes = [
        await client.patch(f"{path}?id=eq.{ANN}", json=one, headers=BACKEND),
        await client.patch(f"{path}?id=not.is.null&limit=1", json=one, headers=BACKEND),
        await client.patch(f"{path}?id=eq.{ANN}&columns={name}", json=one, headers=BACKEND),
        await client.patch(f"{path}?id=eq.{ANN}", data=one, headers=BACKEND),
    ]
    for answer in changes:
        assert (answer.status_code == 403) is column.settled, answer.text
    if name != "id" and not {"id"} & {n for n, c in RELATIONS[table].columns.items() if c.guarded}:
        upserts = [
            await client.post(path, json={"id": ANN} | one, headers=merge),
            await client.put(f"{path}?id=eq.{ANN}", json={"id": ANN} | one, headers=BACKEND),
        ]
        for answer in upserts:
            assert (answer.status_code == 403) is column.settled, answer.text
    if column.settled:
        after = await db.fetch(f"SELECT * FROM {table}")
        assert [str(each[key]) for each in after for key in row if key != "expires_at"] == [
            str(value) for key, value in row.items() if key != "expires_at"
        ]


async def test_upsert_moves_no_row(client: httpx.AsyncClient, victim: None) -> None:
    """Whichever unique key the conflict is about."""
    merge = {"Prefer": "resolution=merge-duplicates, return=representation"}
    await client.post("/rest/v1/users", json={"id": EVE, "name": "Eve", "email": "eve@example.com"})
    tries = {
        "sessions?on_conflict=token": {"token": "t" * 32, "user_id": EVE, "expires_at": LATER},
        "sessions": {"id": ANN, "user_id": EVE, "expires_at": LATER},
        "accounts?on_conflict=provider_id,account_id": {
            "provider_id": "github",
            "account_id": "1",
            "user_id": EVE,
        },
        "users?on_conflict=email": {"email": "ann@example.com", "id": EVE, "name": "Ann"},
        "users": {"id": ANN, "name": "Ann", "email": "eve@evil.example"},
        "verifications": {"id": ANN, "identifier": "i", "value": EVE, "expires_at": LATER},
    }
    for target, body in tries.items():
        answer = await client.post(f"/rest/v1/{target}", json=body, headers=merge | BACKEND)
        assert answer.status_code == 403, (target, answer.text)
    # what an upsert by its own key is for
    body = {"email": "ann@example.com", "name": "Ann B."}
    answer = await client.post(
        "/rest/v1/users?on_conflict=email", json=body, headers=merge | BACKEND
    )
    assert [(row["id"], row["name"]) for row in answer.json()] == [(ANN, "Ann B.")]


async def test_key_with_secrets_may_do_all_of_it(client: httpx.AsyncClient, victim: None) -> None:
    await client.post("/rest/v1/users", json={"id": EVE, "name": "Eve", "email": "eve@example.com"})
    for target, body in (
        (f"sessions?id=eq.{ANN}", {"user_id": EVE, "expires_at": LATER}),
        (f"accounts?id=eq.{ANN}", {"user_id": EVE}),
        (f"verifications?id=eq.{ANN}", {"value": EVE}),
        (f"users?id=eq.{EVE}", {"email": "new@example.com", "email_verified": True}),
    ):
        answer = await client.patch(f"/rest/v1/{target}", json=body)
        assert answer.status_code == 204, answer.text
