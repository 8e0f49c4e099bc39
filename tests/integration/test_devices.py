"""list-devices and revoke-device: sessions by their ids, never by their tokens."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.conftest import SERVERS
from tests.security.people import PASSWORD, Person, Site, cookie, site
from tests.support import Server

AGENTS: Final = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0": (
        "Firefox 140",
        "Windows 10",
    ),
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Version/18.5 Mobile/15E148 Safari/604.1": ("Mobile Safari 18", "iOS 18"),
    "(" * 3000: (None, None),
}


@pytest.fixture(scope="module")
def make_site(
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Any]:
    server = postgres_servers(SERVERS[0])
    return lambda **settings: site(
        server, templates(server), tmp_path_factory.mktemp("site"), **settings
    )


@pytest.fixture(scope="module")
def place(make_site: Callable[..., Any]) -> Iterator[Site]:
    with make_site() as running:
        yield running


def devices(person: Person) -> list[dict[str, Any]]:
    """The devices as one of a person's sessions lists them."""
    answer = person.browser.get("/list-devices")
    assert answer.status_code == 200, answer.text
    return answer.json()


def sign_in(place: Site, person: Person, agent: str) -> str:
    """The token of a further session."""
    browser = place.browser()
    browser.headers["user-agent"] = agent
    answer = place.sign_in(person.email, PASSWORD, browser)
    assert answer.status_code == 200, answer.text
    return answer.json()["token"]


def signed_in(place: Site, token: str) -> bool:
    return place.browser(cookie(token)).get("/get-session").json() is not None


def test_devices_are_listed_with_their_names_and_without_tokens(place: Site) -> None:
    person, eve = place.sign_up(), place.sign_up("eve")
    tokens = [person.token, *(sign_in(place, person, agent) for agent in AGENTS)]
    answer = person.browser.get("/list-devices")
    found = answer.json()
    assert [(each["browser"], each["system"]) for each in found] == [
        *reversed(AGENTS.values()),
        (None, None),
    ]
    assert [each["userAgent"] for each in found[:3]] == [a[:2000] for a in reversed(AGENTS)]
    assert [each["current"] for each in found] == [False, False, False, True]
    assert {each["ipAddress"] for each in found} == {"127.0.0.1"}
    assert all(each["createdAt"] <= each["updatedAt"] < each["expiresAt"] for each in found)
    for token in (*tokens, eve.token):
        assert token not in answer.text
    assert len(devices(eve)) == 1


def test_session_that_has_ended_is_no_device(place: Site) -> None:
    person = place.sign_up()
    place.session(person, created="-2 h", expires="-1 h")
    place.session(person, created="-31 days")
    assert [each["current"] for each in devices(person)] == [True]


def test_devices_are_listed_for_a_fresh_session_only(place: Site) -> None:
    person = place.sign_up()
    assert place.browser().get("/list-devices").status_code == 401
    old = place.browser(cookie(place.session(person, created="-25 h"))).get("/list-devices")
    assert (old.status_code, old.json()["code"]) == (403, "SESSION_NOT_FRESH")


def test_device_is_ended_by_its_id(place: Site) -> None:
    person = place.sign_up()
    other = sign_in(place, person, "other")
    ids = {each["userAgent"]: each["id"] for each in devices(person)}
    answer = person.browser.post("/revoke-device", json={"id": ids["other"]})
    assert (answer.status_code, answer.json()) == (200, {"status": True})
    assert "set-cookie" not in answer.headers
    assert not signed_in(place, other)
    assert [each["current"] for each in devices(person)] == [True]
    # also by a session that is no longer fresh
    old = place.browser(cookie(place.session(person, created="-25 h")))
    (current,) = (each["id"] for each in devices(person) if each["current"])
    assert old.post("/revoke-device", json={"id": current}).json() == {"status": True}
    assert not signed_in(place, person.token)


def test_ending_the_current_device_clears_its_cookies(place: Site) -> None:
    person = place.sign_up()
    (device,) = devices(person)
    answer = person.browser.post("/revoke-device", json={"id": device["id"].upper()})
    assert answer.status_code == 200
    cleared = answer.headers.get_list("set-cookie")
    assert cleared
    assert all("Max-Age=0" in line for line in cleared)
    assert not signed_in(place, person.token)


def test_device_of_another_user_is_not_ended(place: Site) -> None:
    person, eve = place.sign_up(), place.sign_up("eve")
    (device,) = devices(person)
    answers = [
        eve.browser.post("/revoke-device", json={"id": device_id})
        for device_id in (device["id"], "00000000-0000-4000-8000-000000000000")
    ]
    assert [(a.status_code, a.json()) for a in answers] == [(200, {"status": True})] * 2
    assert signed_in(place, person.token)
    assert place.browser().post("/revoke-device", json={"id": device["id"]}).status_code == 401
    assert signed_in(place, person.token)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"id": "x"}, "[body.id] Invalid UUID"),
        ({"id": 1}, "[body.id] Invalid input: expected string, received number"),
        ({}, "[body.id] Invalid input: expected string, received undefined"),
    ],
)
def test_what_is_no_id_is_refused(place: Site, body: Any, message: str) -> None:
    answer = place.browser().post("/revoke-device", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert answer.json()["message"] == message


def test_without_the_extra_devices_have_no_names(
    make_site: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "ua_parser.py").write_text("raise ImportError")
    with make_site(PYTHONPATH=str(tmp_path)) as place:
        person = place.sign_up()
        agent = next(iter(AGENTS))
        sign_in(place, person, agent)
        found = devices(person)
    assert found[0]["userAgent"] == agent
    assert [(each["browser"], each["system"]) for each in found] == [(None, None)] * 2
