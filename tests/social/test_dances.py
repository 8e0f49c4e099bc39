"""A sign-in with each provider, from the button to the rows: what is asked, what is written.

The providers are the ones of ``hosts``, under their own names: the addresses that Gatepost has, and
its TLS, are what is used.
"""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from tests.social.conftest import Rows
from tests.social.hosts.profiles import PHOTO
from tests.social.hosts.stand_in import SECRET, client_id
from tests.social.running_hosts import BUILT_IN, PLAYED, RunningHosts
from tests.social.visitor import Visitor
from tests.support import Service

PICTURE: Final = "https://pictures.test/ada.png"


@dataclass(frozen=True)
class Expected:
    """A row of the table of providers: what it is asked, and what is kept of its answers."""

    scope: str
    """Asked for, in order."""
    pkce: bool = True
    nonce: bool = False
    basic: bool = False
    hint: bool = False
    parameters: dict[str, str] = field(default_factory=dict)
    """Further ones of the authorization address."""
    asked: tuple[str, ...] = ()
    """The endpoints after the token's."""
    email: str = "ada@example.com"
    verified: bool = True
    image: str | None = PICTURE
    stored_scope: str = ""
    refresh_token: bool = False
    id_token: bool = False
    expires: bool = True


EXPECTED: Final = {
    "google": Expected(
        "email profile openid", nonce=True, hint=True, asked=("keys",), id_token=True,
        parameters={"include_granted_scopes": "true"},
        stored_scope="https://www.googleapis.com/auth/userinfo.email,"
        "https://www.googleapis.com/auth/userinfo.profile,openid",
    ),
    "github": Expected(
        "read:user user:email", hint=True, asked=("user", "emails"), expires=False,
        stored_scope="read:user,user:email",
    ),
    "microsoft": Expected(
        "openid profile email User.Read offline_access", nonce=True, hint=True,
        asked=("keys", "$value"), refresh_token=True, id_token=True,
        image=f"data:image/jpeg;base64, {b64encode(PHOTO).decode()}",
        stored_scope="openid,profile,email,User.Read,offline_access",
    ),
    "apple": Expected(
        "email name", nonce=True, asked=("keys",), image=None, refresh_token=True, id_token=True,
        parameters={"response_mode": "form_post"},
    ),
    "discord": Expected(
        "identify email", pkce=False, asked=("@me",), refresh_token=True,
        parameters={"prompt": "none"}, stored_scope="identify,email",
        image="https://cdn.discordapp.com/avatars/1001/a_0123456789abcdef.gif",
    ),
    "facebook": Expected(
        "email public_profile", pkce=False, hint=True, asked=("debug_token", "me"), verified=False,
    ),
    "gitlab": Expected(
        "read_user", hint=True, asked=("user",), verified=False, refresh_token=True,
        stored_scope="read_user",
    ),
    "linkedin": Expected(
        "profile email openid", pkce=False, hint=True, asked=("userinfo",), id_token=True,
        stored_scope="profile,email,openid",
    ),
    "slack": Expected(
        "openid profile email", pkce=False, asked=("openid.connect.userInfo",), id_token=True,
        expires=False,
    ),
    "spotify": Expected(
        "user-read-email", asked=("me",), verified=False, refresh_token=True,
        stored_scope="user-read-email",
    ),
    "twitter": Expected(
        "users.read tweet.read offline.access users.email", basic=True, asked=("me", "me"),
        refresh_token=True, stored_scope="users.read,tweet.read,offline.access,users.email",
    ),
    "twitch": Expected(
        "user:read:email openid", pkce=False, nonce=True, asked=("keys",), refresh_token=True,
        id_token=True, stored_scope="user:read:email,openid",
    ),
    "openid": Expected(
        "openid profile email offline_access", nonce=True, hint=True, asked=("keys",),
        refresh_token=True, id_token=True, stored_scope="openid,profile,email,offline_access",
    ),
    "plain": Expected("read", hint=True, asked=("user",), expires=False, stored_scope="read"),
}  # fmt: skip

each_provider = pytest.mark.parametrize("provider", PLAYED)


