"""What a service key can become: a table in docs/API.md says it, and each column is tried.

``backend`` reads and writes, ``all`` has the scope ``secrets`` as well.
"""

import hashlib
import logging
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import pytest

from app.errors import SettingsError
from app.relation import Column
from app.schema import RELATIONS
from app.settings import Settings
from tests.support import KEYS, ROOT, running_service, wait_until

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
    written = [(t, name) for t, name in COLUMNS if not RELATIONS[t].read_only]
    columns = {f"{t}.{name}": scopes(RELATIONS[t].columns[name]) for t, name in written}
    assert documented() == columns
    assert not any(RELATIONS[t].columns[name].secret for t, name in COLUMNS if t == "events")


def test_what_lets_somebody_in_takes_secrets() -> None:
    guarded = {f"{t}.{name}" for t, name in COLUMNS if RELATIONS[t].columns[name].guarded}
    assert guarded >= {
        *("sessions.user_id", "sessions.expires_at", "sessions.token", "accounts.user_id"),
        *("accounts.account_id", "accounts.provider_id", "accounts.password"),
        *(f"verifications.{name}" for name in RELATIONS["verifications"].columns),
    }
    settled = {f"{t}.{name}" for t, name in COLUMNS if RELATIONS[t].columns[name].settled}
    assert settled >= guarded | {"users.id", "users.email", "users.email_verified"}


@pytest.mark.parametrize(
    ("table", "name"), [(t, name) for t, name in COLUMNS if not RELATIONS[t].read_only]
)
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


def entry(name: str, scopes: str) -> str:
    return f"{name}:{hashlib.sha256(name.encode()).hexdigest()}:{scopes}"


def test_keys_are_read_again_at_sighup(database_url: str, tmp_path: Path) -> None:
    path, log = tmp_path / "keys", tmp_path / "log"
    path.write_text(f"# comment\n{entry('one', 'read+write')}\n\n{entry('two', 'read')}\n")
    file = {"GATEPOST_SERVICE_KEYS_FILE": str(path)}
    with running_service(database_url, log, **file) as service, httpx.Client() as http:

        def status(key: str, method: str = "GET") -> int:
            # of one shape, so that the second is answered by a plan that was kept
            url = f"{service.rest}/users?id=eq.{ANN}"
            body = {"name": "x"} if method == "PATCH" else None
            return [
                http.request(method, url, headers={"apikey": key}, json=body).status_code
                for _ in range(2)
            ][1]

        def hang_up(text: str) -> None:
            lines = log.read_text().count("the service keys")
            service.process.send_signal(signal.SIGHUP)
            wait_until(lambda: log.read_text().count("the service keys") > lines, text)

        assert (status("one"), status("one", "PATCH"), status("two")) == (200, 204, 200)
        assert status(KEYS["reader"]) == 200  # of the environment
        path.write_text(f"{entry('one', 'read')}\n{entry('three', 'write+read')}\n")
        hang_up("keys were read")
        assert (status("one"), status("one", "PATCH")) == (200, 403)
        assert (status("two"), status("three", "PATCH"), status(KEYS["reader"])) == (401, 204, 200)
        for bad in ("nonsense", "", entry("one", "everything"), entry("all", "read")):
            path.write_text(bad)
            hang_up("the file was refused")
            assert (status("one"), status("two"), status("three")) == (200, 401, 200)
        path.unlink()
        hang_up("the file was missed")
        assert status("one") == 200
        assert service.process.poll() is None
    refusals = [line for line in log.read_text().splitlines() if "stay as they were" in line]
    assert len(refusals) == 5
    assert not any(hashlib.sha256(b"one").hexdigest() in line for line in refusals)


@pytest.mark.parametrize("text", ["", "# nothing\n", "nonsense", None])
def test_file_of_keys_that_cannot_be_used_stops_the_start(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "keys"
    if text is not None:
        path.write_text(text)
    given = {"DATABASE_URL": "postgres:", "GATEPOST_SERVICE_KEYS_FILE": str(path)}
    with pytest.raises(SettingsError, match="GATEPOST_SERVICE_KEYS_FILE"):
        Settings.from_environment(given)


async def test_each_write_is_an_event(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gatepost.security")
    users = "/rest/v1/users"
    rows = [{"name": "n", "email": f"{n}@example.com"} for n in range(30)]
    full = {"Prefer": "return=representation"}
    made = (await client.post(users, json=rows, headers=full)).json()
    first = made[0]["id"]
    requests = [
        ("PATCH", f"{users}?id=eq.{first}", {"name": "m"}, {}),
        ("PUT", f"{users}?id=eq.{first}", {"id": first, "name": "o", "email": "0@e.te"}, {}),
        ("DELETE", f"{users}?id=eq.{first}", None, {}),
        ("DELETE", f"{users}?id=eq.{first}", None, {"Prefer": "tx=rollback"}),  # writes nothing
        ("DELETE", f"{users}?id=not.is.null", None, {}),
    ]
    for number, (method, url, body, headers) in enumerate(requests):
        headers = headers | {"x-request-id": f"r{number}"}
        answer = await client.request(method, url, json=body, headers=headers)
        assert answer.is_success, answer.text
    events = [record.__dict__["fields"] for record in caplog.records if record.name.endswith("ty")]
    assert [e["method"] for e in events] == ["POST", "PATCH", "PUT", "DELETE", "DELETE"]
    assert {(e["key"], e["table"]) for e in events} == {("all", "users")}
    assert [e["count"] for e in events] == [30, 1, 1, 1, 29]
    assert [len(e["ids"]) for e in events] == [20, 1, 1, 1, 20]
    assert set(events[0]["ids"]) <= {row["id"] for row in made}
    assert [e["ids"] for e in events[1:4]] == [[first]] * 3
    assert [e["request"] for e in events[1:]] == ["r0", "r1", "r2", "r4"]
    assert "example.com" not in caplog.text
