"""The limits of one user's sessions: at a sign-in, at a refresh, and when they are changed."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.integration.test_commands import gatepost, result
from tests.security.administrators import act, admin_site, administrator, done, refused
from tests.security.people import BASE, SECRET, Person, Site, cookie
from tests.security.races import raced
from tests.support import KEYS

HOUR = 3600
DAY = 24 * HOUR
AUTH = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": BASE}
OF_USER = "FROM sessions WHERE user_id = '{}'"


@pytest.fixture
def at(sites: Callable[..., Site]) -> Site:
    return admin_site(sites)


@pytest.fixture
def root(at: Site) -> Person:
    return administrator(at)


def limit(at: Site, person: Person, *options: str, **settings: str) -> Any:
    """The limits that the command line gives a user."""
    arguments = ("users", "limits", person.id, *options)
    return result(*arguments, url=at.service.database_url, **AUTH | settings)


def lifetime(at: Site, token: str) -> int:
    """Seconds from the beginning of a session to its end, to the nearest ten."""
    text = at.sql(
        "SELECT round(extract(epoch FROM expires_at - created_at) / 10) * 10"
        f" FROM sessions WHERE token = '{token}'"
    )
    return int(float(text))


def left(at: Site, token: str) -> int:
    """Seconds until a session ends, to the nearest minute."""
    text = at.sql(
        "SELECT round(extract(epoch FROM expires_at - now()) / 60) * 60"
        f" FROM sessions WHERE token = '{token}'"
    )
    return int(float(text))


def asked(at: Site, token: str) -> Any:
    """What get-session gives for a token."""
    with at.browser(cookie(token)) as browser:
        answer = browser.get("/get-session")
    assert answer.status_code == 200
    return answer.json()


def events(at: Site, person: Person, kind: str) -> list[Any]:
    rows = at.sql(
        "SELECT json_build_object('changed', changed, 'before', before, 'after', after,"
        f" 'actor', actor_id) FROM events WHERE type = '{kind}' AND user_id = '{person.id}'"
        " ORDER BY id"
    )
    return [json.loads(row) for row in rows.splitlines()]


# --- a sign-in ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        (("--lifetime", "8h"), 8 * HOUR),
        (("--idle", "30m"), HOUR // 2),
        (("--lifetime", "20m", "--idle", "30m"), HOUR // 3),
        (("--sessions", "5"), 7 * DAY),
        (("--lifetime", "30d"), 7 * DAY),
    ],
)
def test_new_session_has_the_limits_of_its_user(
    at: Site, options: tuple[str, ...], seconds: int
) -> None:
    person, other = at.sign_up(), at.sign_up("bob")
    limit(at, person, *options)
    token = at.sign_in(person.email).json()["token"]
    assert lifetime(at, token) == seconds
    assert asked(at, token)["user"]["id"] == person.id
    assert lifetime(at, at.sign_in(other.email).json()["token"]) == 7 * DAY
    assert len(events(at, person, "session.created")) == 2
    ended = {each["after"]["expires_at"] for each in events(at, person, "session.updated")}
    assert len(ended) <= 1  # of the first session, by the change alone


def test_session_that_is_not_to_be_remembered_has_the_limits_too(at: Site) -> None:
    person = at.sign_up()
    body = {"email": person.email, "password": "correct horse battery", "rememberMe": False}
    limit(at, person, "--sessions", "5")
    token = at.browser().post("/sign-in/email", json=body).json()["token"]
    assert lifetime(at, token) == DAY
    limit(at, person, "--idle", "30m")
    token = at.browser().post("/sign-in/email", json=body).json()["token"]
    assert lifetime(at, token) == HOUR // 2


def test_session_of_an_administrator_as_the_user_has_the_limits_too(at: Site, root: Person) -> None:
    person = at.sign_up()
    limit(at, person, "--idle", "10m")
    token = done(root, "impersonate-user", userId=person.id)["session"]["token"]
    assert lifetime(at, token) == 600


def test_sign_in_beyond_the_number_of_the_user_ends_the_oldest(at: Site) -> None:
    person = at.sign_up()
    limit(at, person, "--sessions", "2")
    tokens = [at.sign_in(person.email).json()["token"] for _ in range(3)]
    assert at.sessions(person) == set(tokens[1:])


def test_stricter_setting_holds_for_a_user_with_limits(sites: Callable[..., Site]) -> None:
    at = sites(GATEPOST_SESSION_EXPIRES_IN="600", GATEPOST_MAX_SESSIONS="2")
    person = at.sign_up()
    at.sql(
        "INSERT INTO session_policies (user_id, lifetime, idle_lifetime, max_sessions)"
        f" VALUES ('{person.id}', {DAY}, {HOUR}, 50)"
    )
    tokens = [at.sign_in(person.email).json()["token"] for _ in range(3)]
    assert at.sessions(person) == set(tokens[1:])
    assert lifetime(at, tokens[2]) == 600


# --- a refresh ------------------------------------------------------------------------------------


def reads_of_limits(at: Site) -> int:
    """How often the service has asked for somebody's limits."""
    mark = 'gatepost_statement_seconds_count{statement="session_policies.of_user"} '
    text = httpx.get(at.service.metrics).text
    return int(float(text.partition(mark)[2].partition("\n")[0] or 0))


