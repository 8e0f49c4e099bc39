"""GET and POST /callback/:id: every end is a redirect, with or without an error."""

import asyncio
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import pytest

from tests.support import Server

from .browser import ANN, BASE, Answer, Application, Browser
from .conftest import Start

CALLBACK = "/api/auth/callback"


async def begun(browser: Browser, provider: str = "one", **more: Any) -> str:
    """The answer's address without a code."""
    url = httpx.URL(await browser.start(provider, **more))
    return f"{CALLBACK}/{provider}?state={url.params['state']}"


@pytest.mark.parametrize(
    ("asked", "location"),
    [
        ("/oops", "/oops?error=access_denied"),
        ("/oops?q=1#z", "/oops?q=1&error=access_denied#z"),
        ("/oops?error=a", "/oops?error=a&error=access_denied"),
        (BASE, f"{BASE}/?error=access_denied"),
        ("", f"{BASE}/api/auth/error?error=access_denied"),
    ],
)
async def test_error_of_the_provider_is_put_on_the_address(
    gatepost: Application, asked: str, location: str
) -> None:
    browser = gatepost.browser()
    url = await begun(browser, errorCallbackURL=asked)
    answer = await browser.back(f"{url}&error=access_denied&code=1&error_uri=x")
    assert answer.location == location
    assert all("Max-Age=0" in line for line in answer.set_cookies)


async def test_error_and_its_description_are_encoded_as_a_form(gatepost: Application) -> None:
    browser = gatepost.browser()
    url = await begun(browser)
    words = quote("a ~*-._ü&", safe="")
    answer = await browser.back(f"{url}&error={words}&error_description={words}")
    encoded = "a+%7E*-._%C3%BC%26"
    assert answer.location == f"/oops?error={encoded}&error_description={encoded}"
    url = await begun(browser)
    answer = await browser.back(f"{url}&error=x&error_description=")
    assert answer.location == "/oops?error=x"


async def test_long_error_of_the_provider_is_cut(gatepost: Application) -> None:
    browser = gatepost.browser()
    url = await begun(browser)
    answer = await browser.back(f"{url}&error={'e' * 4000}&error_description={'d' * 4000}")
    assert answer.location == f"/oops?error={'e' * 200}&error_description={'d' * 1000}"


@pytest.mark.parametrize("more", ["", "&code=", "&error="])
async def test_answer_without_a_code_is_refused(gatepost: Application, more: str) -> None:
    browser = gatepost.browser()
    assert (await browser.back(await begun(browser) + more)).location == "/oops?error=no_code"


async def test_code_that_the_provider_does_not_take_is_refused(
    gatepost: Application, provider: str
) -> None:
    browser = gatepost.browser()
    url = f"{await begun(browser)}&code=1&iss={provider}/one"
    assert (await browser.back(url)).location == "/oops?error=invalid_code"


@pytest.mark.parametrize("issuer", ["", "&iss=https://evil.example", "&iss="])
async def test_missing_or_wrong_issuer_is_refused_where_one_is_promised(
    gatepost: Application, issuer: str
) -> None:
    browser = gatepost.browser()
    url = f"{await begun(browser)}&code=1{issuer}"
    assert (await browser.back(url)).location == "/oops?error=issuer_mismatch"


async def test_wrong_issuer_is_refused_where_none_is_promised(gatepost: Application) -> None:
    browser = gatepost.browser()
    url = f"{await begun(browser, 'two')}&code=1&iss=https://evil.example"
    assert (await browser.back(url)).location == "/oops?error=issuer_mismatch"


@pytest.mark.parametrize(
    ("person", "error"),
    [
        ({"fault": "token"}, "invalid_code"),
        ({"iss": "https://evil.example"}, "unable_to_get_user_info"),
        ({"sub": ""}, "unable_to_get_user_info"),
        ({"email": None}, "email_not_found"),
        ({"email": "not an address"}, "email_not_found"),
        ({"email": 5}, "email_not_found"),
        ({"sub": "s" * 1001}, "unable_to_get_user_info"),
        ({"fault": "long"}, "invalid_code"),
    ],
)
async def test_person_who_cannot_be_believed_is_refused_and_nothing_is_written(
    gatepost: Application, person: dict[str, Any], error: str
) -> None:
    browser = gatepost.browser()
    answer = await browser.dance("one", ANN | person)
    assert answer.location == f"/oops?error={error}"
    for table in ("users", "accounts", "sessions", "verifications"):
        assert await gatepost.rows(f"SELECT FROM {table}") == []
    assert await browser.user() is None


async def test_token_that_no_column_takes_is_refused_and_nothing_is_written(start: Start) -> None:
    async with start(GATEPOST_ENCRYPT_OAUTH_TOKENS="true") as gatepost:
        answer = await gatepost.browser().dance("one", ANN | {"fault": "longer encrypted"})
        assert answer.location == "/oops?error=unable_to_create_user"
        assert await gatepost.rows("SELECT FROM users") == []


async def test_known_person_without_an_address_is_refused(gatepost: Application) -> None:
    await gatepost.browser().dance("one")
    answer = await gatepost.browser().dance("one", ANN | {"email": None})
    assert answer.location == "/oops?error=email_not_found"


