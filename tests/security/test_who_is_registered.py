"""No answer tells whether an address is registered, nor do the statements behind it.

How long the answers take is measured by bench/timing.py; docs/SECURITY.md has the figures.
"""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from tests.support import environment

BASE = "http://gatepost.test"
PASSWORD = "correct horse battery"
MODES = {
    "verified": {"GATEPOST_REQUIRE_EMAIL_VERIFICATION": "true"},
    "not signed in": {"GATEPOST_AUTO_SIGN_IN": "false"},
    "not signed in, with a mail": {
        "GATEPOST_AUTO_SIGN_IN": "false",
        "GATEPOST_SEND_VERIFICATION_ON_SIGN_UP": "true",
    },
}

_MADE_UP = re.compile(r"[\da-f]{8}(-[\da-f]{4,12}){4}|\d{4}-\d\d-\d\dT[\d:.]+Z")


class Watched:
    """A service in this process, and the statements that it sends."""

    def __init__(self, client: httpx.AsyncClient, mails: Path) -> None:
        self.client = client
        self.statements: list[str] = []
        self._mails = mails

    def note(self, query: Any) -> None:
        self.statements.append(query.query)

    async def ask(self, path: str, body: dict[str, str], cookie: str | None = None) -> Any:
        """What a client sees of the answer, and the statements behind it."""
        self.client.cookies.clear()
        before = len(self.statements)
        headers = {"cookie": cookie} if cookie else {}
        answer = await self.client.post(f"/api/auth{path}", json=body, headers=headers)
        seen = {k: v for k, v in answer.headers.items() if k != "x-request-id"}
        email = body.get("email") or body["newEmail"]
        text = _MADE_UP.sub("…", answer.text).replace(email, "ADDRESS")
        seen["content-length"] = str(
            int(seen["content-length"]) - len(email) * (email in answer.text)
        )
        return answer.status_code, seen, text, self.statements[before:]

    async def mails(self) -> list[dict[str, str]]:
        await asyncio.sleep(0.05)  # they leave behind the answer
        lines = self._mails.read_text().splitlines() if self._mails.exists() else []
        return [json.loads(line) for line in lines]


@asynccontextmanager
async def watched(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: str
) -> AsyncIterator[Watched]:
    given = {
        "GATEPOST_SECRET": secrets.token_hex(32),
        "GATEPOST_BASE_URL": BASE,
        "GATEPOST_RATE_LIMIT": "off",
        "GATEPOST_CHANGE_EMAIL": "true",
        "MAIL_FILE": str(folder / "mails"),
    }
    create_pool = asyncpg.create_pool

    def create_watched_pool(*, init: Callable[[Any], Awaitable[None]], **options: Any) -> Any:
        async def init_and_watch(connection: Any) -> None:
            await init(connection)
            connection.add_query_logger(lambda query: found.note(query))

        return create_pool(init=init_and_watch, **options)

    monkeypatch.setattr(asyncpg, "create_pool", create_watched_pool)
    app = create_app(Settings.from_environment(environment(url) | given | settings))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=BASE, headers={"origin": BASE}) as client,
    ):
        found = Watched(client, folder / "mails")
        yield found


def an_address() -> str:
    return f"{secrets.token_hex(8)}@example.com"


async def sign_up(service: Watched, email: str) -> httpx.Response:
    body = {"name": "Ann", "email": email, "password": PASSWORD}
    answer = await service.client.post("/api/auth/sign-up/email", json=body)
    assert answer.status_code == 200
    return answer


@pytest.mark.parametrize("mode", MODES)
async def test_sign_up_tells_nobody_who_is_registered(
    mode: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(database_url, tmp_path, monkeypatch, **MODES[mode]) as service:
        known = an_address()
        await sign_up(service, known)
        body = {"name": "Ann", "password": "another password", "image": "x", "callbackURL": "/"}
        new = an_address()
        answers = [
            await service.ask("/sign-up/email", body | {"email": email})
            for email in (known, new, known.upper())
        ]
        assert answers[0][0] == 200
        assert answers[0][:3] == answers[1][:3]
        assert answers[0][3] == answers[1][3]
        # BEGIN, the statement, COMMIT; and what is kept of a mail
        assert len(answers[0][3]) == (3 if mode == "not signed in" else 4)
        assert answers[2][3] == answers[0][3]
        # and nothing came of it for who is registered
        sign_in = {"email": known, "password": "another password"}
        assert (
            await service.client.post("/api/auth/sign-in/email", json=sign_in)
        ).status_code == 401


@pytest.mark.parametrize("path", ["/request-password-reset", "/send-verification-email"])
async def test_a_mail_that_is_asked_for_tells_nobody_who_is_registered(
    path: str, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(database_url, tmp_path, monkeypatch) as service:
        known = an_address()
        await sign_up(service, known)
        await service.ask(path, {"email": an_address()})
        answers = [await service.ask(path, {"email": email}) for email in (known, an_address())]
        assert answers[0][0] == 200
        assert answers[0] == answers[1]
        (mail,) = await service.mails()
        assert mail["email"] == known


async def test_a_change_of_address_tells_nobody_who_is_registered(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched(database_url, tmp_path, monkeypatch) as service:
        known, new = an_address(), an_address()
        await sign_up(service, known)
        me = await sign_up(service, an_address())
        cookie = me.headers["set-cookie"].partition(";")[0]
        answers = [
            await service.ask("/change-email", {"newEmail": email}, cookie)
            for email in (known, new, known, new)
        ]
        assert answers[0][0] == 200
        assert answers[2] == answers[3]
        mails = [mail for mail in await service.mails() if mail["kind"] == "verify-email"]
        assert {mail["email"] for mail in mails} == {new}


async def test_what_is_written_for_nobody_is_gone_with_the_next_purge(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: asyncpg.Connection
) -> None:
    async with watched(database_url, tmp_path, monkeypatch) as service:
        await service.ask("/request-password-reset", {"email": an_address()})
    left = await db.fetchval("SELECT max(expires_at) - now() < '2 seconds' FROM verifications")
    assert left is True
