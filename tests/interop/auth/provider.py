"""A provider of the scenarios' own: it answers each code with what the scenario laid down for it.

So both servers are told the same at the same time, and what each of them asks is kept apart. What
it checks is what a real one checks: the code is used once, the PKCE verifier fits, the bearer token
is one of its own. Below its address each first segment is a provider of that name: ``/oidc/token``.
"""

import base64
import hashlib
import json
import secrets
import string
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT_ID: Final = "the+client's:id%"
CLIENT_SECRET: Final = "s:cr t/with+%&=~"
KEY_ID: Final = "key-1"

_LETTERS: Final = string.ascii_letters + string.digits


def made_up() -> str:
    """A text that ``compare`` gives a name."""
    return "".join(secrets.choice(_LETTERS) for _ in range(32))


@dataclass
class Grant:
    """What the provider says of one person, once, and what it was asked about it."""

    profile: Any
    answer: Mapping[str, Any]
    """What the token endpoint gives besides the access token and the ID token."""
    claims: Mapping[str, Any] | None
    """Those of the ID token besides the standard ones; None: there is no ID token."""
    status: int
    challenge: str | None
    refreshed: list[Mapping[str, Any] | None] = field(default_factory=list)
    """What each refresh gives besides; None: it is refused."""
    code: str = field(default_factory=made_up)
    asked: list[dict[str, Any]] = field(default_factory=list)
    used: bool = False


class Provider:
    """The provider, listening at ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._grants: dict[str, Grant] = {}

    def grant(
        self,
        profile: Any,
        *,
        answer: Mapping[str, Any] | None = None,
        claims: Mapping[str, Any] | None = None,
        status: int = 200,
        challenge: str | None = None,
        refreshed: list[Mapping[str, Any] | None] | None = None,
    ) -> Grant:
        """Lay down what a code gives; ``status`` is that of the token endpoint."""
        grant = Grant(profile, answer or {}, claims, status, challenge, refreshed or [])
        self._grants[grant.code] = grant
        return grant

    def id_token(
        self,
        claims: Mapping[str, Any],
        *,
        name: str = "oidc",
        key: Any = None,
        algorithm: str = "RS256",
        headers: Mapping[str, Any] | None = None,
    ) -> str:
        """A signed ID token; a claim None is left out."""
        now = int(time.time())
        standard = {"iss": f"{self.url}/{name}", "aud": CLIENT_ID, "iat": now, "exp": now + 3600}
        given = {
            key: value for key, value in (standard | dict(claims)).items() if value is not None
        }
        header = {"kid": KEY_ID, **(headers or {})}
        signer: Any = None if algorithm == "none" else key or self.key
        return jwt.encode(given, signer, algorithm=algorithm, headers=header)

    def discovery(self, name: str) -> dict[str, Any]:
        here = f"{self.url}/{name}"
        return {
            "issuer": here,
            "authorization_endpoint": f"{here}/authorize",
            "token_endpoint": f"{here}/token",
            "userinfo_endpoint": f"{here}/userinfo",
            "end_session_endpoint": f"{here}/logout",
            "jwks_uri": f"{here}/jwks",
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
        }

    def jwks(self) -> dict[str, Any]:
        key = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**key, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]}

    def authorize(self, query: Mapping[str, str]) -> str:
        """Where a browser goes on to: whoever ``login_hint`` names signs in, nobody is asked."""
        email = query.get("login_hint", "")
        who = {"id": email, "sub": email, "name": "Ada", "email": email, "email_verified": True}
        refresh_tokens = [made_up(), made_up()]
        grant = self.grant(
            who,
            answer={
                "expires_in": 3600,
                "refresh_token": refresh_tokens[0],
                "scope": "openid email",
            },
            claims=who | ({"nonce": query["nonce"]} if "nonce" in query else {}),
            challenge=query.get("code_challenge"),
            refreshed=[{"expires_in": 7200, "refresh_token": refresh_tokens[1]}],
        )
        answer = {"code": grant.code} if email else {"error": "access_denied"}
        return f"{query['redirect_uri']}?{urlencode({'state': query['state'], **answer})}"

    def token(self, name: str, form: Mapping[str, str], note: dict[str, Any]) -> tuple[int, Any]:
        """Answer the token endpoint: a code, or a refresh token."""
        grant = self._grants.get(form.get("code") or form.get("refresh_token", ""))
        if grant is None:
            return 400, {"error": "invalid_grant"}
        grant.asked.append(note)
        more: Mapping[str, Any] | None = grant.answer
        if form.get("grant_type") == "refresh_token":
            more = grant.refreshed.pop(0) if grant.refreshed else None
        elif grant.used or not _fits(grant.challenge, form.get("code_verifier")):
            more = None
        grant.used = True
        if more is None:
            return 400, {"error": "invalid_grant"}
        tokens: dict[str, Any] = {"access_token": made_up(), "token_type": "Bearer"}
        if grant.claims is not None:
            tokens["id_token"] = self.id_token(grant.claims, name=name)
        tokens = {key: value for key, value in (tokens | dict(more)).items() if value is not None}
        for secret in (tokens.get("access_token"), tokens.get("refresh_token")):
            if isinstance(secret, str):
                self._grants[secret] = grant
        return grant.status, tokens

    def userinfo(self, bearer: str, note: dict[str, Any]) -> tuple[int, Any]:
        grant = self._grants.get(bearer)
        if grant is None:
            return 401, {"error": "invalid_token"}
        grant.asked.append(note)
        return 200, grant.profile


def _fits(challenge: str | None, verifier: str | None) -> bool:
    if challenge is None:
        return verifier is None
    digest = hashlib.sha256((verifier or "").encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=") == challenge


class _Handler(BaseHTTPRequestHandler):
    provider: Provider
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name, _, path = urlsplit(self.path).path[1:].partition("/")
        if path == ".well-known/openid-configuration":
            self._answer(200, self.provider.discovery(name))
        elif path == "authorize":
            self.send_response(302)
            query = dict(parse_qsl(urlsplit(self.path).query))
            self.send_header("location", self.provider.authorize(query))
            self.send_header("content-length", "0")
            self.end_headers()
        elif path == "jwks":
            self._answer(200, self.provider.jwks())
        elif path == "userinfo":
            bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
            self._answer(*self.provider.userinfo(bearer, self._note({})))
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        form = dict(parse_qsl(body, keep_blank_values=True))
        name, _, path = self.path[1:].partition("/")
        if path == "token":
            self._answer(*self.provider.token(name, form, self._note(form)))
        else:
            self._answer(404, {})

    def _note(self, form: Mapping[str, str]) -> dict[str, Any]:
        kind = self.headers.get("content-type", "").partition(";")[0]
        return {
            "asked": f"{self.command} {self.path}",
            "authorization": self.headers.get("authorization"),
            "content-type": kind,
            "form": form,
        }

    def _answer(self, status: int, value: Any) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def provider() -> Iterator[Provider]:
    """The provider in a thread of its own."""
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        handler.provider = Provider(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield handler.provider
        finally:
            server.shutdown()
            thread.join()