def rested(at: Site, token: str, seconds: int) -> None:
    """Let the last refresh of a session, and its end, be earlier."""
    at.sql(
        "ALTER TABLE sessions DISABLE TRIGGER sessions_set_row_times;"
        f"UPDATE sessions SET expires_at = expires_at - interval '{seconds} s',"
        f" updated_at = updated_at - interval '{seconds} s',"
        f" created_at = created_at - interval '{seconds} s' WHERE token = '{token}';"
        "ALTER TABLE sessions ENABLE TRIGGER sessions_set_row_times"
    )


def test_session_under_an_idle_limit_is_refreshed_at_its_half_and_not_before(at: Site) -> None:
    person = at.sign_up()
    limit(at, person, "--idle", "30m")
    token = at.sign_in(person.email).json()["token"]
    row = f"SELECT expires_at, updated_at FROM sessions WHERE token = '{token}'"
    before, asked_before = at.sql(row), reads_of_limits(at)
    for _ in range(5):
        assert asked(at, token) is not None
    assert at.sql(row) == before
    assert reads_of_limits(at) == asked_before + 1  # and not with each request
    rested(at, token, 1000)
    assert asked(at, token) is not None
    assert left(at, token) == HOUR // 2


def test_refresh_stops_at_the_lifetime_of_the_user(at: Site) -> None:
    person = at.sign_up()
    limit(at, person, "--lifetime", "1h", "--idle", "30m")
    token = at.session(person, "-50 min", "5 min")
    assert asked(at, token) is not None
    assert lifetime(at, token) == HOUR
    row = f"SELECT expires_at, updated_at FROM sessions WHERE token = '{token}'"
    refreshed = at.sql(row)
    assert asked(at, token) is not None
    assert at.sql(row) == refreshed


def test_session_without_limits_of_its_user_is_refreshed_as_ever(at: Site) -> None:
    person = at.sign_up()
    token = at.session(person, "-2 h", "24 h")
    assert asked(at, token) is not None
    assert left(at, token) == 7 * DAY


def test_refresh_after_the_limits_became_stricter_keeps_to_them(at: Site) -> None:
    person = at.sign_up()
    token = at.session(person, "-2 h", "24 h")  # due
    limit(at, person, "--idle", "1h")
    assert left(at, token) == HOUR
    assert asked(at, token) is not None
    assert left(at, token) == HOUR


