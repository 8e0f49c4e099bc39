"""A session ends: when it has expired, at its absolute end, beyond the cap, and when replaced."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.errors import SettingsError
from app.settings import AuthSettings
from tests.security.people import BASE, SECRET, Site, cookie, signature

NEEDED = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": BASE}


@pytest.mark.parametrize(
    ("idle", "other", "value"),
    [
        ("3600", "GATEPOST_SESSION_UPDATE_AGE", "3600"),
        ("3600", "GATEPOST_SESSION_UPDATE_AGE", "7200"),
        (None, "GATEPOST_SESSION_UPDATE_AGE", "604800"),
        ("7200", "GATEPOST_SESSION_MAX_AGE", "3600"),
        (None, "GATEPOST_SESSION_MAX_AGE", "604799"),
    ],
)
def test_lifetimes_that_contradict_are_refused(idle: str | None, other: str, value: str) -> None:
    given = {"GATEPOST_SESSION_EXPIRES_IN": idle} if idle else {}
    with pytest.raises(SettingsError) as raised:
        AuthSettings.from_environment(NEEDED | given | {other: value})
    message = str(raised.value)
    assert other in message
    assert "GATEPOST_SESSION_EXPIRES_IN" in message
    assert "\n" not in message


def test_defaults_follow_a_short_and_a_long_idle_lifetime() -> None:
    def ages(**given: str) -> tuple[int, int, int]:
        found = AuthSettings.from_environment(NEEDED | given)
        assert found is not None
        return found.session_expires_in, found.session_update_age, found.session_max_age

    day = 24 * 3600
    assert ages() == (7 * day, day, 30 * day)
    assert ages(GATEPOST_SESSION_EXPIRES_IN="3600") == (3600, 1800, 30 * day)
    year = str(365 * day)
    assert ages(GATEPOST_SESSION_EXPIRES_IN=year) == (365 * day, day, 365 * day)


@pytest.mark.parametrize("path", ["/get-session", "/list-accounts", "/list-sessions"])
@pytest.mark.parametrize("bearer", [False, True])
def test_expired_session_is_none(sites: Callable[..., Site], path: str, bearer: bool) -> None:
    at = sites(GATEPOST_SESSION_EXPIRES_IN="3600", GATEPOST_SESSION_UPDATE_AGE="0")
    person = at.sign_up()
    token = at.session(person, "-2 h", "-1 s")
    with at.browser(None if bearer else cookie(token)) as browser:
        headers = {"authorization": f"Bearer {token}.{signature(token)}"} if bearer else {}
        answer = browser.get(path, headers=headers)
    assert answer.status_code == (200 if path == "/get-session" else 401)
    assert "expiresAt" not in answer.text
    assert person.token in at.sessions(person)


@pytest.mark.parametrize("path", ["/get-session", "/list-accounts"])
def test_session_ends_at_its_absolute_age(sites: Callable[..., Site], path: str) -> None:
    at = sites()
    person = at.sign_up()
    for created, lives in (("-719 h", True), ("-721 h", False)):
        token = at.session(person, created, "100 h")
        with at.browser(cookie(token)) as browser:
            answer = browser.get(path)
        assert (answer.status_code == 200 and answer.json() is not None) is lives
        assert (token in at.sessions(person)) is lives


def test_ended_session_is_not_listed(sites: Callable[..., Site]) -> None:
    at = sites()
    person = at.sign_up()
    over = at.session(person, "-721 h", "100 h")
    listed = person.browser.get("/list-sessions").json()
    assert over not in {session["token"] for session in listed}


def test_refresh_stops_at_the_absolute_end(sites: Callable[..., Site]) -> None:
    at = sites()
    person = at.sign_up()
    token = at.session(person, "-700 h", "1 h")
    row = (
        "SELECT round(extract(epoch FROM expires_at - created_at) / 3600), updated_at"
        f" FROM sessions WHERE token = '{token}'"
    )
    with at.browser(cookie(token)) as browser:
        assert browser.get("/get-session").json() is not None
        refreshed = at.sql(row)
        assert refreshed.startswith("720|")
        for _ in range(2):
            assert browser.get("/get-session").json() is not None
    assert at.sql(row) == refreshed  # nothing more to gain, so nothing is written


def test_absolute_age_can_be_set_and_switched_off(sites: Callable[..., Site]) -> None:
    for at, lives in (
        (sites(GATEPOST_SESSION_MAX_AGE="864000"), False),
        (sites(GATEPOST_SESSION_MAX_AGE="0"), True),
    ):
        person = at.sign_up()
        token = at.session(person, "-9000 h", "100 h")
        with at.browser(cookie(token)) as browser:
            assert (browser.get("/get-session").json() is not None) is lives


def test_oldest_session_ends_beyond_the_cap(sites: Callable[..., Site]) -> None:
    at = sites(GATEPOST_MAX_SESSIONS="3")
    person = at.sign_up()
    over = at.session(person, "-2 h", "-1 h")
    tokens = [at.sign_in(person.email).json()["token"] for _ in range(2)]
    assert at.sessions(person) - {over} == {person.token, *tokens}  # what is over does not count
    newest = at.sign_in(person.email).json()["token"]
    assert at.sessions(person) - {over} == {*tokens, newest}
    assert person.browser.get("/get-session").json() is None


def test_cap_holds_for_concurrent_sign_ins(sites: Callable[..., Site]) -> None:
    at = sites(GATEPOST_MAX_SESSIONS="3")
    person, other = at.sign_up(), at.sign_up("bob")
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: at.sign_in(person.email), range(12)))
    assert [answer.status_code for answer in answers] == [200] * 12
    left = at.sessions(person)
    assert len(left) == 3
    assert left <= {answer.json()["token"] for answer in answers}
    assert at.sessions(other) == {other.token}


def test_sign_in_ends_the_session_that_it_replaces(sites: Callable[..., Site]) -> None:
    at = sites()
    person, elsewhere, bob = at.sign_up(), at.browser(), at.sign_up("bob")
    kept = at.sign_in(person.email, browser=elsewhere).json()["token"]
    assert at.sign_in(person.email, "wrong horse", person.browser).status_code == 401
    assert at.sessions(person) == {person.token, kept}
    second = at.sign_in(person.email, browser=person.browser).json()["token"]
    assert at.sessions(person) == {second, kept}
    # somebody else at the same browser
    third = at.sign_in(bob.email, browser=person.browser).json()["token"]
    assert at.sessions(person) == {kept}
    assert at.sessions(bob) == {bob.token, third}
    body = {"name": "Cyd", "email": f"cyd.{bob.email}", "password": "correct horse"}
    assert person.browser.post("/sign-up/email", json=body).status_code == 200
    assert at.sessions(bob) == {bob.token}
    with at.browser(cookie(kept)) as browser:
        assert browser.get("/get-session").json() is not None


def test_sign_in_keeps_the_sessions_of_the_multi_session_plugin(
    sites: Callable[..., Site],
) -> None:
    """A Better Auth server beside us keeps several sessions in one browser."""
    at = sites()
    person = at.sign_up()
    several = cookie(person.token, f"better-auth.session_token_multi-{person.token.lower()}")
    with at.browser(f"{cookie(person.token)}; {several}") as browser:
        second = at.sign_in(person.email, browser=browser).json()["token"]
    assert at.sessions(person) == {person.token, second}


def test_foreign_or_forged_cookie_ends_no_session(sites: Callable[..., Site]) -> None:
    at = sites()
    person, bob = at.sign_up(), at.sign_up("bob")
    for forged in (f"{bob.token}.{'A' * 43}=", bob.token, f"{bob.token}."):
        with at.browser(f"better-auth.session_token={forged}") as browser:
            assert at.sign_in(person.email, browser=browser).status_code == 200
    with at.browser(cookie("\0" * 8)) as browser:
        assert at.sign_in(person.email, browser=browser).status_code == 200
    assert at.sessions(bob) == {bob.token}