@each_provider
async def test_somebody_new_signs_in(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    danced = await visitor.dance(provider, newUserCallbackURL="/hello?new=1#top")
    assert danced.location == "/hello?new=1#top"
    row, expected = await rows.account(provider, "1001"), EXPECTED[provider]
    assert row is not None
    assert {name: row[name] for name in ("user_name", "email", "email_verified", "image")} == {
        "user_name": "Ada Lovelace",
        "email": expected.email,
        "email_verified": expected.verified,
        "image": expected.image,
    }
    assert row["scope"] == expected.stored_scope
    assert row["access_token"].startswith(f"{provider}.access.")
    assert bool(row["refresh_token"]) == expected.refresh_token
    assert bool(row["id_token"]) == expected.id_token
    assert bool(row["access_token_expires_at"]) == expected.expires
    assert row["password"] is None
    assert await rows.counts() == (1, 1, 1)
    session = await visitor.session()
    assert session is not None
    assert session["user"]["id"] == str(row["user_id"])


@each_provider
async def test_provider_is_asked_as_it_wants(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor, service: Service
) -> None:
    danced = await visitor.dance(provider, loginHint="ada@example.com")
    assert danced.location == "/welcome"
    expected, asked = EXPECTED[provider], danced.authorization
    callback = f"{service.url}/api/auth/callback/{provider}"
    assert asked["client_id"] == client_id(provider)
    assert asked["redirect_uri"] == callback
    assert asked["scope"] == expected.scope
    assert len(asked["state"]) == 32
    assert asked["response_type"] == ("code id_token" if provider == "apple" else "code")
    assert ("code_challenge" in asked) == expected.pkce
    assert asked.get("code_challenge_method") == ("S256" if expected.pkce else None)
    assert ("nonce" in asked) == expected.nonce
    assert asked.get("login_hint") == ("ada@example.com" if expected.hint else None)
    assert expected.parameters.items() <= asked.items()

    (token,) = hosts.asked(provider, "token")
    assert token.form["grant_type"] == "authorization_code"
    assert token.form["redirect_uri"] == callback
    assert ("code_verifier" in token.form) == expected.pkce
    assert token.headers["accept"] == "application/json"
    assert ("client_secret" not in token.form) == expected.basic
    assert ("authorization" in token.headers) == expected.basic
    endpoints = [each.endpoint for each in hosts.asked(provider)]
    after = endpoints[endpoints.index("token") + 1 :]
    # keys are kept, so only the first sign-in asks for them
    assert [each for each in after if each != "keys"] == [
        each for each in expected.asked if each != "keys"
    ]
    for each in hosts.asked(provider):
        if each.endpoint != "authorize":
            assert each.headers["user-agent"] == "Gatepost"
            assert SECRET not in str(each.query) or each.endpoint == "debug_token"
    (session,) = [step for step in danced.steps if step.url.startswith(f"{callback}?")][-1:]
    cleared, set_session = session.set_cookies[0], session.set_cookies[-1]
    assert "Max-Age=0" in cleared
    assert "session_token=" in set_session


@each_provider
async def test_user_who_comes_again_is_the_same(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    await visitor.dance(provider)
    before = await rows.account(provider, "1001")
    hosts.sign_in_as(provider, name="Somebody Else", email="moved@example.com")
    danced = await visitor.dance(provider, newUserCallbackURL="/hello")
    assert danced.location == "/welcome"
    after = await rows.account(provider, "1001")
    assert before is not None
    assert after is not None
    kept = ("id", "user_id", "user_name", "email", "image", "scope")
    assert [after[name] for name in kept] == [before[name] for name in kept]
    assert after["access_token"] != before["access_token"]
    assert await rows.counts() == (1, 1, 1)  # the session that the browser had has ended


@each_provider
async def test_account_is_linked_to_who_is_signed_in(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    first = "github" if provider != "github" else "discord"
    await visitor.dance(first)
    danced = await visitor.link(provider)
    if EXPECTED[provider].verified:
        assert danced.location == "/welcome"
        linked = await rows.account(provider, "1001")
        assert linked is not None
        assert linked["email"] == "ada@example.com"
        assert linked["scope"] == EXPECTED[provider].stored_scope
        assert await rows.counts() == (1, 2, 1)
        accounts = (await visitor.get("/list-accounts")).json()
        assert {each["providerId"] for each in accounts} == {first, provider}
    else:  # its word for an address is not worth enough
        assert danced.location == "/oops?error=unable_to_link_account"
        assert await rows.counts() == (1, 1, 1)


@each_provider
async def test_account_joins_the_user_with_the_same_address(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    first = "github" if provider != "github" else "discord"
    await visitor.dance(first)
    await visitor.post("/sign-out")
    danced = await visitor.dance(provider, newUserCallbackURL="/hello")
    if EXPECTED[provider].verified:
        assert danced.location == "/welcome"
        assert await rows.counts() == (1, 2, 1)
    else:
        assert danced.location == "/oops?error=account_not_linked"
        assert await rows.counts() == (1, 1, 0)


@each_provider
async def test_unverified_address_joins_nobody(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    first = "github" if provider != "github" else "discord"
    await visitor.dance(first)
    hosts.sign_in_as(provider, verified=False)
    danced = await visitor.dance(provider)
    if provider == "twitter":  # names an address only when it is confirmed
        assert danced.location == "/welcome"
        row = await rows.account(provider, "1001")
        assert row is not None
        assert (row["email"], row["email_verified"]) == ("1001@twitter.placeholder.invalid", False)
    else:
        assert danced.location == "/oops?error=account_not_linked"
        assert await rows.account(provider, "1001") is None


@each_provider
async def test_person_without_address_is_refused(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    if provider == "github":
        hosts.sign_in_as(provider, emails=[])
    else:
        hosts.sign_in_as(provider, email=None)
    danced = await visitor.dance(provider)
    if provider == "twitter":
        assert danced.location == "/welcome"
    else:
        assert danced.location == "/oops?error=email_not_found"
        assert await rows.counts() == (0, 0, 0)


SUBJECTS: Final[dict[str, dict[str, Any]]] = {
    "microsoft": {"without": ["oid"]},
    "slack": {"without": ["https://slack.com/user_id"]},
    **{
        each: {"profile": {"id": None}}
        for each in ("github", "discord", "facebook", "gitlab", "spotify", "twitter", "plain")
    },
    "linkedin": {"profile": {"sub": ""}},
    **{each: {"claims": {"sub": ""}} for each in ("google", "apple", "twitch", "openid")},
}


@each_provider
async def test_person_without_subject_is_refused(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    hosts.sign_in_as(provider, **SUBJECTS[provider])
    danced = await visitor.dance(provider)
    assert danced.location == "/oops?error=unable_to_get_user_info"
    assert await rows.counts() == (0, 0, 0)


@each_provider
async def test_person_who_declines_comes_back_with_that(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    denied = {"code": None, "error": "access_denied", "error_description": "not today, thanks"}
    hosts.sign_in_as(provider, callback=denied)
    danced = await visitor.dance(provider)
    assert danced.location == ("/oops?error=access_denied&error_description=not+today%2C+thanks")
    assert hosts.asked(provider, "token") == []
    assert await rows.counts() == (0, 0, 0)


@pytest.mark.parametrize("provider", [each for each in PLAYED if EXPECTED[each].refresh_token])
async def test_tokens_are_refreshed(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    await visitor.dance(provider)
    before = await rows.account(provider, "1001")
    assert before is not None
    answer = await visitor.post("/refresh-token", {"accountId": str(before["id"])})
    assert answer.status_code == 200, answer.text
    after = await rows.account(provider, "1001")
    assert after is not None
    assert answer.json()["accessToken"] == after["access_token"] != before["access_token"]
    assert hosts.asked(provider, "token")[-1].form["refresh_token"] == before["refresh_token"]
    assert after["refresh_token"]
    again = await visitor.post("/refresh-token", {"accountId": str(before["id"])})
    assert again.status_code == 200, again.text


@each_provider
async def test_account_info_says_who_it_is(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    await visitor.dance(provider)
    row = await rows.account(provider, "1001")
    assert row is not None
    answer = await visitor.get(f"/account-info?accountId={row['id']}")
    assert answer.status_code == 200, answer.text
    expected = EXPECTED[provider]
    user = answer.json()["user"]
    assert user["email"] == expected.email
    assert user["emailVerified"] == expected.verified


def test_every_built_in_provider_has_its_row() -> None:
    assert set(EXPECTED) == set(PLAYED) > set(BUILT_IN)
