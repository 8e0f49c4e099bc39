"""A provider's tokens, encrypted at one of the two servers and used at the other."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from app.auth import cipher
from tests.integration.social.token_provider import TokenProvider, running_provider
from tests.interop.auth.servers import (
    BASE_URL,
    SECRET,
    Running,
    Setup,
    better_auth,
    gatepost,
)
from tests.support import Server

CLIENT_SECRET = "secret of the client"
ANN = {"name": "Ann", "email": "ann@example.com", "password": "correct horse"}


@dataclass(frozen=True)
class Both:
    """The two servers on one database, and a user's session and account of a provider."""

    servers: dict[str, Running]
    provider: TokenProvider
    postgres: Server
    cookie: str
    account_id: str

    def post(self, server: str, path: str, **body: object) -> httpx.Response:
        url = f"http://127.0.0.1:{self.servers[server].port}/api/auth{path}"
        headers = {"cookie": self.cookie, "origin": BASE_URL}
        return httpx.post(url, json=body, headers=headers, timeout=30)

    def tokens(self, server: str, path: str) -> dict[str, object]:
        answer = self.post(server, path, accountId=self.account_id)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def sql(self, text: str) -> str:
        return self.postgres.sql(text, self.servers["node"].database)


@pytest.fixture(scope="module")
def both(
    postgres: Server, template: str, node: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("encrypted")
    with running_provider() as provider, postgres.database(template) as database:
        own = {
            "id": "gitlab",
            "client_id": "gatepost",
            "client_secret": CLIENT_SECRET,
            "issuer": provider.url,
            "allow_private_addresses": True,
        }
        gitlab = {"clientId": "gatepost", "clientSecret": CLIENT_SECRET, "issuer": provider.url}
        setup = Setup(
            settings={
                "GATEPOST_PROVIDERS": json.dumps([own]),
                "GATEPOST_ENCRYPT_OAUTH_TOKENS": "true",
            },
            options={
                "socialProviders": {"gitlab": gitlab},
                "account": {"encryptOAuthTokens": True, "storeStateStrategy": "cookie"},
            },
        )
        with (
            better_auth(setup, postgres, database, folder, node) as one,
            gatepost(setup, postgres, database, folder) as other,
        ):
            url = f"http://127.0.0.1:{other.port}/api/auth/sign-up/email"
            answer = httpx.post(url, json=ANN, headers={"origin": BASE_URL}).raise_for_status()
            cookie = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
            account_id = postgres.sql(
                "INSERT INTO accounts (user_id, provider_id, account_id, access_token, scope)"
                "SELECT id, 'gitlab', '7', 'in clear', 'read_user' FROM users RETURNING id",
                database,
            )
            servers = {"node": one, "gatepost": other}
            yield Both(servers, provider, postgres, cookie, account_id)


@pytest.mark.parametrize(("one", "other"), [("node", "gatepost"), ("gatepost", "node")])
def test_tokens_that_one_server_encrypts_the_other_uses(both: Both, one: str, other: str) -> None:
    both.provider.set()
    both.sql(
        "UPDATE accounts SET refresh_token = 'refresh-0', access_token_expires_at = NULL "
        f"WHERE id = '{both.account_id}'"
    )
    written = both.tokens(one, "/refresh-token")
    assert (written["accessToken"], written["refreshToken"]) == ("access-1", "refresh-1")
    columns = "access_token, refresh_token, id_token"
    kept = both.sql(f"SELECT {columns} FROM accounts WHERE id = '{both.account_id}'").split("|")
    assert [cipher.is_encrypted(text) for text in kept] == [True, True, False]
    read = both.tokens(other, "/get-access-token")
    assert read == both.tokens(one, "/get-access-token")
    assert (read["accessToken"], read["idToken"]) == ("access-1", "id-1")
    again = both.tokens(other, "/refresh-token")
    assert (again["accessToken"], again["refreshToken"]) == ("access-2", "refresh-2")
    assert again.keys() == written.keys()
    assert both.tokens(one, "/get-access-token")["accessToken"] == "access-2"
    assert both.provider.calls == ["refresh-0", "refresh-1"]


@pytest.mark.parametrize("server", ["node", "gatepost"])
def test_tokens_in_clear_are_read_where_tokens_are_encrypted(both: Both, server: str) -> None:
    both.sql(
        "UPDATE accounts SET access_token = 'in clear', access_token_expires_at = NULL "
        f"WHERE id = '{both.account_id}'"
    )
    assert both.tokens(server, "/get-access-token")["accessToken"] == "in clear"


@pytest.mark.parametrize("server", ["node", "gatepost"])
def test_refusals_are_the_same(both: Both, server: str) -> None:
    both.provider.set(good="another")
    both.sql(
        "UPDATE accounts SET refresh_token = 'refresh-0', access_token_expires_at = now() "
        f"WHERE id = '{both.account_id}'"
    )
    expected = {
        "/get-access-token": (
            "FAILED_TO_GET_ACCESS_TOKEN", "Failed to get a valid access token",
        ),
        "/refresh-token": (
            "FAILED_TO_REFRESH_ACCESS_TOKEN", "Failed to refresh access token",
        ),
    }  # fmt: skip
    for path, (code, message) in expected.items():
        answer = both.post(server, path, accountId=both.account_id)
        assert (answer.status_code, answer.json()) == (400, {"code": code, "message": message})
    both.sql(f"UPDATE accounts SET refresh_token = NULL WHERE id = '{both.account_id}'")
    answer = both.post(server, "/refresh-token", accountId=both.account_id).json()
    assert answer == {"code": "REFRESH_TOKEN_NOT_FOUND", "message": "Refresh token not found"}


def test_keys_of_single_purposes_are_those_of_better_auth(both: Both) -> None:
    answer = both.post("node", "/link-social", provider="gitlab", disableRedirect=True)
    opened = [
        cipher.decrypt([SECRET], unquote(value), "oauth-state-cookie")
        for value in answer.cookies.values()
    ]
    (state,) = [json.loads(text) for text in opened if text]
    sealed = state["link"]["encryptedSessionToken"]
    token = cipher.decrypt([SECRET], sealed, "oauth-link-session-token")
    assert token == both.sql("SELECT token FROM sessions")
