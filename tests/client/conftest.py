"""People who are signed in, at Gatepost and at a Better Auth server on Node."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.interop.auth.servers import SECRET, Setup, better_auth, gatepost
from tests.support import Server

ORIGIN = "https://app.example.com"


@dataclass(frozen=True)
class Person:
    """Somebody with a session: the headers of their browser, and of their mobile application."""

    url: str
    email: str
    cookie: dict[str, str]
    bearer: dict[str, str]

    def sign_out(self) -> None:
        headers = self.cookie | {"Origin": ORIGIN}
        httpx.post(f"{self.url}/api/auth/sign-out", headers=headers, json={}).raise_for_status()


@dataclass
class Authority:
    """A server that knows sessions."""

    name: str
    url: str
    database_url: str
    secret: str = SECRET
    people: int = 0

    def sign_up(self) -> Person:
        self.people += 1
        email = f"{self.name}-{self.people}@example.com"
        answer = httpx.post(
            f"{self.url}/api/auth/sign-up/email",
            json={"name": "Ada", "email": email, "password": "correct horse battery"},
            headers={"Origin": ORIGIN},
        ).raise_for_status()
        cookie = "; ".join(line.partition(";")[0] for line in answer.headers.get_list("set-cookie"))
        bearer = {"Authorization": f"Bearer {answer.headers['set-auth-token']}"}
        return Person(self.url, email, {"Cookie": f"{cookie}; theme=dark"}, bearer)


_ROLE = {"type": "string", "required": False, "input": False}
"""As the admin plugin has it: nobody gives one to themselves."""
_SETUP = Setup(
    settings={"GATEPOST_TRUSTED_ORIGINS": ORIGIN, "GATEPOST_PLUGINS": "bearer,admin"},
    options={"trustedOrigins": [ORIGIN], "user": {"additionalFields": {"role": _ROLE}}},
)


@pytest.fixture(scope="module")
def gatepost_authority(
    one_postgres: Server, one_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Authority]:
    folder = tmp_path_factory.mktemp("gatepost")
    with (
        one_postgres.database(one_template) as database,
        gatepost(_SETUP, one_postgres, database, folder) as running,
    ):
        yield Authority("gatepost", f"http://127.0.0.1:{running.port}", one_postgres.url(database))


@pytest.fixture(scope="module")
def better_auth_authority(
    one_postgres: Server, one_template: str, tmp_path_factory: pytest.TempPathFactory, node: Path
) -> Iterator[Authority]:
    folder = tmp_path_factory.mktemp("better-auth")
    with (
        one_postgres.database(one_template) as database,
        better_auth(_SETUP, one_postgres, database, folder, node) as running,
    ):
        yield Authority("node", f"http://127.0.0.1:{running.port}", one_postgres.url(database))


@pytest.fixture(params=["gatepost", "better_auth"])
def authority(request: pytest.FixtureRequest) -> Authority:
    """Each of the two."""
    return request.getfixturevalue(f"{request.param}_authority")
