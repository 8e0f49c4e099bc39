"""What a client fills has a length, in the schema and before it, and no NUL; nobody learns from it.

The answers to a text that is refused are the same for an address that somebody has and for others.
"""

import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
import httpx
import pytest

from app.schema import RELATIONS, jwks, rate_limits, webhook_deliveries, webhooks
from tests.interop.auth.servers import Setup, better_auth
from tests.support import KEYS, Server, running_service

ORIGIN = "http://auth.gatepost.test"
PASSWORD = "correct horse battery"
SETTINGS = {
    "GATEPOST_SECRET": secrets.token_hex(32),
    "GATEPOST_BASE_URL": ORIGIN,
    "GATEPOST_RATE_LIMIT": "off",
    "GATEPOST_CHANGE_EMAIL": "true",
    "GATEPOST_DELETE_USER": "true",
}
HIDDEN = {"GATEPOST_REQUIRE_EMAIL_VERIFICATION": "true"}
"""Nobody is signed in by a sign-up, and nobody learns whose addresses are registered."""

LENGTHS = {
    ("jwks", "public_key"): 8_192,
    ("jwks", "private_key"): 32_768,
    ("jwks", "alg"): 32,
    ("jwks", "crv"): 32,
    ("users", "name"): 32_768,
    ("users", "email"): 254,
    ("users", "image"): 262_144,
    ("users", "role"): 4_096,
    ("users", "ban_reason"): 32_768,
    ("sessions", "ip_address"): 45,
    ("sessions", "user_agent"): 16_384,
    ("sessions", "token"): 255,
    ("accounts", "account_id"): 1000,
    ("accounts", "provider_id"): 255,
    ("accounts", "access_token"): 65_536,
    ("accounts", "refresh_token"): 65_536,
    ("accounts", "id_token"): 65_536,
    ("accounts", "scope"): 16_384,
    ("accounts", "password"): 1000,
    ("verifications", "identifier"): 1000,
    ("verifications", "value"): 65_536,
    ("rate_limits", "key"): 16_384,
    ("webhooks", "url"): 2_048,
    ("webhooks", "secret"): 1_024,
    ("webhooks", "old_secret"): 1_024,
    ("webhooks", "pause_reason"): 255,
    ("webhook_deliveries", "last_error"): 255,
}


# of a token and a stored hash the shape is refused before the length
WRITTEN_BY_BACKENDS = {
    (table, column)
    for table, column in LENGTHS
    if table in ("users", "sessions", "accounts", "verifications")
} - {("sessions", "token"), ("accounts", "password")}


async def test_every_text_of_the_schema_has_a_length(db: asyncpg.Connection) -> None:
    texts = {
        (relation.name, column.name)
        for relation in (*RELATIONS.values(), rate_limits, jwks, webhooks, webhook_deliveries)
        if not relation.read_only  # whose writer is the database itself
        for column in relation.columns.values()
        if column.type == "text"
    }
    assert texts == LENGTHS.keys()
    rows = await db.fetch(
        "SELECT conrelid::regclass::text, pg_get_constraintdef(oid), convalidated"
        " FROM pg_constraint WHERE contype = 'c'"
    )
    found = {}
    for table, text, validated in rows:
        for column, length in re.findall(r"length\((\w+)\) <= (\d+)", text):
            assert validated
            found[table, column] = int(length)
    assert found == LENGTHS


