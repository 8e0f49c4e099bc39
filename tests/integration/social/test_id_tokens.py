"""An ID token that a client has from the provider: signed in, or linked, at once."""

from typing import Any

import httpx
import pytest

from .browser import ANN, Application, Browser
from .conftest import Start


class Signer:
    """The provider's own signature."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __call__(self, name: str = "one", **claims: Any) -> str:
        async with httpx.AsyncClient() as client:
            return (await client.post(f"{self._url}/{name}/sign", json=ANN | claims)).text


@pytest.fixture
def sign(provider: str) -> Signer:
    return Signer(provider)


async def given(
    browser: Browser, token: str, path: str = "/sign-in/social", **more: Any
) -> httpx.Response:
    about = {
        name: more.pop(name) for name in ("nonce", "accessToken", "refreshToken") if name in more
    }
    body = {"provider": "one", "idToken": {"token": token, "expiresAt": 5, **about}}
    return await browser.post(path, **body | more)


def outcome(answer: httpx.Response) -> tuple[int, str, str]:
    return answer.status_code, answer.json().get("code"), answer.json().get("message")


async def test_token_signs_in_at_once(gatepost: Application, sign: Signer) -> None:
    browser, token = gatepost.browser(), await sign()
    answer = await given(browser, token, accessToken="a", refreshToken="r", callbackURL="/in")
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"redirect", "token", "user"}
    assert body["redirect"] is False
    assert "location" not in answer.headers
    assert body["user"] == await browser.user()
    (session,) = await gatepost.rows("SELECT token FROM sessions")
    assert session["token"] == body["token"]
    (account,) = await gatepost.rows("SELECT * FROM accounts")
    assert (account["access_token"], account["id_token"]) == ("a", token)
    for name in ("refresh_token", "access_token_expires_at", "scope", "password"):
        assert account[name] is None
    # with a nonce only where one is named
    assert (await given(gatepost.browser(), await sign(nonce="n"))).status_code == 200
    assert (await given(gatepost.browser(), await sign(nonce="n"), nonce="n")).status_code == 200


async def test_wrong_token_is_refused(gatepost: Application, sign: Signer) -> None:
    browser = gatepost.browser()
    for token, more in (
        ("nothing", {}),
        ("", {}),
        (await sign(aud="other"), {}),
        (await sign(iss="https://evil.example"), {}),
        (await sign(exp=1), {}),
        (await sign(nonce="n"), {"nonce": "other"}),
        (await sign(), {"nonce": "n"}),
        (await sign("two"), {}),
    ):
        answer = await given(browser, token, **more)
        assert outcome(answer)[:2] == (401, "INVALID_TOKEN"), (token, more)
    answer = await given(browser, await sign(email=None))
    assert answer.json()["code"] in ("FAILED_TO_GET_USER_INFO", "USER_EMAIL_NOT_FOUND")
    answer = await given(browser, await sign(), provider="plain")
    assert outcome(answer)[:2] == (404, "ID_TOKEN_NOT_SUPPORTED")
    assert await gatepost.rows("SELECT FROM users") == []


async def test_token_is_not_taken_where_that_is_switched_off(start: Start, sign: Signer) -> None:
    async with start({"disable_id_token_sign_in": True}) as gatepost:
        answer = await given(gatepost.browser(), await sign())
        assert outcome(answer)[:2] == (404, "ID_TOKEN_NOT_SUPPORTED")


async def test_person_who_may_not_come_in_is_refused(start: Start, sign: Signer) -> None:
    async with start({"disable_sign_up": True}) as gatepost:
        answer = await given(gatepost.browser(), await sign())
        assert outcome(answer) == (401, "OAUTH_LINK_ERROR", "signup disabled")
        await gatepost.signed_up("ann@example.com", verified=False)
        answer = await given(gatepost.browser(), await sign())
        assert outcome(answer) == (401, "OAUTH_LINK_ERROR", "account not linked")
    async with start({"require_email_verification": True}) as gatepost:
        token = await sign(sub="2", email="b@example.com", email_verified=False)
        answer = await given(gatepost.browser(), token)
        assert outcome(answer)[:2] == (403, "EMAIL_NOT_VERIFIED")


async def test_account_is_linked_by_its_token(gatepost: Application, sign: Signer) -> None:
    browser = await gatepost.signed_up("ann@example.com", verified=False)
    for _ in range(2):  # the second time it is the user's already
        answer = await given(browser, await sign(), "/link-social")
        assert answer.json() == {"url": "", "status": True, "redirect": False}
        assert "set-cookie" not in answer.headers
    assert len(await gatepost.rows("SELECT FROM accounts")) == 2
    # its own is updated without a further look
    answer = await given(browser, await sign(email="b@example.com"), "/link-social")
    assert answer.status_code == 200


async def test_account_that_must_not_be_linked_is_refused(
    gatepost: Application, sign: Signer
) -> None:
    browser = await gatepost.signed_up("b@example.com", verified=False)
    answer = await given(browser, await sign(email_verified=False), "/link-social")
    assert outcome(answer)[:2] == (401, "LINKING_NOT_ALLOWED")
    answer = await given(browser, await sign(), "/link-social")
    assert outcome(answer)[:2] == (401, "LINKING_DIFFERENT_EMAILS_NOT_ALLOWED")
    await given(gatepost.browser(), await sign())
    answer = await given(browser, await sign(email_verified=False), "/link-social")
    assert outcome(answer)[:2] == (409, "SOCIAL_ACCOUNT_ALREADY_LINKED")


async def test_refresh_token_of_somebody_else_gives_a_client_nothing(
    gatepost: Application, sign: Signer
) -> None:
    await gatepost.browser().dance("one")
    (ann,) = await gatepost.rows("SELECT id, refresh_token FROM accounts")
    thief = await gatepost.signed_up("thief@example.com", verified=False)
    token = await sign(sub="thief", email="thief@example.com")
    answer = await given(thief, token, "/link-social", refreshToken=ann["refresh_token"])
    assert answer.status_code == 200
    (own,) = await gatepost.rows("SELECT id FROM accounts WHERE account_id = 'thief'")
    answer = await thief.post("/refresh-token", accountId=str(own["id"]))
    assert outcome(answer)[:2] == (400, "FAILED_TO_REFRESH_ACCESS_TOKEN")
    assert await gatepost.rows("SELECT FROM accounts WHERE access_token = 'new'") == []


async def test_own_tokens_are_refreshed(gatepost: Application) -> None:
    browser = gatepost.browser()
    await browser.dance("one")
    (own,) = await gatepost.rows("SELECT id FROM accounts")
    answer = await browser.post("/refresh-token", accountId=str(own["id"]))
    assert answer.json()["accessToken"] == "new"
