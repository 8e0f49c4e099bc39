"""One address, two ways: whether an account of a provider joins a user who has its address."""

import json
from pathlib import Path
from typing import Any

import pytest

from .browser import ANN, Application
from .conftest import Start

LOCAL = "ann@example.com"
TRUSTED = {"GATEPOST_TRUSTED_PROVIDERS": "one"}


async def accounts(gatepost: Application) -> list[str]:
    rows = await gatepost.rows("SELECT provider_id FROM accounts ORDER BY 1")
    return [row["provider_id"] for row in rows]


@pytest.mark.parametrize(
    ("local", "believed", "settings", "joins"),
    [
        (True, True, {}, True),
        (False, True, {}, False),
        (True, False, {}, False),
        (False, False, {}, False),
        (True, False, TRUSTED, True),
        (False, True, TRUSTED, False),
        (False, False, TRUSTED, False),
        (True, False, {"GATEPOST_TRUSTED_PROVIDERS": "two"}, False),
        (True, True, {"GATEPOST_ACCOUNT_LINKING": "false"}, False),
        (True, True, {"GATEPOST_IMPLICIT_LINKING": "false"}, False),
        (False, True, {"GATEPOST_LINK_UNVERIFIED_USERS": "true"}, True),
        (False, False, {"GATEPOST_LINK_UNVERIFIED_USERS": "true"}, False),
    ],
)
async def test_account_joins_only_when_both_sides_have_proved_the_address(
    start: Start, local: bool, believed: bool, settings: dict[str, str], joins: bool
) -> None:
    async with start(**settings) as gatepost:
        await gatepost.signed_up(LOCAL, verified=local)
        browser = gatepost.browser()
        answer = await browser.dance("one", ANN | {"email_verified": believed})
        (row,) = await gatepost.rows("SELECT name, image, email_verified FROM users")
        assert (row["name"], row["image"]) == ("Local", None)
        if joins:
            assert answer.location == "/in"
            assert "one" in await accounts(gatepost)
            assert row["email_verified"]
            assert await browser.user() is not None
        else:
            assert answer.location == "/oops?error=account_not_linked"
            assert await accounts(gatepost) == ["credential"]
            assert row["email_verified"] == local
            assert await browser.user() is None


async def test_user_whom_an_account_joins_is_told_by_mail(start: Start, tmp_path: Path) -> None:
    mails = tmp_path / "mails"
    async with start(MAIL_FILE=str(mails)) as gatepost:
        await gatepost.signed_up(LOCAL, verified=True)
        for _ in range(2):
            assert (await gatepost.browser().dance("one")).location == "/in"
    told = [json.loads(line) for line in mails.read_text().splitlines()]
    assert [(mail["kind"], mail["email"], mail["provider"]) for mail in told] == [
        ("account-linked", LOCAL, "one")
    ]


async def test_stranger_who_has_claimed_the_address_keeps_nothing(start: Start) -> None:
    async with start(GATEPOST_LINK_UNVERIFIED_USERS="true") as gatepost:
        stranger = await gatepost.signed_up(LOCAL, verified=False)
        assert await stranger.user() is not None
        owner = gatepost.browser()
        assert (await owner.dance("one")).location == "/in"
        assert await accounts(gatepost) == ["one"]
        assert await stranger.user() is None
        answer = await stranger.post("/sign-in/email", email=LOCAL, password="correct horse")
        assert answer.status_code == 401
        assert await owner.user() is not None


VICTIM = {"sub": "mallory", "email": LOCAL, "email_verified": False}


async def reset(gatepost: Application) -> None:
    """The owner of the address takes the user back by a mail."""
    owner = gatepost.browser()
    assert (await owner.post("/request-password-reset", email=LOCAL)).is_success
    (row,) = await gatepost.rows(
        "SELECT identifier FROM verifications WHERE identifier LIKE 'reset-password:%'"
    )
    token = row["identifier"].partition(":")[2]
    answer = await owner.post("/reset-password", token=token, newPassword="a horse of the owner")
    assert answer.is_success, answer.text
    answer = await owner.post("/sign-in/email", email=LOCAL, password="a horse of the owner")
    assert answer.is_success, answer.text


async def test_stranger_who_came_with_the_address_first_is_out_after_a_reset(
    start: Start, tmp_path: Any
) -> None:
    mail = {"MAIL_FILE": str(tmp_path / "mails")}
    keeps = {"GATEPOST_REVOKE_SESSIONS_ON_PASSWORD_RESET": "false"}
    async with start(**mail, **keeps) as gatepost:
        stranger = gatepost.browser()
        assert (await stranger.dance("one", VICTIM)).location == "/welcome"
        await reset(gatepost)
        assert await accounts(gatepost) == ["credential"]
        assert await stranger.user() is None
        assert (await stranger.dance("one", VICTIM)).error == "account_not_linked"
        assert await stranger.user() is None


@pytest.mark.parametrize(
    ("verified", "settings"), [(True, {}), (False, {"GATEPOST_TRUSTED_PROVIDERS": "one"})]
)
async def test_account_that_is_believed_outlives_a_reset(
    start: Start, tmp_path: Any, verified: bool, settings: dict[str, str]
) -> None:
    async with start(MAIL_FILE=str(tmp_path / "mails"), **settings) as gatepost:
        browser = gatepost.browser()
        await browser.dance("one", VICTIM | {"email_verified": verified})
        await reset(gatepost)
        assert await accounts(gatepost) == ["credential", "one"]
        assert (await browser.dance("one", VICTIM)).location == "/in"


