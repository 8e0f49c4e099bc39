"""The providers that are played refuse what the real ones refuse: else no test here would fail."""

import secrets
import ssl
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

import httpx
import pytest

from tests.social.hosts.declared import stand_ins
from tests.social.hosts.stand_in import SECRET, StandIn, client_id
from tests.social.running_hosts import PLAYED, RunningHosts

PROVIDERS: Final = {each.id: each for each in stand_ins()}
VERIFIER: Final = secrets.token_urlsafe(96)
CHALLENGE: Final = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def browser(hosts: RunningHosts) -> Iterator[httpx.Client]:
    trust = ssl.create_default_context(cafile=hosts.authority)
    with httpx.Client(proxy=hosts.proxy, verify=trust, trust_env=False) as client:
        yield client


def authorization(provider: StandIn, **changed: str | None) -> str:
    """A good authorization address, changed."""
    given: dict[str, str | None] = {
        "response_type": provider.needs.get("response_type") or "code",
        "client_id": client_id(provider.id),
        "redirect_uri": f"http://127.0.0.1:1/api/auth/callback/{provider.id}",
        "scope": " ".join(provider.scopes),
        "state": "s",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changed,
    }
    parameters = {name: value for name, value in given.items() if value is not None}
    return f"{provider.authorize}?{urlencode(parameters)}"


def code_of(browser: httpx.Client, provider: StandIn) -> str:
    # Apple's form is another way to the same code
    mode = {"response_mode": "form_post"} if provider.id == "apple" else {}
    answer = browser.get(authorization(provider, **mode))
    if mode:
        return answer.text.partition('name="code" value="')[2].partition('"')[0]
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


def exchange(browser: httpx.Client, provider: StandIn, **changed: str | None) -> httpx.Response:
    """Ask for tokens as the provider wants it, changed; ``secret`` for the client's."""
    secret = changed.pop("secret", SECRET) or ""
    form: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "redirect_uri": f"http://127.0.0.1:1/api/auth/callback/{provider.id}",
        "code_verifier": VERIFIER,
        "code": changed.pop("code") if "code" in changed else code_of(browser, provider),
    }
    headers = {"accept": "application/json"}
    if provider.basic:
        pair = f"{quote_plus(client_id(provider.id))}:{quote_plus(secret)}"
        headers["authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    else:
        form |= {"client_id": client_id(provider.id), "client_secret": secret}
    form |= changed
    data = {name: value for name, value in form.items() if value is not None}
    return browser.post(provider.token, data=data, headers=headers)


@pytest.mark.parametrize("provider", PLAYED)
def test_provider_gives_tokens_for_what_is_right_alone(
    provider: str, browser: httpx.Client
) -> None:
    played = PROVIDERS[provider]
    assert "access_token" in exchange(browser, played).json()
    for wrong in (
        {"secret": "another"},
        {"secret": SECRET.replace("+", " ")},
        {"redirect_uri": f"http://127.0.0.1:1/another/callback/{provider}"},
        {"code_verifier": VERIFIER[:-1] + "~"},
        {"code_verifier": None},
        {"code": "another"},
        {"grant_type": "password"},
    ):
        assert "access_token" not in exchange(browser, played, **wrong).json(), wrong


@pytest.mark.parametrize("provider", PLAYED)
def test_code_is_good_once(provider: str, browser: httpx.Client) -> None:
    played = PROVIDERS[provider]
    code = code_of(browser, played)
    assert "access_token" in exchange(browser, played, code=code).json()
    assert "access_token" not in exchange(browser, played, code=code).json()


@pytest.mark.parametrize("provider", PLAYED)
def test_provider_sends_nobody_to_a_strange_place(provider: str, browser: httpx.Client) -> None:
    played = PROVIDERS[provider]
    for wrong in ({"client_id": "another"}, {"redirect_uri": "https://evil.example/"}):
        assert browser.get(authorization(played, **wrong)).status_code == 400
    mode = {"response_mode": "form_post"} if provider == "apple" else {}
    answer = browser.get(authorization(played, scope="everything", **mode))
    assert "invalid_scope" in answer.headers.get("location", answer.text)


@pytest.mark.parametrize("provider", PLAYED)
def test_profile_needs_a_token(provider: str, browser: httpx.Client) -> None:
    played = PROVIDERS[provider]
    token = exchange(browser, played).json()["access_token"]
    for url in played.profiles:
        assert browser.get(url).status_code == 401
        wrong = {"authorization": "Bearer another"}
        assert browser.get(url, headers=wrong).status_code == 401
        right = {"authorization": f"Bearer {token}"}
        assert browser.get(url, headers=right).status_code == 200


def test_github_wants_to_know_who_asks(browser: httpx.Client) -> None:
    played = PROVIDERS["github"]
    token = exchange(browser, played).json()["access_token"]
    headers = {"authorization": f"Bearer {token}", "user-agent": ""}
    assert browser.get("https://api.github.com/user", headers=headers).status_code == 403


def test_proxy_leads_nowhere_else(browser: httpx.Client) -> None:
    for url in ("https://example.com/", "https://127.0.0.1/", "https://github.com:444/"):
        with pytest.raises(httpx.ProxyError):
            browser.get(url)
