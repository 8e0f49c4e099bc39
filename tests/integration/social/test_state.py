"""The state of a sign-in: bound to the browser and the provider, and good once."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
import pytest

from app.auth.cookies import Signer
from tests.support import SECRET, Server

from .browser import BASE, Answer, Application, Browser
from .conftest import Start

ERROR = f"{BASE}/api/auth/error"
STATES = "SELECT identifier, value, expires_at FROM verifications"


def state_of(url: str) -> str:
    return dict(parse_qsl(urlsplit(url).query))["state"]


def cookies(browser: Browser) -> list[str]:
    return [name for name in browser.client.cookies if "state" in name]


async def asked(provider: str) -> int:
    """How often the provider was asked for tokens."""
    async with httpx.AsyncClient() as client:
        return sum((await client.get(f"{provider}/asked")).json().values())


async def test_answer_without_a_state_goes_to_the_page_of_the_error(gatepost: Application) -> None:
    browser = gatepost.browser()
    for query in ("", "?state=", "?error=access_denied", "?code=1"):
        answer = await browser.back(f"/api/auth/callback/one{query}")
        assert answer == Answer(f"{ERROR}?error=state_not_found")


async def test_answer_with_an_unknown_state_goes_to_the_page_of_the_error(
    gatepost: Application,
) -> None:
    answer = await gatepost.browser().back("/api/auth/callback/one?state=nothing&code=1")
    assert answer == Answer(f"{ERROR}?error=state_mismatch")


async def test_answer_in_another_browser_is_refused_and_does_not_use_the_state_up(
    gatepost: Application, provider: str
) -> None:
    mine, other = gatepost.browser(), gatepost.browser()
    await other.start("one")
    back = await mine.at_provider(await mine.start("one"))
    before = await asked(provider)
    assert await other.back(back) == Answer("/oops?error=state_mismatch")
    assert await gatepost.browser().back(back) == Answer("/oops?error=state_mismatch")
    assert await asked(provider) == before
    assert (await mine.back(back)).location == "/welcome"


async def test_answer_at_another_provider_is_refused_before_any_request(
    gatepost: Application, provider: str
) -> None:
    browser = gatepost.browser()
    back = await browser.at_provider(await browser.start("one"))
    before = await asked(provider)
    for name in ("two", "unknown"):
        elsewhere = back.replace("/callback/one", f"/callback/{name}")
        assert await browser.back(elsewhere) == Answer("/oops?error=state_mismatch")
    assert await asked(provider) == before
    assert (await browser.back(back)).location == "/welcome"


async def test_answer_is_good_once(gatepost: Application) -> None:
    browser = gatepost.browser()
    back = await browser.at_provider(await browser.start("one"))
    kept = dict(browser.client.cookies)
    assert (await browser.back(back)).location == "/welcome"
    assert cookies(browser) == []
    browser.client.cookies.update(kept)
    assert (await browser.back(back)).location == f"{ERROR}?error=state_mismatch"


async def test_same_answer_three_times_at_once_signs_in_once(
    gatepost: Application, provider: str
) -> None:
    browser = gatepost.browser()
    back = await browser.at_provider(await browser.start("one"))
    before = await asked(provider)
    answers = await asyncio.gather(*(browser.back(back) for _ in range(3)))
    assert sorted(answer.error or "" for answer in answers) == [
        "", "state_mismatch", "state_mismatch",
    ]  # fmt: skip
    assert await asked(provider) == before + 1
    assert len(await gatepost.rows("SELECT FROM sessions")) == 1


@pytest.mark.parametrize("strategy", ["database", "cookie"])
async def test_two_tabs_can_both_finish(start: Start, strategy: str) -> None:
    async with start(GATEPOST_OAUTH_STATE=strategy) as gatepost:
        browser = gatepost.browser()
        first, second = [await browser.at_provider(await browser.start("one")) for _ in range(2)]
        assert (await browser.back(first)).location == "/welcome"
        assert len(cookies(browser)) == 2
        assert (await browser.back(second)).location == "/in"
        assert cookies(browser) == []


@pytest.mark.parametrize(("strategy", "most"), [("database", 5), ("cookie", 3)])
async def test_oldest_of_many_tabs_gives_way(start: Start, strategy: str, most: int) -> None:
    async with start(GATEPOST_OAUTH_STATE=strategy) as gatepost:
        browser = gatepost.browser()
        tabs = [await browser.start("one") for _ in range(most + 2)]
        assert len(cookies(browser)) == most + 1
        answers = [await browser.back(await browser.at_provider(tab)) for tab in tabs]
    assert [answer.error for answer in answers[:2]] == ["state_mismatch"] * 2
    assert [answer.location for answer in answers[2:]] == ["/welcome", *["/in"] * (most - 1)]


async def test_answer_ends_few_of_the_cookies_that_a_subdomain_can_set(
    gatepost: Application,
) -> None:
    browser = gatepost.browser()
    planted = [f"better-auth.state_{number:032}" for number in range(60)]
    header = "; ".join(f"{name}=x" for name in [*planted, "better-auth.state_ other"])
    body = {"provider": "one"}
    answer = await browser.client.post(
        "/api/auth/sign-in/social", json=body, headers={"Cookie": header}
    )
    lines = answer.headers.get_list("set-cookie")
    assert [line.partition("=")[0] for line in lines[2:]] == planted[:20]


async def test_state_expires_by_what_it_says_and_not_by_its_row(gatepost: Application) -> None:
    browser = gatepost.browser()
    back = await browser.at_provider(await browser.start("one"))
    await gatepost.rows(
        "UPDATE verifications SET expires_at = created_at + interval '1 millisecond'"
    )
    assert (await browser.back(back)).location == "/welcome"
    back = await browser.at_provider(await browser.start("one"))
    await gatepost.rows(
        "UPDATE verifications SET value = jsonb_set(value::jsonb, '{expiresAt}', '1')::text"
    )
    answer = await browser.back(back)
    assert answer.location == "/oops?error=state_mismatch"
    assert len(answer.set_cookies) == 2
    assert await gatepost.rows(STATES) == []


async def test_state_is_kept_as_a_better_auth_server_keeps_it(gatepost: Application) -> None:
    browser = gatepost.browser()
    more = {"link": "x", "callbackURL": "//evil.example", "codeVerifier": "x", "mine": [1]}
    url = await browser.start("one", additionalData=more, requestSignUp=True, errorCallbackURL="")
    state = state_of(url)
    (row,) = await gatepost.rows(STATES)
    assert row["identifier"] == f"auth-state:{state}"
    value = json.loads(row["value"])
    assert len(state) == 32
    assert len(value.pop("codeVerifier")) == 128
    assert len(value.pop("idTokenNonce")) == 32
    assert value.pop("expiresAt") == int(row["expires_at"].timestamp() * 1000)
    assert value == {
        "callbackURL": "/in", "newUserURL": "/welcome", "errorURL": "", "requestSignUp": True,
        "oauthState": state, "provider": "one", "mine": [1],
    }  # fmt: skip


async def begun_elsewhere(gatepost: Application, url: str, **more: Any) -> tuple[Browser, str]:
    """A sign-in as a Better Auth server begins it: its state instead of the one of ``url``."""
    state, browser = "A" * 32, gatepost.browser()
    (row,) = await gatepost.rows(STATES)
    value = json.loads(row["value"]) | {"oauthState": state} | more
    value = {name: item for name, item in value.items() if item is not None}
    await gatepost.rows(
        "UPDATE verifications SET identifier = $1, value = $2",
        f"auth-state:{state}", json.dumps(value),
    )  # fmt: skip
    cookie = quote(Signer([SECRET]).sign(state), safe="")
    browser.client.cookies.set("better-auth.state", cookie)
    return browser, url.replace(state_of(url), state)


async def test_state_of_a_better_auth_server_is_taken(gatepost: Application) -> None:
    url = await gatepost.browser().start("two")
    browser, url = await begun_elsewhere(gatepost, url, provider=None)
    answer = await browser.back(await browser.at_provider(url))
    assert answer.location == "/welcome"
    assert [line.partition("=")[0] for line in answer.set_cookies] == [
        "better-auth.state", "better-auth.session_token",
    ]  # fmt: skip


async def test_state_without_the_nonce_that_a_provider_binds_is_refused(
    gatepost: Application,
) -> None:
    url = await gatepost.browser().start("two")
    browser, url = await begun_elsewhere(gatepost, url, provider=None, idTokenNonce=None)
    answer = await browser.back(await browser.at_provider(url))
    assert answer.location == "/oops?error=nonce_binding_missing"


DEEP = f'{{"a": {"[" * 5000}{"]" * 5000}}}'


@pytest.mark.parametrize("value", ["", "[]", "nothing", "{}", '{"callbackURL": 5}', "null", DEEP])
async def test_row_that_is_no_state_is_as_none(gatepost: Application, value: str) -> None:
    browser = gatepost.browser()
    back = await browser.at_provider(await browser.start("one"))
    await gatepost.rows("UPDATE verifications SET value = $1", value)
    assert await browser.back(back) == Answer(f"{ERROR}?error=state_mismatch")


@pytest.mark.parametrize("server", ["plain", "hashed", "none"])
async def test_identifier_is_hashed_where_the_others_are(start: Start, server: str) -> None:
    async with start(GATEPOST_BETTER_AUTH_SERVER=server) as gatepost:
        browser = gatepost.browser()
        back = await browser.at_provider(await browser.start("one"))
        (row,) = await gatepost.rows(STATES)
        assert row["identifier"].startswith("auth-state:") == (server == "plain")
        assert (await browser.back(back)).location == "/welcome"


async def test_state_in_a_cookie_leaves_no_row_and_is_bound_all_the_same(start: Start) -> None:
    async with start(GATEPOST_OAUTH_STATE="cookie") as gatepost:
        browser, other = gatepost.browser(), gatepost.browser()
        back = await browser.at_provider(await browser.start("one"))
        assert await gatepost.rows(STATES) == []
        value = browser.client.cookies["better-auth.oauth_state"]
        assert set(value) <= set("0123456789abcdef")
        assert (await other.back(back)).location == f"{ERROR}?error=state_mismatch"
        other.client.cookies.set("better-auth.oauth_state", "ab" * 60)
        assert (await other.back(back)).location == f"{ERROR}?error=state_invalid"
        other.client.cookies.clear()
        await other.start("one")
        assert (await other.back(back)).location == "/oops?error=state_mismatch"
        elsewhere = back.replace("/callback/one", "/callback/two")
        assert (await browser.back(elsewhere)).location == "/oops?error=state_mismatch"
        assert (await browser.back(back)).location == "/welcome"
        assert cookies(browser) == []


async def test_state_that_no_cookie_holds_is_refused(start: Start) -> None:
    async with start(GATEPOST_OAUTH_STATE="cookie") as gatepost:
        body = {"provider": "one", "additionalData": {"a": "b" * 4000}}
        answer = await gatepost.browser().post("/sign-in/social", **body)
        assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")


async def test_state_cookie_has_the_attributes_of_the_others(start: Start) -> None:
    body = {"provider": "one"}
    secure = {"GATEPOST_BASE_URL": "https://gatepost.test", "GATEPOST_BETTER_AUTH_SERVER": "none"}
    async with start(**secure) as gatepost:
        answer = await gatepost.browser().post("/sign-in/social", **body)
    (line,) = answer.headers.get_list("set-cookie")
    assert line.startswith("__Host-better-auth.state_")
    assert line.endswith("; Max-Age=600; Path=/; HttpOnly; Secure; SameSite=Lax")
    cross = {"GATEPOST_COOKIE_SAME_SITE": "none", "GATEPOST_PARTITIONED_COOKIES": "true"}
    async with start(**secure | cross) as gatepost:
        answer = await gatepost.browser().post("/sign-in/social", **body)
    (line,) = answer.headers.get_list("set-cookie")
    assert line.endswith("; Secure; SameSite=None; Partitioned")
    async with start(GATEPOST_COOKIE_DOMAIN="gatepost.test") as gatepost:
        answer = await gatepost.browser().post("/sign-in/social", **body)
    lines = answer.headers.get_list("set-cookie")
    assert [line.partition("=")[0][:18] for line in lines] == [
        "better-auth.state",
        "better-auth.state_",
    ]
    assert all("; Domain=gatepost.test; " in line for line in lines)


async def test_database_that_is_gone_leaves_the_state_or_leads_back_with_an_error(
    start: Start, one_postgres: Server, one_database_url: str
) -> None:
    name = urlsplit(one_database_url).path[1:]

    def set_open(given: bool) -> None:
        one_postgres.sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {given}')
        if not given:
            one_postgres.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                f" WHERE datname = '{name}' AND pid <> pg_backend_pid()"
            )

    async with start() as gatepost:
        browser = gatepost.browser()
        back = await browser.at_provider(await browser.start("one"))
        set_open(False)
        answer = await browser.client.get(back)
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
        assert "set-cookie" not in answer.headers
        set_open(True)
        assert (await browser.back(back)).location == "/welcome"  # nothing was used up
