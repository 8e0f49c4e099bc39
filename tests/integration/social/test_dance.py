"""From /sign-in/social to a session: what is written, and for whom."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import httpx

from .browser import ANN, Application
from .conftest import Start


async def test_new_person_gets_a_user_an_account_and_a_session(gatepost: Application) -> None:
    browser = gatepost.browser()
    answer = await browser.dance("one")
    assert answer.location == "/welcome"
    user = await browser.user()
    assert user is not None
    assert (user["name"], user["email"], user["emailVerified"], user["image"]) == (
        "Ann", "ann@example.com", True, ANN["picture"],
    )  # fmt: skip
    (account,) = await gatepost.rows("SELECT * FROM accounts")
    assert (account["provider_id"], account["account_id"]) == ("one", "ann-1")
    assert str(account["user_id"]) == user["id"]
    assert account["scope"] == "openid,email"
    assert account["password"] is None
    assert account["refresh_token"] == f"refresh-{account['access_token']}"
    assert account["id_token"].count(".") == 2
    assert account["access_token_expires_at"] > datetime.now(UTC)
    assert account["refresh_token_expires_at"] is None
    assert await gatepost.rows("SELECT FROM verifications") == []


async def test_state_cookies_are_cleared_before_the_session_is_set(gatepost: Application) -> None:
    answer = await gatepost.browser().dance("one")
    names = [line.partition("=")[0] for line in answer.set_cookies]
    assert names[0] == "better-auth.state"
    assert names[1].startswith("better-auth.state_")
    assert names[2] == "better-auth.session_token"
    assert all("Max-Age=0" in line for line in answer.set_cookies[:2])


async def test_known_person_is_found_by_the_account_whatever_the_address(
    gatepost: Application,
) -> None:
    await gatepost.browser().dance("one")
    (before,) = await gatepost.rows("SELECT * FROM accounts")
    browser = gatepost.browser()
    later = ANN | {"email": "new@example.com", "name": "Other", "scope": "more"}
    assert (await browser.dance("one", later)).location == "/in"
    user = await browser.user()
    assert user is not None
    assert (user["name"], user["email"]) == ("Ann", "ann@example.com")
    (after,) = await gatepost.rows("SELECT * FROM accounts")
    assert after["access_token"] != before["access_token"]
    assert after["scope"] == before["scope"]


async def test_account_stays_as_it_was_when_that_is_set(start: Start) -> None:
    async with start(GATEPOST_UPDATE_ACCOUNT_ON_SIGN_IN="false") as gatepost:
        await gatepost.browser().dance("one")
        before = await gatepost.rows("SELECT * FROM accounts")
        assert (await gatepost.browser().dance("one")).location == "/in"
        assert await gatepost.rows("SELECT * FROM accounts") == before


async def test_address_becomes_verified_when_the_provider_says_so_and_never_back(
    gatepost: Application,
) -> None:
    await gatepost.browser().dance("one", ANN | {"email_verified": False})
    verified = "SELECT email_verified AS is FROM users"
    assert await gatepost.rows(verified) == [{"is": False}]
    await gatepost.browser().dance("one", ANN | {"email": "b@example.com"})
    assert await gatepost.rows(verified) == [{"is": False}]
    await gatepost.browser().dance("one")
    assert await gatepost.rows(verified) == [{"is": True}]
    await gatepost.browser().dance("one", ANN | {"email_verified": False})
    assert await gatepost.rows(verified) == [{"is": True}]


FIELDS = """
[users.plan]
type = "string"
default = "free"

[users.company]
type = "string"
required = true

[users.note]
type = "string"
input = false
"""


async def test_new_person_gets_the_defaults_of_own_fields(
    start: Start, provider: str, tmp_path: Path
) -> None:
    schema = tmp_path / "schema.toml"
    schema.write_text(FIELDS)
    async with start(GATEPOST_SCHEMA=str(schema)) as gatepost:
        await gatepost.rows(
            "ALTER TABLE users ADD plan text, ADD note text,"
            " ADD company text NOT NULL DEFAULT 'unknown'"
        )
        browser = gatepost.browser()
        assert (await browser.dance("one")).location == "/welcome"
        user = await browser.user()
        assert user is not None
        assert (user["plan"], user["company"], user["note"]) == ("free", "unknown", None)
        await gatepost.rows("ALTER TABLE users ALTER company DROP DEFAULT")
        answer = await browser.dance("two", ANN | {"sub": "b", "email": "b@example.com"})
        assert answer.location == "/oops?error=unable_to_create_user"
        async with httpx.AsyncClient() as client:
            token = (await client.post(f"{provider}/one/sign", json=ANN)).text
        answer = await browser.post("/sign-in/social", provider="one", idToken={"token": token})
        assert answer.json()["user"] == await browser.user()
        assert answer.json()["user"]["company"] == "unknown"


async def test_same_new_person_twice_at_once_becomes_one_user(gatepost: Application) -> None:
    browsers = [gatepost.browser() for _ in range(4)]
    back = [await b.at_provider(await b.start("one")) for b in browsers]
    answers = await asyncio.gather(*(b.back(u) for b, u in zip(browsers, back, strict=True)))
    assert sorted(answer.location for answer in answers) == ["/in", "/in", "/in", "/welcome"]
    assert len(await gatepost.rows("SELECT FROM users")) == 1
    assert len(await gatepost.rows("SELECT FROM accounts")) == 1
    assert len(await gatepost.rows("SELECT FROM sessions")) == 4


async def test_same_address_at_two_providers_at_once_becomes_one_user(
    gatepost: Application,
) -> None:
    browsers = {name: gatepost.browser() for name in ("one", "two")}
    back = {name: await b.at_provider(await b.start(name)) for name, b in browsers.items()}
    answers = await asyncio.gather(*(browsers[name].back(back[name]) for name in browsers))
    assert sorted(answer.location for answer in answers) == ["/in", "/welcome"]
    assert len(await gatepost.rows("SELECT FROM users")) == 1
    assert len(await gatepost.rows("SELECT FROM accounts")) == 2
