"""JwtClient: tokens of the jwt plugin, checked without asking."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gatepost_client import UnavailableError, UnexpectedResponseError
from gatepost_client import jwt as checking
from gatepost_client.jwt import JwtClient
from jwt.algorithms import OKPAlgorithm

from tests.support import free_port


@dataclass
class Issuer:
    """A server with keys, which it can lose and change."""

    url: str = ""
    keys: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    status: int = 200
    body: bytes | None = None
    fetches: int = 0
    others: list[Any] = field(default_factory=list)
    """Keys that are published before its own."""

    def add_key(self, kid: str) -> None:
        self.keys[kid] = Ed25519PrivateKey.generate()

    def jwks(self) -> bytes:
        keys = [
            OKPAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid, "alg": "EdDSA"}
            for kid, key in self.keys.items()
        ]
        return json.dumps({"keys": [*self.others, *keys]}).encode()

    def token(self, kid: str, **claims: Any) -> dict[str, str]:
        now = int(time.time())
        about = {"sub": "1", "iss": self.url, "aud": self.url, "iat": now, "exp": now + 900}
        about = {name: value for name, value in (about | claims).items() if value is not None}
        key = self.keys.get(kid) or Ed25519PrivateKey.generate()
        headers = {"kid": kid}
        return {"Authorization": f"Bearer {jwt.encode(about, key, 'EdDSA', headers=headers)}"}


@contextmanager
def running() -> Iterator[Issuer]:
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.fetches += 1
            body = issuer.jwks() if issuer.body is None else issuer.body
            self.send_response(issuer.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        issuer.url = f"http://127.0.0.1:{server.server_port}"
        yield issuer
        server.shutdown()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running() as issuer:
        issuer.add_key("first")
        yield issuer


async def test_user_of_a_good_token_is_told(issuer: Issuer) -> None:
    async with JwtClient(issuer.url) as client:
        about = {"id": "1", "email": "ada@example.com", "name": "Ada", "role": "admin, editor"}
        found = await client.session(issuer.token("first", **about))
        assert found is not None
        assert (found.user.id, found.user.email) == ("1", "ada@example.com")
        assert found.user.roles == ("admin", "editor")
        assert (found.id, found.token, found.is_fresh()) == (None, None, False)
        bare = await client.session(issuer.token("first"))
        assert bare is not None
        assert (bare.user.id, bare.user.email) == ("1", "")
        assert await client.session({}) is None
        assert await client.session({"Cookie": "better-auth.session_token=a.b"}) is None
    assert issuer.fetches == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"iat": None},
        {"iat": 10**12},
        {"nbf": 10**12},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"sub": None},
        {"sub": 5},
        {"exp": 10**400},
    ],
    ids=repr,
)
async def test_token_with_other_claims_is_none(issuer: Issuer, claims: dict[str, Any]) -> None:
    async with JwtClient(issuer.url) as client:
        assert await client.session(issuer.token("first", **claims)) is None


async def test_new_key_is_fetched_at_most_once_in_a_while(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with JwtClient(issuer.url) as client:
        assert await client.session(issuer.token("first"))
        for number in range(20):
            assert await client.session(issuer.token(f"made up {number}")) is None
        assert issuer.fetches == 1  # made up soon after the first fetch
        issuer.add_key("second")
        monkeypatch.setattr(checking, "_MIN_FETCH_INTERVAL", 0.0)
        assert await client.session(issuer.token("second"))
        assert issuer.fetches == 2


async def test_keys_stay_in_use_while_new_ones_cannot_be_had(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "_MIN_FETCH_INTERVAL", 0.0)
    monkeypatch.setattr(checking, "_RETRY_INTERVAL", 0.0)
    async with JwtClient(issuer.url) as client:
        good = issuer.token("first")
        assert await client.session(good)
        issuer.add_key("second")
        for issuer.status, issuer.body in ((503, b""), (200, b"<html>"), (200, b'{"keys": 1}')):
            with pytest.raises((UnavailableError, UnexpectedResponseError)):
                await client.session(issuer.token("second"))
            assert await client.session(good)
        issuer.status, issuer.body = 200, None
        assert await client.session(issuer.token("second"))


@pytest.mark.parametrize(
    "key",
    [
        None,
        "first",
        {},
        {"kid": "x", "alg": "EdDSA"},
        {"kid": "x", "alg": "EdDSA", "kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kid": "x", "alg": "RS256", "kty": "RSA", "n": 1, "e": []},
        {"kid": ["x"], "alg": "EdDSA", "kty": "OKP", "crv": "Ed25519", "x": "A" * 42 + "E"},
        {"alg": "EdDSA", "kty": "OKP", "crv": "Ed25519", "x": "A" * 42 + "E"},
        {"kid": "x", "alg": ["EdDSA"], "kty": "OKP"},
        {"kid": "first", "alg": "HS256", "kty": "oct", "k": "AAAA"},
    ],
    ids=repr,
)
async def test_key_that_is_not_understood_hides_no_other(issuer: Issuer, key: Any) -> None:
    issuer.others = [key]
    async with JwtClient(issuer.url) as client:
        assert await client.session(issuer.token("first")) is not None
        assert await client.session(issuer.token("x")) is None


async def test_known_key_is_not_asked_for_while_the_service_hangs(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "_MIN_FETCH_INTERVAL", 0.0)
    monkeypatch.setattr(checking, "_RETRY_INTERVAL", 0.0)
    async with JwtClient(issuer.url) as client:
        good = issuer.token("first")
        assert await client.session(good)
        issuer.status = 503
        with pytest.raises(UnavailableError):
            await client.session(issuer.token("unknown"))
        fetches = issuer.fetches
        assert await client.session(good)
        assert issuer.fetches == fetches


async def test_subject_of_a_token_is_who_it_is(issuer: Issuer) -> None:
    async with JwtClient(issuer.url) as client:
        found = await client.session(issuer.token("first", sub="1", id="2"))
        assert found is not None
        assert found.user.id == "1"


async def test_keys_that_were_never_there_are_no_sign_out(issuer: Issuer) -> None:
    async with JwtClient(f"http://127.0.0.1:{free_port()}", issuer=issuer.url) as client:
        for _ in range(3):
            with pytest.raises(UnavailableError):
                await client.session(issuer.token("first"))


def test_algorithm_with_a_shared_secret_is_refused() -> None:
    for algorithm in ("HS256", "none"):
        with pytest.raises(ValueError, match="algorithms"):
            JwtClient("https://auth.example.com", algorithms=[algorithm])
