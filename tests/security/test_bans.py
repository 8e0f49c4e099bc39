"""A ban holds for every way in, for every session there is, and against requests beside it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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
from tests.security.people import PASSWORD, Site, cookie, jwt
from tests.security.races import raced
from tests.support import KEYS

BANNED = (403, "BANNED_USER")


@pytest.fixture
def at(sites: Callable[..., Site]) -> Site:
    return admin_site(sites, GATEPOST_AUTO_SIGN_IN_AFTER_VERIFICATION="true")


def test_ban_ends_sessions_and_refuses_sign_in(at: Site) -> None:
    root, ada = administrator(at), at.sign_up()
    second = again(at, ada)
    user = done(root, "ban-user", userId=ada.id)["user"]
    assert (user["banned"], user["banReason"], user["banExpires"]) == (True, "No reason", None)
    assert not signed_in(ada)
    assert not signed_in(second)
    answer = at.sign_in(ada.email)
    assert refused(answer) == BANNED
    assert "set-cookie" not in answer.headers
    assert refused(at.sign_in(ada.email, "wrong password")) == (401, "INVALID_EMAIL_OR_PASSWORD")
    user = done(root, "unban-user", userId=ada.id)["user"]
    assert (user["banned"], user["banReason"], user["banExpires"]) == (False, None, None)
    assert at.sign_in(ada.email).status_code == 200


def test_banned_user_cannot_get_in_by_a_verification_link(at: Site) -> None:
    root, ada = administrator(at), at.sign_up()
    ada.browser.post("/send-verification-email", json={"email": ada.email})
    token = at.mail(ada.email, "verify-email")["token"]
    done(root, "ban-user", userId=ada.id)
    assert refused(at.browser().get(f"/verify-email?token={token}")) == BANNED
    assert at.sessions(ada) == set()


def test_new_password_of_a_banned_user_lets_nobody_in(at: Site) -> None:
    root, ada = administrator(at), at.sign_up()
    ada.browser.post("/request-password-reset", json={"email": ada.email})
    token = at.mail(ada.email, "reset-password")["token"]
    done(root, "ban-user", userId=ada.id)
    new = {"newPassword": "a better password", "token": token}
    assert at.browser().post("/reset-password", json=new).status_code == 200
    assert refused(at.sign_in(ada.email, "a better password")) == BANNED


def test_ban_that_another_writer_made_holds_for_the_sessions_there_are(at: Site) -> None:
    administrator(at)
    ada = at.sign_up()
    at.sql(f"UPDATE users SET banned = true WHERE id = '{ada.id}'")
    assert ada.browser.get("/list-accounts").status_code == 401
    assert not signed_in(ada)
    token = at.session(ada)
    assert at.browser(cookie(token)).get("/get-session").json() is None
    at.sql(f"UPDATE users SET banned = false WHERE id = '{ada.id}'")
    assert at.browser(cookie(token)).get("/get-session").json() is not None


def test_ban_with_an_end_is_lifted_by_the_first_sign_in_after_it(at: Site) -> None:
    root, ada = administrator(at), at.sign_up()
    user = done(root, "ban-user", userId=ada.id, banReason="spam", banExpiresIn=3600)["user"]
    assert user["banReason"] == "spam"
    assert user["banExpires"] is not None
    assert refused(at.sign_in(ada.email)) == BANNED
    at.sql(f"UPDATE users SET ban_expires = now() - interval '1 s' WHERE id = '{ada.id}'")
    assert at.sign_in(ada.email).status_code == 200
    left = at.sql(f"SELECT banned, ban_reason, ban_expires FROM users WHERE id = '{ada.id}'")
    assert left == "f||"


def test_ban_without_a_number_that_is_a_time_is_refused(at: Site) -> None:
    root, ada = administrator(at), at.sign_up()
    for seconds in (1e300, -1e300, 10**30):
        answer = act(root, "ban-user", userId=ada.id, banExpiresIn=seconds)
        assert refused(answer) == (400, "VALIDATION_ERROR")
    assert refused(act(root, "ban-user", userId=ada.id, banExpiresIn="1")) == (
        400,
        "VALIDATION_ERROR",
    )
    assert signed_in(ada)


def test_sign_in_during_a_ban_is_refused(at: Site) -> None:
    ada = at.sign_up()
    statements = (
        f"UPDATE users SET banned = true WHERE id = '{ada.id}'",
        f"DELETE FROM sessions WHERE user_id = '{ada.id}'",
    )
    answer = raced(at, lambda: at.sign_in(ada.email), *statements)
    assert refused(answer) == BANNED
    assert at.sessions(ada) == set()


def test_session_that_begins_during_a_ban_is_ended_by_it(at: Site) -> None:
    root, ada = administrator(at), at.sign_up()
    token = "a" * 32
    statements = (
        f"SELECT FROM users WHERE id = '{ada.id}' FOR UPDATE",
        "INSERT INTO sessions (user_id, token, expires_at)"
        f" VALUES ('{ada.id}', '{token}', now() + interval '1 h')",
    )
    answer = raced(at, lambda: act(root, "ban-user", userId=ada.id), *statements)
    assert answer.status_code == 200
    assert at.sessions(ada) == set()


def test_ban_beside_many_sign_ins_leaves_no_session(at: Site) -> None:
    root = administrator(at)
    for _ in range(3):
        ada = at.sign_up()
        with ThreadPoolExecutor(9) as pool:
            signing_in = [pool.submit(at.sign_in, ada.email) for _ in range(8)]
            ban = pool.submit(act, root, "ban-user", userId=ada.id)
            assert ban.result().status_code == 200
            statuses = {each.result().status_code for each in signing_in}
        assert statuses <= {200, 403}
        assert at.sessions(ada) == set()


def test_key_without_secrets_cannot_lift_a_ban(at: Site) -> None:
    root, ada = administrator(at), at.sign_up()
    done(root, "ban-user", userId=ada.id)
    for change in ({"banned": False}, {"ban_expires": "2020-01-01T00:00:00Z"}, {"ban_reason": ""}):
        answer = at.browser().patch(
            f"{at.service.rest}/users?id=eq.{ada.id}",
            json=change,
            headers={"apikey": KEYS["backend"]},
        )
        assert answer.status_code == 403, answer.text
    assert refused(at.sign_in(ada.email)) == BANNED


def test_plugin_that_is_off_leaves_bans_alone(sites: Callable[..., Site]) -> None:
    at = sites()
    ada = at.sign_up()
    at.sql(f"UPDATE users SET banned = true WHERE id = '{ada.id}'")
    user = at.sign_in(ada.email, PASSWORD).json()["user"]
    assert set(user) == {
        "name", "email", "emailVerified", "image", "createdAt", "updatedAt", "id",
    }  # fmt: skip
    assert signed_in(ada)
    session = ada.browser.get("/get-session").json()["session"]
    assert "impersonatedBy" not in session
    assert ada.browser.get("/admin/list-users").status_code == 404


def test_link_made_up_for_a_banned_user_lets_nobody_in(at: Site) -> None:
    root, ada = administrator(at), at.sign_up()
    done(root, "ban-user", userId=ada.id)
    token = jwt({"email": ada.email, "iat": 1, "exp": 4102444800})
    assert refused(at.browser().get(f"/verify-email?token={token}")) in (
        BANNED,
        (401, "INVALID_TOKEN"),
    )
    assert at.sessions(ada) == set()
