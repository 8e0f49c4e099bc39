"""A service to attack: secrets planted in its database, and what holds for whatever it answers.

The requests are well-formed HTTP, so that each of them has to be answered; what is not is in
test_http_guard.py and test_request_smuggling.py.
"""

import asyncio
import hashlib
import hmac
import json
import os
import re
import secrets
import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar
from urllib.parse import quote
from uuid import UUID

import asyncpg
from ada_url import URL
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from app.auth.passwords import hashed
from tests.support import KEYS, Service, running_service

CASES: Final = int(os.environ.get("FUZZ_CASES") or 1000)
"""Requests that each test makes up."""

BASE: Final = "http://auth.gatepost.test"
TRUSTED: Final = "https://app.gatepost.test"
SECRET: Final = secrets.token_urlsafe(36)
VICTIM: Final = UUID(int=0xA1)
FUZZER: Final = UUID(int=0xF2)
PASSWORD: Final = "correct horse battery"  # of FUZZER
VICTIMS_ADDRESS: Final = "victim@victims.test"
FUZZERS_ADDRESS: Final = "fuzzer@fuzzers.test"

_PATIENCE: Final = 15.0  # seconds: a bound for what hangs, on a machine that is busy
_CHUNK: Final = 500  # examples of one seed: Hypothesis remembers every one that it made up
_MUTATIONS: Final = 4  # of each example: Hypothesis takes longer to make one up than these to send
_NOT_CHECKED: Final = (
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
)
_KEPT: Final = (b"apikey", b"authorization", b"prefer")  # who asks, and that it is rolled back
_HEADERS: Final = re.compile(
    r"(access-control-[a-z-]+|allow|cache-control|connection|content-(length|range|security-policy)"
    r"|content-type|cross-origin-[a-z-]+|date|location|permissions-policy|pragma|proxy-status"
    r"|preference-applied|referrer-policy|(x-)?retry-after|set-(auth-token|cookie)|vary"
    r"|strict-transport-security|www-authenticate|x-(content-type|frame)-options|x-request-id)"
)

Value = TypeVar("Value")


