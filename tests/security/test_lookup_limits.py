"""A backend that asks for all its users is not taken for one client; strangers still are."""

from typing import Any

from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.support import KEYS, SECRET, environment

BASE = "https://auth.example.com"
LIMIT = 100  # requests in ten seconds, as in Better Auth
SETTINGS = {
    "GATEPOST_SECRET": SECRET,
    "GATEPOST_BASE_URL": BASE,
    "GATEPOST_PLUGINS": "bearer,jwt",
}


def application(database_url: str) -> Any:
    return create_app(Settings.from_environment(environment(database_url) | SETTINGS))


def sign_up(client: Any, number: int) -> dict[str, str]:
    """The bearer token of a new user."""
    answer = client.post(
        "/sign-up/email",
        json={"name": "", "email": f"u{number}@example.com", "password": "correct horse"},
        headers={"origin": BASE},
    )
    assert answer.status_code == 200, answer.text
    client.cookies.clear()
    return {"authorization": f"Bearer {answer.headers['set-auth-token']}"}


def statuses(client: Any, number: int, headers: dict[str, str]) -> set[int]:
    return {client.get("/get-session", headers=headers).status_code for _ in range(number)}


def test_lookup_with_a_good_signature_counts_for_its_session(database_url: str) -> None:
    with TestClient(application(database_url), base_url=f"{BASE}/api/auth") as client:
        people = [sign_up(client, number) for number in range(3)]
        for person in people:  # more in all than one address may
            assert statuses(client, 60, person) == {200}
        assert statuses(client, LIMIT, people[0]) == {200, 429}
        assert statuses(client, 1, people[1]) == {200}
        assert client.get("/token", headers=people[1]).status_code == 200


def test_stranger_counts_for_the_address(database_url: str) -> None:
    with TestClient(application(database_url), base_url=f"{BASE}/api/auth") as client:
        forged = [{"authorization": f"Bearer token{n}.c2ln"} for n in range(LIMIT)]
        assert {status for each in forged for status in statuses(client, 1, each)} == {200}
        for headers in ({}, forged[0], {"apikey": "guessed"}, {"cookie": "a=b"}):
            assert statuses(client, 1, headers) == {429}


def test_caller_with_a_service_key_is_not_limited(database_url: str) -> None:
    with TestClient(application(database_url), base_url=f"{BASE}/api/auth") as client:
        assert statuses(client, LIMIT + 1, {}) == {200, 429}
        key = {"apikey": KEYS["reader"]}
        assert statuses(client, LIMIT, key) == {200}
        wrong = {"email": "u@example.com", "password": "wrong"}
        tried = [
            client.post("/sign-in/email", json=wrong, headers=key | {"origin": BASE}).status_code
            for _ in range(4)
        ]
        assert tried[-1] == 429  # guessing stays limited
