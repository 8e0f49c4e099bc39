"""Who visits a server: raw requests with exactly the headers given, and a transcript of all of it.

A scenario is a function of one visitor. It is run at both servers, each time with the values that
server made up, and the two transcripts are compared.
"""

import base64
import hashlib
import hmac
import http.client
import json
import re
import secrets
import string
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote

from app.auth.mail import NOTICES
from tests.interop.auth.provider import Provider
from tests.interop.auth.servers import SECRET, Running
from tests.social.running_hosts import RunningHosts
from tests.support import Server, wait_until

PREFIX: Final = "/api/auth"
PASSWORD: Final = "correct horse battery"
KEPT_ALIVE: Final = 1.0
"""Seconds after which no connection is used again: both servers close idle ones after five."""
PAUSE: Final = 0.004  # seconds between two entries: a time belongs to one of them

_ABSENT: Final = object()
MADE_UP: Final = re.compile(
    r"eyJ[\w.-]{40,}|[\da-f]{8}(-[\da-f]{4,12}){4}|\b[A-Za-z0-9]{24,32}\b(\.[\w%+/]{43,}=?)?"
)
"""Tokens, signed or not, and ids."""


def signature(value: str, secret: str = SECRET) -> str:
    """The signature of a cookie's value: HMAC-SHA-256 in Base64."""
    digest = hmac.new(secret.encode(), value.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def signed(value: str, secret: str = SECRET) -> str:
    """A value as it stands in a cookie: signed and percent-encoded."""
    return quote(f"{value}.{signature(value, secret)}", safe="-_.!~*'()")


@dataclass(frozen=True)
class Entry:
    """One line of a transcript: what was asked, and what came back from when to when (Unix)."""

    name: str
    sent: float
    received: float
    answer: Any


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as it came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key.lower() == name]

    def header(self, name: str) -> str:
        """The only value of a header."""
        (value,) = self.all(name)
        return value

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def cookies(self) -> dict[str, str]:
        """What a browser would send next time, each value as it was received."""
        kept = {}
        for line in self.all("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if "; max-age=0" in line.lower():
                kept.pop(name, None)
            else:
                kept[name] = value
        return kept

    @property
    def cookie(self) -> str:
        """The same as a Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())


@dataclass(frozen=True)
class Person:
    """Somebody who signed up."""

    email: str
    id: str
    token: str | None
    cookie: str


@dataclass
class Visitor:
    """One visitor of one server. ``tag`` goes into the addresses of its people."""

    server: Running
    postgres: Server
    tag: str
    base_url: str
    cookie_name: str = "better-auth.session_token"
    provider: Provider | None = None
    """The scenarios' own, where the setup has it."""
    hosts: RunningHosts | None = None
    """Those of the built-in providers, where the setup has them played."""
    transcript: list[Entry] = field(default_factory=list)
    requests: list[tuple[Any, ...]] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    _names: Counter[str] = field(default_factory=Counter)
    _mails_read: int = 0
    _last: float = 0  # when the connection was last used
    _connection: http.client.HTTPConnection | None = None

    def send(
        self,
        status: int | None,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str | None] | None = None,
        *,
        name: str | None = None,
        outside: bool = False,
        chunked: bool = False,
    ) -> Answer:
        """Send a request with these headers, Host and Content-Length, and nothing else.

        ``status`` is what the contract says comes back, None where it says nothing; what comes
        instead is kept in ``unexpected``.
        """
        target = path if outside else PREFIX + path
        sent_headers = {key: value for key, value in (headers or {}).items() if value is not None}
        self.requests.append((method, target, tuple(sent_headers.items()), body, chunked))
        time.sleep(PAUSE)
        sent = time.time()
        answer = self._exchange(method, target, body, sent_headers, chunked)
        self.note(name or f"{method} {path}", answer, sent)
        if status not in (None, answer.status):
            self.unexpected.append(f"{self.transcript[-1].name}: {status} was expected: {answer}")
        return answer

    def _exchange(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str], chunked: bool
    ) -> Answer:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection = self._connection
        if time.time() - self._last > KEPT_ALIVE:
            connection.close()  # and opened again by what follows
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", self.base_url.partition("://")[2])
        for key, value in headers.items():
            connection.putheader(key, value.encode("latin-1"))
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        elif body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body, encode_chunked=chunked)
        response = connection.getresponse()
        answer = Answer(response.status, tuple(response.getheaders()), response.read())
        if response.will_close:
            connection.close()
        self._last = time.time()
        return answer

    def note(self, name: str, answer: Any, sent: float | None = None) -> None:
        """Put something into the transcript that is compared as the answers are."""
        if sent is None:
            time.sleep(PAUSE)
            sent = time.time()
        name = MADE_UP.sub("…", name)
        self._names[name] += 1
        count = self._names[name]
        unique = name if count == 1 else f"{name} #{count}"
        self.transcript.append(Entry(unique, sent, time.time(), answer))

    def get(
        self,
        status: int | None,
        path: str,
        cookie: str | None = None,
        headers: Mapping[str, str | None] | None = None,
        name: str | None = None,
    ) -> Answer:
        """GET; a cookie is sent as a browser's top-level navigation sends it, without Origin."""
        return self.send(
            status, "GET", path, None, {"cookie": cookie, **(headers or {})}, name=name
        )

    def post(
        self,
        status: int | None,
        path: str,
        body: Any = _ABSENT,
        cookie: str | None = None,
        headers: Mapping[str, str | None] | None = None,
        name: str | None = None,
    ) -> Answer:
        """POST a value as JSON, or bytes as they are; with a cookie from the server's own origin.

        A header None is left out.
        """
        sent: dict[str, str | None] = {}
        content: bytes | None = None
        if body is not _ABSENT:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent["content-type"] = "application/json"
        if cookie is not None:
            sent |= {"cookie": cookie, "origin": self.base_url}
        return self.send(status, "POST", path, content, sent | dict(headers or {}), name=name)

    def address(self, name: str) -> str:
        """An address that only this scenario uses."""
        return f"{name}.{self.tag}@example.com"

    def sign_up(self, name: str, **more: Any) -> Person:
        """A new user, signed in where the configuration does that at once."""
        body = {"name": name, "email": self.address(name), "password": PASSWORD} | more
        answer = self.post(200, "/sign-up/email", body)
        user = answer.json["user"]
        return Person(user["email"], user["id"], answer.json["token"], answer.cookie)

    def sign_in(self, person: Person, **more: Any) -> Person:
        """The same person with one session more."""
        body = {"email": person.email, "password": PASSWORD} | more
        answer = self.post(200, "/sign-in/email", body)
        return Person(person.email, person.id, answer.json["token"], answer.cookie)

    def sql(self, text: str, name: str = "SQL") -> str:
        """Run SQL in the server's database; the rows that it gives are compared too."""
        time.sleep(PAUSE)
        sent = time.time()
        rows = self.quiet_sql(text)
        self.note(name, rows, sent)
        return rows

    def quiet_sql(self, text: str) -> str:
        """Run SQL in the server's database; what comes back is not compared."""
        return self.postgres.sql(text, self.server.database)

    def session(self, person: Person, created: str = "0 h", expires: str = "168 h") -> Person:
        """A session put into the table: created and expiring this long from now."""
        token = "".join(secrets.choice(string.ascii_letters) for _ in range(32))
        self.sql(
            "INSERT INTO sessions (user_id, token, expires_at, created_at, updated_at) VALUES "
            f"('{person.id}', '{token}', now() + interval '{expires}',"
            f" now() + interval '{created}', now() + interval '{created}')"
        )
        return Person(person.email, person.id, token, f"{self.cookie_name}={signed(token)}")

    def mail(self, person: Person | None = None, email: str = "") -> dict[str, str]:
        """Wait for the next mail of this scenario; it must go to ``person`` or ``email``."""
        time.sleep(PAUSE)
        sent = time.time()
        wait_until(lambda: len(self._mails()) > self._mails_read, "a mail")
        mail = self._mails()[self._mails_read]
        self._mails_read += 1
        self.note(f"mail {self._mails_read}", mail, sent)
        if mail["email"] != (person.email if person else email):
            self.unexpected.append(f"mail {self._mails_read}: to {mail['email']}")
        return mail

    def _mails(self) -> list[dict[str, str]]:
        lines = self.server.mail_file.read_text().splitlines()
        mails = [mail for mail in map(json.loads, lines) if f".{self.tag}@" in mail["email"]]
        return [mail for mail in mails if mail["kind"] not in NOTICES]  # Better Auth sends none

    def close(self) -> None:
        """End the visit; mails that nobody read are noted."""
        self.note("mails left", self._mails()[self._mails_read :])
        if self._connection is not None:
            self._connection.close()


@dataclass(frozen=True)
class Scenario:
    """What a visitor does at a server that is set up in this way."""

    setup: str
    name: str
    run: Callable[[Visitor], None]


SCENARIOS: Final[list[Scenario]] = []


def scenario(setup: str) -> Callable[[Callable[[Visitor], None]], Callable[[Visitor], None]]:
    """Mark a function as a scenario."""

    def register(run: Callable[[Visitor], None]) -> Callable[[Visitor], None]:
        SCENARIOS.append(Scenario(setup, run.__name__, run))
        return run

    return register


def unsigned(cookie: str) -> str:
    """The token in a session cookie's value."""
    return unquote(cookie.partition("=")[2]).rpartition(".")[0]
