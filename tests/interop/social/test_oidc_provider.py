"""Sign-in with a certified OpenID provider, by discovery, in both of its configurations."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from tests.browser import Browser
from tests.interop.social.oidc_provider import NAMES, Name, OidcProvider, oidc_provider
from tests.social.visitor import Visitor
from tests.support import (
    LOCAL_PROXY,
    SECRET,
    Server,
    Service,
    free_port,
    running_service,
    wait_until,
)

each_configuration = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def provider(
    node: Path, port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OidcProvider]:
    log = tmp_path_factory.mktemp("oidc-provider") / "provider.log"
    with oidc_provider(node, f"http://127.0.0.1:{port}", log) as running:
        yield running


@pytest.fixture(scope="module")
def service(
    provider: OidcProvider,
    port: int,
    one_postgres: Server,
    one_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    base = f"http://127.0.0.1:{port}"
    settings = {
        "PORT": str(port),
        "GATEPOST_BASE_URL": base,
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_PROVIDERS": json.dumps([provider.settings(name) for name in NAMES]),
        "GATEPOST_RATE_LIMIT": "off",
        **LOCAL_PROXY,
    }
    log = tmp_path_factory.mktemp("service") / "service.log"
    with (
        one_postgres.database(one_template) as database,
        running_service(one_postgres.url(database), log, **settings) as running,
    ):
        yield running


@pytest.fixture
async def rows(service: Service) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(service.database_url)
    await connection.execute("TRUNCATE users, accounts, sessions, verifications CASCADE")
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def visitor(service: Service, provider: OidcProvider) -> AsyncIterator[Visitor]:
    provider.asked()
    async with Visitor(service.url) as somebody:
        yield somebody


async def account(rows: asyncpg.Connection) -> asyncpg.Record:
    found = await rows.fetchrow(
        "SELECT a.*, u.name, u.email, u.email_verified, u.image FROM accounts a"
        " JOIN users u ON u.id = a.user_id"
    )
    assert found is not None
    return found


@each_configuration
async def test_somebody_new_signs_in(
    name: Name, rows: asyncpg.Connection, visitor: Visitor, provider: OidcProvider
) -> None:
    danced = await visitor.dance(name, loginHint="ada@example.com", newUserCallbackURL="/hello")
    assert danced.location == "/hello"
    row = await account(rows)
    assert (row["provider_id"], row["account_id"]) == (name, "ada@example.com")
    assert (row["name"], row["email"], row["email_verified"], row["image"]) == (
        "Ada", "ada@example.com", True, "https://pictures.test/ada.png",
    )  # fmt: skip
    assert set(row["scope"].split(",")) == {"openid", "profile", "email", "offline_access"}
    assert row["access_token"]
    assert row["refresh_token"]
    assert row["id_token"]
    asked = danced.authorization
    assert len(asked["nonce"]) == 32
    assert ("code_challenge" in asked) == (name == "post")
    assert asked.get("response_mode") == ("form_post" if name == "basic" else None)
    posted = [step for step in danced.steps if step.method == "POST" and "/callback/" in step.url]
    assert len(posted) == (1 if name == "basic" else 0)
    assert parse_qs(urlsplit(danced.callback).query)["iss"] == [provider.issuer(name)]
    (token,) = [each for each in provider.asked() if each["url"] == "/token"]
    assert token["authorization"] == ("Basic" if name == "basic" else "")


@each_configuration
async def test_user_who_comes_again_is_the_same(
    name: Name, rows: asyncpg.Connection, visitor: Visitor
) -> None:
    for location in ("/hello", "/welcome"):
        danced = await visitor.dance(name, loginHint="ada@example.com", newUserCallbackURL="/hello")
        assert danced.location == location
    assert await rows.fetchval("SELECT count(*) FROM users") == 1


@each_configuration
async def test_person_who_declines_comes_back_with_that(
    name: Name, rows: asyncpg.Connection, visitor: Visitor
) -> None:
    danced = await visitor.dance(name, loginHint="nobody")
    assert danced.error == "access_denied"
    assert await rows.fetchval("SELECT count(*) FROM users") == 0


@each_configuration
async def test_answer_without_its_issuer_is_refused(
    name: Name, rows: asyncpg.Connection, visitor: Visitor, provider: OidcProvider
) -> None:
    danced = await visitor.dance(name, loginHint="ada@example.com")
    assert danced.location == "/welcome"
    url = await visitor.begin(name, loginHint="ada@example.com", additionalParams={"prompt": ""})
    state = parse_qs(urlsplit(url).query)["state"][0]
    callback = f"{visitor.service}/api/auth/callback/{name}?state={state}&code=a"
    provider.asked()
    assert await visitor.come_back(callback) == "/oops?error=issuer_mismatch"
    assert provider.asked() == []


async def test_code_of_one_is_nothing_to_the_other(
    rows: asyncpg.Connection, visitor: Visitor, provider: OidcProvider
) -> None:
    url = await visitor.begin("post", loginHint="ada@example.com")
    state = parse_qs(urlsplit(url).query)["state"][0]
    provider.asked()
    at_other = f"{visitor.service}/api/auth/callback/basic?state={state}&code=a"
    at_other += f"&iss={provider.issuer('basic')}"
    assert await visitor.come_back(at_other) == "/oops?error=state_mismatch"
    assert provider.asked() == []


@each_configuration
async def test_rotating_token_is_refreshed_again_and_again(
    name: Name, rows: asyncpg.Connection, visitor: Visitor
) -> None:
    await visitor.dance(name, loginHint="ada@example.com")
    seen = {(await account(rows))["refresh_token"]}
    for _ in range(3):
        body = {"accountId": str((await account(rows))["id"])}
        answer = await visitor.post("/refresh-token", body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["refreshToken"] not in seen
        seen.add((await account(rows))["refresh_token"])
    assert len(seen) == 4


@each_configuration
async def test_account_info_says_who_it_is(
    name: Name, rows: asyncpg.Connection, visitor: Visitor
) -> None:
    await visitor.dance(name, loginHint="ada@example.com")
    answer = await visitor.get(f"/account-info?accountId={(await account(rows))['id']}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["user"]["email"] == "ada@example.com"


@each_configuration
async def test_second_provider_is_linked(
    name: Name, rows: asyncpg.Connection, visitor: Visitor
) -> None:
    other: Name = "basic" if name == "post" else "post"
    await visitor.dance(name, loginHint="ada@example.com")
    danced = await visitor.link(other, loginHint="ada@example.com")
    assert danced.location == "/welcome"
    assert await rows.fetchval("SELECT count(DISTINCT user_id) FROM accounts") == 1
    assert await rows.fetchval("SELECT count(*) FROM accounts") == 2


@each_configuration
async def test_sign_out_ends_the_session_at_the_provider(
    name: Name, rows: asyncpg.Connection, visitor: Visitor, provider: OidcProvider
) -> None:
    await visitor.dance(name, loginHint="ada@example.com")
    body = {"callbackURL": f"{visitor.service}/bye", "state": "s-1"}
    answer = (await visitor.post("/sign-out", body)).json()
    assert answer["success"] is True
    assert answer["redirect"] is True
    assert answer["url"].startswith(f"{provider.issuer(name)}/session/end?")
    page = await visitor.http.get(answer["url"])
    assert page.status_code == 200
    assert "sign-out" in page.text.lower()
    xsrf = page.text.partition('name="xsrf" value="')[2].partition('"')[0]
    ended = await visitor.http.post(
        f"{provider.issuer(name)}/session/end/confirm", data={"xsrf": xsrf, "logout": "yes"}
    )
    assert ended.headers["location"] == f"{visitor.service}/bye?state=s-1"
    assert await visitor.session() is None


def test_person_signs_in_with_a_browser(
    service: Service, provider: OidcProvider, browser: Browser
) -> None:
    """The whole dance in Chromium, with the form of the provider and its cross-site POST."""
    for name in NAMES:
        browser.open(f"{service.url}/livez")
        answer = browser.run(
            "return fetch('/api/auth/sign-in/social', {method: 'POST', headers:"
            " {'content-type': 'application/json'}, body: JSON.stringify({provider: arguments[0],"
            " callbackURL: '/livez'})}).then(r => r.json())",
            name,
        )
        browser.open(answer["url"])
        browser.field("Email").fill("grace@example.com")
        browser.button("Continue").click()
        wait_until(lambda: browser.url == f"{service.url}/livez", "back at the application")
        session = browser.run("return fetch('/api/auth/get-session').then(r => r.json())")
        assert session["user"]["email"] == "grace@example.com"
