"""What a person sees whose link leads to no page of the application."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from tests.support import SECRET, environment

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PERSON = {"name": "Ann", "email": "ann@example.com", "password": "not a common one"}


@pytest.fixture
async def visitor(database_url: str, tmp_path: Any) -> AsyncIterator[httpx.AsyncClient]:
    given = environment(database_url) | {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": "http://testserver",
        "GATEPOST_RATE_LIMIT": "off",
        "MAIL_FILE": str(tmp_path / "mail"),
    }
    app = create_app(Settings.from_environment(given))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://testserver") as client,
    ):
        yield client


def shown(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script" not in answer.text
    assert answer.headers.get_list("content-security-policy") == [
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ]
    return answer.text


async def verification_token(client: httpx.AsyncClient, tmp_path: Any) -> str:
    assert (await client.post("/api/auth/sign-up/email", json=PERSON)).status_code == 200
    client.cookies.clear()
    address = {"email": PERSON["email"]}
    sent = await client.post("/api/auth/send-verification-email", json=address)
    assert sent.status_code == 200, sent.text
    mail = (tmp_path / "mail").read_text().splitlines()[-1]
    return mail.partition("token=")[2].partition("&")[0]


async def test_verification_without_a_callback_shows_a_page_to_a_browser(
    visitor: httpx.AsyncClient, tmp_path: Any, db: asyncpg.Connection
) -> None:
    token = await verification_token(visitor, tmp_path)
    link = f"/api/auth/verify-email?token={token}"
    answer = await visitor.get(link, headers=BROWSER)
    assert answer.status_code == 200
    assert "Done" in shown(answer)
    assert await db.fetchval("SELECT email_verified FROM users")
    client = await visitor.get(link)
    assert client.json() == {"status": True, "user": None}


async def test_link_that_is_not_valid_says_so_to_a_browser(visitor: httpx.AsyncClient) -> None:
    link = "/api/auth/verify-email?token=x"
    answer = await visitor.get(link, headers=BROWSER)
    assert answer.status_code == 401
    assert "This link is not valid any more" in shown(answer)
    assert (await visitor.get(link)).json()["code"] == "INVALID_TOKEN"


async def test_reset_link_without_a_target_ends_on_a_page(visitor: httpx.AsyncClient) -> None:
    link = "/api/auth/reset-password/x?callbackURL="
    answer = await visitor.get(link, headers=BROWSER, follow_redirects=True)
    assert (answer.status_code, str(answer.url)) == (
        200,
        "http://testserver/?error=INVALID_TOKEN",
    )
    assert "This link is not valid any more" in shown(answer)


async def test_page_repeats_nothing_that_it_was_asked_with(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/?error=<b>x</b>", headers=BROWSER)
    assert "That did not work." in shown(answer)
    assert "<b>" not in answer.text


async def test_root_is_a_line_for_what_is_no_browser(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.get("/")
    assert (answer.status_code, answer.text) == (200, "Gatepost\n")
