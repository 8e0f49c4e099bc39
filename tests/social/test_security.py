"""What protects a sign-in with a provider, each point with its tests.

What is kept
1. State belongs to the browser, is good once: ``another_browser_is_refused_and_spoils_nothing``,
   ``state_is_good_once``, ``one_of_many_answers_gets_in``, ``verifier_stays_inside``
2. Places are checked when they enter: ``foreign_place_is_refused``,
   ``additional_data_reaches_nothing_of_the_server``
3. Joining needs proof on both sides: ``user_who_proved_nothing_is_not_joined``,
   ``text_false_is_not_verified``; per provider in test_dances
4. Linking: ``link_ends_with_the_session_that_asked``, ``link_wants_the_same_address``,
   ``account_of_another_user_is_not_linked``
5. The subject: ``test_dances: person_without_subject_is_refused``
6. ID tokens: ``forged_id_token_is_refused``, ``sent_id_token_is_checked``,
   ``token_of_another_app_is_refused``, ``hosted_domain_is_enforced``
7. No redirects followed, deadlines, nothing in logs and lists: test_faults,
   ``lists_and_addresses_hold_no_token``
8. Token endpoints act for the session's user: ``token_of_another_user_is_out_of_reach``

Where the reference is weaker
- state bound to its provider: ``answer_at_another_provider_is_refused``
- ``iss`` demanded: ``issuer_of_the_answer_is_demanded``
- ID tokens of the token endpoint verified, and demanded: ``forged_id_token_is_refused``,
  ``id_token_is_demanded``
- one of several at once: ``one_of_many_answers_gets_in``, ``same_new_person_twice_is_one_user``,
  ``rotating_token_is_used_once``
- two tabs: ``two_tabs_both_get_in``
- addresses: ``address_that_is_none_is_refused``, ``taken_address_is_not_taken_over``
- configuration fails closed: tests/unit/test_provider_settings.py,
  ``provider_with_an_untrusted_certificate_is_not_found``
- tokens in the database: ``tokens_at_rest_are_encrypted``; state in a cookie:
  ``state_in_a_cookie_is_bound_all_the_same``
- account-info after the ID token: ``account_info_outlives_the_id_token``
- who came with another's address first: tests/integration/social/test_joining.py,
  ``stranger_who_came_with_the_address_first_is_out_after_a_reset``,
  ``address_that_only_looks_like_the_users_in_small_letters_does_not_join``
- a refresh token from anywhere: test_id_tokens.py there,
  ``refresh_token_of_somebody_else_gives_a_client_nothing``
- a session that ends in the midst: test_linking.py there,
  ``session_that_is_revoked_while_the_provider_is_asked_links_nothing``
- a provider that means ill: tests/unit/social, ``private_part_of_a_key_is_not_read``,
  ``answer_that_is_none_fails_in_words``
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from tests.social.conftest import Rows, RunService
from tests.social.running_hosts import PLAYED, RunningHosts
from tests.social.visitor import Visitor
from tests.support import Service

MISMATCH: Final = "/oops?error=state_mismatch"
NO_PROFILE: Final = "/oops?error=unable_to_get_user_info"
SIGNING: Final = ("google", "microsoft", "apple", "twitch", "openid")
NOW: Final = int(time.time())
FORGED: Final[dict[str, dict[str, Any]]] = {
    "another issuer": {"claims": {"iss": "https://evil.example"}},
    "an issuer with a slash more": {"claims": {"iss": "https://accounts.google.com/"}},
    "another audience": {"claims": {"aud": "another-client"}},
    "no audience": {"without": ["aud"]},
    "another's azp": {"claims": {"aud": ["CLIENT", "another"], "azp": "another"}},
    "expired": {"claims": {"exp": NOW - 60}},
    "no exp": {"without": ["exp"]},
    "no iat": {"without": ["iat"]},
    "no sub": {"without": ["sub"]},
    "from the future": {"claims": {"iat": NOW + 3600, "exp": NOW + 7200}},
    "not yet": {"claims": {"nbf": NOW + 3600}},
    "another nonce": {"claims": {"nonce": "another"}},
    "no nonce": {"without": ["nonce"]},
    "unsigned": {"key": "none"},
    "a stranger's key": {"key": "stranger"},
    "HMAC with the secret": {"key": "hmac"},
}


@pytest.mark.parametrize("provider", SIGNING)
async def test_forged_id_token_is_refused(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    for what, forged in FORGED.items():
        hosts.reset(provider)
        claims = dict(forged.get("claims", {}))
        if isinstance(claims.get("aud"), list):
            claims["aud"] = [f"{provider}-client", "another"]
        hosts.sign_in_as(provider, **{**forged, "claims": claims})
        danced = await visitor.dance(provider)
        assert danced.location == NO_PROFILE, what
    assert await rows.counts() == (0, 0, 0)
    hosts.reset(provider)
    assert (await visitor.dance(provider)).location == "/welcome"


@pytest.mark.parametrize("provider", SIGNING)
async def test_id_token_is_demanded(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    hosts.sign_in_as(provider, id_token=False)
    assert (await visitor.dance(provider)).location == NO_PROFILE
    assert await rows.counts() == (0, 0, 0)


@pytest.mark.parametrize("provider", ["google", "microsoft", "apple", "facebook", "openid"])
async def test_sent_id_token_is_checked(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    async def send(nonce: str | None = None) -> int:
        token = hosts.id_token(provider, nonce="n-1")
        given = {"token": token} | ({"nonce": nonce} if nonce else {})
        body = {"provider": provider, "idToken": given}
        return (await visitor.post("/sign-in/social", body)).status_code

    for what in ("another issuer", "another audience", "expired", "unsigned", "a stranger's key"):
        hosts.reset(provider)
        hosts.sign_in_as(provider, **FORGED[what])
        assert await send() == 401, what
    hosts.reset(provider)
    hosts.sign_in_as(provider, without=["nonce"])
    assert await send("n-1") == 401
    hosts.reset(provider)
    assert await send("n-2") == 401
    assert await rows.counts() == (0, 0, 0)
    assert await send("n-1") == 200
    assert await rows.counts() == (1, 1, 1)


async def test_token_of_another_app_is_refused(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    for claims in ({"app_id": "another"}, {"is_valid": False}, {"user_id": "1002"}):
        hosts.reset("facebook")
        hosts.sign_in_as("facebook", claims=claims)
        token = hosts.access_token("facebook")
        body = {"provider": "facebook", "idToken": {"token": token, "accessToken": token}}
        assert (await visitor.post("/sign-in/social", body)).status_code == 401, claims
        assert (await visitor.dance("facebook")).location == NO_PROFILE, claims
    assert await rows.counts() == (0, 0, 0)


async def test_token_of_another_tenant_is_refused(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    hosts.sign_in_as("microsoft", claims={"tid": "00000000-0000-0000-0000-000000000000"})
    assert (await visitor.dance("microsoft")).location == NO_PROFILE


async def test_profile_of_another_subject_is_refused(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    hosts.sign_in_as("openid", without=["email"], profile={"sub": "1002"})
    assert (await visitor.dance("openid")).location == NO_PROFILE


async def test_account_that_is_locked_is_refused(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    for profile in ({"state": "blocked"}, {"locked": True}):
        hosts.sign_in_as("gitlab", profile=profile)
        assert (await visitor.dance("gitlab")).location == NO_PROFILE


@pytest.mark.parametrize("provider", PLAYED)
async def test_another_browser_is_refused_and_spoils_nothing(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor, service: Service
) -> None:
    callback = await visitor.up_to_callback(await visitor.begin(provider))
    async with Visitor(service.url, hosts) as attacker:
        assert await attacker.come_back(callback) == MISMATCH
        await attacker.begin(provider)  # with a cookie of their own
        assert await attacker.come_back(callback) == MISMATCH
        assert await attacker.session() is None
    assert hosts.asked(provider, "token") == []
    assert await visitor.come_back(callback) == "/welcome"


@pytest.mark.parametrize("provider", PLAYED)
async def test_state_is_good_once(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor, service: Service
) -> None:
    callback = await visitor.up_to_callback(await visitor.begin(provider))
    kept = dict(visitor.http.cookies)
    assert await visitor.come_back(callback) == "/welcome"
    for name, value in kept.items():
        visitor.http.cookies.set(name, value, domain="127.0.0.1")
    again = await visitor.come_back(callback)
    assert again == f"{service.url}/api/auth/error?error=state_mismatch"
    assert len(hosts.asked(provider, "token")) == 1


@pytest.mark.parametrize("provider", PLAYED)
async def test_answer_at_another_provider_is_refused(
    provider: str, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    callback = await visitor.up_to_callback(await visitor.begin(provider))
    for other in PLAYED:
        if other != provider:
            elsewhere = callback.replace(f"/callback/{provider}?", f"/callback/{other}?")
            assert await visitor.come_back(elsewhere) == MISMATCH
            assert hosts.asked(other, "token") == []
    assert await visitor.come_back(callback) == "/welcome"


async def test_one_of_many_answers_gets_in(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    callback = await visitor.up_to_callback(await visitor.begin("google"))
    ends = await asyncio.gather(*(visitor.come_back(callback) for _ in range(5)))
    assert sum("error=" not in end for end in ends) == 1
    assert all("error=state_mismatch" in end for end in ends if end != "/welcome")
    assert len(hosts.asked("google", "token")) == 1
    assert await rows.counts() == (1, 1, 1)


async def test_verifier_stays_inside(hosts: RunningHosts, rows: Rows, visitor: Visitor) -> None:
    danced = await visitor.dance("google")
    (token,) = hosts.asked("google", "token")
    verifier = token.form["code_verifier"]
    seen = f"{danced.url} {danced.location} {danced.steps} {dict(visitor.http.cookies)}"
    assert len(verifier) == 128
    assert verifier not in seen
    for step in danced.steps:
        assert verifier not in str(step.set_cookies)


async def test_two_tabs_both_get_in(hosts: RunningHosts, rows: Rows, visitor: Visitor) -> None:
    first, second = await visitor.begin("google"), await visitor.begin("github")
    assert (await visitor.follow(first)).location == "/welcome"
    assert (await visitor.follow(second)).location == "/welcome"
    assert (await rows.counts())[:2] == (1, 2)


async def test_issuer_of_the_answer_is_demanded(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    for issuer in (None, "https://evil.example", "https://id.openid.test/"):
        hosts.sign_in_as("openid", callback={"iss": issuer})
        assert (await visitor.dance("openid")).location == "/oops?error=issuer_mismatch"
    assert hosts.asked("openid", "token") == []


async def test_foreign_place_is_refused(hosts: RunningHosts, rows: Rows, visitor: Visitor) -> None:
    for name in ("callbackURL", "errorCallbackURL", "newUserCallbackURL"):
        for place in (
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example",
            "javascript:0",
        ):
            answer = await visitor.post("/sign-in/social", {"provider": "google", name: place})
            assert answer.status_code == 403, place


async def test_additional_data_reaches_nothing_of_the_server(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    await visitor.dance("github")
    victim = await rows.account("github", "1001")
    assert victim is not None
    await visitor.post("/sign-out")
    hosts.sign_in_as("google", subject="6666", email="mallory@example.com")
    data = {
        "link": {"userId": str(victim["user_id"]), "email": "mallory@example.com"},
        "callbackURL": "https://evil.example", "errorURL": "https://evil.example",
        "newUserURL": "https://evil.example", "provider": "github", "oauthState": "x",
        "codeVerifier": "y", "expiresAt": 0, "requestSignUp": True, "idTokenNonce": None,
    }  # fmt: skip
    danced = await visitor.dance("google", additionalData=data)
    assert danced.location == "/welcome"
    mallory = await rows.account("google", "6666")
    assert mallory is not None
    assert mallory["user_id"] != victim["user_id"]


async def test_user_who_proved_nothing_is_not_joined(
    hosts: RunningHosts, rows: Rows, visitor: Visitor, service: Service
) -> None:
    async with Visitor(service.url) as mallory:
        body = {"email": "ada@example.com", "password": "a pass phrase of mallory's", "name": "M"}
        assert (await mallory.post("/sign-up/email", body)).status_code == 200
    for provider in PLAYED:
        danced = await visitor.dance(provider)
        assert danced.location == "/oops?error=account_not_linked", provider
    assert (await rows.counts())[:2] == (1, 1)


async def test_text_false_is_not_verified(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    await visitor.dance("github")
    for value in ("false", 1, "yes", [True], {}, None):
        hosts.sign_in_as("google", claims={"email_verified": value})
        assert (await visitor.dance("google")).location == "/oops?error=account_not_linked", value


async def test_link_ends_with_the_session_that_asked(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    await visitor.dance("github")
    callback = await visitor.up_to_callback(await visitor.begin("google", "/link-social"))
    await visitor.post("/sign-out")
    assert await visitor.come_back(callback) == "/oops?error=unable_to_link_account"
    assert await rows.account("google", "1001") is None


async def test_link_wants_the_same_address(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    await visitor.dance("github")
    hosts.sign_in_as("google", email="mallory@example.com")
    danced = await visitor.link("google")
    assert danced.error is not None
    assert danced.error.replace("'", "") == "email_does_not_match"
    assert await rows.account("google", "1001") is None


async def test_account_of_another_user_is_not_linked(
    hosts: RunningHosts, rows: Rows, visitor: Visitor, service: Service
) -> None:
    hosts.sign_in_as("google", email="grace@example.com")
    async with Visitor(service.url, hosts) as grace:
        await grace.dance("google")
    await visitor.dance("github")
    hosts.sign_in_as("google", email="ada@example.com")
    danced = await visitor.link("google")
    assert danced.error == "account_already_linked_to_different_user"
    account = await rows.account("google", "1001")
    assert account is not None
    assert account["email"] == "grace@example.com"


async def test_token_of_another_user_is_out_of_reach(
    hosts: RunningHosts, rows: Rows, visitor: Visitor, service: Service
) -> None:
    await visitor.dance("discord")
    account = await rows.account("discord", "1001")
    assert account is not None
    hosts.sign_in_as("discord", subject="6666", email="mallory@example.com")
    async with Visitor(service.url, hosts) as mallory:
        await mallory.dance("discord")
        body = {"accountId": str(account["id"]), "userId": str(account["user_id"])}
        for path in ("/get-access-token", "/refresh-token", "/unlink-account"):
            answer = await mallory.post(path, body)
            assert answer.status_code == 400, path
            assert "discord.access" not in answer.text
        answer = await mallory.get(f"/account-info?accountId={account['id']}")
        assert answer.status_code == 400
    assert await rows.account("discord", "1001") == account


async def test_lists_and_addresses_hold_no_token(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    danced = await visitor.dance("discord")
    account = await rows.account("discord", "1001")
    assert account is not None
    listed = (await visitor.get("/list-accounts")).text
    session = (await visitor.get("/get-session")).text
    for token in (account["access_token"], account["refresh_token"]):
        assert token not in listed + session + str(danced)


async def test_same_new_person_twice_is_one_user(
    hosts: RunningHosts, rows: Rows, visitor: Visitor, service: Service
) -> None:
    async with Visitor(service.url, hosts) as other:
        callbacks = [
            (who, await who.up_to_callback(await who.begin("google"))) for who in (visitor, other)
        ]
        ends = await asyncio.gather(*(who.come_back(callback) for who, callback in callbacks))
    assert ends == ["/welcome", "/welcome"]
    assert await rows.counts() == (1, 1, 2)


async def test_rotating_token_is_used_once(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    await visitor.dance("discord")
    await rows.connection.execute("UPDATE accounts SET access_token_expires_at = now()")
    account = await rows.account("discord", "1001")
    assert account is not None
    body = {"accountId": str(account["id"])}
    answers = await asyncio.gather(*(visitor.post("/get-access-token", body) for _ in range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10
    assert len({answer.json()["accessToken"] for answer in answers}) == 1
    assert len(hosts.asked("discord", "token")) == 2  # the code, and one refresh


@pytest.mark.parametrize(
    "email",
    ["not an address", "ada＠example.com", "ada@exa mple.com", "a\0b@example.com",
     "a" * 300 + "@example.com", "ada@example.com\r\nBcc: all@example.com", "@", ["a@b.c"], 5, {}],
)  # fmt: skip
async def test_address_that_is_none_is_refused(
    email: Any, hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    hosts.sign_in_as("google", email=email)
    hosts.sign_in_as("discord", email=email)
    for provider in ("google", "discord"):
        danced = await visitor.dance(provider)
        assert danced.error in ("email_not_found", "unable_to_get_user_info")
    assert await rows.counts() == (0, 0, 0)


async def test_account_info_outlives_the_id_token(
    hosts: RunningHosts, rows: Rows, visitor: Visitor
) -> None:
    await visitor.dance("openid")
    account = await rows.account("openid", "1001")
    assert account is not None
    hosts.sign_in_as("openid", claims={"exp": NOW - 3600, "iat": NOW - 7200})
    expired = hosts.id_token("openid")
    await rows.connection.execute("UPDATE accounts SET id_token = $1", expired)
    answer = await visitor.get(f"/account-info?accountId={account['id']}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["user"]["email"] == "ada@example.com"


@pytest.fixture(scope="module")
def strict_service(run_service: RunService) -> Iterator[Service]:
    """A service with other settings: state in a cookie, tokens encrypted, rules of providers."""
    stranger = {
        "id": "stranger",
        "client_id": "c",
        "client_secret": "s",
        "discovery_url": "https://stranger.openid.test/.well-known/openid-configuration",
    }
    providers = {
        "google": {"hosted_domain": "example.com"},
        "discord": {"override_user_info": True},
    }
    settings = {"GATEPOST_ENCRYPT_OAUTH_TOKENS": "true", "GATEPOST_OAUTH_STATE": "cookie"}
    with run_service(providers, [stranger], **settings) as running:
        yield running


@pytest.fixture
async def strict(strict_service: Service, hosts: RunningHosts) -> AsyncIterator[Visitor]:
    """Somebody who visits that one, whose tables are empty."""
    connection = await asyncpg.connect(strict_service.database_url)
    await connection.execute("TRUNCATE users, accounts, sessions, verifications CASCADE")
    await connection.close()
    async with Visitor(strict_service.url, hosts) as somebody:
        yield somebody


async def test_taken_address_is_not_taken_over(hosts: RunningHosts, strict: Visitor) -> None:
    await strict.dance("github")
    await strict.post("/sign-out")
    hosts.sign_in_as("discord", email="grace@example.com", name="Grace")
    await strict.dance("discord")
    hosts.sign_in_as("discord", email="ada@example.com", name="Grace Hopper")
    assert (await strict.dance("discord")).location == "/welcome"
    session = await strict.session()
    assert session is not None
    assert session["user"]["email"] == "grace@example.com"
    assert session["user"]["name"] == "Grace Hopper"


async def test_hosted_domain_is_enforced(hosts: RunningHosts, strict: Visitor) -> None:
    for claims in ({}, {"hd": "evil.example"}, {"hd": ""}):
        hosts.reset("google")
        hosts.sign_in_as("google", claims=claims)
        assert (await strict.dance("google")).location == NO_PROFILE, claims
    hosts.sign_in_as("google", claims={"hd": "example.com"})
    assert (await strict.dance("google")).location == "/welcome"


async def test_provider_with_an_untrusted_certificate_is_not_found(
    strict: Visitor, strict_service: Service
) -> None:
    answer = await strict.post("/sign-in/social", {"provider": "stranger"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "PROVIDER_NOT_FOUND"
    assert "certificate" in strict_service.log.read_text()


async def test_tokens_at_rest_are_encrypted(
    hosts: RunningHosts, strict: Visitor, strict_service: Service
) -> None:
    hosts.sign_in_as("google", claims={"hd": "example.com"})
    for number, provider in enumerate(PLAYED):
        hosts.sign_in_as(provider, email=f"ada{number}@example.com")
        assert (await strict.dance(provider)).location == "/welcome", provider
    connection = await asyncpg.connect(strict_service.database_url)
    stored = await connection.fetch("SELECT access_token, refresh_token FROM accounts")
    await connection.close()
    assert len(stored) == len(PLAYED)
    for access, refresh in stored:
        assert bytes.fromhex(access)
        assert refresh is None or bytes.fromhex(refresh)


async def test_state_in_a_cookie_is_bound_all_the_same(
    hosts: RunningHosts, strict: Visitor, strict_service: Service
) -> None:
    callback = await strict.up_to_callback(await strict.begin("openid"))
    async with Visitor(strict_service.url, hosts) as other:
        assert "error=state_mismatch" in await other.come_back(callback)
    elsewhere = callback.replace("/callback/openid?", "/callback/google?")
    assert "error=state_mismatch" in await strict.come_back(elsewhere)
    assert hosts.asked("google", "token") == []
    assert await strict.come_back(callback) == "/welcome"
    assert "error=state_mismatch" in await strict.come_back(callback)
    assert len(hosts.asked("openid", "token")) == 1


async def test_state_of_an_answer_is_checked_first(
    hosts: RunningHosts, rows: Rows, visitor: Visitor, service: Service
) -> None:
    base = f"{service.url}/api/auth"
    for query in ("", "code=x", "error=access_denied", "state=", "state=unknown&code=x"):
        location = await visitor.come_back(f"{base}/callback/google?{query}")
        assert location.startswith(f"{base}/error?error=state_")
        assert parse_qs(urlsplit(location).query).keys() == {"error"}
    assert hosts.asked("google") == []
