"""Every provider asked by its client: tokens, and what becomes of its profile."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest

from app.auth.social.authorization import authorization_url
from app.auth.social.client import OAuthClient, OAuthClients
from app.auth.social.provider import (
    InvalidCodeError,
    InvalidIdTokenError,
    Profile,
    ProviderUnavailableError,
    RefreshError,
    Tokens,
    UserInfoError,
)
from app.settings.providers import ProviderSettings, SocialSettings
from tests.social.hosts.profiles import PHOTO
from tests.social.running_hosts import PLAYED, RunningHosts, provider_settings, running_hosts

NONCE: Final = "nonce-of-ours"
VERIFIER: Final = "v" * 128
REDIRECT: Final = "https://app.example/api/auth/callback/"
VERIFIED: Final = ("google", "microsoft", "apple", "twitch", "openid")
"""Whose ID token says who it is."""
FURTHER: Final[dict[str, dict[str, Any]]] = {
    "google": {"access_type": "offline"},
}


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHosts]:
    with running_hosts(tmp_path_factory.mktemp("hosts")) as found:
        yield found


@pytest.fixture
async def clients(
    hosts: RunningHosts, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OAuthClients]:
    for name, value in hosts.proxied_environment().items():
        monkeypatch.setenv(name, value)
    hosts.reset()
    entries = [provider_settings(name, **FURTHER.get(name, {})) for name in PLAYED]
    found = OAuthClients(
        SocialSettings(providers=tuple(msgspec.convert(entries, list[ProviderSettings])))
    )
    yield found
    await found.close()


def client_of(clients: OAuthClients, name: str) -> OAuthClient:
    found = clients.get(name)
    assert found is not None
    return found


async def callback(hosts: RunningHosts, client: OAuthClient, **asked: Any) -> dict[str, str]:
    """What a browser brings back from the provider."""
    url = authorization_url(
        await client.provider(),
        client.settings,
        **{
            "state": "st", "code_verifier": VERIFIER, "nonce": NONCE, "scopes": [],
            "redirect_uri": REDIRECT + client.id, "login_hint": None, "request_parameters": {},
            **asked,
        }
    )  # fmt: skip
    tls = httpx.create_ssl_context(trust_env=True)
    async with httpx.AsyncClient(proxy=hosts.proxy, verify=tls, trust_env=False) as browser:
        answer = await browser.get(url)
    if answer.status_code == 302:
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert answer.status_code == 200, answer.text
    fields = answer.text.split('<input type="hidden" name="')[1:]
    return {
        name: rest.split('"')[0].replace("&quot;", '"')
        for name, _, rest in (field.partition('" value="') for field in fields)
    }


async def tokens_for(client: OAuthClient, code: str) -> Tokens:
    return await client.exchange(code, code_verifier=VERIFIER, redirect_uri=REDIRECT + client.id)


async def sign_in(hosts: RunningHosts, client: OAuthClient) -> tuple[Profile, Tokens]:
    brought = await callback(hosts, client)
    assert brought["state"] == "st"
    tokens = await tokens_for(client, brought["code"])
    found = await client.profile(tokens, nonce=NONCE, posted_user=brought.get("user"))
    return found, tokens


@pytest.mark.parametrize("name", PLAYED)
async def test_person_is_known_by_each_provider(
    hosts: RunningHosts, clients: OAuthClients, name: str
) -> None:
    client = client_of(clients, name)
    found, tokens = await sign_in(hosts, client)
    assert (found.subject, found.name) == ("1001", "Ada Lovelace")
    assert found.email == "ada@example.com"
    assert found.email_verified is (name not in ("facebook", "gitlab", "spotify"))
    images = {
        "apple": None,
        "microsoft": f"data:image/jpeg;base64, {b64encode(PHOTO).decode()}",
        "discord": "https://cdn.discordapp.com/avatars/1001/a_0123456789abcdef.gif",
    }
    assert found.image == images.get(name, "https://pictures.test/ada.png")
    assert tokens.access_token is not None
    if name == "apple":  # it posts the name at the first sign-in, and never again
        found = Profile(subject="1001", email=found.email, email_verified=True)
    again = await client.account_profile(tokens)
    assert (again.subject, again.name, again.email) == (found.subject, found.name, found.email)


@pytest.mark.parametrize("name", PLAYED)
async def test_code_is_good_once_and_with_its_verifier(
    hosts: RunningHosts, clients: OAuthClients, name: str
) -> None:
    client = client_of(clients, name)
    code = (await callback(hosts, client))["code"]
    await tokens_for(client, code)
    with pytest.raises(InvalidCodeError):
        await tokens_for(client, code)
    if not (await client.provider()).pkce:
        return
    code = (await callback(hosts, client, code_verifier="w" * 128))["code"]
    with pytest.raises(InvalidCodeError):
        await tokens_for(client, code)


@pytest.mark.parametrize("name", VERIFIED)
@pytest.mark.parametrize(
    "person",
    [
        {"key": "stranger"}, {"key": "none"}, {"key": "hmac"}, {"id_token": False},
        {"claims": {"iss": "https://evil.example"}}, {"claims": {"aud": "other"}},
        {"claims": {"nonce": "other"}}, {"without": ["nonce"]}, {"without": ["sub"]},
        {"claims": {"exp": 1}}, {"claims": {"iat": 2**40}}, {"without": ["iat"]},
        {"claims": {"aud": ["x", "y"]}},
    ],
    ids=str,
)  # fmt: skip
async def test_id_token_of_the_token_endpoint_is_verified(
    hosts: RunningHosts, clients: OAuthClients, name: str, person: dict[str, Any]
) -> None:
    hosts.sign_in_as(name, **person)
    with pytest.raises(UserInfoError):
        await sign_in(hosts, client_of(clients, name))


@pytest.mark.parametrize("name", PLAYED)
async def test_refresh_is_as_the_provider_wants_it(
    hosts: RunningHosts, clients: OAuthClients, name: str
) -> None:
    client = client_of(clients, name)
    profile, tokens = await sign_in(hosts, client)
    if tokens.refresh_token is None:
        with pytest.raises(RefreshError):
            await client.refresh("none", profile.subject)
        return
    new = await client.refresh(tokens.refresh_token, profile.subject)
    assert new.access_token not in (None, tokens.access_token)


@pytest.mark.parametrize("name", [name for name in PLAYED if name not in ("apple", "twitch")])
@pytest.mark.parametrize("how", ["500", "not_json", "wrong_json", "empty", "huge", "nested"])
async def test_profile_that_cannot_be_had_is_none(
    hosts: RunningHosts, clients: OAuthClients, name: str, how: str
) -> None:
    client = client_of(clients, name)
    hosts.sign_in_as(name, without=["email"] if name == "openid" else [])
    endpoint = {
        "github": "user", "facebook": "me", "twitter": "me", "gitlab": "user", "discord": "@me",
        "spotify": "me", "linkedin": "userinfo", "slack": "openid.connect.userInfo",
        "plain": "user", "openid": "userinfo", "google": "keys", "microsoft": "keys",
    }[name]  # fmt: skip
    brought = await callback(hosts, client)
    tokens = await tokens_for(client, brought["code"])
    hosts.fail(name, endpoint, how)
    with pytest.raises(UserInfoError):
        await client.profile(tokens, nonce=NONCE)
    assert hosts.asked(name, endpoint)


async def test_id_tokens_from_clients_are_taken_of_four(
    hosts: RunningHosts, clients: OAuthClients
) -> None:
    async def from_client(name: str, token: str, nonce: str | None = None) -> Profile:
        return await client_of(clients, name).profile_of_id_token(
            token, nonce=nonce, access_token=None, user={"name": {"firstName": "Ada"}}
        )

    taken = [name for name in PLAYED if client_of(clients, name).supports_id_tokens]
    assert taken == ["google", "microsoft", "apple", "facebook", "openid"]
    for name in ("google", "microsoft", "apple", "openid"):
        found = await from_client(name, hosts.id_token(name, nonce=NONCE), NONCE)
        assert (found.subject, found.email) == ("1001", "ada@example.com")
        with pytest.raises(InvalidIdTokenError):
            await from_client(name, hosts.id_token(name, aud="other"))
    assert (await from_client("apple", hosts.id_token("apple"))).name == "Ada"
    assert (await from_client("facebook", hosts.access_token("facebook"))).subject == "1001"
    hosts.sign_in_as("facebook", claims={"app_id": "another application"})
    with pytest.raises(InvalidIdTokenError):
        await from_client("facebook", hosts.access_token("facebook"))


async def test_microsoft_without_a_photo_or_its_host_signs_in(
    hosts: RunningHosts, clients: OAuthClients
) -> None:
    client = client_of(clients, "microsoft")
    hosts.sign_in_as("microsoft", photo=False)
    assert (await sign_in(hosts, client))[0].image is None
    hosts.fail("microsoft", "$value", "huge")
    assert (await sign_in(hosts, client))[0].image is None


async def test_addresses_that_may_not_be_read_are_none(
    hosts: RunningHosts, clients: OAuthClients
) -> None:
    hosts.fail("github", "emails", "500")
    found, _ = await sign_in(hosts, client_of(clients, "github"))
    assert (found.subject, found.email) == ("1001", None)
    hosts.sign_in_as("github", profile={"email": "Public@Example.com"})
    found, _ = await sign_in(hosts, client_of(clients, "github"))
    assert (found.email, found.email_verified) == ("public@example.com", False)
    hosts.sign_in_as("twitter", verified=False)
    found, _ = await sign_in(hosts, client_of(clients, "twitter"))
    assert (found.email, found.email_verified) == ("1001@twitter.placeholder.invalid", False)


async def test_profile_of_another_than_the_token_is_refused(
    hosts: RunningHosts, clients: OAuthClients
) -> None:
    hosts.sign_in_as("facebook", profile={"id": "somebody else"})
    hosts.sign_in_as("openid", without=["email"], profile={"sub": "somebody else"})
    for name in ("facebook", "openid"):
        with pytest.raises(UserInfoError, match="somebody else"):
            await sign_in(hosts, client_of(clients, name))


async def test_discovery_that_fails_leaves_the_others_alone(
    hosts: RunningHosts, clients: OAuthClients
) -> None:
    hosts.fail("openid", "discovery", "redirect")
    with pytest.raises(ProviderUnavailableError):
        await client_of(clients, "openid").provider()
    hosts.mend("openid", "discovery")
    found, _ = await asyncio.gather(
        client_of(clients, "openid").provider(), sign_in(hosts, client_of(clients, "github"))
    )
    assert (found.issuer, found.requires_iss) == ("https://id.openid.test", True)
    assert found.id_token is not None
    assert found.id_token.algorithms == ("RS256",)