@dataclass(frozen=True)
class Request:
    """A request as it goes over the wire."""

    method: str
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes | None = None
    chunked: bool = False

    def encoded(self) -> bytes:
        lines = [b"%s %s HTTP/1.1" % (self.method.encode(), self.target)]
        if not any(name.lower() == b"host" for name, _ in self.headers):
            lines.append(b"Host: auth.gatepost.test")
        lines += [b"%s: %s" % pair for pair in self.headers]
        body = self.body or b""
        if self.chunked:
            lines.append(b"Transfer-Encoding: chunked")
            middle = len(body) // 2
            parts = [part for part in (body[:middle], body[middle:]) if part]
            body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        elif self.body is not None:
            lines.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join([*lines, b"", body])


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str:
        return ", ".join(self.all(name))

    @property
    def json(self) -> Any:
        return json.loads(self.body, parse_constant=_no_constant)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class Wire:
    """One connection, kept alive as long as the service keeps it."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._socket: socket.socket | None = None

    def send(self, request: Request) -> Answer:
        """The answer. Raises AssertionError when there is none, or none in time."""
        reused = self._socket is not None
        try:
            return self._send(request)
        except (HTTPException, OSError) as error:
            self.close()
            if not reused or isinstance(error, TimeoutError):
                raise AssertionError(f"{type(error).__name__} for {request}") from error
        try:
            return self._send(request)  # the connection had been closed before
        except (HTTPException, OSError) as error:
            self.close()
            raise AssertionError(f"{type(error).__name__} for {request}") from error

    def _send(self, request: Request) -> Answer:
        connection = self._socket
        if connection is None:
            connection = self._socket = socket.create_connection(self._address, _PATIENCE)
        with suppress(BrokenPipeError, ConnectionResetError):  # it may have answered already
            connection.sendall(request.encoded())
        response = HTTPResponse(connection, method=request.method)
        response.begin()
        body = response.read()
        headers = [(name.lower(), value) for name, value in response.getheaders()]
        if response.will_close:
            self.close()
        return Answer(response.status, headers, body)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@dataclass
class Target:
    """The service, a connection to it, and one to its database past it."""

    service: Service
    wire: Wire
    canaries: dict[str, str]
    """What no answer may hold: secrets of VICTIM, and by these names other data of theirs."""
    loop: asyncio.AbstractEventLoop
    db: asyncpg.Connection
    mails: Path
    own_token: str = field(default_factory=lambda: secrets.token_hex(16))
    sent: int = 0

    @property
    def own_cookie(self) -> str:
        """The session cookie of FUZZER."""
        return quote(signed(self.own_token), safe="")

    def run(self, statement: str, *arguments: Any) -> Any:
        return self.loop.run_until_complete(self.db.fetchval(statement, *arguments))

    def sign_in(self) -> None:
        """Give FUZZER its user, password and session as they were at first."""
        self.run("DELETE FROM users WHERE email = $1 AND id <> $2", FUZZERS_ADDRESS, FUZZER)
        self.run(_OWN, FUZZER, FUZZERS_ADDRESS, _STORED, self.own_token)

    def victim(self) -> str:
        """All rows of VICTIM's that nobody but VICTIM may change."""
        return self.run(_VICTIMS_ROWS, VICTIM)

    def check(self, request: Request, answer: Answer, *, secrets_only: bool = False) -> None:
        """What holds for any answer of either API."""
        self.sent += 1
        assert answer.status < 500, f"{answer.status} {answer.body[:300]!r} for {request}"
        everything = answer.body + repr(answer.headers).encode()
        for name, canary in self.canaries.items():
            if secrets_only and name.startswith("personal"):
                continue
            assert canary.encode() not in everything, f"{name} in the answer to {request}"
        for name, _ in answer.headers:
            assert _HEADERS.fullmatch(name), f"{name} in the answer to {request}"
        for location in answer.all("location"):
            assert _is_trusted(location), f"leads to {location!r}: {request}"
        for line in answer.all("set-cookie"):
            name = line.partition("=")[0].removeprefix("__Secure-").removeprefix("__Host-")
            assert name.startswith("better-auth."), f"{line!r} for {request}"
            assert len(line.partition(";")[0]) < 4096, f"{line!r} for {request}"
        is_json = "json" in answer.header("content-type")
        if is_json and answer.body:
            try:
                error = answer.json
            except ValueError as malformed:
                raise AssertionError(f"no JSON, {answer.body[:300]!r} for {request}") from malformed
            if answer.status >= 400:
                assert isinstance(error, dict), f"{error!r} for {request}"
                assert isinstance(error["message"], str), f"{error!r} for {request}"
                assert isinstance(error.get("code", ""), str), f"{error!r} for {request}"
                assert set(error) <= {"code", "message", "details", "hint"}, (
                    f"{error} for {request}"
                )
        elif answer.status >= 400:
            assert not answer.body, f"{answer.body[:300]!r} for {request}"

    def attack(
        self, requests: SearchStrategy[Value], send: Callable[[Value], None], cases: int = CASES
    ) -> None:
        """``send`` some ``cases`` made-up requests, the same ones each time, and look after.

        ``send`` sends an example and what ``mutated`` makes of it.
        """
        before, self.sent = self.victim(), 0
        examples = cases // (_MUTATIONS + 1)
        for start in range(0, examples, _CHUNK):
            decorated = seed(start)(given(requests)(send))
            settings(
                max_examples=min(_CHUNK, examples - start),
                database=None,
                deadline=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=_NOT_CHECKED,
            )(decorated)()
        self.check_afterwards()
        assert self.victim() == before
        assert self.sent >= examples * (_MUTATIONS + 1), "Hypothesis gave up early"

    def check_afterwards(self) -> None:
        """It still serves, and its log holds no secret, no failure and no line but its own."""
        assert self.service.process.poll() is None
        assert self.wire.send(Request("GET", b"/readyz")).status == 200
        for line in self.service.log.read_text().splitlines()[1:]:  # the first is the welcome
            for name, canary in self.canaries.items():
                assert canary not in line, f"{name} in the log: {line:.500}"
            record = json.loads(line)
            assert "time" in record, line
            assert "exception" not in record, line


def mutated(request: Request) -> Iterator[Request]:
    """The request, and some with a slip in the query, the body or a header: always the same."""
    yield request
    slips = Random(repr(request))
    for _ in range(_MUTATIONS):
        path, mark, query = request.target.partition(b"?")
        headers, body = list(request.headers), request.body
        match slips.randrange(3):
            case 0 if query:
                query = _slip(query, slips, _IN_TARGETS)
            case 1 if headers:
                place = slips.randrange(len(headers))
                name, value = headers[place]
                if name not in _KEPT:
                    headers[place] = name, _slip(value, slips, _IN_HEADERS).strip()
            case _ if body:
                body = _slip(body, slips, _ANY)
        yield replace(request, target=path + mark + query, headers=tuple(headers), body=body)


_ANY: Final = bytes(range(256))
_IN_HEADERS: Final = bytes(sorted(set(range(32, 256)) - {127}))
_IN_TARGETS: Final = b"%%%%abcdefXYZ0123456789&=.,():*\"'-_~!$;/?@[]{}|\\^`<>+"


