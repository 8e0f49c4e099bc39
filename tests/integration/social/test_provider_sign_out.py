"""Signing out at the provider too, where it has an address for that."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.integration.social.place import ANN, ORIGIN, Place, place
from tests.integration.social.token_provider import DISCOVERY, running_provider
from tests.support import Server, free_port

PLAIN_ANSWER = {"success": True}


@pytest.fixture(scope="module")
def somewhere(
    postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    nowhere = f"http://127.0.0.1:{free_port()}{DISCOVERY}"
    with running_provider() as provider:
        settings = provider.settings(
            {"id": "another", "client_id": ["first", "second"]},
            {"id": "quiet", "disable_provider_logout": True},
            {"id": "away", "discovery_url": nowhere},
            {"id": "silent", "discovery_url": f"{provider.url}/silent{DISCOVERY}"},
        ) | {"GATEPOST_TRUSTED_ORIGINS": "https://app.example.com"}
        folder = tmp_path_factory.mktemp("sign-out")
        with place(postgres, template, provider, folder, **settings) as made:
            yield made


def link(at: Place, *providers: str) -> None:
    """Give the user accounts of these providers alone, written in this order."""
    at.sql("DELETE FROM accounts WHERE provider_id <> 'credential'")
    for number, provider in enumerate(providers):
        time = f"'2026-01-0{number + 1}'"
        at.sql(
            "INSERT INTO accounts (user_id, provider_id, account_id, id_token, updated_at)"
            f"VALUES ('{at.user_id}', '{provider}', '{number}', 'id-{provider}', {time})"
        )


def signed_in(at: Place) -> dict[str, str]:
    """The headers of a new session."""
    client = at.clients[0]
    body = {"email": ANN["email"], "password": ANN["password"]}
    answer = client.post("/sign-in/email", json=body).raise_for_status()
    client.cookies.clear()
    return {"cookie": "; ".join(f"{name}={value}" for name, value in answer.cookies.items())}


def sign_out(at: Place, body: dict[str, Any] | None = None) -> httpx.Response:
    """Sign in, and out again; the session has ended whatever is answered."""
    headers = signed_in(at)
    answer = at.clients[0].post("/sign-out", json={} if body is None else body, headers=headers)
    session = at.clients[0].get("/get-session", headers=headers).json()
    assert (session is None) is answer.is_success
    return answer


def parameters(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def test_sign_out_leads_to_the_provider(somewhere: Place) -> None:
    link(somewhere, "openid")
    answer = sign_out(somewhere)
    url = f"{somewhere.provider.url}/logout?theme=dark&id_token_hint=id-openid"
    assert answer.json() == {"success": True, "url": url, "redirect": True}
    assert answer.headers["location"] == url
    assert answer.status_code == 200
    assert "Max-Age=0" in answer.headers["set-cookie"]


def test_sign_out_says_where_the_provider_leads_back_to(somewhere: Place) -> None:
    link(somewhere, "another")
    for given, url in (
        ("https://app.example.com/bye?a=1", "https://app.example.com/bye?a=1"),
        ("/bye", f"{ORIGIN}/bye"),
    ):
        answer = sign_out(somewhere, {"callbackURL": given, "state": "s & t"}).json()
        assert parameters(answer["url"]) == {
            "theme": "dark",
            "id_token_hint": "id-another",
            "post_logout_redirect_uri": url,
            "client_id": "first",
            "state": "s & t",
        }


@pytest.mark.parametrize("url", ["https://evil.example", "//evil.example", "javascript:alert(1)"])
def test_sign_out_leads_back_to_trusted_places_only(somewhere: Place, url: str) -> None:
    link(somewhere, "openid")
    answer = sign_out(somewhere, {"callbackURL": url})
    assert (answer.status_code, answer.json()["code"]) == (403, "INVALID_CALLBACK_URL")


def test_sign_out_without_redirect_gives_the_address_alone(somewhere: Place) -> None:
    link(somewhere, "openid")
    answer = sign_out(somewhere, {"disableRedirect": True})
    assert answer.json()["redirect"] is False
    assert answer.json()["url"].startswith(f"{somewhere.provider.url}/logout?")
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("providers", "chosen"),
    [
        (["openid", "another"], "another"),
        (["another", "openid"], "openid"),
        (["openid", "quiet", "plain", "github"], "openid"),
        (["openid", "away"], "openid"),
        (["openid", "another", "openid"], "openid"),
    ],
)
def test_account_that_was_written_last_decides(
    somewhere: Place, providers: list[str], chosen: str
) -> None:
    link(somewhere, *providers)
    url = sign_out(somewhere).json()["url"]
    assert parameters(url)["id_token_hint"] == f"id-{chosen}"


@pytest.mark.parametrize("providers", [[], ["plain"], ["quiet"], ["away"], ["github"]])
def test_sign_out_stays_here_where_no_provider_has_an_address(
    somewhere: Place, providers: list[str]
) -> None:
    link(somewhere, *providers)
    answer = sign_out(somewhere)
    assert answer.json() == PLAIN_ANSWER
    assert "location" not in answer.headers


def test_silent_provider_keeps_nobody_signed_in(somewhere: Place) -> None:
    link(somewhere, "silent")
    assert sign_out(somewhere).json() == PLAIN_ANSWER


def test_only_a_living_session_leads_to_the_provider(somewhere: Place) -> None:
    link(somewhere, "openid")
    client, headers = somewhere.clients[0], signed_in(somewhere)
    somewhere.sql("UPDATE sessions SET expires_at = created_at + interval '1 millisecond'")
    assert client.post("/sign-out", json={}, headers=headers).json() == PLAIN_ANSWER
    assert client.post("/sign-out", json={}).json() == PLAIN_ANSWER
    headers = signed_in(somewhere)
    assert "url" in client.post("/sign-out", headers=headers).json()
    assert client.post("/sign-out", headers=headers).json() == PLAIN_ANSWER