async def test_application_is_reached_by_the_address_as_it_was_given(gatepost: Application) -> None:
    browser = gatepost.browser()
    await browser.dance("one")
    for asked in ("/a/../b?x=y z#f", f"{BASE}/x?y=ü"):
        answer = await browser.dance("one", callbackURL=asked)
        assert answer.location == quote(asked, safe="/:?=#.")
    answer = await browser.dance("one", callbackURL="", newUserCallbackURL="/new")
    assert answer.location == BASE


async def test_who_was_signed_in_before_is_replaced(gatepost: Application) -> None:
    browser = await gatepost.signed_up("local@example.com", verified=True)
    assert (await browser.dance("one")).location == "/welcome"
    user = await browser.user()
    assert user is not None
    assert user["email"] == "ann@example.com"


async def test_session_that_is_not_remembered_has_a_cookie_without_an_age(
    gatepost: Application,
) -> None:
    browser = await gatepost.signed_up("local@example.com", verified=True)
    await browser.post(
        "/sign-in/email", email="local@example.com", password="correct horse", rememberMe=False
    )
    answer = await browser.dance("one")
    (line,) = [line for line in answer.set_cookies if "session_token" in line]
    assert "Max-Age" not in line


async def test_repeated_parameter_is_refused(gatepost: Application) -> None:
    answer = await gatepost.browser().client.get(f"{CALLBACK}/one?state=a&state=b")
    assert answer.status_code == 400
    assert answer.json()["message"] == (
        "[query.state] Invalid input: expected string, received array"
    )


@pytest.mark.parametrize("providers", [True, False])
async def test_posted_answer_goes_on_in_the_address(start: Start, providers: bool) -> None:
    more = {} if providers else {"GATEPOST_PROVIDERS": ""}
    async with start(**more) as gatepost:
        client = gatepost.browser().client
        form = {"code": "a b~", "state": "s", "id_token": "secret", "user": '{"a":1}'}
        answer = await client.post(f"{CALLBACK}/one?state=first", data=form)
        assert answer.status_code == 302
        assert answer.headers["location"] == (
            f"{BASE}{CALLBACK}/one?code=a+b%7E&state=first&user=%7B%22a%22%3A1%7D"
        )
        assert "set-cookie" not in answer.headers
        answer = await client.post(f"{CALLBACK}/one")
        assert answer.headers["location"] == f"{BASE}{CALLBACK}/one?"
        answer = await client.post(f"{CALLBACK}/one", content="x", headers={"content-type": "a/b"})
        assert answer.status_code == 415
        # from a provider on the same site, or with cookies that cross sites
        sent_along = {"Origin": "https://id.example", "Cookie": "better-auth.state=x"}
        answer = await client.post(f"{CALLBACK}/one", data={"code": "c"}, headers=sent_along)
        assert answer.headers["location"] == f"{BASE}{CALLBACK}/one?code=c"
        assert "set-cookie" not in answer.headers


async def test_posted_answer_of_the_provider_signs_in(gatepost: Application) -> None:
    browser = gatepost.browser()
    back = httpx.URL(await browser.at_provider(await browser.start("one")))
    transport = httpx.ASGITransport(gatepost.app)  # another site's form brings no cookies
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as other:
        forwarded = await other.post(str(back.copy_with(query=None)), data=dict(back.params))
    assert (await browser.back(forwarded.headers["location"])).location == "/welcome"


@pytest.mark.parametrize("update", ["true", "false"])
async def test_user_who_is_deleted_meanwhile_gets_no_session(start: Start, update: str) -> None:
    async with start(GATEPOST_UPDATE_ACCOUNT_ON_SIGN_IN=update) as gatepost:
        await gatepost.browser().dance("one")
        browser = gatepost.browser()
        back = await browser.at_provider(await browser.start("one"))
        connection = await asyncpg.connect(gatepost.database_url)
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("DELETE FROM users")
        arriving = asyncio.create_task(browser.back(back))
        waiting = (
            "SELECT FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        while not await gatepost.rows(waiting):
            assert not arriving.done()
            await asyncio.sleep(0.01)
        await transaction.commit()
        await connection.close()
        assert (await arriving).location == "/welcome"  # somebody new
        (user,) = await gatepost.rows("SELECT id FROM users")
        shown = await browser.user()
        assert shown is not None
        assert shown["id"] == str(user["id"])


async def test_database_that_goes_after_the_state_leads_back_with_an_error(
    start: Start, one_postgres: Server, one_database_url: str
) -> None:
    name = httpx.URL(one_database_url).path[1:]
    async with start() as gatepost:
        browser = gatepost.browser()
        back = await browser.at_provider(await browser.start("one"))
        # as if it went between the two: the state can be taken, a user cannot be looked for
        one_postgres.sql("ALTER TABLE users RENAME TO away", name)
        assert (await browser.back(back)).location == "/oops?error=internal_server_error"
        one_postgres.sql("ALTER TABLE away RENAME TO users", name)
        assert await gatepost.rows("SELECT FROM users") == []
        assert (await browser.dance("one")).location == "/welcome"


async def test_unknown_provider_is_as_no_path_of_another_kind(gatepost: Application) -> None:
    browser = gatepost.browser()
    assert await browser.back(f"{CALLBACK}/unknown") == Answer(
        f"{BASE}/api/auth/error?error=state_not_found"
    )
    for path in ("/", "/a/b"):
        assert (await browser.client.get(f"{CALLBACK}{path}")).status_code == 404
    assert (await browser.client.head(f"{CALLBACK}/one")).status_code == 404
