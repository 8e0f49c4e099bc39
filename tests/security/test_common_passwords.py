"""A common password is refused wherever a new one is set, unless a setting says otherwise."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import ROOT, running_service, wait_until

ORIGIN = "http://gatepost.test"
GOOD = "correct horse battery"
COMMON = ("password", "12345678", "Password", "PASSWORD1", "iloveyou", "qwertyuiop", "trustno1",
          "\uff50assword")  # fmt: skip
LIST = ROOT / "app" / "auth" / "common_passwords.txt"


@pytest.fixture(scope="module")
def mails(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("common") / "mails"


@pytest.fixture(scope="module")
def client(module_database_url: str, mails: Path) -> Iterator[httpx.Client]:
    settings = {
        "GATEPOST_SECRET": secrets.token_hex(32),
        "GATEPOST_BASE_URL": ORIGIN,
        "GATEPOST_RATE_LIMIT": "off",
        "MAIL_FILE": str(mails),
    }
    with (
        running_service(module_database_url, mails.with_name("log"), **settings) as service,
        httpx.Client(base_url=f"{service.url}/api/auth", headers={"origin": ORIGIN}) as client,
    ):
        yield client


def sign_up(client: httpx.Client, password: str) -> tuple[str, httpx.Response]:
    client.cookies.clear()
    email = f"{secrets.token_hex(8)}@example.com"
    body = {"name": "Ann", "email": email, "password": password}
    return email, client.post("/sign-up/email", json=body)


def is_refused(answer: httpx.Response) -> bool:
    if answer.status_code != 400:
        return False
    assert answer.json() == {
        "code": "PASSWORD_COMPROMISED",
        "message": (
            "The password you entered has been compromised. Please choose a different password."
        ),
    }
    return True


@pytest.mark.parametrize("password", COMMON)
def test_it_is_refused_at_sign_up(client: httpx.Client, password: str) -> None:
    assert is_refused(sign_up(client, password)[1])


def test_it_is_refused_when_the_password_changes(client: httpx.Client) -> None:
    _, answer = sign_up(client, GOOD)
    assert answer.status_code == 200
    change = {"currentPassword": GOOD, "newPassword": "baseball"}
    assert is_refused(client.post("/change-password", json=change))
    change = {"currentPassword": GOOD, "newPassword": GOOD + "!"}
    assert client.post("/change-password", json=change).status_code == 200


def test_it_is_refused_at_a_reset_and_the_link_stays_good(
    client: httpx.Client, mails: Path
) -> None:
    email, _ = sign_up(client, GOOD)
    client.post("/request-password-reset", json={"email": email})
    wait_until(lambda: mails.exists() and email in mails.read_text(), "the mail")
    (line,) = [line for line in mails.read_text().splitlines() if email in line]
    token = line.partition("/reset-password/")[2].partition("?")[0]
    reset = {"token": token, "newPassword": "football"}
    assert is_refused(client.post("/reset-password", json=reset))
    reset["newPassword"] = "battery staple"
    assert client.post("/reset-password", json=reset).status_code == 200


def test_who_has_one_still_signs_in_and_the_setting_lets_it_be(
    module_database_url: str, tmp_path: Path, client: httpx.Client
) -> None:
    settings = {
        "GATEPOST_SECRET": secrets.token_hex(32),
        "GATEPOST_BASE_URL": ORIGIN,
        "GATEPOST_RATE_LIMIT": "off",
        "GATEPOST_REFUSE_COMMON_PASSWORDS": "false",
    }
    with (
        running_service(module_database_url, tmp_path / "log", **settings) as service,
        httpx.Client(base_url=f"{service.url}/api/auth", headers={"origin": ORIGIN}) as other,
    ):
        email, answer = sign_up(other, "password")
        assert answer.status_code == 200
    body = {"email": email, "password": "password"}
    client.cookies.clear()
    assert client.post("/sign-in/email", json=body).status_code == 200


def test_the_list_is_of_passwords_that_could_be_chosen() -> None:
    listed = LIST.read_text().splitlines()
    assert len(listed) == len(set(listed)) == 10_000
    assert all(password == password.lower() and len(password) >= 8 for password in listed)
    assert "Copyright" in LIST.with_name("common_passwords.LICENSE").read_text()
