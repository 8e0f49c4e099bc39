"""POST /link-social: another account for a user who is signed in."""

import asyncio
import json
from pathlib import Path

from tests.unit.social.server import json_reply, provider_server
from tests.unit.social.tokens import CLIENT_ID, SigningKey, claims

from .browser import ANN, Application, Browser
from .conftest import Start

LINK = "/link-social"
LINKED = "SELECT provider_id AS provider, scope FROM accounts ORDER BY 1"


async def local(gatepost: Application) -> Browser:
    return await gatepost.signed_up("ann@example.com", verified=False)


async def test_account_with_the_same_address_is_linked(gatepost: Application) -> None:
    browser = await local(gatepost)
    answer = await browser.dance("one", path=LINK)
    assert answer.location == "/in"
    assert not [line for line in answer.set_cookies if "session" in line]
    assert await gatepost.rows(LINKED) == [
        {"provider": "credential", "scope": None}, {"provider": "one", "scope": "openid,email"},
    ]  # fmt: skip
    assert await gatepost.rows("SELECT name, image, email_verified AS verified FROM users") == [
        {"name": "Local", "image": None, "verified": False}
    ]
    listed = (await browser.client.get("/api/auth/list-accounts")).json()
    assert [(each["providerId"], each["scopes"]) for each in listed] == [
        ("credential", []), ("one", ["openid", "email"]),
    ]  # fmt: skip
    assert (await gatepost.browser().dance("one")).location == "/in"


async def test_account_that_is_linked_again_keeps_its_scopes_and_gets_the_new_ones(
    gatepost: Application,
) -> None:
    browser = await local(gatepost)
    await browser.dance("one", path=LINK)
    (before,) = await gatepost.rows("SELECT * FROM accounts WHERE provider_id = 'one'")
    more = ANN | {"scope": "email files"}
    assert (await browser.dance("one", more, LINK)).location == "/in"
    (after,) = await gatepost.rows("SELECT * FROM accounts WHERE provider_id = 'one'")
    assert after["scope"] == "openid,email,files"
    assert after["access_token"] != before["access_token"]


async def test_user_is_told_by_mail_of_an_account_that_is_new_and_of_no_other(
    start: Start, tmp_path: Path
) -> None:
    mails = tmp_path / "mails"
    async with start(MAIL_FILE=str(mails)) as gatepost:
        browser = await local(gatepost)
        other = ANN | {"email": "other@example.com"}
        assert (await browser.dance("one", other, LINK)).error == "email_does_not_match"
        assert not mails.exists()
        for _ in range(2):  # the second time it is the user's own already
            assert (await browser.dance("one", path=LINK)).location == "/in"
        assert (await gatepost.browser().dance("one")).location == "/in"
        (user,) = await gatepost.rows("SELECT id FROM users")
    assert [json.loads(line) for line in mails.read_text().splitlines()] == [
        {
            "kind": "account-linked", "email": "ann@example.com", "userId": str(user["id"]),
            "provider": "one",
        }
    ]  # fmt: skip


async def test_account_that_must_not_be_linked_is_refused(start: Start) -> None:
    other = ANN | {"email": "other@example.com"}
    unverified = ANN | {"email_verified": False}
    async with start() as gatepost:
        browser = await local(gatepost)
        for person, error in (
            (unverified, "unable_to_link_account"),
            (other | {"email_verified": False}, "unable_to_link_account"),
            (other, "email_does_not_match"),
            (ANN | {"email": None}, "unable_to_link_account"),
        ):
            answer = await browser.dance("one", person, LINK)
            assert answer.location == f"/oops?error={error}"
        assert len(await gatepost.rows(LINKED)) == 1
    async with start(GATEPOST_LINK_DIFFERENT_EMAILS="true") as gatepost:
        await browser_of(gatepost, browser).dance("one", other, LINK)
        assert len(await gatepost.rows(LINKED)) == 2
    async with start(GATEPOST_ACCOUNT_LINKING="false") as gatepost:
        answer = await browser_of(gatepost, browser).dance("two", path=LINK)
        assert answer.location == "/oops?error=unable_to_link_account"


def browser_of(gatepost: Application, before: Browser) -> Browser:
    """The same browser at another start of the service."""
    browser = gatepost.browser()
    browser.client.cookies.update(before.client.cookies)
    return browser


async def test_account_of_somebody_else_is_refused(gatepost: Application) -> None:
    browser = gatepost.browser()
    await browser.dance("one", ANN | {"email": "other@example.com"})
    mine = await local(gatepost)
    answer = await mine.dance("one", path=LINK)
    assert answer.location == "/oops?error=account_already_linked_to_different_user"


