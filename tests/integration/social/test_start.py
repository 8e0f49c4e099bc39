"""POST /sign-in/social: what is asked, what is answered, and what is not imported."""

import json
import logging
import subprocess
import sys
from typing import Any

import httpx
import pytest

from app.auth.openapi import describe
from tests.support import ROOT, SECRET, environment

from .browser import ANN, BASE, Application, providers
from .conftest import Start

RESERVED = (
    "state, client_id, redirect_uri, response_type, code_challenge, code_challenge_method, nonce, "
    "scope"
)


async def test_address_at_the_provider_is_given_and_headed_for(
    gatepost: Application, provider: str
) -> None:
    browser = gatepost.browser()
    url = httpx.URL(await browser.start("one", loginHint="ann", scopes=["more"]))
    assert str(url).startswith(f"{provider}/one/authorize?")
    given = dict(url.params)
    assert given["client_id"] == "one"
    assert given["redirect_uri"] == f"{BASE}/api/auth/callback/one"
    assert (given["response_type"], given["code_challenge_method"]) == ("code", "S256")
    assert len(given["state"]) == len(given["nonce"]) == 32
    assert {"more", "openid"} <= set(given["scope"].split())
    answer = await browser.post("/sign-in/social", provider="one", disableRedirect=True)
    assert answer.json()["redirect"] is False
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({"provider": "nobody"}, 404, "PROVIDER_NOT_FOUND", "Provider not found"),
        ({"provider": ""}, 404, "PROVIDER_NOT_FOUND", "Provider not found"),
        ({}, 400, "VALIDATION_ERROR", "[body.provider] Invalid input"),
        (
            {"provider": "one", "scopes": "a"}, 400, "VALIDATION_ERROR",
            "[body.scopes] Invalid input: expected array, received string",
        ),
        (
            {"provider": "one", "additionalParams": {"a": 1}}, 400, "VALIDATION_ERROR",
            "[body.additionalParams.a] Invalid input: expected string, received number",
        ),
        (
            {"provider": "one", "additionalParams": {"nonce": "n"}}, 400, "VALIDATION_ERROR",
            "[body.additionalParams] additionalParams cannot include reserved OAuth parameters: "
            + RESERVED,
        ),
        (
            {"provider": "one", "idToken": {"token": "t", "user": {"name": {"firstName": 1}}}},
            400, "VALIDATION_ERROR",
            "[body.idToken.user.name.firstName] Invalid input: expected string, received number",
        ),
        (
            {"provider": "one", "callbackURL": "https://evil.example"},
            403, "INVALID_CALLBACK_URL", "Invalid callbackURL",
        ),
        (
            {"provider": "one", "errorCallbackURL": "https://evil.example"},
            403, "INVALID_ERROR_CALLBACK_URL", "Invalid errorCallbackURL",
        ),
        (
            {"provider": "one", "newUserCallbackURL": "//evil.example"},
            403, "INVALID_NEW_USER_CALLBACK_URL", "Invalid newUserCallbackURL",
        ),
    ],
)  # fmt: skip
async def test_wrong_body_is_refused(
    gatepost: Application, body: dict[str, Any], status: int, code: str, message: str
) -> None:
    answer = await gatepost.browser().post("/sign-in/social", **body)
    assert answer.status_code == status
    assert answer.json() == {"code": code, "message": message}
    assert await gatepost.rows("SELECT FROM verifications") == []


async def test_provider_that_cannot_be_discovered_is_as_none(start: Start, provider: str) -> None:
    nowhere = providers("http://127.0.0.1:9")
    async with start(GATEPOST_PROVIDERS=nowhere) as gatepost:
        answer = await gatepost.browser().post("/sign-in/social", provider="one")
        assert answer.status_code == 404
        assert answer.json()["code"] == "PROVIDER_NOT_FOUND"


@pytest.mark.parametrize("path", ["/sign-in/social", "/link-social"])
async def test_what_an_application_keeps_meanwhile_has_a_length(
    gatepost: Application, path: str
) -> None:
    browser = gatepost.browser()
    await browser.dance("one")
    for length, status in ((14_000, 200), (17_000, 400), (65_400, 400)):
        answer = await browser.post(path, provider="one", additionalData={"a": "b" * length})
        assert answer.status_code == status
    assert answer.json()["code"] == "VALIDATION_ERROR"
    assert len(await gatepost.rows("SELECT FROM verifications")) == 1


async def test_links_are_limited_like_sign_ins(start: Start) -> None:
    async with start(GATEPOST_RATE_LIMIT="memory") as gatepost:
        browser = gatepost.browser()
        await browser.dance("one")
        answers = [await browser.post("/link-social", provider="one") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]


async def test_sign_ins_are_limited(start: Start) -> None:
    async with start(GATEPOST_RATE_LIMIT="memory") as gatepost:
        browser = gatepost.browser()
        answers = [await browser.post("/sign-in/social", provider="one") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]


async def test_events_name_the_provider_and_no_address(
    gatepost: Application, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gatepost.security")
    await gatepost.browser().dance("one")
    await gatepost.browser().dance("two", ANN | {"sub": "2"})
    await gatepost.browser().dance("two", ANN | {"sub": "3", "email_verified": False})
    url = httpx.URL(await (browser := gatepost.browser()).start("one"))
    state = url.params["state"]
    await browser.back(f"/api/auth/callback/one?state={state}&error=ann@example.com")
    found = [
        (vars(record)["event"], vars(record)["fields"])
        for record in caplog.records
        if record.name == "gatepost.security"
    ]
    assert [
        (event, fields["outcome"], fields["provider"], fields.get("reason"))
        for event, fields in found
    ] == [
        ("sign_up", "ok", "one", None),
        ("sign_in", "ok", "one", None),
        ("account_linked", "ok", "two", None),
        ("sign_in", "ok", "two", None),
        ("sign_in", "refused", "two", "account_not_linked"),
        ("sign_in", "refused", "one", "provider_error"),
    ]
    assert all("user" in fields for _, fields in found[:4])
    assert "example.com" not in caplog.text
    assert state not in caplog.text


def loaded(provided: str) -> set[str]:
    settings = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": BASE,
        "GATEPOST_PROVIDERS": provided,
    }
    code = "import app.main, sys; app.main.create_app(); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env=environment("postgres://127.0.0.1:1/none") | settings,
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return {*done.stdout.split()}


def test_providers_that_are_off_are_not_imported() -> None:
    off = loaded("")
    assert "app.auth.no_providers" in off
    assert off.isdisjoint(("app.auth.social", "app.auth.cipher", "httpx"))
    on = loaded(json.dumps([{"id": "github", "client_id": "a", "client_secret": "b"}]))
    assert {"app.auth.social.callback", "app.auth.social.providers.github"} <= on
    assert "app.auth.social.providers.google" not in on


async def test_endpoints_are_described_with_their_errors(gatepost: Application) -> None:
    services = gatepost.app.state.auth
    described, _ = describe(services.social.routes, services, "auth")
    text = json.dumps(described["/sign-in/social"]["post"])
    for code in ("PROVIDER_NOT_FOUND", "OAUTH_LINK_ERROR", "EMAIL_NOT_VERIFIED", "INVALID_TOKEN"):
        assert f'"{code}"' in text
    assert '"SOCIAL_ACCOUNT_ALREADY_LINKED"' in json.dumps(described["/link-social"]["post"])
    assert {*described} == {
        "/sign-in/social", "/link-social", "/callback/{id}", "/get-access-token", "/refresh-token",
        "/account-info",
    }  # fmt: skip
