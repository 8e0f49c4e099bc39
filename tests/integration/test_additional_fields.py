"""Fields of an application's own on users and sessions, in both APIs."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import httpx
import msgspec
import pytest

from app import additional
from app.database import connect
from app.explain import explain
from app.schema import RELATIONS, Schema
from app.sql import Statement
from app.statements import every_statement
from tests.integration.test_statements import FILL
from tests.support import KEYS, SECRET, Server, Service, running_service

# what is asked of PostgreSQL is the same as without fields: one server is enough

ORIGIN: Final = "http://gatepost.test"
PASSWORD: Final = "correct horse battery"

DECLARED: Final = """
[users.plan]
type = "string"
default = "free"

[users.company]
type = "string"
required = true
max_length = 20

[users.loginCount]
type = "number"
input = false
default = 0

[users.score]
type = "number"
column_type = "numeric"

[users.big]
type = "number"
column_type = "bigint"

[users.newsletter]
type = "boolean"
required = true
default = false

[users.bornAt]
type = "date"

[users.bornOn]
type = "date"
column_type = "date"

[users.tags]
type = "string[]"

[users.labels]
type = "string[]"
column_type = "text[]"

[users.numbers]
type = "number[]"

[users.settings]
type = "json"
default = { theme = "dark" }

[users.referrer]
type = "string"
column = "referred_by"
column_type = "uuid"

[users.note]
type = "string"
returned = false

[users.customerId]
type = "string"
input = false
secret = true

[sessions.theme]
type = "string"
default = "light"

[sessions.device]
type = "string"
input = false
"""

MIGRATED: Final = """
    ALTER TABLE users
        ADD plan text, ADD company text NOT NULL DEFAULT '', ADD login_count integer,
        ADD score numeric, ADD big bigint, ADD newsletter boolean NOT NULL DEFAULT false,
        ADD born_at timestamptz(3), ADD born_on date, ADD tags jsonb, ADD labels text[],
        ADD numbers jsonb, ADD settings jsonb, ADD referred_by uuid, ADD note text,
        ADD customer_id text DEFAULT 'none yet';
    ALTER TABLE sessions ADD theme text NOT NULL, ADD device text DEFAULT 'a phone';
"""


@pytest.fixture(scope="module")
def schema_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "gatepost.toml"
    path.write_text(DECLARED)
    return path


@pytest.fixture(scope="module")
def schema(schema_file: Path) -> Schema:
    return additional.load("GATEPOST_SCHEMA", str(schema_file))


@pytest.fixture(scope="module")
def migrated_url(postgres: Server, module_database_url: str) -> str:
    postgres.sql(MIGRATED, urlsplit(module_database_url).path[1:])
    return module_database_url


@pytest.fixture(scope="module")
def service_with_fields(
    migrated_url: str, schema_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("service") / "service.log"
    settings = {
        "GATEPOST_SCHEMA": str(schema_file),
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": ORIGIN,
        "GATEPOST_RATE_LIMIT": "off",
    }
    with running_service(migrated_url, log, **settings) as running:
        yield running


@pytest.fixture
def auth(service_with_fields: Service) -> Iterator[httpx.Client]:
    """A browser."""
    url = f"{service_with_fields.url}/api/auth"
    with httpx.Client(base_url=url, headers={"origin": ORIGIN}) as client:
        yield client


@pytest.fixture
def rest(service_with_fields: Service) -> Iterator[httpx.Client]:
    headers = {"apikey": KEYS["backend"], "prefer": "return=representation"}
    with httpx.Client(base_url=service_with_fields.rest, headers=headers) as client:
        yield client


def sign_up(auth: httpx.Client, **fields: Any) -> httpx.Response:
    email = f"{secrets.token_hex(6)}@example.com"
    body = {"name": "Ann", "email": email, "password": PASSWORD, "company": "Acme"} | fields
    body = {name: value for name, value in body.items() if value is not ...}
    return auth.post("/sign-up/email", json=body)


def ok(response: httpx.Response) -> Any:
    assert response.is_success, response.text
    return response.json()


def refused(response: httpx.Response, status: int = 400) -> tuple[str | None, str]:
    assert response.status_code == status, response.text
    return response.json().get("code"), response.json()["message"]


def own(user: dict[str, Any]) -> dict[str, Any]:
    """A user without Gatepost's columns."""
    core = {"id", "name", "email", "emailVerified", "image", "createdAt", "updatedAt"}
    return {name: value for name, value in user.items() if name not in core}