def test_refresh_of_a_session_that_outlived_its_user_s_lifetime_ends_it(at: Site) -> None:
    """Another server on the same tables has prolonged it."""
    person = at.sign_up()
    limit(at, person, "--lifetime", "1h")
    token = at.session(person, "-2 h", "24 h")
    assert asked(at, token) is None
    assert token not in at.sessions(person)


def test_refresh_takes_back_what_another_server_has_given(at: Site) -> None:
    person = at.sign_up()
    limit(at, person, "--idle", "1h")
    token = at.session(person, "-2 h", "24 h")
    assert asked(at, token) is not None
    assert left(at, token) == HOUR


@pytest.mark.parametrize("earlier", [True, False])
def test_refresh_beside_a_change_of_the_limits_does_not_undo_it(at: Site, earlier: bool) -> None:
    """The refresh has read that there are none, and waits for the row of the session."""
    person = at.sign_up()
    token = at.session(person, "-2 h", "24 h" if earlier else "30 min")
    new = (
        f"SELECT FROM users WHERE id = '{person.id}' FOR UPDATE",
        f"INSERT INTO session_policies (user_id, idle_lifetime) VALUES ('{person.id}', {HOUR})",
        # as app/auth/session_limits.py does
        "UPDATE sessions SET expires_at = LEAST(expires_at, now() + interval '1 hour')"
        f" WHERE user_id = '{person.id}'",
    )
    assert raced(at, lambda: asked(at, token), *new) is not None
    assert left(at, token) <= HOUR


def test_deferred_refresh_is_not_asked_for_before_it_is_due(sites: Callable[..., Site]) -> None:
    at = sites(GATEPOST_DEFER_SESSION_REFRESH="true")
    person = at.sign_up()
    limit(at, person, "--idle", "30m")
    token = at.sign_in(person.email).json()["token"]
    with at.browser(cookie(token)) as browser:
        assert browser.get("/get-session").json()["needsRefresh"] is True  # nobody knows yet
        assert browser.post("/get-session").json() is not None
        assert browser.get("/get-session").json()["needsRefresh"] is False


# --- a change -------------------------------------------------------------------------------------


def test_change_ends_and_shortens_the_sessions_there_are(at: Site) -> None:
    person, other = at.sign_up(), at.sign_up("bob")
    old = at.session(person, "-9 h", "24 h")
    third, second = (at.session(person, f"-{hours} h", "24 h") for hours in (3, 2))
    over = at.session(person, "-2 h", "-1 h")
    found = limit(at, person, "--lifetime", "8h", "--idle", "6h", "--sessions", "2")
    assert found["ended"] == 2
    assert at.sessions(person) == {second, person.token, over}
    assert asked(at, old) is None
    assert asked(at, third) is None
    assert left(at, second) == 6 * HOUR
    assert lifetime(at, person.token) == pytest.approx(6 * HOUR, abs=300)
    assert lifetime(at, other.token) == 7 * DAY
    kinds = [each["before"] for each in events(at, person, "session.ended")]
    assert len(kinds) == 2


def test_looser_limits_hold_from_the_next_refresh_on(at: Site) -> None:
    person = at.sign_up()
    limit(at, person, "--idle", "30m")
    token = at.sign_in(person.email).json()["token"]
    assert asked(at, token) is not None
    assert left(at, token) == HOUR // 2
    assert limit(at, person, "--reset")["policy"] is None
    assert left(at, token) == HOUR // 2
    assert asked(at, token) is not None
    assert left(at, token) == 7 * DAY


def test_change_is_recorded_with_before_and_after(at: Site, root: Person) -> None:
    person = at.sign_up()
    done(root, "set-session-policy", userId=person.id, lifetime=HOUR)
    done(root, "set-session-policy", userId=person.id, maxSessions=3)
    done(root, "set-session-policy", userId=person.id, lifetime=None, maxSessions=None)
    (created,), (updated,), (deleted,) = (
        events(at, person, f"session_policy.{verb}") for verb in ("created", "updated", "deleted")
    )
    values = {"lifetime": HOUR, "idle_lifetime": None, "max_sessions": None}
    assert (created["before"], created["after"]) == (None, values)
    assert (updated["before"], updated["after"]) == ({"max_sessions": None}, {"max_sessions": 3})
    assert deleted["before"] == values | {"max_sessions": 3}
    assert {each["actor"] for each in (created, updated, deleted)} == {root.id}