async def test_address_that_only_looks_like_the_users_in_small_letters_does_not_join(
    gatepost: Application,
) -> None:
    await gatepost.signed_up("mike@example.com", verified=True)
    stranger = gatepost.browser()
    another_mailbox = ANN | {"email": "mi\N{KELVIN SIGN}e@example.com"}
    assert (await stranger.dance("one", another_mailbox)).error == "email_not_found"
    assert await stranger.user() is None
    assert await accounts(gatepost) == ["credential"]


async def test_name_and_picture_are_taken_on_linking_when_that_is_set(start: Start) -> None:
    async with start(GATEPOST_UPDATE_USER_ON_LINK="true") as gatepost:
        await gatepost.signed_up(LOCAL, verified=True)
        await gatepost.browser().dance("one")
        assert await gatepost.rows("SELECT name, image, email FROM users") == [
            {"name": "Ann", "image": ANN["picture"], "email": LOCAL}
        ]


@pytest.mark.parametrize(
    ("provided", "more", "error"),
    [
        ({"disable_sign_up": True}, {"requestSignUp": True}, "signup_disabled"),
        ({"disable_implicit_sign_up": True}, {}, "signup_disabled"),
        ({"disable_implicit_sign_up": True}, {"requestSignUp": False}, "signup_disabled"),
        ({"disable_implicit_sign_up": True}, {"requestSignUp": True}, None),
    ],
)
async def test_sign_up_is_refused_when_that_is_set(
    start: Start, provided: dict[str, Any], more: dict[str, Any], error: str | None
) -> None:
    async with start(provided) as gatepost:
        answer = await gatepost.browser().dance("one", **more)
        assert answer.error == error
        assert len(await gatepost.rows("SELECT FROM users")) == (error is None)


async def test_refused_sign_up_does_not_hinder_joining(start: Start) -> None:
    async with start({"disable_sign_up": True}) as gatepost:
        await gatepost.signed_up(LOCAL, verified=True)
        assert (await gatepost.browser().dance("one")).location == "/in"


async def test_user_who_must_verify_the_address_gets_no_session_until_then(start: Start) -> None:
    async with start({"require_email_verification": True}) as gatepost:
        browser, unverified = gatepost.browser(), ANN | {"email_verified": False}
        assert (await browser.dance("one", unverified)).location == "/oops?error=email_not_verified"
        assert await accounts(gatepost) == ["one"]
        # the sign-in that brings the verification is still refused, the next one is not
        assert (await browser.dance("one")).location == "/oops?error=email_not_verified"
        assert await browser.user() is None
        assert (await browser.dance("one")).location == "/in"
        assert await browser.user() is not None


async def test_verified_newcomer_passes_where_verification_is_required(start: Start) -> None:
    async with start({"require_email_verification": True}) as gatepost:
        assert (await gatepost.browser().dance("one")).location == "/welcome"


OVERRIDE = {"override_user_info": True}


async def test_user_follows_the_provider_when_that_is_set(start: Start) -> None:
    async with start(OVERRIDE) as gatepost:
        await gatepost.browser().dance("one")
        later = {"sub": "ann-1", "name": "New", "email": "New@example.com", "email_verified": False}
        assert (await gatepost.browser().dance("one", later)).location == "/in"
        query = "SELECT name, image, email, email_verified AS verified FROM users"
        assert await gatepost.rows(query) == [
            {"name": "New", "image": ANN["picture"], "email": "new@example.com", "verified": False}
        ]


async def test_address_of_somebody_else_is_not_taken_over(start: Start) -> None:
    async with start(OVERRIDE) as gatepost:
        await gatepost.browser().dance("one")
        await gatepost.signed_up("taken@example.com", verified=True)
        browser = gatepost.browser()
        answer = await browser.dance("one", ANN | {"name": "New", "email": "taken@example.com"})
        assert answer.location == "/in"
        user = await browser.user()
        assert user is not None
        assert (user["name"], user["email"], user["emailVerified"]) == ("New", LOCAL, True)


async def test_newest_sessions_are_kept(start: Start) -> None:
    async with start(GATEPOST_MAX_SESSIONS="2") as gatepost:
        browsers = [gatepost.browser() for _ in range(3)]
        for browser in browsers:
            await browser.dance("one")
        assert [await browser.user() is not None for browser in browsers] == [False, True, True]


async def test_unverified_newcomer_gets_the_mail_when_that_is_set(
    start: Start, tmp_path: Any
) -> None:
    mails = tmp_path / "mails"
    settings = {"GATEPOST_SEND_VERIFICATION_ON_SIGN_UP": "true", "MAIL_FILE": str(mails)}
    async with start(**settings) as gatepost:
        await gatepost.browser().dance("one", ANN | {"email_verified": False})
        await gatepost.browser().dance("two", ANN | {"sub": "2", "email": "b@example.com"})
    (mail,) = mails.read_text().splitlines()
    assert '"kind":"verify-email","email":"ann@example.com"' in mail