NOTHING_GIVEN: Final = {
    "plan": "free", "company": "Acme", "loginCount": 0, "score": None, "big": None,
    "newsletter": False, "bornAt": None, "bornOn": None, "tags": None, "labels": None,
    "numbers": None, "settings": {"theme": "dark"}, "referrer": None, "customerId": "none yet",
}  # fmt: skip
GIVEN: Final = {
    "plan": "pro", "company": "Übermut", "score": 0.1, "big": 2**53, "newsletter": True,
    "bornAt": "2001-02-03T04:05:06.789+02:00", "bornOn": "2001-02-03", "tags": ["a", "b,c"],
    "labels": ["x", 'y"z'], "numbers": [1, 2.5], "settings": {"a": [1, None, {"b": "😀"}]},
    "referrer": "11111111-2222-3333-4444-555555555555", "note": "not shown",
}  # fmt: skip
SHOWN: Final = {
    **{name: value for name, value in GIVEN.items() if name != "note"},
    "bornAt": "2001-02-03T02:05:06.789Z", "bornOn": "2001-02-03T00:00:00.000Z",
    "loginCount": 0, "customerId": "none yet",
}  # fmt: skip


def test_user_who_gives_nothing_has_the_defaults(auth: httpx.Client) -> None:
    user = ok(sign_up(auth))["user"]
    assert own(user) == NOTHING_GIVEN
    assert ok(auth.get("/get-session"))["user"] == user


def test_values_given_at_sign_up_come_back_in_every_answer(auth: httpx.Client) -> None:
    user = ok(sign_up(auth, **GIVEN))["user"]
    assert own(user) == SHOWN
    assert ok(auth.get("/get-session"))["user"] == user
    auth.cookies.clear()
    credentials = {"email": user["email"], "password": PASSWORD}
    assert ok(auth.post("/sign-in/email", json=credentials))["user"] == user
    change = {"currentPassword": PASSWORD, "newPassword": "a better password"}
    assert ok(auth.post("/change-password", json=change))["user"] == user


def test_update_changes_what_it_names_and_nothing_else(auth: httpx.Client) -> None:
    before = ok(sign_up(auth, **GIVEN))["user"]
    changes = {"plan": None, "bornAt": "2020-01-01", "settings": [1], "unknown": 1}
    assert ok(auth.post("/update-user", json=changes)) == {"status": True}
    user = ok(auth.get("/get-session"))["user"]
    expected = SHOWN | {"plan": None, "bornAt": "2020-01-01T00:00:00.000Z", "settings": [1]}
    assert own(user) == expected
    assert (user["name"], user["image"]) == (before["name"], before["image"])
    assert ok(auth.post("/update-user", json={"name": "Anna"})) == {"status": True}
    user = ok(auth.get("/get-session"))["user"]
    assert (user["name"], own(user)) == ("Anna", expected)
    assert refused(auth.post("/update-user", json={"unknown": 1})) == (None, "No fields to update")


@pytest.mark.parametrize("default_first", [True, False])
def test_required_field_is_missed_unless_it_has_a_default(
    auth: httpx.Client, default_first: bool
) -> None:
    assert refused(sign_up(auth, company=...)) == ("MISSING_FIELD", "company is required")
    given: Any = None if default_first else ...
    assert ok(sign_up(auth, newsletter=given))["user"]["newsletter"] is False
    assert refused(sign_up(auth, company=None))[0] == "VALIDATION_ERROR"
    null = refused(auth.post("/update-user", json={"newsletter": None}))
    assert null == (
        "VALIDATION_ERROR",
        "[body.newsletter] Invalid input: expected boolean, received null",
    )


def test_field_that_is_no_input_is_not_set_by_a_client(auth: httpx.Client) -> None:
    message = "customerId is not allowed to be set"
    assert refused(sign_up(auth, customerId="x")) == ("FIELD_NOT_ALLOWED", message)
    user = ok(sign_up(auth, loginCount=99, customerId=""))["user"]
    assert (user["loginCount"], user["customerId"]) == (0, "none yet")
    message = "loginCount is not allowed to be set"
    refusal = refused(auth.post("/update-user", json={"loginCount": 5, "plan": "pro"}))
    assert refusal == ("FIELD_NOT_ALLOWED", message)
    assert ok(auth.post("/update-user", json={"loginCount": 0, "plan": "pro"}))
    user = ok(auth.get("/get-session"))["user"]
    assert (user["loginCount"], user["plan"]) == (0, "pro")


