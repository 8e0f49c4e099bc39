"""The provider of the development server: an OpenID provider as a service sees one, and nobody's
but this machine's."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import pytest

from app.devserver.provider import LocalProvider, local_provider
from app.devserver.welcome import development_app
from tests.integration.test_welcome import HERE, STRANGERS, settings, visitor

VERIFIER = "v" * 43
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CALLBACK = f"{HERE}/api/auth/callback/local"
ASKED = {
    "client_id": "gatepost",
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "scope": "openid profile email",
    "state": "s<&>",
    "nonce": "n",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}
ADA = {"name": "Ada", "email": "Ada@Example.com", "verified": "on"}


class Client:
    """What the service does with the provider, by hand."""

    def __init__(self, http: httpx.AsyncClient, provider: LocalProvider) -> None:
        self.http = http
        self.provider = provider

    async def sign_in(self, typed: dict[str, str], **asked: str) -> dict[str, str]:
        """Fill the form in; what the callback gets."""
        answer = await self.http.post("/dev/provider/sign-in", params=ASKED | asked, data=typed)
        assert answer.status_code == 303, answer.text
        place, _, query = answer.headers["location"].partition("?")
        assert place == CALLBACK
        return dict(parse_qsl(query))

    async def exchange(self, code: str, **more: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        return await self.token(**form | more)

    async def token(self, **form: str) -> httpx.Response:
        client = {"client_id": "gatepost", "client_secret": self.provider.secret}
        return await self.http.post("/dev/provider/token", data=client | form)


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    given = settings(database_url, tmp_path)
    provider = local_provider(given)
    assert provider is not None
    app = development_app(given, data=None, key_file=None, provider=provider)
    async with visitor(app) as http:
        yield Client(http, provider)


async def claims_of(client: Client, id_token: str) -> dict[str, Any]:
    keys = (await client.http.get("/dev/provider/jwks")).json()
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(id_token)["kid"]]
    return jwt.decode(
        id_token,
        key,
        ["RS256"],
        audience="gatepost",
        issuer=client.provider.issuer,
        options={"require": ["iss", "sub", "aud", "exp", "iat"]},
    )


async def test_person_who_fills_the_form_gets_signed_tokens(client: Client) -> None:
    document = (await client.http.get(client.provider.settings.discovery_url or "")).json()
    assert document["issuer"] == client.provider.issuer == f"{HERE}/dev/provider"
    back = await client.sign_in(ADA)
    assert (back["state"], back["iss"]) == ("s<&>", document["issuer"])
    answer = await client.exchange(back["code"])
    tokens = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    claims = await claims_of(client, tokens["id_token"])
    assert claims["nonce"] == "n"
    told = {name: claims[name] for name in ("sub", "name", "email", "email_verified")}
    assert told | {"sub": ""} == {
        "sub": "", "name": "Ada", "email": "ada@example.com", "email_verified": True,
    }  # fmt: skip
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await client.http.get("/dev/provider/userinfo", headers=bearer)).json() == told
    again = await client.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    renewed = await claims_of(client, again.json()["id_token"])
    assert (renewed["sub"], "nonce" in renewed) == (claims["sub"], False)


async def test_code_is_good_once_and_with_its_verifier(client: Client) -> None:
    async def refused(**more: str) -> str:
        code = (await client.sign_in(ADA))["code"]
        answer = await client.exchange(code, **more)
        assert (await client.exchange(code)).json() == {"error": "invalid_grant"}
        return answer.json().get("error", "")

    assert await refused() == ""
    assert await refused(code_verifier="w" * 43) == "invalid_grant"
    assert await refused(redirect_uri=f"{CALLBACK}/x") == "invalid_grant"
    wrong = await client.exchange("", client_secret="ü")
    assert (wrong.status_code, wrong.json()) == (401, {"error": "invalid_client"})
    assert (await client.token(grant_type="password")).json() == {"error": "unsupported_grant_type"}
    tokens = (await client.exchange((await client.sign_in(ADA))["code"])).json()
    for token in (tokens["id_token"], tokens["refresh_token"], "a.b.c", ""):
        bearer = {"Authorization": f"Bearer {token}"}
        answer = await client.http.get("/dev/provider/userinfo", headers=bearer)
        assert answer.status_code == 401
    access = {"grant_type": "refresh_token", "refresh_token": tokens["access_token"]}
    assert (await client.token(**access)).json() == {"error": "invalid_grant"}


async def test_request_of_another_client_leads_nowhere(client: Client) -> None:
    for wrong in ({"client_id": "x"}, {"redirect_uri": "https://evil.example/"}):
        for method, path in (("GET", "authorize"), ("POST", "sign-in")):
            url = f"/dev/provider/{path}"
            answer = await client.http.request(method, url, params=ASKED | wrong)
            assert (answer.status_code, answer.headers.get("location")) == (400, None)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
async def test_wrong_request_is_sent_back(
    client: Client, wrong: dict[str, str], error: str
) -> None:
    answer = await client.http.get("/dev/provider/authorize", params=ASKED | wrong)
    query = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert query == {"error": error, "state": "s<&>", "iss": client.provider.issuer}
    assert (await client.sign_in({"cancel": "yes"}))["error"] == "access_denied"


async def test_form_shows_what_was_typed_as_text(client: Client) -> None:
    asked = {**ASKED, "login_hint": '"><script>x</script>', "state": '"><b>'}
    answer = await client.http.get("/dev/provider/authorize", params=asked)
    assert "&quot;&gt;&lt;script&gt;" in answer.text
    typed = {"name": '"><b>', "email": "no address"}
    again = await client.http.post("/dev/provider/sign-in", params=asked, data=typed)
    assert (again.status_code, "This is no address." in again.text) == (400, True)
    for page in (answer, again):
        assert "<script" not in page.text
        assert "<b>" not in page.text
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("body", [b"", b"\xff\xfe=%ff%00", b"email=@", b"a=1&" * 100, b"[]"])
async def test_what_is_no_form_is_refused(client: Client, body: bytes) -> None:
    answer = await client.http.post("/dev/provider/sign-in", params=ASKED, content=body)
    assert answer.status_code == 400
    answer = await client.http.post("/dev/provider/token", content=body)
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})


async def test_sign_out_leads_to_trusted_places_alone(client: Client) -> None:
    async def leads_to(url: str) -> str | None:
        query = {"post_logout_redirect_uri": url, "state": "s"}
        answer = await client.http.get("/dev/provider/end-session", params=query)
        return answer.headers.get("location")

    assert await leads_to(f"{HERE}/?out") == f"{HERE}/?out&state=s"
    assert await leads_to("https://evil.example/") is None


@pytest.mark.parametrize("headers", STRANGERS, ids=str)
async def test_stranger_is_refused(client: Client, headers: dict[str, str]) -> None:
    for path in ("authorize", "end-session", "jwks", ".well-known/openid-configuration"):
        answer = await client.http.get(f"/dev/provider/{path}", params=ASKED, headers=headers)
        assert answer.status_code == 403
    answer = await client.http.post(
        "/dev/provider/sign-in", params=ASKED, data=ADA, headers=headers
    )
    assert answer.status_code == 403


async def test_page_of_another_origin_leads_here_and_cannot_fill_the_form(client: Client) -> None:
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://127.0.0.1:8001"},
        {"Referer": "http://127.0.0.1:8001/"},
    ):
        answer = await client.http.get("/dev/provider/authorize", params=ASKED, headers=headers)
        assert answer.status_code == 200
        sent = await client.http.post(
            "/dev/provider/sign-in", params=ASKED, data=ADA, headers=headers
        )
        assert sent.status_code == 403


@pytest.mark.parametrize(
    ("given", "issuer"),
    [
        ({"HOST": "0.0.0.0"}, "http://127.0.0.1:8000/dev/provider"),  # noqa: S104
        ({"HOST": "::"}, "http://[::1]:8000/dev/provider"),
        ({"PORT": "8123"}, "http://127.0.0.1:8123/dev/provider"),
        ({"GATEPOST_BASE_URL": "http://localhost:3000"}, "http://127.0.0.1:8000/dev/provider"),
        ({"HOST": "192.0.2.1"}, None),
        ({"GATEPOST_BASE_URL": "https://app.example.com"}, None),
    ],
    ids=str,
)
def test_provider_is_there_where_this_machine_is_the_service(
    tmp_path: Path, given: dict[str, str], issuer: str | None
) -> None:
    found = local_provider(settings("postgres://localhost/x", tmp_path, **given))
    assert (found and found.issuer) == issuer
    assert found is None or found.secret not in repr(found)


def test_provider_of_this_name_that_is_configured_stays(tmp_path: Path) -> None:
    own = (
        '[{"id": "local", "client_id": "a", "client_secret": "b",'
        ' "discovery_url": "https://id.example.com/.well-known/openid-configuration"}]'
    )
    given = settings("postgres://localhost/x", tmp_path, GATEPOST_PROVIDERS=own)
    assert local_provider(given) is None
