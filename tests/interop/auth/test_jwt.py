"""The jwt plugin beside Better Auth's on the same tables, and who checks its tokens."""

import base64
import hashlib
import hmac
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gatepost_client.jwt import JwtClient

from tests.interop.auth.servers import (
    BASE_URL,
    NODE,
    Running,
    Setup,
    better_auth,
    gatepost,
)
from tests.support import Server

ORIGIN = {"Origin": BASE_URL}
ALGORITHMS = ["EdDSA", "ES256", "ES512", "RS256", "PS256"]


@dataclass(frozen=True)
class Pair:
    """Gatepost and Better Auth on one database, with a session that both know."""

    gatepost: Running
    node: Running
    headers: dict[str, str]

    def get(self, server: Running, path: str, **headers: str) -> httpx.Response:
        given = self.headers | headers
        return httpx.get(f"http://127.0.0.1:{server.port}/api/auth{path}", headers=given)

    def token(self, server: Running) -> str:
        return self.get(server, "/token").raise_for_status().json()["token"]


def pair(
    postgres: Server, template: str, folder: Path, node: Path, stack: ExitStack, algorithm: str
) -> Pair:
    setup = Setup(
        settings={"GATEPOST_PLUGINS": "bearer,jwt", "GATEPOST_JWT_ALGORITHM": algorithm},
        jwt={"jwks": {"keyPairConfig": {"alg": algorithm}}},
    )
    database = stack.enter_context(postgres.database(template))
    ours = stack.enter_context(gatepost(setup, postgres, database, folder))
    theirs = stack.enter_context(better_auth(setup, postgres, database, folder, node))
    answer = httpx.post(
        f"http://127.0.0.1:{ours.port}/api/auth/sign-up/email",
        json={"name": "Ann", "email": "ann@example.com", "password": "correct horse"},
        headers=ORIGIN,
    ).raise_for_status()
    return Pair(ours, theirs, {"Authorization": f"Bearer {answer.headers['set-auth-token']}"})


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def jose(node: Path, server: Running, tokens: list[str]) -> list[bool]:
    """What jose on Node says of each token."""
    address = f"http://127.0.0.1:{server.port}/api/auth/jwks"
    about = {"jwks": address, "issuer": BASE_URL, "audience": BASE_URL}
    lines = [json.dumps({**about, "token": token}) + "\n" for token in tokens]
    done = subprocess.run(
        [node, "verify.mjs"], cwd=NODE, input="".join(lines),
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


async def client(server: Running, tokens: list[str]) -> list[bool]:
    """What JwtClient says of each."""
    address = f"http://127.0.0.1:{server.port}"
    async with JwtClient(address, issuer=BASE_URL, audience=BASE_URL) as checker:
        return [await checker.verify(token) is not None for token in tokens]


@pytest.mark.parametrize("first", ["gatepost", "node"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_both_servers_sign_with_the_key_that_one_of_them_made(
    postgres: Server, template: str, tmp_path: Path, node: Path, stack: ExitStack,
    algorithm: str, first: str,
) -> None:  # fmt: skip
    both = pair(postgres, template, tmp_path, node, stack, algorithm)
    servers = [both.gatepost, both.node] if first == "gatepost" else [both.node, both.gatepost]
    tokens = [both.token(server) for server in servers]
    headers = [jwt.get_unverified_header(token) for token in tokens]
    assert headers[0] == headers[1] == {"alg": algorithm, "kid": headers[0]["kid"]}
    assert both.get(both.gatepost, "/jwks").json() == both.get(both.node, "/jwks").json()
    for server in servers:
        assert jose(node, server, tokens) == [True, True]
        assert await client(server, tokens) == [True, True]
    theirs, ours = ([*_claims(both.token(s)).items()] for s in (both.node, both.gatepost))
    assert _without_times(dict(ours)) == _without_times(dict(theirs))


def _claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def _without_times(claims: dict[str, Any]) -> dict[str, Any]:
    assert claims["exp"] - claims["iat"] == 900
    return {name: value for name, value in claims.items() if name not in ("iat", "exp")}


async def test_answers_are_better_auths(
    postgres: Server, template: str, tmp_path: Path, node: Path, stack: ExitStack
) -> None:
    both = pair(postgres, template, tmp_path, node, stack, "EdDSA")

    def seen(server: Running) -> list[Any]:
        base = f"http://127.0.0.1:{server.port}/api/auth"
        bare = httpx.get(f"{base}/token")
        session = both.get(server, "/get-session")
        nobody = httpx.get(f"{base}/get-session")
        return [
            (bare.status_code, bare.json()),
            httpx.post(f"{base}/token", headers=both.headers, json={}).status_code,
            httpx.post(f"{base}/jwks", json={}).status_code,
            session.headers["access-control-expose-headers"],
            jwt.get_unverified_header(session.headers["set-auth-jwt"]),
            "set-auth-jwt" in nobody.headers,
            "set-auth-jwt" in both.get(server, "/list-sessions").headers,
        ]

    assert seen(both.gatepost) == seen(both.node)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _part(value: Any) -> str:
    return _b64(json.dumps(value).encode())


def wrong_tokens(token: str, key: dict[str, Any]) -> list[str]:
    """Fifty that nobody may take: forged, of another time, of somebody else, malformed."""
    head, body, signature = token.split(".")
    header, claims = jwt.get_unverified_header(token), _claims(token)
    stranger = Ed25519PrivateKey.generate()
    pem = stranger.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    public = json.dumps(key).encode()

    def signed(header: dict[str, Any], claims: dict[str, Any]) -> str:
        text = f"{_part(header)}.{_part(claims)}"
        return f"{text}.{_b64(stranger.sign(text.encode()))}"

    def named(alg: str) -> str:
        return _part(header | {"alg": alg})

    def mac(secret: bytes) -> str:
        text = f"{named('HS256')}.{body}"
        return f"{text}.{_b64(hmac.digest(secret, text.encode(), hashlib.sha256))}"

    now = int(time.time())
    changed = [
        claims | {"sub": "somebody else"}, claims | {"exp": now + 10**6}, claims | {"aud": "x"},
        claims | {"iss": "https://evil.example"}, claims | {"role": "admin"}, {},
        {k: v for k, v in claims.items() if k != "exp"}, claims | {"iat": 0}, claims | {"nbf": 0},
    ]  # fmt: skip
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": _b64(stranger.public_key().public_bytes_raw())}
    return [
        *(f"{head}.{_part(each)}.{signature}" for each in changed),  # another body
        *(signed(header, each) for each in changed),  # of another key
        *(f"{named(alg)}.{body}." for alg in ("none", "None", "NONE", "")),
        *(f"{named(alg)}.{body}.{signature}" for alg in ("none", "HS256", "ES256")),
        *(mac(secret) for secret in (public, pem, key["x"].encode(), b"")),
        signed(header | {"kid": "unknown"}, claims),
        signed(header | {"kid": "../../etc/passwd"}, claims),
        signed({"alg": "EdDSA"}, claims),
        signed(header | {"jwk": jwk}, claims),
        signed({"alg": "EdDSA", "jwk": jwk}, claims),
        signed(header | {"jku": "https://evil.example/jwks"}, claims),
        signed(header | {"x5u": "https://evil.example/x"}, claims),
        signed(header | {"kid": None}, claims),
        signed(header | {"kid": 1}, claims),
        f"{_part(header | {'crit': ['exp']})}.{body}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body}.{signature[:-2]}",
        f"{head}.{body}.{signature}x.y",
        f"{head}.{body}.{_b64(bytes(64))}",
        f"{head}.{body}.{_b64(b'')}{'A' * 85}",
        f".{body}.{signature}",
        f"{head}..{signature}",
        f"{body}.{head}.{signature}",
        "",
        ".",
        "..",
        "a.b.c",
        "null",
        token[1:],
        token[:-10],
        token * 2,
        f"{_part([])}.{body}.{signature}",
    ]  # fmt: skip


async def test_fifty_wrong_tokens_are_refused(
    postgres: Server, template: str, tmp_path: Path, node: Path, stack: ExitStack
) -> None:
    both = pair(postgres, template, tmp_path, node, stack, "EdDSA")
    token = both.token(both.gatepost)
    (key,) = both.get(both.gatepost, "/jwks").json()["keys"]
    wrong = wrong_tokens(token, key)
    assert len(set(wrong)) >= 50
    assert await client(both.gatepost, [token, *wrong]) == [True, *(False for _ in wrong)]
    assert jose(node, both.gatepost, [token, *wrong]) == [True, *(False for _ in wrong)]