WRONG: Final = [
    ("plan", 1, "string, received number"),
    ("plan", ["a"], "string, received array"),
    ("plan", "x" * 4097, "string of at most 4096 characters, received string"),
    ("company", "x" * 21, "string of at most 20 characters, received string"),
    ("score", "1", "number, received string"),
    ("score", True, "number, received boolean"),
    ("big", 1.5, "integer from -9223372036854775808 to 9223372036854775807, received number"),
    ("big", 2**63, "integer from -9223372036854775808 to 9223372036854775807, received number"),
    ("big", 10**400, "integer from -9223372036854775808 to 9223372036854775807, received number"),
    ("newsletter", "true", "boolean, received string"),
    ("bornAt", "yesterday", "ISO 8601 date, received string"),
    ("bornAt", 5, "date, received number"),
    ("bornAt", "0001-01-01T00:00:00+05:00", "date of the years 1 to 9999, received string"),
    ("tags", "a", "array, received string"),
    ("tags", ["a", 1], "string, received array"),
    ("numbers", [True], "number, received array"),
    ("referrer", "x", "UUID, received string"),
]


@pytest.mark.parametrize(("name", "value", "problem"), WRONG)
def test_value_of_another_type_is_refused(
    auth: httpx.Client, name: str, value: Any, problem: str
) -> None:
    expected = ("VALIDATION_ERROR", f"[body.{name}] Invalid input: expected {problem}")
    assert refused(sign_up(auth, **{name: value})) == expected
    ok(sign_up(auth))
    assert refused(auth.post("/update-user", json={name: value})) == expected


def test_infinite_number_is_refused(auth: httpx.Client) -> None:
    body = json.dumps(
        {"name": "A", "email": "inf@example.com", "password": PASSWORD, "company": "x"}
    )
    headers = {"content-type": "application/json"}
    for name in ("score", "settings"):
        text = f'{body[:-1]}, "{name}": 1e999}}'
        assert refused(auth.post("/sign-up/email", content=text, headers=headers))[0] == (
            "VALIDATION_ERROR"
        )


def test_hidden_field_is_written_and_never_sent(auth: httpx.Client, rest: httpx.Client) -> None:
    user = ok(sign_up(auth, note="hush"))["user"]
    ok(auth.post("/update-user", json={"note": "hush hush"}))
    assert "hush" not in auth.get("/get-session").text
    query = {"id": f"eq.{user['id']}", "select": "note"}
    assert ok(rest.get("/users", params=query)) == [{"note": "hush hush"}]


def test_session_has_its_fields(auth: httpx.Client) -> None:
    ok(sign_up(auth))
    session = ok(auth.get("/get-session"))["session"]
    assert (session["theme"], session["device"]) == ("light", "a phone")
    changed = ok(auth.post("/update-session", json={"theme": "dark"}))["session"]
    assert changed == session | {"theme": "dark", "updatedAt": changed["updatedAt"]}
    assert ok(auth.get("/get-session"))["session"] == changed
    assert ok(auth.get("/list-sessions")) == [changed]
    refusal = refused(auth.post("/update-session", json={"device": "a laptop"}))
    assert refusal == ("FIELD_NOT_ALLOWED", "device is not allowed to be set")
    assert refused(auth.post("/update-session", json={"theme": 1}))[0] == "VALIDATION_ERROR"
    nothing = refused(auth.post("/update-session", json={"token": "x" * 32}))
    assert nothing == (None, "No fields to update")
    auth.cookies.clear()
    assert refused(auth.post("/update-session", json={"theme": "dark"}), 401)[0] == "UNAUTHORIZED"


def test_refreshed_session_keeps_its_fields(
    auth: httpx.Client, postgres: Server, migrated_url: str
) -> None:
    user = ok(sign_up(auth))["user"]
    ok(auth.post("/update-session", json={"theme": "dark"}))
    due = f"UPDATE sessions SET expires_at = now() + '1 day' WHERE user_id = '{user['id']}'"
    postgres.sql(due, urlsplit(migrated_url).path[1:])
    session = ok(auth.get("/get-session"))["session"]
    assert (session["theme"], session["device"]) == ("dark", "a phone")
    assert session["expiresAt"] > session["createdAt"][:10] + "T24"


