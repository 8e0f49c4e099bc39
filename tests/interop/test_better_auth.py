"""A Better Auth server and Gatepost at work on one database, each seeing what the other does.

The server is the one that docs/better-auth.md prints; so is the Python code that is run here.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import asyncpg
import httpx
import pytest

from app.schema import new_token
from tests.interop.better_auth import (
    PACKAGES,
    PAGE,
    SECRET,
    BetterAuth,
    printed,
    running_better_auth,
)
from tests.support import Service

PASSWORD = "correct horse"
COOKIE = "better-auth.session_token"
DAY = timedelta(days=1)


def block(file: str, name: str) -> Callable[..., Any]:
    """A function of the page's Python."""
    namespace: dict[str, Any] = {}
    exec(compile(printed(file), file, "exec"), namespace)  # noqa: S102 - the page's own code
    return namespace[name]


signed_in = block("signed_in.py", "signed_in")
hashed = block("hashed.py", "hashed")


@pytest.fixture(scope="module", params=PACKAGES)
def better_auth(
    request: pytest.FixtureRequest,
    node: Path,
    module_service: Service,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[BetterAuth]:
    folder = tmp_path_factory.mktemp("better-auth")
    with running_better_auth(node, folder, request.param, module_service.database_url) as running:
        yield running


@pytest.fixture
def rest(module_service: Service) -> Iterator[httpx.Client]:
    """Gatepost's REST API with every scope; writes return their rows."""
    headers = {"apikey": module_service.keys["all"], "Prefer": "return=representation"}
    with httpx.Client(base_url=module_service.rest, headers=headers) as client:
        yield client


@pytest.fixture
def browser(better_auth: BetterAuth) -> Iterator[httpx.Client]:
    with better_auth.browser() as client:
        yield client


@pytest.fixture
def other(better_auth: BetterAuth) -> Iterator[httpx.Client]:
    """Another device of the same person."""
    with better_auth.browser() as client:
        yield client


def new_address() -> str:
    return f"{secrets.token_hex(6)}@example.com"


def ok(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.status_code} {answer.text}"
    return answer.json()


def rows(rest: httpx.Client, table: str, **filters: str) -> list[dict[str, Any]]:
    return ok(rest.get(f"/{table}", params=filters))


def insert(rest: httpx.Client, table: str, **row: Any) -> dict[str, Any]:
    (inserted,) = ok(rest.post(f"/{table}", json=row))
    return inserted


def sign_up(browser: httpx.Client, email: str, name: str = "Ada") -> dict[str, Any]:
    person = {"email": email, "password": PASSWORD, "name": name}
    return ok(browser.post("/sign-up/email", json=person))


def sign_in(browser: httpx.Client, email: str, password: str = PASSWORD) -> httpx.Response:
    return browser.post("/sign-in/email", json={"email": email, "password": password})


def current(browser: httpx.Client) -> dict[str, Any] | None:
    return ok(browser.get("/get-session"))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def signed(token: str) -> str:
    """The value of the cookie that carries ``token``."""
    digest = hmac.digest(SECRET.encode(), token.encode(), "sha256")
    return quote(f"{token}.{base64.b64encode(digest).decode()}", safe="")


def same_row(sent: dict[str, Any], row: dict[str, Any]) -> None:
    """What Better Auth sends of a row is what the REST API reads: names and times aside."""
    for name, value in sent.items():
        column = re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
        if name.endswith("At"):
            assert moment(row[column]) == moment(value), name
        else:
            assert row[column] == value, name


# what Better Auth does, seen through the REST API


def test_sign_up_creates_a_user_an_account_and_a_session(
    browser: httpx.Client, rest: httpx.Client
) -> None:
    email = new_address()
    answer = sign_up(browser, email.upper())
    (user,) = rows(rest, "users", email=f"eq.{email}", select="*,accounts(*),sessions(*)")
    same_row(answer["user"], user)
    assert user["email_verified"] is False
    assert user["image"] is None
    (account,) = user["accounts"]
    assert account["provider_id"] == "credential"
    assert account["account_id"] == account["user_id"] == user["id"]
    assert re.fullmatch("[0-9a-f]{32}:[0-9a-f]{128}", account["password"])
    (session,) = user["sessions"]
    assert session["token"] == answer["token"]
    assert session["ip_address"] == ""
    assert session["user_agent"] == "browser"
    seen = current(browser)
    assert seen is not None
    same_row(seen["session"], session)
    same_row(seen["user"], user)


def test_second_sign_up_with_an_email_is_refused(browser: httpx.Client, rest: httpx.Client) -> None:
    email = new_address()
    sign_up(browser, email)
    again = {"email": email, "password": PASSWORD, "name": "Eve"}
    assert browser.post("/sign-up/email", json=again).status_code == 422
    assert [user["name"] for user in rows(rest, "users", email=f"eq.{email}")] == ["Ada"]


def test_email_of_more_than_254_characters_is_refused(
    browser: httpx.Client, rest: httpx.Client
) -> None:
    email = new_address().rjust(255, "a")
    person = {"email": email, "password": PASSWORD, "name": "Ada"}
    assert browser.post("/sign-up/email", json=person).status_code == 422
    assert rows(rest, "users", email=f"eq.{email}") == []
    sign_up(browser, email[1:])


def test_concurrent_sign_up_creates_one_user(better_auth: BetterAuth, rest: httpx.Client) -> None:
    email = new_address()
    person = {"email": email, "password": PASSWORD, "name": "Ada"}

    def status(_: int) -> int:
        with better_auth.browser() as client:
            return client.post("/sign-up/email", json=person).status_code

    with ThreadPoolExecutor(10) as callers:
        assert sorted(callers.map(status, range(10))) == [200] + 9 * [422]
    (user,) = rows(rest, "users", email=f"eq.{email}", select="accounts(id),sessions(id)")
    assert [len(user["accounts"]), len(user["sessions"])] == [1, 1]


def test_sessions_are_listed_and_revoked(
    browser: httpx.Client, other: httpx.Client, rest: httpx.Client
) -> None:
    email = new_address()
    user_id = sign_up(browser, email)["user"]["id"]
    token = ok(sign_in(other, email))["token"]
    listed = {session["token"]: session for session in ok(browser.get("/list-sessions"))}
    stored = {row["token"]: row for row in rows(rest, "sessions", user_id=f"eq.{user_id}")}
    assert token in listed
    assert len(listed) == 2
    assert set(listed) == set(stored)
    for key, session in listed.items():
        same_row(session, stored[key])

    ok(browser.post("/revoke-session", json={"token": token}))
    (left,) = rows(rest, "sessions", user_id=f"eq.{user_id}")
    assert left["token"] != token
    assert current(other) is None
    ok(sign_in(other, email))
    ok(browser.post("/revoke-sessions", json={}))
    assert rows(rest, "sessions", user_id=f"eq.{user_id}") == []
    assert current(other) is None


def test_sign_out_deletes_the_session(browser: httpx.Client, rest: httpx.Client) -> None:
    user_id = sign_up(browser, new_address())["user"]["id"]
    ok(browser.post("/sign-out", json={}))
    assert rows(rest, "sessions", user_id=f"eq.{user_id}") == []


def test_session_is_refreshed_when_due(browser: httpx.Client, rest: httpx.Client) -> None:
    token = sign_up(browser, new_address())["token"]
    (before,) = rows(rest, "sessions", token=f"eq.{token}")
    current(browser)
    assert rows(rest, "sessions", token=f"eq.{token}") == [before]  # not due: nothing is written
    soon = (moment(before["created_at"]) + DAY).isoformat()
    rest.patch("/sessions", params={"token": f"eq.{token}"}, json={"expires_at": soon})
    seen = current(browser)
    (after,) = rows(rest, "sessions", token=f"eq.{token}")
    assert moment(after["expires_at"]) > moment(before["created_at"]) + 6 * DAY
    assert after["created_at"] == before["created_at"]
    assert moment(after["updated_at"]) > moment(before["updated_at"])
    assert seen is not None
    assert moment(seen["session"]["expiresAt"]) == moment(after["expires_at"])


def test_reset_mail_works_once(
    browser: httpx.Client, better_auth: BetterAuth, rest: httpx.Client
) -> None:
    email = new_address()
    user_id = sign_up(browser, email)["user"]["id"]
    ok(browser.post("/request-password-reset", json={"email": email}))
    (mail,) = [mail for mail in better_auth.mails() if mail["to"] == email]
    match = re.search(r"/reset-password/(\w+)", mail["text"])
    assert match
    (kept,) = rows(rest, "verifications", identifier=f"eq.reset-password:{match[1]}")
    assert kept["value"] == user_id
    assert timedelta(0) < moment(kept["expires_at"]) - moment(kept["created_at"]) <= DAY

    (old,) = rows(rest, "accounts", user_id=f"eq.{user_id}")
    change = {"token": match[1], "newPassword": "battery staple"}
    ok(browser.post("/reset-password", json=change))
    assert rows(rest, "verifications", identifier=f"eq.reset-password:{match[1]}") == []
    (new,) = rows(rest, "accounts", user_id=f"eq.{user_id}")
    assert new["password"] != old["password"]
    assert new["created_at"] == old["created_at"]
    assert browser.post("/reset-password", json=change).status_code == 400
    assert sign_in(browser, email).status_code == 401
    ok(sign_in(browser, email, "battery staple"))


def test_password_change_can_revoke_other_sessions(
    browser: httpx.Client, other: httpx.Client, rest: httpx.Client
) -> None:
    email = new_address()
    user_id = sign_up(browser, email)["user"]["id"]
    ok(sign_in(other, email))
    change = {
        "currentPassword": PASSWORD,
        "newPassword": "battery staple",
        "revokeOtherSessions": True,
    }
    token = ok(browser.post("/change-password", json=change))["token"]
    assert [row["token"] for row in rows(rest, "sessions", user_id=f"eq.{user_id}")] == [token]
    assert current(other) is None
    assert current(browser) is not None


def test_profile_change_is_read_through_rest(browser: httpx.Client, rest: httpx.Client) -> None:
    before = sign_up(browser, new_address())["user"]
    ok(browser.post("/update-user", json={"name": "Ada L.", "image": "https://example.com/a"}))
    (user,) = rows(rest, "users", id=f"eq.{before['id']}")
    assert (user["name"], user["image"]) == ("Ada L.", "https://example.com/a")
    assert moment(user["updated_at"]) > moment(before["updatedAt"])
    assert moment(user["created_at"]) == moment(before["createdAt"])


def test_deleted_user_is_gone_from_rest(browser: httpx.Client, rest: httpx.Client) -> None:
    user_id = sign_up(browser, new_address())["user"]["id"]
    ok(browser.post("/delete-user", json={"password": PASSWORD}))
    assert rows(rest, "users", id=f"eq.{user_id}") == []
    for table in ("sessions", "accounts"):
        assert rows(rest, table, user_id=f"eq.{user_id}") == []


# what the REST API does, seen by Better Auth


def test_session_deleted_through_rest_is_signed_out(
    browser: httpx.Client, other: httpx.Client, rest: httpx.Client
) -> None:
    email = new_address()
    token = sign_up(browser, email)["token"]
    ok(sign_in(other, email))
    (gone,) = ok(rest.delete("/sessions", params={"token": f"eq.{token}"}))
    assert gone["token"] == token
    assert current(browser) is None
    assert current(other) is not None
    ok(rest.delete("/sessions", params={"user_id": f"eq.{gone['user_id']}"}))
    assert current(other) is None


def test_user_renamed_through_rest_has_the_new_name(
    browser: httpx.Client, rest: httpx.Client
) -> None:
    user_id = sign_up(browser, new_address())["user"]["id"]
    ok(rest.patch("/users", params={"id": f"eq.{user_id}"}, json={"name": "Ada King"}))
    seen = current(browser)
    assert seen is not None
    assert seen["user"]["name"] == "Ada King"


def test_user_deleted_through_rest_is_signed_out(browser: httpx.Client, rest: httpx.Client) -> None:
    email = new_address()
    user_id = sign_up(browser, email)["user"]["id"]
    ok(rest.delete("/users", params={"id": f"eq.{user_id}"}))
    assert current(browser) is None
    assert sign_in(browser, email).status_code == 401


def test_session_expired_through_rest_is_signed_out_and_deleted(
    browser: httpx.Client, rest: httpx.Client
) -> None:
    user_id = sign_up(browser, new_address())["user"]["id"]
    past = datetime.now(UTC) - DAY
    session = insert(
        rest,
        "sessions",
        user_id=user_id,
        created_at=(past - DAY).isoformat(),
        expires_at=past.isoformat(),
    )
    browser.cookies.set(COOKIE, signed(session["token"]), domain="127.0.0.1")
    assert current(browser) is None
    assert rows(rest, "sessions", token=f"eq.{session['token']}") == []


def test_user_created_through_rest_signs_in(
    browser: httpx.Client, other: httpx.Client, rest: httpx.Client
) -> None:
    email, password = new_address(), "pässwörd ﬁne Å"  # NFKC changes it
    user = insert(rest, "users", email=email, name="Bob")
    own = {"user_id": user["id"], "account_id": user["id"], "provider_id": "credential"}
    insert(rest, "accounts", **own, password=hashed(password))
    assert ok(sign_in(browser, email, password))["user"]["id"] == user["id"]
    assert sign_in(browser, email, password + "x").status_code == 401

    session = insert(
        rest,
        "sessions",
        user_id=user["id"],
        expires_at=(datetime.now(UTC) + 7 * DAY).isoformat(),
    )
    other.cookies.set(COOKIE, signed(session["token"]), domain="127.0.0.1")
    seen = current(other)
    assert seen is not None
    assert seen["user"]["email"] == email
    ok(other.post("/update-user", json={"name": "Robert"}))
    assert rows(rest, "users", email=f"eq.{email}", select="name") == [{"name": "Robert"}]


def test_reset_created_through_rest_works_once(browser: httpx.Client, rest: httpx.Client) -> None:
    email, token = new_address(), new_token()
    user_id = sign_up(browser, email)["user"]["id"]
    insert(
        rest,
        "verifications",
        identifier=f"reset-password:{token}",
        value=user_id,
        expires_at=(datetime.now(UTC) + DAY).isoformat(),
    )
    change = {"token": token, "newPassword": "battery staple"}
    ok(browser.post("/reset-password", json=change))
    assert browser.post("/reset-password", json=change).status_code == 400
    ok(sign_in(browser, email, "battery staple"))


# the page's code


def test_python_of_the_page_finds_the_user(
    browser: httpx.Client, better_auth: BetterAuth, rest: httpx.Client
) -> None:
    email = new_address()
    user = sign_up(browser, email)["user"]
    cookie = browser.cookies[COOKIE]
    found = signed_in(cookie, SECRET, rest)
    assert found is not None
    same_row(user, found)

    token, _, signature = unquote(cookie).rpartition(".")
    forged = [
        "",
        "x",
        ".",
        token,
        f"{token}.",
        f"x{token}.{signature}",
        f"{token}.ü{signature[1:]}",
    ]
    for bad in [*forged, quote(forged[-1])]:
        assert signed_in(bad, SECRET, rest) is None, bad
    assert signed_in(cookie, SECRET + "x", rest) is None

    rest.delete("/sessions", params={"token": f"eq.{token}"})
    assert signed_in(cookie, SECRET, rest) is None


async def test_statement_of_the_page_finds_the_user(
    browser: httpx.Client, module_service: Service
) -> None:
    answer = sign_up(browser, new_address())
    connection = await asyncpg.connect(module_service.database_url)
    try:
        (row,) = await connection.fetch(printed("signed_in.sql"), answer["token"])
        assert str(row["id"]) == answer["user"]["id"]
        assert await connection.fetch(printed("signed_in.sql"), new_token()) == []
    finally:
        await connection.close()


def test_page_names_the_tested_versions(better_auth: BetterAuth) -> None:
    text = (PACKAGES[better_auth.version] / "package.json").read_text()
    (table,) = re.findall(r"^\| \| tested \|.*?\n\n", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    for package in ("better-auth", "pg", "@better-auth/test-utils"):
        for version in re.findall(rf'"{package}": "([\d.]+)"', text):
            (row,) = [line for line in table.splitlines() if line.startswith(f"| {package} |")]
            assert version in row
