"""A small provider as a process of its own: refresh tokens that work once, and every bad habit.

``python -m tests.integration.social.token_provider PORT``; running_provider starts it.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock
from typing import Any, Final
from urllib.parse import parse_qsl

import httpx

from tests.support import free_port, running_process

SLOW: Final = 1.5
"""Seconds that the token endpoint takes in its mode ``slow``."""
DISCOVERY: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class TokenProvider:
    """A running provider."""

    url: str

    def set(self, mode: str = "ok", good: str = "refresh-0") -> None:
        """What the token endpoint does from now on, and the only refresh token it takes."""
        state = {"mode": mode, "good": good}
        httpx.post(f"{self.url}/state", json=state).raise_for_status()

    @property
    def calls(self) -> list[str]:
        """The refresh tokens that came since ``set``, in order."""
        return httpx.get(f"{self.url}/state").json()

    def settings(self, *more: dict[str, Any], encrypt: bool = False) -> dict[str, str]:
        """Gatepost's, for it as an OpenID provider and as one without discovery. ``more`` are
        providers of other names, each an OpenID provider unless it says otherwise."""
        client = {"client_id": "gatepost", "client_secret": "secret of the client"}
        near = {"allow_private_addresses": True}
        plain = {
            "authorization_url": f"{self.url}/authorize",
            "token_url": f"{self.url}/token",
            "userinfo_url": f"{self.url}/profile",
        }
        openid = {"discovery_url": f"{self.url}{DISCOVERY}"}
        providers = [
            {"id": "openid"} | openid | client | near,
            {"id": "plain"} | plain | client | near,
            *(openid | client | near | each for each in more),
        ]
        return {
            "GATEPOST_PROVIDERS": json.dumps(providers),
            "GATEPOST_ENCRYPT_OAUTH_TOKENS": str(encrypt).lower(),
        }


@contextmanager
def running_provider() -> Iterator[TokenProvider]:
    """The provider, ready to answer."""
    port = free_port()
    command = [sys.executable, "-m", "tests.integration.social.token_provider", str(port)]
    url = f"http://127.0.0.1:{port}"
    with running_process(command, f"{url}/state"):
        yield TokenProvider(url)


class _State:
    def __init__(self) -> None:
        self.lock = Lock()
        self.never = Event()
        self.set("ok", "refresh-0")

    def set(self, mode: str, good: str) -> None:
        self.mode, self.good, self.calls = mode, good, list[str]()


_state: Final = _State()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = f"http://{self.headers['host']}"
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        match self.path:
            case "/state":
                self._send(200, _state.calls)
            case "/profile" if token.startswith("access-"):
                profile = {"id": 7, "sub": "7", "name": "Ann", "email": "Ann@example.com"}
                self._send(200, profile | {"email_verified": True, "more": {"deep": [token]}})
            case "/.well-known/openid-configuration":
                names = {
                    "authorization_endpoint": "/authorize",
                    "token_endpoint": "/token",
                    "userinfo_endpoint": "/profile",
                    "jwks_uri": "/keys",
                    "end_session_endpoint": "/logout?theme=dark",
                }
                document = {name: f"{url}{path}" for name, path in names.items()}
                signed = {"id_token_signing_alg_values_supported": ["RS256"]}
                self._send(200, document | signed | {"issuer": url})
            case "/silent/.well-known/openid-configuration":
                _state.never.wait()
            case "/keys":
                self._send(200, {"keys": []})
            case _:
                self._send(401, {"error": "invalid_token"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/state":
            _state.set(**json.loads(body))
            self._send(200, None)
        else:
            self._refresh(dict(parse_qsl(body.decode())))

    def _refresh(self, form: dict[str, str]) -> None:
        used = form.get("refresh_token", "")
        with _state.lock:
            _state.calls.append(used)
            number, is_good = len(_state.calls), used == _state.good
            if is_good and _state.mode != "kept":
                _state.good = f"refresh-{number}"
        if not is_good or form.get("client_secret") != "secret of the client":
            self._send(400, {"error": "invalid_grant"})
            return
        tokens: dict[str, Any] = {
            "access_token": f"access-{number}",
            "refresh_token": f"refresh-{number}",
            "id_token": f"id-{number}",
            "expires_in": 3600,
            "refresh_token_expires_in": 86_400,
            "token_type": "Bearer",
            "scope": "less",
        }
        match _state.mode:
            case "slow":
                time.sleep(SLOW)
                self._send(200, tokens)
            case "silent":
                _state.never.wait()
            case "broken":
                self._send(500, {"error": "server_error"})
            case "html":
                self._send_bytes(200, b"<html>Sign in")
            case "list":
                self._send(200, [tokens])
            case "numbers":
                self._send(200, tokens | {"access_token": 7})
            case "empty":
                self._send(200, {})
            case "elsewhere":
                self._send_bytes(307, b"", {"location": "/token"})
            case "kept":
                self._send(200, {"access_token": f"access-{number}"})
            case _:
                self._send(200, tokens)

    def _send(self, status: int, answer: Any) -> None:
        self._send_bytes(status, json.dumps(answer).encode())

    def _send_bytes(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        try:
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:  # who asked is gone
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Handler).serve_forever()