def test_rest_api_serves_the_columns(rest: httpx.Client) -> None:
    email = f"{secrets.token_hex(6)}@example.com"
    row = {"name": "Bob", "email": email, "company": "Acme", "labels": ["a"], "score": 1.5}
    (made,) = ok(rest.post("/users", json=row))
    assert (made["plan"], made["settings"], made["login_count"]) == ("free", {"theme": "dark"}, 0)
    assert "customer_id" not in made
    query = {"email": f"eq.{email}", "score": "gt.1", "labels": "eq.{a}"}
    (found,) = ok(rest.get("/users", params=query | {"select": "plan,score,labels"}))
    assert found == {"plan": "free", "score": 1.5, "labels": ["a"]}
    (changed,) = ok(rest.patch("/users", params=query, json={"plan": "pro", "big": 2**60}))
    assert (changed["plan"], changed["big"]) == ("pro", 2**60)
    secret = rest.get("/users", params={"select": "customer_id"})
    assert (secret.status_code, secret.json()["code"]) == (403, "42501")
    wrong = rest.patch("/users", params=query, json={"score": "x"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "22P02")
    more = [row | {"email": f"{n}{email}"} for n in range(2)]
    assert [each["plan"] for each in ok(rest.post("/users", json=more))] == ["free", "free"]


def test_description_has_the_columns(rest: httpx.Client) -> None:
    text = rest.get("/").text
    assert '"login_count"' in text
    assert '"theme"' in text


def every_variant(schema: Schema) -> list[Statement[Any]]:
    plain = set(every_statement())
    return [each for each in every_statement(schema) if each not in plain]


def test_every_variant_is_planned_by_an_index(
    postgres: Server, database_url: str, schema: Schema
) -> None:
    variants = every_variant(schema)
    assert len(variants) == 17
    filled = FILL.replace("(user_id, token, expires_at)", "(user_id, token, expires_at, theme)")
    filled = filled.replace("now() + '7 days' FROM", "now() + '7 days', '' FROM")
    postgres.sql(MIGRATED + filled, urlsplit(database_url).path[1:])

    async def plans() -> dict[Statement[Any], str]:
        async with connect(database_url) as planner:
            return await explain(planner, variants)

    for statement, plan in asyncio.run(plans()).items():
        assert "(cost=" in plan
        for table in RELATIONS:
            assert f"Seq Scan on {table}" not in plan, statement.name


async def test_variant_selects_the_fields_of_its_row_in_order(
    migrated_url: str, schema: Schema
) -> None:
    users = [field.name for field in msgspec.structs.fields(schema.users.row)]
    sessions = [field.name for field in msgspec.structs.fields(schema.sessions.row)]
    with_user = [*sessions, *(f"user.{name}" for name in users)]
    connection = await asyncpg.connect(migrated_url)
    try:
        for statement in every_variant(schema):
            prepared = await connection.prepare(statement.text)
            names = [attribute.name for attribute in prepared.get_attributes()]
            table = users if statement.name.startswith(("users.", "admin.")) else sessions
            expected = {"sessions.find": with_user, "sessions.find_on_shards": with_user}
            expected["users.with_password"] = ["password", *users]
            expected["admin.sessions_of"] = sessions
            assert names == expected.get(statement.name, table), statement.name
    finally:
        await connection.close()


INVOICES: Final = """
[tables.invoices]
key = ["id"]
unique = [["number"]]

[tables.invoices.columns]
id = { type = "uuid", database_default = "gen_random_uuid()" }
user_id = { type = "uuid", references = "users" }
number = { type = "integer", update = false }
amount = "numeric"
paid = { type = "boolean", insert = false, database_default = "false" }
note = { type = "text", nullable = true, secret = true }

[tables.invoice_items]
key = ["invoice_id", "position"]

[tables.invoice_items.columns]
invoice_id = { type = "uuid", references = "invoices" }
position = "integer"
tags = { type = "text[]", database_default = "'{}'::text[]" }
"""

INVOICES_MADE: Final = """
    CREATE TABLE invoices (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
        number integer NOT NULL UNIQUE, amount numeric NOT NULL,
        paid boolean NOT NULL DEFAULT false, note text, undeclared text
    );
    CREATE TABLE invoice_items (
        invoice_id uuid REFERENCES invoices ON DELETE CASCADE, position integer,
        tags text[] NOT NULL DEFAULT '{}', PRIMARY KEY (invoice_id, position)
    );
"""


def test_column_that_is_declared_and_not_there_is_the_servers_fault(
    database_url: str, tmp_path: Path
) -> None:
    declared, log = tmp_path / "gatepost.toml", tmp_path / "log"
    declared.write_text('[users.plan]\ntype = "string"\n')
    settings = {
        "GATEPOST_SCHEMA": str(declared),
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": "https://auth.example.com",
    }
    ann = {"name": "Ann", "email": "ann@example.com", "password": "correct horse"}
    with running_service(database_url, log, **settings) as service:
        for path in ("sign-up", "sign-in"):
            answer = httpx.post(f"{service.url}/api/auth/{path}/email", json=ann)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), path
    assert "42703" in log.read_text()


