"""The auth API: its mails, its answers to other origins, and what does not delay it."""

import asyncio
import logging
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

import asyncpg
import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from app.main import create_app
from app.settings import Settings
from tests.support import SECRET, environment, free_port

BASE = "http://gatepost.test"
ANN = {"name": "Ann", "email": "Ann@example.com", "password": "correct horse"}


class Inbox:
    """What the server received."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=True)


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    inbox, port = Inbox(), free_port()
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=port,
        authenticator=inbox.authenticate,
        auth_require_tls=False,
    )
    controller.start()
    try:
        yield inbox, port
    finally:
        controller.stop()


@asynccontextmanager
async def gatepost(url: str, **settings: str) -> AsyncIterator[httpx.AsyncClient]:
    given = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": BASE,
        "GATEPOST_RATE_LIMIT": "off",
        "MAIL_FROM": "Gatepost <no-reply@example.com>",
    }
    app = create_app(Settings.from_environment(environment(url) | given | settings))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url=BASE, headers={"Origin": BASE}
        ) as client,
    ):
        yield client


async def test_password_reset_by_mail_sets_the_new_password(
    database_url: str, inbox: tuple[Inbox, int]
) -> None:
    box, port = inbox
    mail_url = f"smtp://me%40example.com:p%3Ass@127.0.0.1:{port}"
    async with gatepost(database_url, MAIL_URL=mail_url) as client:
        await client.post("/api/auth/sign-up/email", json=ANN)
        asked = {"email": "ann@example.com", "redirectTo": "/new"}
        answer = await client.post("/api/auth/request-password-reset", json=asked)
        assert answer.status_code == 200
    # the service has ended, and with it what was on its way
    (mail,) = box.mails
    assert box.logins == [(b"me@example.com", b"p:ss")]
    assert (mail["From"], mail["To"]) == ("Gatepost <no-reply@example.com>", "ann@example.com")
    assert mail["Subject"] == "Reset your password"
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    link = re.search(r"http://\S+", plain.get_content())
    assert link is not None
    assert link[0].replace("&", "&amp;") in html.get_content()
    token = link[0].partition("/reset-password/")[2].partition("?")[0]
    async with gatepost(database_url) as client:
        reset = {"newPassword": "battery staple", "token": token}
        assert (await client.post("/api/auth/reset-password", json=reset)).status_code == 200
        signed_in = ANN | {"password": "battery staple"}
        answer = await client.post("/api/auth/sign-in/email", json=signed_in)
        assert answer.status_code == 200


async def test_verification_mail_is_sent_in_the_background(
    database_url: str, inbox: tuple[Inbox, int]
) -> None:
    box, port = inbox
    settings = {
        "MAIL_URL": f"smtp://127.0.0.1:{port}",
        "GATEPOST_REQUIRE_EMAIL_VERIFICATION": "true",
    }
    async with gatepost(database_url, **settings) as client:
        answer = await client.post("/api/auth/sign-up/email", json=ANN)
        assert (answer.status_code, answer.json()["token"]) == (200, None)
        assert "set-cookie" not in answer.headers
        refused = await client.post("/api/auth/sign-in/email", json=ANN)
        assert (refused.status_code, refused.json()["code"]) == (403, "EMAIL_NOT_VERIFIED")
        for _ in range(200):
            if box.mails:
                break
            await asyncio.sleep(0.05)
        (mail,) = box.mails
        body = mail.get_body(("plain",))
        assert body is not None
        link = re.search(r"http://\S+", body.get_content())
        assert link is not None
        assert (await client.get(link[0])).status_code == 302
        assert (await client.post("/api/auth/sign-in/email", json=ANN)).status_code == 200


async def test_unreachable_mail_server_is_logged_and_not_answered(
    database_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gatepost(database_url, MAIL_URL=f"smtp://127.0.0.1:{free_port()}") as client:
        monkeypatch.setattr(logging.getLogger("gatepost"), "propagate", True)
        await client.post("/api/auth/sign-up/email", json=ANN)
        asked = {"email": "ann@example.com"}
        answer = await client.post("/api/auth/request-password-reset", json=asked)
        assert answer.status_code == 200
    assert "a mail reset-password was not sent: SMTPConnectError" in caplog.text
    assert "ann@example.com" not in caplog.text


async def test_cors_lets_trusted_origins_read_the_answers(database_url: str) -> None:
    trusted = {"GATEPOST_TRUSTED_ORIGINS": "https://app.example.com"}
    async with gatepost(database_url, **trusted) as client:
        for origin, allowed in (
            ("https://app.example.com", "https://app.example.com"),
            ("https://evil.example.com", None),
            ("null", None),
            (BASE, None),
        ):
            asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            preflight = await client.options("/api/auth/sign-in/email", headers=asked)
            assert preflight.headers.get("access-control-allow-origin") == allowed
            assert preflight.status_code == (204 if allowed else 404)
            answer = await client.get("/api/auth/get-session", headers={"Origin": origin})
            assert answer.headers.get("access-control-allow-origin") == allowed
            credentials = answer.headers.get("access-control-allow-credentials")
            assert credentials == ("true" if allowed else None)
            assert "origin" in answer.headers["vary"].lower()


async def test_unreachable_database_answers_503_and_signs_nobody_out() -> None:
    nowhere = "postgres://nobody:hidden@127.0.0.1:1/none"
    async with gatepost(nowhere, GATEPOST_ACQUIRE_TIMEOUT="1") as client:
        signed_up = await client.post("/api/auth/sign-up/email", json=ANN)
        assert (signed_up.status_code, signed_up.headers["retry-after"]) == (503, "1")
        assert "hidden" not in signed_up.text
        cookie = "better-auth.session_token=" + "t" * 32 + "." + "A" * 43 + "="
        unsigned = await client.get("/api/auth/get-session", headers={"Cookie": cookie})
        assert (unsigned.status_code, unsigned.json()) == (200, None)


async def test_sign_ins_do_not_delay_get_session(database_url: str) -> None:
    async with gatepost(database_url) as client:
        await client.post("/api/auth/sign-up/email", json=ANN)
        waiting = [
            asyncio.create_task(client.post("/api/auth/sign-in/email", json=who))
            for who in [ANN, ANN | {"email": "nobody@example.com"}] * 8
        ]
        await asyncio.sleep(0.05)
        for _ in range(3):
            answer = await client.get("/api/auth/get-session")
            assert answer.json()["user"]["email"] == "ann@example.com"
        # the passwords take sixteen hashes in two threads: the sessions did not wait for them
        assert not all(task.done() for task in waiting)
        statuses = [answer.status_code for answer in await asyncio.gather(*waiting)]
        assert statuses == [200, 401] * 8


async def test_unknown_paths_are_limited_without_filling_a_table(
    database_url: str, db: asyncpg.Connection
) -> None:
    async with gatepost(database_url, GATEPOST_RATE_LIMIT="database") as client:
        noise = secrets.token_hex(6000)  # longer than any index takes
        for path in (noise, noise[:50], noise + "x"):
            answer = await client.post(f"/api/auth/sign-in/{path}", json={})
            assert (answer.status_code, answer.content) == (404, b"")
        assert await db.fetchval("SELECT count(*) FROM rate_limits") == 0
        statuses = [
            (await client.post("/api/auth/sign-in/email", json=ANN)).status_code for _ in range(4)
        ]
        assert statuses == [401, 401, 401, 429]
        assert await db.fetchval("SELECT count FROM rate_limits") == 3
        # and what is made up is limited all the same
        again = [await client.post(f"/api/auth/sign-in/{noise}y", json={}) for _ in range(2)]
        assert [answer.status_code for answer in again] == [404, 429]


async def test_missing_table_answers_503_and_signs_nobody_out(
    database_url: str, db: asyncpg.Connection
) -> None:
    async with gatepost(database_url) as client:
        await client.post("/api/auth/sign-up/email", json=ANN)
        await db.execute("ALTER TABLE sessions RENAME TO elsewhere")
        answer = await client.get("/api/auth/get-session")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "set-cookie" not in answer.headers
        await db.execute("ALTER TABLE elsewhere RENAME TO sessions")
        assert (await client.get("/api/auth/get-session")).json()["user"]["name"] == "Ann"


async def test_text_that_cannot_be_stored_answers_400(database_url: str) -> None:
    async with gatepost(database_url) as client:
        await client.post("/api/auth/sign-up/email", json=ANN)
        answer = await client.post("/api/auth/update-user", json={"name": "\0"})
        assert (answer.status_code, answer.json()["code"]) == (400, "BAD_REQUEST")
