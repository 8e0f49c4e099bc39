"""Guesses at one account are limited wherever they come from, and nobody is locked out by them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.auth.account_limit import LIMIT
from tests.support import LOCAL_PROXY, SECRET, Server, Service, running_service

pytestmark = [
    pytest.mark.parametrize("mode", ["database", "memory"]),
]

BASE = "http://auth.gatepost.test"
PASSWORD = "correct horse"
HOME, AWAY = "203.0.113.200", "203.0.113.201"


class Clients:
    """Clients of a service, each from the address that it is given."""

    def __init__(self, service: Service, mails: Path) -> None:
        self.service, self.mails = service, mails
        self.http = httpx.Client(base_url=f"{service.url}/api/auth", timeout=60)

    def close(self) -> None:
        self.http.close()

    def post(self, address: str, path: str, body: Any, **headers: str) -> httpx.Response:
        self.http.cookies.clear()
        given = {"x-forwarded-for": address, **headers}
        return self.http.post(path, json=body, headers=given)

    def sign_in(self, address: str, email: str, password: str = PASSWORD) -> httpx.Response:
        return self.post(address, "/sign-in/email", {"email": email, "password": password})

    def sign_up(self, address: str, email: str) -> httpx.Response:
        body = {"name": "Ann", "email": email, "password": PASSWORD}
        return self.post(address, "/sign-up/email", body)

    def guess(self, email: str, number: int) -> list[int]:
        """The statuses of as many wrong passwords, each from another /64."""
        return [
            self.sign_in(f"2001:db8:{n:x}::1", email, f"wrong {n}").status_code
            for n in range(number)
        ]


@pytest.fixture
def clients(postgres: Server, template: str, mode: str, tmp_path: Path) -> Iterator[Clients]:
    settings = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": BASE,
        "GATEPOST_RATE_LIMIT": mode,
        "MAIL_FILE": str(tmp_path / "mails"),
        **LOCAL_PROXY,
    }
    with (
        postgres.database(template) as database,
        running_service(postgres.url(database), tmp_path / "log", **settings) as service,
        closing(Clients(service, tmp_path / "mails")) as clients,
    ):
        yield clients


def test_strangers_are_refused_and_the_owner_gets_in(clients: Clients, mode: str) -> None:
    clients.sign_up(HOME, "ann@example.com")
    statuses = clients.guess("ann@example.com", LIMIT.limit + 5)
    assert statuses == [401] * LIMIT.limit + [429] * 5
    # wherever from, and with the right password too: a guess is not told from an owner
    refused = clients.sign_in("198.51.100.7", "ANN@example.com")
    assert refused.status_code == 429
    assert 0 < int(refused.headers["x-retry-after"]) <= LIMIT.window
    # where she has a session she gets in, and after a typing error as well
    assert clients.sign_in(HOME, "ann@example.com", "typing error").status_code == 401
    assert clients.sign_in(HOME, "ann@example.com").status_code == 200
    # others are not concerned
    assert clients.sign_in("198.51.100.7", "bob@example.com").status_code == 401


def test_owner_who_signed_out_is_still_known(clients: Clients, mode: str) -> None:
    clients.sign_up(AWAY, "ann@example.com")
    signed_in = clients.sign_in(HOME, "ann@example.com")
    cookie = "; ".join(f"{name}={value}" for name, value in signed_in.cookies.items())
    assert clients.post(HOME, "/sign-out", {}, cookie=cookie, origin=BASE).status_code == 200
    assert clients.guess("ann@example.com", LIMIT.limit + 1)[-1] == 429
    assert clients.sign_in(HOME, "ann@example.com").status_code == 200


def test_reset_by_mail_lets_the_owner_in_from_anywhere(clients: Clients, mode: str) -> None:
    clients.sign_up(HOME, "ann@example.com")
    assert clients.guess("ann@example.com", LIMIT.limit + 1)[-1] == 429
    assert clients.sign_in(AWAY, "ann@example.com").status_code == 429
    clients.post(AWAY, "/request-password-reset", {"email": "ann@example.com"})
    token = clients.mails.read_text().partition("/reset-password/")[2].partition("?")[0]
    reset = {"newPassword": "battery staple", "token": token}
    assert clients.post(AWAY, "/reset-password", reset).status_code == 200
    assert clients.sign_in(AWAY, "ann@example.com", "battery staple").status_code == 200
    assert clients.sign_in("198.51.100.7", "ann@example.com").status_code == 429


def test_unknown_account_is_limited_alike(clients: Clients, mode: str) -> None:
    clients.sign_up(HOME, "ann@example.com")
    known, unknown = (
        [
            (response.status_code, response.content, sorted(set(response.headers) - {"date"}))
            for n in range(LIMIT.limit + 2)
            for response in [clients.sign_in(f"2001:db8:{start + n:x}::1", email, "wrong")]
        ]
        for start, email in ((0, "ann@example.com"), (0x100, "nobody@example.com"))
    )
    assert known == unknown
    assert known[-1][0] == 429


def test_right_passwords_do_not_count(clients: Clients, mode: str) -> None:
    clients.sign_up(HOME, "ann@example.com")
    statuses = [
        clients.sign_in(f"2001:db8:{n:x}::1", "ann@example.com").status_code
        for n in range(LIMIT.limit + 2)
    ]
    assert statuses == [200] * len(statuses)


def test_password_is_not_guessed_with_a_session(clients: Clients, mode: str) -> None:
    signed_up = clients.sign_up(HOME, "ann@example.com")
    cookie = "; ".join(f"{name}={value}" for name, value in signed_up.cookies.items())
    statuses = [
        clients.post(f"2001:db8:{n:x}::1", path, body, cookie=cookie, origin=BASE).status_code
        for n in range(LIMIT.limit + 2)
        for path, body in [
            ("/verify-password", {"password": "wrong"}),
            (
                "/change-password",
                {"currentPassword": "wrong", "newPassword": "a new password"},
            ),
        ]
    ]
    assert statuses == [400] * LIMIT.limit + [429] * (len(statuses) - LIMIT.limit)