def test_table_of_ones_own_is_served(postgres: Server, database_url: str, tmp_path: Path) -> None:
    postgres.sql(INVOICES_MADE, urlsplit(database_url).path[1:])
    declared = tmp_path / "gatepost.toml"
    declared.write_text(INVOICES)
    with running_service(database_url, tmp_path / "log", GATEPOST_SCHEMA=str(declared)) as service:

        def ask(method: str, path: str, key: str = "backend", **more: Any) -> httpx.Response:
            headers = {"apikey": KEYS[key], "prefer": "return=representation"}
            headers |= more.pop("headers", {})
            return httpx.request(method, f"{service.rest}/{path}", headers=headers, **more)

        ann = {"name": "Ann", "email": "ann@example.com"}
        (user,) = ok(ask("POST", "users", json=ann))
        rows = [{"user_id": user["id"], "number": n, "amount": 0.1 * n} for n in (1, 2)]
        one, two = ok(ask("POST", "invoices", json=rows))
        assert (one["number"], one["amount"], one["paid"]) == (1, 0.1, False)
        assert one.keys() == {"id", "user_id", "number", "amount", "paid"}
        items = [{"invoice_id": one["id"], "position": n, "tags": ["a"]} for n in (1, 2)]
        assert len(ok(ask("POST", "invoice_items", json=items))) == 2

        # embedding both ways, over two foreign keys
        query = {
            "select": "name,invoices(number,invoice_items(position))",
            "invoices.order": "number",
        }
        assert ok(ask("GET", "users", params=query)) == [
            {
                "name": "Ann",
                "invoices": [
                    {"number": 1, "invoice_items": [{"position": 1}, {"position": 2}]},
                    {"number": 2, "invoice_items": []},
                ],
            }
        ]
        query = {"select": "number,user:users(email)", "amount": "lt.0.15"}
        found = ok(ask("GET", "invoices", params=query))
        assert found == [{"number": 1, "user": {"email": "ann@example.com"}}]

        upsert = {"prefer": "resolution=merge-duplicates, return=representation"}
        changed = [rows[0] | {"amount": 5}]
        conflict = {"on_conflict": "number"}
        (merged,) = ok(ask("POST", "invoices", params=conflict, json=changed, headers=upsert))
        assert (merged["id"], merged["amount"]) == (one["id"], 5)
        there = {"id": f"eq.{two['id']}"}
        assert ok(ask("PATCH", "invoices", params=there, json={"amount": 7}))[0]["amount"] == 7

        # what takes the scope secrets, or another one
        for method, body in (
            ("PATCH", {"number": 9}),
            ("PATCH", {"paid": True}),
            ("PATCH", {"note": "x"}),
        ):
            refusal = ask(method, "invoices", params=there, json=body)
            assert (refusal.status_code, refusal.json()["code"]) == (403, "42501"), body
            assert ask(method, "invoices", "all", params=there, json=body).status_code == 200
        assert (
            ask("POST", "invoices", json=rows[0] | {"number": 3, "paid": True}).status_code == 403
        )
        assert ask("DELETE", "invoices", "reader", params=there).status_code == 403
        unknown = ask("GET", "invoices", params={"select": "undeclared"})
        assert (unknown.status_code, unknown.json()["code"]) == (400, "42703")

        root = ask("GET", "").text
        assert "invoice_items" in root
        assert ok(ask("DELETE", "users", params={"email": "eq.ann@example.com"}))
        assert ok(ask("GET", "invoices")) == []