async def test_account_goes_to_the_one_who_asked_whoever_is_signed_in(
    gatepost: Application,
) -> None:
    browser = await local(gatepost)
    back = await browser.at_provider(await browser.start("one", path=LINK))
    # only the state cookie comes, as from the browser inside of an app
    other = gatepost.browser()
    for name, value in browser.client.cookies.items():
        if "state" in name:
            other.client.cookies.set(name, value)
    assert (await other.back(back)).location == "/in"
    query = "SELECT email FROM accounts JOIN users ON users.id = user_id WHERE provider_id = 'one'"
    assert await gatepost.rows(query) == [{"email": "ann@example.com"}]
    assert await other.user() is None


async def test_session_that_has_ended_meanwhile_links_nothing(gatepost: Application) -> None:
    browser = await local(gatepost)
    back = await browser.at_provider(await browser.start("one", path=LINK))
    await gatepost.rows("DELETE FROM sessions")
    assert (await browser.back(back)).location == "/oops?error=unable_to_link_account"
    assert len(await gatepost.rows(LINKED)) == 1


async def test_state_keeps_the_session_encrypted(gatepost: Application) -> None:
    browser = await local(gatepost)
    await browser.start("one", path=LINK)
    (row,) = await gatepost.rows("SELECT value FROM verifications")
    (session,) = await gatepost.rows("SELECT token, user_id FROM sessions")
    link = json.loads(row["value"])["link"]
    assert (link["userId"], link["email"]) == (str(session["user_id"]), "ann@example.com")
    assert session["token"] not in row["value"]
    assert "newUserURL" not in row["value"]


async def test_state_that_names_no_session_links_nothing(gatepost: Application) -> None:
    browser = await local(gatepost)
    back = await browser.at_provider(await browser.start("one", path=LINK))
    await gatepost.rows(
        "UPDATE verifications SET value = (value::jsonb #- '{link,encryptedSessionToken}')::text"
    )
    assert (await browser.back(back)).location == "/oops?error=unable_to_link_account"


async def test_link_needs_a_session(gatepost: Application) -> None:
    answer = await gatepost.browser().post(LINK, provider="one")
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHORIZED")


async def test_last_account_is_unlinked_only_where_that_is_set(start: Start) -> None:
    async with start() as gatepost:
        browser = gatepost.browser()
        await browser.dance("one")
        (account,) = (await browser.client.get("/api/auth/list-accounts")).json()
        answer = await browser.post("/unlink-account", accountId=account["id"])
        assert answer.json()["code"] == "FAILED_TO_UNLINK_LAST_ACCOUNT"
    async with start(GATEPOST_UNLINK_LAST_ACCOUNT="true") as gatepost:
        browser = browser_of(gatepost, browser)
        answer = await browser.post("/unlink-account", accountId="ann-1")
        assert answer.json()["code"] == "ACCOUNT_NOT_FOUND"
        answer = await browser.post("/unlink-account", accountId=account["id"])
        assert answer.json() == {"status": True}
        assert await gatepost.rows(LINKED) == []


async def test_session_that_is_revoked_while_the_provider_is_asked_links_nothing(
    start: Start,
) -> None:
    key, revoked = SigningKey("one"), asyncio.Event()
    async with provider_server() as server:

        async def keys(writer: asyncio.StreamWriter) -> None:
            await revoked.wait()
            await json_reply({"keys": [key.public]})(writer)

        server.answers["/keys"] = keys
        server.answers["/.well-known/openid-configuration"] = json_reply(
            {
                "issuer": server.url,
                "authorization_endpoint": f"{server.url}/authorize",
                "token_endpoint": f"{server.url}/token",
                "jwks_uri": f"{server.url}/keys",
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )
        provider = {
            "id": "slow",
            "client_id": CLIENT_ID,
            "client_secret": "secret",
            "discovery_url": f"{server.url}/.well-known/openid-configuration",
            "allow_private_addresses": True,
        }
        async with start(GATEPOST_PROVIDERS=json.dumps([provider])) as gatepost:
            thief = await local(gatepost)
            owner = browser_of(gatepost, thief)
            body = {"provider": "slow", "idToken": {"token": key.sign(claims(server.url))}}
            linking = asyncio.create_task(thief.post(LINK, **body))
            await server.has_seen(2)
            assert (await owner.post("/revoke-sessions")).status_code == 200
            revoked.set()
            assert (await linking).status_code == 401
            assert [row["provider"] for row in await gatepost.rows(LINKED)] == ["credential"]