@pytest.mark.parametrize("way", ["password", "other"])
def test_sign_in_beside_a_change_of_the_limits_keeps_to_them(at: Site, way: str) -> None:
    """It has read that there are none, and waits for the user's row, which the change holds."""
    root, person = administrator(at), at.sign_up()
    new = (
        f"SELECT FROM users WHERE id = '{person.id}' FOR UPDATE",
        "INSERT INTO session_policies (user_id, lifetime, max_sessions)"
        f" VALUES ('{person.id}', {HOUR}, 2)",
    )
    if way == "password":
        answer = raced(at, lambda: at.sign_in(person.email), *new)
        token = answer.json()["token"]
        assert at.sessions(person) == {person.token, token}
    else:
        answer = raced(at, lambda: act(root, "impersonate-user", userId=person.id), *new)
        token = answer.json()["session"]["token"]
    assert lifetime(at, token) == HOUR


def test_limits_hold_for_sign_ins_and_changes_at_once(at: Site) -> None:
    root, person = administrator(at), at.sign_up()
    with ThreadPoolExecutor(6) as pool:
        for seconds in (HOUR, 2 * HOUR, HOUR):
            signing_in = [pool.submit(at.sign_in, person.email) for _ in range(4)]
            changes = [
                pool.submit(
                    act, root, "set-session-policy",
                    userId=person.id, lifetime=seconds, maxSessions=3,
                )
                for _ in range(2)
            ]  # fmt: skip
            assert {each.result().status_code for each in signing_in + changes} == {200}
            beyond = f"expires_at > created_at + interval '{seconds + 1} s'"
            assert at.sql(f"SELECT count(*) {OF_USER.format(person.id)} AND {beyond}") == "0"
            assert len(at.sessions(person)) <= 3


def test_last_of_two_changes_at_once_knows_the_first(at: Site) -> None:
    root, person = administrator(at), at.sign_up()
    new = (
        f"SELECT FROM users WHERE id = '{person.id}' FOR UPDATE",
        f"INSERT INTO session_policies (user_id, lifetime) VALUES ('{person.id}', {HOUR})",
    )
    answer = raced(
        at, lambda: act(root, "set-session-policy", userId=person.id, maxSessions=2), *new
    )
    assert (answer.json()["lifetime"], answer.json()["maxSessions"]) == (HOUR, 2)


# --- another server -------------------------------------------------------------------------------


def test_purge_takes_back_what_another_server_has_given(at: Site) -> None:
    person, other = at.sign_up(), at.sign_up("bob")
    limit(at, person, "--lifetime", "8h", "--idle", "1h")
    kept = at.sign_in(person.email).json()["token"]
    row = f"SELECT expires_at, updated_at FROM sessions WHERE token = '{kept}'"
    before = at.sql(row)
    idle, outlived = (at.session(person, f"-{hours} h", "168 h") for hours in (2, 9))
    done_ = gatepost("purge", url=at.service.database_url)
    assert done_.returncode == 0, done_.stderr
    assert left(at, idle) == HOUR
    assert asked(at, outlived) is None
    assert at.sql(row) == before
    assert lifetime(at, other.token) == 7 * DAY


# --- the endpoints --------------------------------------------------------------------------------


