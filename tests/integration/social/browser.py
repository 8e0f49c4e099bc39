"""A browser at Gatepost and at the provider: redirects are followed one by one."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import httpx

from app.main import create_app
from app.settings import Settings
from tests.support import SECRET, environment

BASE: Final = "http://gatepost.test"
ANN: Final[dict[str, Any]] = {
    "sub": "ann-1", "name": "Ann", "email": "Ann@example.com", "email_verified": True,
    "picture": "https://pictures.example.com/ann",
}  # fmt: skip


def providers(url: str, **more: Any) -> str:
    """GATEPOST_PROVIDERS with the three at ``url``; ``more`` is added to each."""
    discovered = [
        {"id": name, "discovery_url": f"{url}/{name}/.well-known/openid-configuration"}
        for name in ("one", "two")
    ]
    plain = {
        "id": "plain",
        "authorization_url": f"{url}/plain/authorize",
        "token_url": f"{url}/plain/token",
        "userinfo_url": f"{url}/plain/userinfo",
    }
    return json.dumps(
        [
            {
                "client_id": each["id"],
                "client_secret": f"{each['id']}-secret",
                "allow_private_addresses": True,
                **each,
                **more,
            }
            for each in (*discovered, plain)
        ]
    )


@dataclass
class Answer:
    """Where a sign-in has ended."""

    location: str
    set_cookies: list[str] = field(default_factory=list)

    @property
    def error(self) -> str | None:
        return dict(parse_qsl(urlsplit(self.location).query)).get("error")

    @property
    def path(self) -> str:
        return urlsplit(self.location).path


class Browser:
    """With the cookies of its own."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.client.post(f"/api/auth{path}", json=body)

    async def start(
        self,
        provider: str,
        person: dict[str, Any] = ANN,
        path: str = "/sign-in/social",
        **more: Any,
    ) -> str:
        """The address at the provider."""
        body = {
            "provider": provider,
            "callbackURL": "/in",
            "errorCallbackURL": "/oops",
            "newUserCallbackURL": "/welcome",
            "additionalParams": {"person": json.dumps(person)},
        }
        answer = await self.post(path, **body | more)
        assert answer.status_code == 200, answer.text
        assert answer.headers["location"] == answer.json()["url"]
        url: str = answer.json()["url"]
        return url

    async def at_provider(self, url: str) -> str:
        """The address that leads back."""
        async with httpx.AsyncClient() as client:
            answer = await client.get(url)
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]

    async def back(self, url: str) -> Answer:
        answer = await self.client.get(url)
        assert answer.status_code == 302, answer.text
        return Answer(answer.headers["location"], answer.headers.get_list("set-cookie"))

    async def dance(
        self,
        provider: str,
        person: dict[str, Any] = ANN,
        path: str = "/sign-in/social",
        **more: Any,
    ) -> Answer:
        return await self.back(
            await self.at_provider(await self.start(provider, person, path, **more))
        )

    async def user(self) -> dict[str, Any] | None:
        """Who is signed in."""
        answer = await self.client.get("/api/auth/get-session")
        assert answer.status_code == 200
        return answer.json() and answer.json()["user"]


class Application:
    """Gatepost in this process, with any number of browsers."""

    def __init__(self, app: Any, url: str) -> None:
        self.app = app
        self.database_url = url

    def browser(self) -> Browser:
        transport = httpx.ASGITransport(self.app)
        headers = {"Origin": BASE}
        return Browser(httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers))

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self.database_url)
        try:
            return [dict(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()

    async def signed_up(self, email: str, *, verified: bool) -> Browser:
        """Somebody with a password."""
        browser = self.browser()
        answer = await browser.post(
            "/sign-up/email", name="Local", email=email, password="correct horse"
        )
        assert answer.status_code == 200, answer.text
        if verified:
            await self.rows("UPDATE users SET email_verified = true WHERE email = $1", email)
        return browser


@asynccontextmanager
async def running(database_url: str, provided: str, **settings: str) -> AsyncIterator[Application]:
    """``provided`` is GATEPOST_PROVIDERS."""
    given = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": BASE,
        "GATEPOST_RATE_LIMIT": "off",
        "GATEPOST_PROVIDERS": provided,
    }
    app = create_app(Settings.from_environment(environment(database_url) | given | settings))
    async with app.router.lifespan_context(app):
        yield Application(app, database_url)