def _slip(text: bytes, slips: Random, letters: bytes) -> bytes:
    start = slips.randrange(len(text) + 1)
    end = min(len(text), start + slips.choice((0, 0, 1, 3, 20)))
    middle = bytes(slips.choices(letters, k=slips.choice((0, 1, 1, 2, 8))))
    if slips.random() < 0.2:
        middle = text[start:end] * 3
    return text[:start] + middle + text[end:]


def signed(value: str) -> str:
    """``value`` as the service signs a cookie."""
    digest = hmac.digest(SECRET.encode(), value.encode(), "sha256")
    return f"{value}.{b64encode(digest).decode()}"


def _is_trusted(location: str) -> bool:
    try:
        url = URL(location, f"{BASE}/api/auth/x")
    except ValueError:
        return False
    return url.origin in (BASE, TRUSTED)


_STORED: Final = hashed(PASSWORD, "0" * 32)

_OWN: Final = """
WITH owner AS (
    INSERT INTO users (id, name, email, email_verified) VALUES ($1, 'Fuzzer', $2, false)
    ON CONFLICT (id) DO UPDATE SET email = $2, name = 'Fuzzer', image = null, email_verified = false
    RETURNING id),
  password AS (
    INSERT INTO accounts (user_id, account_id, provider_id, password)
    SELECT id, id::text, 'credential', $3 FROM owner
    ON CONFLICT (provider_id, account_id) DO UPDATE SET password = $3)
INSERT INTO sessions (user_id, token, expires_at)
SELECT id, $4, now() + interval '7 days' FROM owner
ON CONFLICT (token) DO NOTHING
"""
_PLANTED: Final = """
WITH owner AS (
    INSERT INTO users (id, name, email, image, email_verified) VALUES ($1, $3, $2, $4, true)
    RETURNING id),
  password AS (
    INSERT INTO accounts (user_id, account_id, provider_id, password)
    SELECT id, id::text, 'credential', $5 FROM owner),
  linked AS (
    INSERT INTO accounts
      (user_id, account_id, provider_id, access_token, refresh_token, id_token)
    SELECT id, 'elsewhere', 'provider', $6, $7, $8 FROM owner),
  proof AS (
    INSERT INTO verifications (identifier, value, expires_at)
    SELECT $9, $10 || id::text, now() + interval '1 day' FROM owner)
INSERT INTO sessions (user_id, token, expires_at)
SELECT id, $11, now() + interval '7 days' FROM owner
"""
_VICTIMS_ROWS: Final = """
SELECT concat_ws(
  ';',
  (SELECT u::text FROM users u WHERE id = $1),
  (SELECT string_agg(a::text, ';' ORDER BY id) FROM accounts a WHERE user_id = $1),
  (SELECT string_agg(s::text, ';' ORDER BY id) FROM sessions s WHERE user_id = $1),
  (SELECT string_agg(v::text, ';' ORDER BY id) FROM verifications v WHERE value LIKE '%canary%'))
"""


_SETTINGS: Final = {
    "GATEPOST_SECRET": SECRET,
    "GATEPOST_BASE_URL": BASE,
    "GATEPOST_TRUSTED_ORIGINS": TRUSTED,
    "GATEPOST_RATE_LIMIT": "off",
    "GATEPOST_PLUGINS": "bearer",
    "GATEPOST_CHANGE_EMAIL": "true",
    "GATEPOST_DELETE_USER": "true",
    "GATEPOST_AUTO_SIGN_IN_AFTER_VERIFICATION": "true",
}


@contextmanager
def attacked(database_url: str, folder: Path, **others: str) -> Iterator[Target]:
    """The service with the auth API and every flow of it on, FUZZER signed in, VICTIM's secrets."""
    canaries = {
        name: f"canary{secrets.token_hex(14)}"
        for name in (
            *("personal name", "personal image", "password", "access token", "refresh token"),
            *("id token", "identifier", "proof", "session token"),
        )
    }
    log, mails = folder / "service.log", folder / "mails"
    with (
        running_service(
            database_url,
            log,
            **_SETTINGS | {"MAIL_FILE": str(mails)} | others,
        ) as service,
        asyncio.Runner() as runner,
    ):
        loop = runner.get_loop()
        db = loop.run_until_complete(asyncpg.connect(database_url))
        wire = Wire(int(service.url.rpartition(":")[2]))
        target = Target(service, wire, canaries | _settings_canaries(), loop, db, mails)
        try:
            target.run(_PLANTED, VICTIM, VICTIMS_ADDRESS, *canaries.values())
            target.sign_in()
            yield target
        finally:
            wire.close()
            loop.run_until_complete(db.close())


def _settings_canaries() -> dict[str, str]:
    digests = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in KEYS.items()}
    return {"the secret": SECRET} | {f"the digest of {n}": text for n, text in digests.items()}
