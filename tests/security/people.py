"""A service with the auth API, its database and its mails, and the people who visit it."""

import base64
import hashlib
import hmac
import json
import secrets
import string
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from tests.support import Server, Service, running_service, wait_until

BASE: Final = "http://auth.gatepost.test"
SECRET: Final = "a secret for tests of 32 letters or more"
PASSWORD: Final = "correct horse battery"
NEW: Final = "a better password"
COOKIE: Final = "better-auth.session_token"


@dataclass(frozen=True)
class Person:
    """Somebody with a browser of their own, signed in."""

    browser: httpx.Client
    id: str
    email: str
    token: str


@dataclass(frozen=True)
class Site:
    """A running service."""

    service: Service
    postgres: Server
    mail_file: Path
    clients: list[httpx.Client]

    def browser(self, cookie: str | None = None) -> httpx.Client:
        """A client that keeps its cookies, or has just the one that is given."""
        client = httpx.Client(
            base_url=f"{self.service.url}/api/auth",
            headers={"origin": BASE} | ({"cookie": cookie} if cookie else {}),
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=120,
        )
        self.clients.append(client)
        return client

    def sign_up(self, name: str = "ada") -> Person:
        browser, email = self.browser(), f"{name}.{secrets.token_hex(4)}@example.com"
        body = {"name": name, "email": email, "password": PASSWORD}
        answer = browser.post("/sign-up/email", json=body)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return Person(browser, found["user"]["id"], email, found["token"])

    def sign_in(
        self, email: str, password: str = PASSWORD, browser: httpx.Client | None = None
    ) -> httpx.Response:
        body = {"email": email, "password": password}
        return (browser or self.browser()).post("/sign-in/email", json=body)

    def sql(self, text: str) -> str:
        """The rows of a statement, unaligned."""
        return self.postgres.sql(text, urlsplit(self.service.database_url).path[1:])

    def session(self, person: Person, created: str = "0 h", expires: str = "168 h") -> str:
        """The token of a session that was put into the table."""
        token = "".join(secrets.choice(string.ascii_letters) for _ in range(32))
        self.sql(
            "INSERT INTO sessions (user_id, token, expires_at, created_at, updated_at) VALUES"
            f" ('{person.id}', '{token}', now() + interval '{expires}',"
            f" now() + interval '{created}', now() + interval '{created}')"
        )
        return token

    def sessions(self, person: Person) -> set[str]:
        """The tokens of a person's sessions."""
        found = self.sql(f"SELECT token FROM sessions WHERE user_id = '{person.id}'")
        return set(found.split())

    def mails(self, email: str, kind: str | None = None) -> list[dict[str, Any]]:
        lines = self.mail_file.read_text().splitlines() if self.mail_file.exists() else []
        mails = [json.loads(line) for line in lines]
        return [m for m in mails if m["email"] == email and kind in (None, m["kind"])]

    def mail(self, email: str, kind: str) -> dict[str, Any]:
        """The newest mail of this kind."""
        wait_until(lambda: bool(self.mails(email, kind)), f"a mail {kind}")
        return self.mails(email, kind)[-1]


@contextmanager
def site(postgres: Server, template: str, folder: Path, **settings: str) -> Iterator[Site]:
    """A service on a database of its own. Mails go to a file; nothing is limited."""
    given = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": BASE,
        "GATEPOST_RATE_LIMIT": "off",
        "MAIL_FILE": str(folder / "mails"),
    }
    with (
        postgres.database(template) as database,
        running_service(
            postgres.url(database), folder / "service.log", **given | settings
        ) as service,
    ):
        found = Site(service, postgres, folder / "mails", [])
        yield found
        for client in found.clients:
            client.close()


def signature(value: str) -> str:
    """The signature of a cookie: HMAC-SHA-256 in Base64."""
    digest = hmac.new(SECRET.encode(), value.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def cookie(token: str, name: str = COOKIE) -> str:
    return f"{name}={quote(f'{token}.{signature(token)}', safe='')}"


def jwt(claims: Any, header: dict[str, Any] | None = None) -> str:
    """A token of Better Auth's form, signed with the secret."""
    parts = (json.dumps(part).encode() for part in (header or {"alg": "HS256"}, claims))
    text = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    mark = signature(text).translate(str.maketrans("+/", "-_")).rstrip("=")
    return f"{text}.{mark}"
