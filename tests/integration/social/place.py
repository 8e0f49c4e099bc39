"""Services beside the small provider, and a user who has signed in and has an account there."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from tests.integration.social.token_provider import TokenProvider
from tests.support import SECRET, Server, Service, running_service

ORIGIN: Final = "http://auth.example.com"
ANN: Final = {"name": "Ann", "email": "ann@example.com", "password": "correct horse"}
PAST: Final = "now() - interval '1 hour'"
SOON: Final = "now() + interval '1 hour'"


@dataclass
class Place:
    """Services on one database, and a user who has signed in."""

    postgres: Server
    database: str
    services: list[Service]
    provider: TokenProvider
    cookie: str = ""
    user_id: str = ""
    clients: list[httpx.Client] = field(default_factory=list)

    def sql(self, text: str) -> str:
        return self.postgres.sql(text, self.database)

    def ask(
        self, path: str, account_id: str, *, at: int = 0, cookie: str | None = None
    ) -> httpx.Response:
        """POST to one of the endpoints of tokens, or GET account-info."""
        client = self.clients[at]
        headers = {"cookie": self.cookie if cookie is None else cookie}
        if path == "account-info":
            return client.get(f"/{path}", params={"accountId": account_id}, headers=headers)
        return client.post(f"/{path}", json={"accountId": account_id}, headers=headers)

    def code(self, path: str, account_id: str, cookie: str | None = None) -> tuple[int, str]:
        answer = self.ask(path, account_id, cookie=cookie)
        return answer.status_code, answer.json()["code"] if answer.content else ""

    def account(self, *, expires: str = PAST, **columns: str | None) -> str:
        """The id of a new account of the user's, in place of any before it."""
        row: dict[str, str | None] = {
            "user_id": self.user_id,
            "provider_id": "plain",
            "account_id": "7",
            "access_token": "access-0",
            "refresh_token": "refresh-0",
            "id_token": "id-0",
            "scope": "read:user,user:email",
        }
        row |= columns
        values = ", ".join("NULL" if text is None else f"'{text}'" for text in row.values())
        return self.sql(
            "DELETE FROM accounts WHERE provider_id <> 'credential';"
            f"INSERT INTO accounts ({', '.join(row)}, access_token_expires_at)"
            f"VALUES ({values}, {expires}) RETURNING id"
        )

    def kept(self, columns: str = "access_token, refresh_token, id_token, scope") -> list[str]:
        query = f"SELECT {columns} FROM accounts WHERE provider_id <> 'credential'"
        return self.sql(query).split("|")

    @property
    def leases(self) -> int:
        return int(self.sql("SELECT count(*) FROM verifications"))


@contextmanager
def place(
    postgres: Server,
    template: str,
    provider: TokenProvider,
    folder: Path,
    processes: int = 1,
    /,
    **settings: str,
) -> Iterator[Place]:
    given = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": ORIGIN,
        "GATEPOST_RATE_LIMIT": "off",
        **provider.settings(),
        **settings,
    }
    provider.set()
    with ExitStack() as stack:
        database = stack.enter_context(postgres.database(template))
        services = [
            stack.enter_context(
                running_service(postgres.url(database), folder / f"{number}.log", **given)
            )
            for number in range(processes)
        ]
        made = Place(postgres, database, services, provider)
        for service in services:
            client = httpx.Client(
                base_url=f"{service.url}/api/auth", headers={"origin": ORIGIN}, timeout=60
            )
            made.clients.append(stack.enter_context(client))
        made.cookie, made.user_id = sign_up(made.clients[0], ANN)
        yield made


def sign_up(client: httpx.Client, person: dict[str, str]) -> tuple[str, str]:
    """The Cookie header and the id of a new user."""
    answer = client.post("/sign-up/email", json=person).raise_for_status()
    cookie = "; ".join(f"{name}={value}" for name, value in answer.cookies.items())
    client.cookies.clear()
    return cookie, answer.json()["user"]["id"]