def test_limits_are_shown_and_changed_by_an_administrator(at: Site, root: Person) -> None:
    person = at.sign_up()
    query = {"userId": person.id}
    nothing = {"lifetime": None, "idleLifetime": None, "maxSessions": None}
    of_settings = {"lifetime": 30 * DAY, "idleLifetime": 7 * DAY, "maxSessions": 100}
    found = root.browser.get("/admin/session-policy", params=query).json()
    assert found == nothing | {"limits": of_settings}
    body = query | {"lifetime": 8 * HOUR, "maxSessions": 3}
    changed = done(root, "set-session-policy", **body)
    own = nothing | {"lifetime": 8 * HOUR, "maxSessions": 3}
    holds = of_settings | {"lifetime": 8 * HOUR, "maxSessions": 3}
    assert changed == own | {"limits": holds, "ended": 0}
    assert root.browser.get("/admin/session-policy", params=query).json() == own | {"limits": holds}
    assert lifetime(at, person.token) == 8 * HOUR
    changed = done(root, "set-session-policy", userId=person.id, lifetime=None)
    assert (changed["lifetime"], changed["maxSessions"]) == (None, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lifetime": 30 * DAY + 1}, "[body.lifetime] Too big: expected number to be <=2592000"),
        ({"idleLifetime": 7 * DAY + 1}, "[body.idleLifetime] Too big"),
        ({"maxSessions": 101}, "[body.maxSessions] Too big: expected number to be <=100"),
        ({"maxSessions": 10**400}, "[body.maxSessions] Too big"),
        ({"lifetime": 59}, "[body.lifetime] Too small: expected number to be >=60"),
        ({"maxSessions": 0}, "[body.maxSessions] Too small: expected number to be >=1"),
        ({"lifetime": 60.5}, "[body.lifetime] Invalid input: expected int"),
        ({"lifetime": "60"}, "[body.lifetime] Invalid input: expected int, received string"),
        ({"idleLifetime": True}, "[body.idleLifetime] Invalid input: expected int"),
    ],
)
def test_what_the_settings_do_not_allow_is_refused(
    at: Site, root: Person, given: dict[str, Any], message: str
) -> None:
    person = at.sign_up()
    answer = act(root, "set-session-policy", userId=person.id, **given)
    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert message in answer.json()["message"]
    assert at.sql(f"SELECT FROM session_policies WHERE user_id = '{person.id}'") == ""


def test_role_that_may_update_users_has_no_power_over_administrators(
    sites: Callable[..., Site],
) -> None:
    at = admin_site(sites, GATEPOST_ROLES='{"support": {"user": ["get", "update"]}}')
    root, helper = administrator(at), administrator(at, "helper", "support")
    ada = at.sign_up()
    done(helper, "set-session-policy", userId=ada.id, maxSessions=2)
    query = {"userId": ada.id}
    assert helper.browser.get("/admin/session-policy", params=query).json()["maxSessions"] == 2
    answer = act(helper, "set-session-policy", userId=root.id, maxSessions=2)
    assert refused(answer) == (403, "YOU_ARE_NOT_ALLOWED_TO_UPDATE_USERS")
    for path in ("set-session-policy", f"session-policy?userId={ada.id}"):
        method = "GET" if "?" in path else "POST"
        body = {"userId": ada.id} if method == "POST" else None
        assert ada.browser.request(method, f"/admin/{path}", json=body).status_code == 403


def test_backend_reads_limits_and_writes_none(at: Site) -> None:
    person = at.sign_up()
    limit(at, person, "--lifetime", "8h")
    url, key = f"{at.service.rest}/session_policies", {"apikey": KEYS["all"]}
    (found,) = httpx.get(f"{url}?user_id=eq.{person.id}", headers=key).json()
    assert (found["lifetime"], found["max_sessions"]) == (8 * HOUR, None)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = httpx.request(method, f"{url}?user_id=eq.{person.id}", headers=key, json={})
        assert answer.status_code == 405
    assert httpx.get(url, headers={"apikey": KEYS["writer"]}).status_code == 403
    embedded = f"{at.service.rest}/users?id=eq.{person.id}&select=id,session_policies(lifetime)"
    (found,) = httpx.get(embedded, headers=key).json()
    assert found["session_policies"] == {"lifetime": 8 * HOUR}
