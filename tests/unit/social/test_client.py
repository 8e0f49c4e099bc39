"""A generic provider, from its discovery to its end session, over real sockets."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

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
from app.outgoing.client import MAX_CALLS, Outgoing
from app.settings.providers import ProviderSettings, SocialSettings
from tests.unit.social.server import Answer, ProviderServer, json_reply, reply, silence
from tests.unit.social.tokens import CLIENT_ID, NONCE, SigningKey, claims

KEY = SigningKey("one")
STRANGER = SigningKey("one")
SECRET = "s:cr t/with+%&=~"
DISCOVERY = "/.well-known/openid-configuration"
MakeClient = Callable[..., OAuthClient]


def openid(server: ProviderServer, **changed: Any) -> dict[str, Any]:
    return {
        "issuer": server.url,
        "authorization_endpoint": f"{server.url}/authorize?tenant=a&state=theirs",
        "token_endpoint": f"{server.url}/token",
        "userinfo_endpoint": f"{server.url}/me",
        "jwks_uri": f"{server.url}/keys",
        "end_session_endpoint": f"{server.url}/end",
        "id_token_signing_alg_values_supported": ["RS256"],
        **changed,
    }


@pytest.fixture
def make_client(server: ProviderServer, outgoing: Outgoing) -> MakeClient:
    """A client of the server, which is an OpenID provider unless a test changes that."""
    server.answers |= {
        DISCOVERY: json_reply(openid(server)),
        "/keys": json_reply({"keys": [KEY.public]}),
    }

    def make(**changed: Any) -> OAuthClient:
        fields: dict[str, Any] = {
            "id": "own",
            "client_id": CLIENT_ID,
            "client_secret": SECRET,
            "discovery_url": server.url + DISCOVERY,
            "allow_private_addresses": True,
        }
        return OAuthClient(ProviderSettings(**fields | changed), outgoing)

    return make


@pytest.fixture
def plain(server: ProviderServer, make_client: MakeClient) -> MakeClient:
    """A client of a provider that knows OAuth 2.0 and no OpenID."""

    def make(**changed: Any) -> OAuthClient:
        addresses = {
            "discovery_url": None,
            "authorization_url": f"{server.url}/authorize",
            "token_url": f"{server.url}/token",
            "userinfo_url": f"{server.url}/me",
        }
        return make_client(**addresses | changed)

    return make


async def address(client: OAuthClient, **changed: Any) -> dict[str, str]:
    """The parameters of an authorization address."""
    asked: dict[str, Any] = {
        "state": "st",
        "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",  # RFC 7636, appendix B
        "nonce": NONCE,
        "redirect_uri": "https://a.example/callback/own",
        "scopes": ["read"],
        "login_hint": "ann@example.com",
        "request_parameters": {},
    }
    declared = await client.provider()
    url = authorization_url(declared, client.settings, **asked | changed)
    return dict(parse_qsl(urlsplit(url).query, strict_parsing=True))


async def exchange(client: OAuthClient) -> Tokens:
    return await client.exchange("the code", code_verifier="verifier", redirect_uri="https://r/")


async def from_client(client: OAuthClient, token: str, nonce: str | None = None) -> Profile:
    return await client.profile_of_id_token(token, nonce=nonce, access_token="at", user=None)


async def test_authorization_address_has_its_parameters_in_order(make_client: MakeClient) -> None:
    client = make_client(scopes=["extra"], prompt="login", response_mode="form_post")
    found = await address(client, request_parameters={"prompt": "consent", "audience": "x"})
    assert list(found.items()) == [
        ("tenant", "a"),
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("state", "st"),
        ("scope", "openid read extra"),
        ("redirect_uri", "https://a.example/callback/own"),
        ("login_hint", "ann@example.com"),
        ("nonce", NONCE),
        ("prompt", "consent"),
        ("response_mode", "form_post"),
        ("code_challenge_method", "S256"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("audience", "x"),
    ]


async def test_authorization_address_leaves_out_what_is_not_asked(plain: MakeClient) -> None:
    found = await address(plain(pkce=False), login_hint=None, scopes=[])
    assert list(found) == ["response_type", "client_id", "state", "redirect_uri"]


@pytest.mark.parametrize("method", ["basic", "post"])
async def test_code_is_exchanged_with_the_secret_where_it_belongs(
    server: ProviderServer, make_client: MakeClient, method: str
) -> None:
    server.answers["/token"] = json_reply(
        {"access_token": "at", "refresh_token": "rt", "id_token": "a.b.c", "expires_in": 60,
         "refresh_token_expires_in": "3600", "scope": "openid email"}
    )  # fmt: skip
    tokens = await exchange(make_client(token_endpoint_auth=method))
    assert (tokens.access_token, tokens.refresh_token, tokens.id_token) == ("at", "rt", "a.b.c")
    assert tokens.scopes == ("openid", "email")
    assert tokens.access_token_expires_at is not None
    assert tokens.refresh_token_expires_at is not None
    soon = datetime.now(UTC) + timedelta(minutes=2)
    assert tokens.access_token_expires_at < soon
    between = tokens.refresh_token_expires_at - tokens.access_token_expires_at
    assert timedelta(minutes=58) < between < timedelta(minutes=60)
    (request,) = server.asked("/token")
    form = {
        "grant_type": "authorization_code",
        "code": "the code",
        "redirect_uri": "https://r/",
        "code_verifier": "verifier",
    }
    if method == "basic":
        # RFC 6749 §2.3.1: both halves are form-encoded
        assert request.headers["authorization"] == (
            "Basic Y2xpZW50OnMlM0Fjcit0JTJGd2l0aCUyQiUyNSUyNiUzRCU3RQ=="
        )
        assert request.form == form
    else:
        assert "authorization" not in request.headers
        assert request.form == form | {"client_id": CLIENT_ID, "client_secret": SECRET}


async def test_public_client_names_itself_without_a_secret(
    server: ProviderServer, make_client: MakeClient
) -> None:
    server.answers["/token"] = json_reply({"access_token": "at"})
    await exchange(make_client(client_secret=None))
    (request,) = server.asked("/token")
    assert request.form["client_id"] == CLIENT_ID
    assert "client_secret" not in request.form


NO_TOKENS: dict[str, Answer] = {
    "400": json_reply({"error": "invalid_grant"}, 400),
    "500": reply("", 500),
    "302": reply("", 302, location="/elsewhere"),
    "error with 200": json_reply({"error": "bad_verification_code"}),
    "no JSON": reply("access_token=at"),
    "a list": json_reply([{"access_token": "at"}]),
    "a number": json_reply({"access_token": 5}),
    "an object": json_reply({"access_token": {}}),
    "two lines": json_reply({"access_token": "a\r\nx-evil: b"}),
    "no ASCII": json_reply({"access_token": "é"}),
    "NUL": json_reply({"access_token": "a", "refresh_token": "\0"}),
    "too long": json_reply({"access_token": "a" * 65_537}),
}


@pytest.mark.parametrize("name", NO_TOKENS)
async def test_answer_without_good_tokens_is_an_invalid_code(
    server: ProviderServer, make_client: MakeClient, name: str
) -> None:
    client = make_client()
    server.answers["/token"] = NO_TOKENS[name]
    with pytest.raises(InvalidCodeError) as raised:
        await exchange(client)
    assert SECRET not in str(raised.value)
    assert raised.value.code == "invalid_code"
    with pytest.raises(RefreshError):
        await client.refresh("rt", "subject")


@pytest.mark.parametrize(
    ("given", "scopes", "expires"),
    [
        ({"scope": "a b"}, ("a", "b"), False),
        ({"scope": "a,b"}, ("a,b",), False),
        ({"scope": ["a", "b c", 5]}, ("a", "b", "c"), False),
        ({"scope": 5}, (), False),
        ({"scope": "s " * 20_000}, ("s",) * 8192, False),
        ({"scope": "a\0b c"}, (), False),
        ({"expires_in": "60"}, (), True),
        ({"expires_in": 60.5}, (), True),
        ({"expires_in": -1}, (), False),
        ({"expires_in": 1e300}, (), False),
        ({"expires_in": True}, (), False),
        ({"expires_in": "never"}, (), False),
        ({"expires_in": {}}, (), False),
    ],
)
async def test_rest_of_a_token_answer_is_taken_as_far_as_it_makes_sense(
    server: ProviderServer,
    make_client: MakeClient,
    given: dict[str, Any],
    scopes: tuple[str, ...],
    expires: bool,
) -> None:
    server.answers["/token"] = json_reply({"access_token": "at", **given})
    tokens = await exchange(make_client())
    assert tokens.scopes == scopes
    assert (tokens.access_token_expires_at is not None) is expires


async def test_profile_is_the_id_token_that_has_an_address(
    server: ProviderServer, make_client: MakeClient
) -> None:
    tokens = Tokens(access_token="at", id_token=KEY.sign(claims(server.url)))
    found = await make_client().profile(tokens, nonce=NONCE)
    assert (found.subject, found.email, found.name) == ("subject", "ann@example.com", "Ann")
    assert found.email_verified
    assert server.asked("/me") == []


async def test_profile_without_an_address_is_asked_for(
    server: ProviderServer, make_client: MakeClient
) -> None:
    server.answers["/me"] = json_reply({"sub": "subject", "email": "b@example.com"})
    id_token = KEY.sign(claims(server.url, email=None))
    tokens = Tokens(access_token="at", id_token=id_token)
    client = make_client()
    assert (await client.profile(tokens, nonce=NONCE)).email == "b@example.com"
    (request,) = server.asked("/me")
    assert request.headers["authorization"] == "Bearer at"
    server.answers["/me"] = json_reply({"sub": "another", "email": "b@example.com"})
    with pytest.raises(UserInfoError, match="somebody else"):
        await client.profile(tokens, nonce=NONCE)
    with pytest.raises(UserInfoError, match="no access token"):
        await client.profile(Tokens(id_token=id_token), nonce=NONCE)


async def test_profile_needs_a_good_id_token(
    server: ProviderServer, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client()
    server.answers["/me"] = json_reply({"sub": "subject", "email": "b@example.com"})
    for token in (
        None,
        STRANGER.sign(claims(server.url)),
        KEY.sign(claims(server.url, nonce="other")),
        KEY.sign(claims(server.url, aud="other")),
        KEY.sign(claims("https://other.example")),
    ):
        with pytest.raises(UserInfoError) as raised:
            await client.profile(Tokens(access_token="at", id_token=token), nonce=NONCE)
        assert raised.value.code == "unable_to_get_user_info"
        assert token is None or token not in caplog.text
    assert server.asked("/me") == []


@pytest.mark.parametrize(
    "answer",
    [
        reply("", 401), reply("", 500), reply("", 302, location="/x"), reply("<html>"),
        json_reply([]), json_reply({}), json_reply({"id": None}), json_reply({"id": "a\0"}),
        reply('{"id": "a", "b": "\\ud800"}'),
        reply('{"id": "a", "b": ' + "[" * 999 + "]" * 999 + "}"),
        reply('{"id": "a", "b": "' + "b" * 10_000_000 + '"}'),
    ],
)  # fmt: skip
async def test_bad_userinfo_is_no_profile(
    server: ProviderServer, plain: MakeClient, answer: Answer
) -> None:
    server.answers["/me"] = answer
    with pytest.raises(UserInfoError):
        await plain().profile(Tokens(access_token="at"), nonce=None)


async def test_profile_of_a_plain_provider_is_by_its_id(
    server: ProviderServer, plain: MakeClient
) -> None:
    server.answers["/me"] = json_reply({"id": 7, "sub": "not this", "name": "Ann"})
    client = plain()
    found = await client.profile(Tokens(access_token="at"), nonce=None)
    assert (found.subject, found.name, found.email) == ("7", "Ann", None)
    assert not client.supports_id_tokens


async def test_id_token_from_a_client_is_verified_and_has_an_address(
    server: ProviderServer, make_client: MakeClient
) -> None:
    client = make_client()
    assert client.supports_id_tokens
    token = KEY.sign(claims(server.url))
    assert (await from_client(client, token, NONCE)).subject == "subject"
    assert (await from_client(client, token)).email == "ann@example.com"
    for wrong, nonce in ((token, "other"), (STRANGER.sign(claims(server.url)), None), ("", None)):
        with pytest.raises(InvalidIdTokenError):
            await from_client(client, wrong, nonce)
    server.answers["/me"] = json_reply({"sub": "subject", "email": "b@example.com"})
    with pytest.raises(UserInfoError):
        await from_client(client, KEY.sign(claims(server.url, email=None)))
    off = make_client(disable_id_token_sign_in=True)
    assert not off.supports_id_tokens
    with pytest.raises(InvalidIdTokenError):
        await from_client(off, token)


async def test_account_is_known_by_userinfo_when_its_id_token_has_expired(
    server: ProviderServer, make_client: MakeClient
) -> None:
    client = make_client()
    good = Tokens(access_token="at", id_token=KEY.sign(claims(server.url, nonce="long ago")))
    assert (await client.account_profile(good)).name == "Ann"
    old = replace(good, id_token=KEY.sign(claims(server.url, exp=1)))
    server.answers["/me"] = json_reply({"sub": "subject", "name": "Ann now"})
    assert (await client.account_profile(old)).name == "Ann now"
    server.answers["/me"] = json_reply({"sub": "another", "name": "Ann now"})
    with pytest.raises(UserInfoError, match="somebody else"):
        await client.account_profile(old)
    server.answers["/me"] = reply("", 401)
    with pytest.raises(UserInfoError, match="HTTP 401"):
        await client.account_profile(old)


async def test_users_who_are_signed_in_take_no_place_from_those_who_sign_in(
    server: ProviderServer, plain: MakeClient
) -> None:
    client = plain()
    server.answers |= {"/me": silence, "/token": json_reply({"access_token": "a"})}
    signed_in = Tokens(access_token="a")
    asking = [asyncio.create_task(client.account_profile(signed_in)) for _ in range(MAX_CALLS)]
    await server.has_seen(MAX_CALLS)
    with pytest.raises(UserInfoError, match="under way already"):
        await client.account_profile(signed_in)
    with pytest.raises(RefreshError, match="under way already"):
        await client.refresh("r", "subject")
    tokens = await client.exchange("code", code_verifier="v" * 43, redirect_uri="https://a/")
    assert tokens.access_token == "a"
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)


async def test_refresh_gives_new_tokens(server: ProviderServer, make_client: MakeClient) -> None:
    server.answers["/token"] = json_reply({"access_token": "new"})
    assert (await make_client().refresh("rt", "subject")).access_token == "new"
    (request,) = server.asked("/token")
    assert request.form == {
        "grant_type": "refresh_token",
        "refresh_token": "rt",
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
    }
    server.answers["/token"] = json_reply({"id_token": "a.b.c"})
    with pytest.raises(RefreshError, match="no access token"):
        await make_client().refresh("rt", "subject")


async def test_session_ends_at_the_provider_that_says_where(
    server: ProviderServer, make_client: MakeClient, plain: MakeClient
) -> None:
    asked: Mapping[str, Any] = {"id_token": "a.b.c", "redirect_to": "https://r/", "state": "s"}
    assert await make_client().end_session_url(**asked) == (
        f"{server.url}/end?id_token_hint=a.b.c&post_logout_redirect_uri=https%3A%2F%2Fr%2F"
        f"&client_id={CLIENT_ID}&state=s"
    )
    nothing = dict.fromkeys(asked)
    assert await make_client().end_session_url(**nothing) == f"{server.url}/end"
    for client in (make_client(disable_provider_logout=True), plain()):
        assert await client.end_session_url(**asked) is None
    server.answers[DISCOVERY] = reply("", 500)
    assert await make_client().end_session_url(**asked) is None


async def test_provider_is_discovered_once_for_all_who_wait(
    server: ProviderServer, make_client: MakeClient
) -> None:
    client = make_client()
    found = await asyncio.gather(*(client.provider() for _ in range(30)))
    assert found == [await client.provider()] * 30
    assert found[0].issuer == server.url
    assert len(server.asked(DISCOVERY)) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda server: reply("", 500),
        lambda server: reply("", 302, location=f"{server.url}/other"),
        lambda server: reply("<html>"),
        lambda server: json_reply(openid(server, issuer="https://evil.example")),
        lambda server: json_reply(openid(server, token_endpoint=None)),
        lambda server: json_reply(openid(server, authorization_endpoint="file:///etc/passwd")),
        lambda server: json_reply(openid(server, id_token_signing_alg_values_supported=["none"])),
    ],
)
async def test_provider_that_cannot_be_discovered_is_tried_again(
    server: ProviderServer,
    make_client: MakeClient,
    change: Callable[[ProviderServer], Answer],
) -> None:
    client, good = make_client(), server.answers[DISCOVERY]
    server.answers[DISCOVERY] = change(server)
    calls: list[Awaitable[Any]] = [client.provider(), address(client), exchange(client)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, ProviderUnavailableError) for result in results)
    assert len(server.asked(DISCOVERY)) == 1
    server.answers[DISCOVERY] = good
    assert (await client.provider()).issuer == server.url


async def test_address_that_is_set_goes_before_the_discovered_one(
    server: ProviderServer, make_client: MakeClient
) -> None:
    server.answers |= {
        DISCOVERY: json_reply(openid(server, authorization_response_iss_parameter_supported=True)),
        "/mine": json_reply({"access_token": "mine"}),
    }
    client = make_client(token_url=f"{server.url}/mine")
    assert (await exchange(client)).access_token == "mine"
    provider = await client.provider()
    assert (provider.requires_iss, provider.nonce) == (True, True)


async def test_provider_in_a_private_network_is_not_asked_unless_allowed(
    server: ProviderServer, outgoing: Outgoing
) -> None:
    settings = ProviderSettings(id="own", client_id=CLIENT_ID, discovery_url=server.url + DISCOVERY)
    with pytest.raises(ProviderUnavailableError, match="private network"):
        await OAuthClient(settings, outgoing).provider()
    assert server.seen == []


async def test_clients_discover_in_the_background_and_survive_a_failure(
    server: ProviderServer, make_client: MakeClient
) -> None:
    settings = make_client().settings
    absent = ProviderSettings(
        id="absent", client_id="a", allow_private_addresses=True,
        discovery_url=f"{server.url}/absent/.well-known/openid-configuration",
    )  # fmt: skip
    github = ProviderSettings(id="github", client_id="a", client_secret="b")
    clients = OAuthClients(SocialSettings(providers=(absent, github, settings)))
    async with clients.running():
        await server.has_seen(2)
    found = clients.get("own")
    assert found is not None
    assert (await found.provider()).issuer == server.url
    assert clients.get("google") is None
    await clients.close()
