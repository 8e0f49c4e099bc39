"""Acting as a user: within its hour, with the user's rights, and with a way back."""

from collections.abc import Callable

import httpx
import pytest

from tests.security.administrators import (
    act,
    admin_site,
    administrator,
    again,
    done,
    refused,
    signed_in,
)
from tests.security.people import PASSWORD, Person, Site, cookie, signature
from tests.security.races import raced

ENDS = "round(extract(epoch FROM expires_at - now()) / 60)"


@pytest.fixture
def at(sites: Callable[..., Site]) -> Site:
    return admin_site(sites, GATEPOST_SESSION_UPDATE_AGE="0")


def borrowed(at: Site) -> tuple[Person, Person, str]:
    """An administrator who acts as somebody: both, and the token."""
    root, ada = administrator(at), at.sign_up()
    return root, ada, done(root, "impersonate-user", userId=ada.id)["session"]["token"]


def minutes(at: Site, token: str) -> str:
    return at.sql(f"SELECT {ENDS} FROM sessions WHERE token = '{token}'")


def test_administrator_acts_as_a_user_and_comes_back(at: Site) -> None:
    root, ada, token = borrowed(at)
    found = root.browser.get("/get-session").json()
    assert (found["user"]["id"], found["session"]["impersonatedBy"]) == (ada.id, root.id)
    assert refused(act(root, "ban-user", userId=ada.id))[0] == 403
    assert [each["token"] for each in ada.browser.get("/list-sessions").json()] == [ada.token]
    back = done(root, "stop-impersonating")
    assert (back["user"]["id"], back["session"]["token"]) == (root.id, root.token)
    assert root.browser.get("/get-session").json()["user"]["id"] == root.id
    assert token not in at.sessions(ada)
    assert refused(act(root, "stop-impersonating")) == (400, None)
    assert signed_in(ada)


def asked_by(token: str) -> list[dict[str, str]]:
    """The headers of requests that show a session: with every cookie, the session's alone, none."""
    mark = f"better-auth.dont_remember=true.{signature('true')}"
    return [
        {"cookie": f"{cookie(token)}; {mark}"},
        {"cookie": cookie(token)},
        {"authorization": f"Bearer {token}.{signature(token)}"},
    ]


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("path", ["/get-session", "/list-accounts", "/list-sessions"])
def test_borrowed_session_is_never_refreshed(at: Site, number: int, path: str) -> None:
    _, _, token = borrowed(at)
    at.sql(f"UPDATE sessions SET expires_at = now() + interval '10 min' WHERE token = '{token}'")
    answer = at.browser().get(path, headers=asked_by(token)[number])
    assert answer.status_code == 200
    assert answer.json() is not None
    assert minutes(at, token) == "10"


@pytest.mark.parametrize("number", range(3))
def test_borrowed_session_that_another_server_has_stretched_ends_with_its_hour(
    at: Site, number: int
) -> None:
    _, ada, token = borrowed(at)
    at.sql(f"DELETE FROM sessions WHERE token = '{token}'")
    root = again(at, administrator(at, "second"))
    at.sql(
        "INSERT INTO sessions (user_id, token, impersonated_by, created_at, expires_at) VALUES"
        f" ('{ada.id}', '{token}', '{root.id}', now() - interval '61 min', now() + interval '7 d')"
    )
    answer = at.browser().get("/get-session", headers=asked_by(token)[number])
    assert answer.json() is None
    assert token not in at.sessions(ada)


def test_borrowed_session_ends_within_the_hour(at: Site) -> None:
    _, _, token = borrowed(at)
    assert minutes(at, token) == "60"


def test_borrowed_session_gives_no_other_one(at: Site) -> None:
    root, ada, _ = borrowed(at)
    body = {"currentPassword": PASSWORD, "newPassword": "a better password"}
    answer = root.browser.post("/change-password", json=body | {"revokeOtherSessions": True})
    assert answer.status_code == 200
    (token,) = at.sessions(ada)
    assert minutes(at, token) == "60"
    by = f"SELECT impersonated_by FROM sessions WHERE token = '{token}'"
    assert at.sql(by) == root.id


def test_administrator_is_not_impersonated(at: Site) -> None:
    root, other = administrator(at), administrator(at, "other", "user,admin")
    for person in (root, other):
        answer = act(root, "impersonate-user", userId=person.id)
        assert refused(answer) == (403, "YOU_CANNOT_IMPERSONATE_ADMINS")


def test_banned_user_is_not_impersonated(at: Site) -> None:
    root, ada = administrator(at), at.sign_up()
    done(root, "ban-user", userId=ada.id)
    answer = act(root, "impersonate-user", userId=ada.id)
    assert refused(answer) == (403, "BANNED_USER")
    assert signed_in(root)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("ban-user", {}),
        ("set-role", {"role": "user"}),
        ("remove-user", {}),
        ("revoke-user-sessions", {}),
    ],
)
def test_administrator_who_goes_acts_as_nobody_any_more(
    at: Site, path: str, body: dict[str, str]
) -> None:
    root, ada, token = borrowed(at)
    other = administrator(at, "other")
    done(other, path, userId=root.id, **body)
    assert token not in at.sessions(ada)
    assert not signed_in(root)
    assert signed_in(ada)


@pytest.mark.parametrize("change", ["role = 'user'", "banned = true"])
def test_impersonation_that_waits_for_the_end_of_its_administrator_is_refused(
    at: Site, change: str
) -> None:
    root, ada = administrator(at), at.sign_up()
    statement = f"UPDATE users SET {change} WHERE id = '{root.id}'"
    answer = raced(at, lambda: act(root, "impersonate-user", userId=ada.id), statement)
    assert answer.status_code == 403
    assert at.sessions(ada) == {ada.token}


def way_back(browser: httpx.Client) -> str:
    return browser.cookies["better-auth.admin_session"]


def test_way_back_of_another_administrator_leads_nowhere(at: Site) -> None:
    root, ada, _ = borrowed(at)
    other = administrator(at, "other")
    done(other, "impersonate-user", userId=ada.id)
    stolen = way_back(other.browser)
    for value in (stolen, "", "x", f"{other.token}:.{signature('x')}"):
        root.browser.cookies.delete("better-auth.admin_session")
        if value:
            root.browser.cookies.set("better-auth.admin_session", value, domain="127.0.0.1")
        answer = act(root, "stop-impersonating")
        assert (answer.status_code, answer.json()) == (
            400, {"message": "Failed to find admin session"},
        )  # fmt: skip


def test_way_back_is_closed_by_the_end_of_the_administrators_session(at: Site) -> None:
    root, _, _ = borrowed(at)
    at.sql(f"DELETE FROM sessions WHERE token = '{root.token}'")
    assert act(root, "stop-impersonating").status_code == 400


def test_way_back_signs_nobody_in(at: Site) -> None:
    root, _, _ = borrowed(at)
    value = way_back(root.browser)
    for headers in (
        {"cookie": f"better-auth.session_token={value}"},
        {"authorization": f"Bearer {value}"},
    ):
        assert at.browser().get("/get-session", headers=headers).json() is None


def test_sign_out_takes_the_way_back_along(at: Site) -> None:
    root, ada, token = borrowed(at)
    assert root.browser.post("/sign-out", json={}).status_code == 200
    assert "better-auth.admin_session" not in root.browser.cookies
    assert token not in at.sessions(ada)