@pytest.fixture(scope="module")
def open_service(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("open")
    mail = {"MAIL_FILE": str(folder / "mails")}
    with (
        running_service(module_database_url, folder / "log", **SETTINGS | mail) as service,
        httpx.Client(base_url=service.url, headers={"origin": ORIGIN}) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def hidden_service(
    module_database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("hidden")
    settings = SETTINGS | HIDDEN | {"MAIL_FILE": str(folder / "mails")}
    with (
        running_service(module_database_url, folder / "log", **settings) as service,
        httpx.Client(base_url=service.url, headers={"origin": ORIGIN}) as client,
    ):
        yield client


def post(client: httpx.Client, path: str, body: Any, **headers: str) -> httpx.Response:
    client.cookies.clear()
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return client.post(f"/api/auth{path}", content=content, headers=headers)


def an_address() -> str:
    return f"{secrets.token_hex(8)}@example.com"


def signed_up(client: httpx.Client, **more: str) -> tuple[str, httpx.Response]:
    email = an_address()
    body = {"name": "Ann", "email": email, "password": PASSWORD}
    answer = post(client, "/sign-up/email", body, **more)
    assert answer.status_code == 200, answer.text
    return email, answer


@pytest.mark.parametrize("column", sorted(WRITTEN_BY_BACKENDS))
def test_a_backend_is_refused_what_is_too_long(
    open_service: httpx.Client, column: tuple[str, str]
) -> None:
    table, name = column
    email, _ = signed_up(open_service)
    headers = {"apikey": KEYS["all"], "prefer": "return=representation"}
    (user,) = open_service.get(f"/rest/v1/users?email=eq.{email}", headers=headers).json()
    rows: dict[str, dict[str, Any]] = {
        "sessions": {"user_id": user["id"], "expires_at": "2999-01-01T00:00:00Z"},
        "accounts": {"user_id": user["id"], "account_id": email, "provider_id": "x"},
        "verifications": {"identifier": email, "value": "x", "expires_at": "2999-01-01T00:00:00Z"},
    }
    good: list[int] = []
    for length in (LENGTHS[column], LENGTHS[column] + 1):
        text = {name: "x" * length if name != "email" else "x@e.co".rjust(length, "x")}
        if table == "users":
            url = f"/rest/v1/users?id=eq.{user['id']}"
            answer = open_service.patch(url, json=text, headers=headers)
        else:
            row = rows[table] | text
            answer = open_service.post(f"/rest/v1/{table}", json=row, headers=headers)
        good.append(answer.status_code)
    assert good[0] in (200, 201)
    assert good[1] == 400
    assert answer.json()["code"] == "23514"
    assert f"{table}_{name}_length" in answer.json()["message"]


TOO_LONG = {"name": 1000, "image": 32_768, "email": 254, "callbackURL": 4096}


@pytest.mark.parametrize("field", TOO_LONG)
def test_a_field_that_is_too_long_is_named(open_service: httpx.Client, field: str) -> None:
    limit = TOO_LONG[field]
    body = {"name": "Ann", "email": an_address(), "password": PASSWORD}
    ends = {"email": f"{secrets.token_hex(8)}@{'b' * 300}.com", "callbackURL": "/" + "a" * limit}
    text = ends.get(field, "a" * (limit + 1))
    answer = post(open_service, "/sign-up/email", body | {field: text})
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert f"[body.{field}]" in answer.json()["message"]
    if field in ("name", "image"):
        answer = post(open_service, "/sign-up/email", body | {field: "a" * limit})
        assert answer.status_code == 200
        cookie = answer.headers["set-cookie"].partition(";")[0]
        answer = post(open_service, "/update-user", {field: text}, cookie=cookie)
        assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")


def test_a_long_user_agent_is_cut_off(open_service: httpx.Client) -> None:
    agent = "ü" * 3000
    _, answer = signed_up(open_service, user_agent=agent.encode("latin-1"))  # type: ignore[arg-type]
    cookie = answer.headers["set-cookie"].partition(";")[0]
    answer = open_service.get("/api/auth/get-session", headers={"cookie": cookie})
    assert answer.json()["session"]["userAgent"] == agent[:2000]


def test_better_auth_signs_in_whoever_sends_a_long_user_agent(
    postgres: Server, module_database_url: str, tmp_path: Path, node: Path
) -> None:
    database = urlsplit(module_database_url).path[1:]
    setup = Setup(mails="")
    with better_auth(setup, postgres, database, tmp_path, node) as server:
        client = httpx.Client(base_url=f"http://127.0.0.1:{server.port}")
        with client:
            answer = client.post(
                "/api/auth/sign-up/email",
                json={"name": "Ann", "email": an_address(), "password": PASSWORD},
                headers={"origin": ORIGIN, "user-agent": "x" * 15_000},
            )
    assert answer.status_code == 200, answer.text


BAD = ("a\0b", "\0", "a" * 70_000)
"""What no field takes; the last is too long for each."""


def seen(answer: httpx.Response) -> tuple[int, dict[str, str], Any]:
    """What somebody sees of an answer, without what differs each time."""
    headers = {k: v for k, v in answer.headers.items() if k not in ("date", "x-request-id")}
    return answer.status_code, headers, answer.text


@pytest.mark.parametrize("mode", ["open_service", "hidden_service"])
def test_a_bad_text_is_answered_alike_whoever_has_the_address(
    mode: str, postgres: Server, request: pytest.FixtureRequest
) -> None:
    """``postgres`` is the one that the services, which are asked for by name, run on."""
    client: httpx.Client = request.getfixturevalue(mode)
    known, _ = signed_up(client)
    asked = {
        "/sign-up/email": ("name", "image", "password", "callbackURL"),
        "/sign-in/email": ("password", "callbackURL"),
        "/request-password-reset": ("redirectTo",),
        "/send-verification-email": ("callbackURL",),
    }
    for path, fields in asked.items():
        for field in fields:
            for text in BAD:
                body = {"name": "Ann", "password": PASSWORD, field: text}
                answers = [
                    seen(post(client, path, body | {"email": email}))
                    for email in (known, an_address())
                ]
                assert answers[0] == answers[1], (path, field)
                assert answers[0][0] in (400, 403, 413), (path, field)


def test_a_nul_is_refused_wherever_it_is(open_service: httpx.Client) -> None:
    _, answer = signed_up(open_service)
    cookie = answer.headers["set-cookie"].partition(";")[0]
    fields: dict[str, dict[str, Any]] = {
        "/sign-up/email": {"name": "A", "email": an_address(), "password": PASSWORD, "image": "x"},
        "/sign-in/email": {"email": an_address(), "password": PASSWORD},
        "/update-user": {"name": "A", "image": "x"},
        "/change-email": {"newEmail": an_address()},
        "/change-password": {"currentPassword": PASSWORD, "newPassword": PASSWORD},
        "/verify-password": {"password": PASSWORD},
        "/reset-password": {"newPassword": PASSWORD, "token": "x"},
        "/revoke-session": {"token": "x"},
        "/delete-user": {"token": "x", "password": "x"},
        "/unlink-account": {"accountId": "x"},
    }
    for path, body in fields.items():
        for field in body:
            text = f"{body[field]}\0"
            answer = post(open_service, path, body | {field: text}, cookie=cookie)
            assert (answer.status_code, answer.json()["code"]) == (400, "BAD_REQUEST"), path
            assert f"[body.{field}]" in answer.json()["message"]
    nested = {"provider": "x", "additionalData": {"a": ["\0"]}}
    assert post(open_service, "/sign-in/social", nested).status_code == 400
    assert post(open_service, "/sign-out", {"\0": "a"}).status_code == 400
    for path in ("/verify-email?token=", "/delete-user/callback?token=", "/reset-password/"):
        nul = quote("a\0b")
        answer = open_service.get(f"/api/auth{path}{nul}", headers={"cookie": cookie})
        assert answer.status_code == 400, path
