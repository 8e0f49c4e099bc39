"""A Better Auth server and Gatepost on one database: done at one, true at the other.

Every test runs in both directions. Each server is asked by raw requests and by nothing that the
other one remembers: what they share is the database and the secret.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.interop.auth.servers import (
    BASE_URL,
    Running,
    Setup,
    better_auth,
    gatepost,
)
from tests.interop.auth.visitor import PASSWORD, Visitor
from tests.support import Server

NEW = "a better password"
SHARED = Setup(
    settings={
        "GATEPOST_DELETE_USER": "true",
        "GATEPOST_DELETE_USER_BY_MAIL": "true",
        "GATEPOST_CHANGE_EMAIL": "true",
    },
    options={"user": {"deleteUser": {"enabled": True}, "changeEmail": {"enabled": True}}},
    mails="reset-password,verify-email,delete-account",
)
LIMITED = Setup(
    settings={"GATEPOST_RATE_LIMIT": "database"},
    options={"rateLimit": {"enabled": True, "storage": "database"}},
)
BOTH_WAYS = pytest.mark.parametrize("way", ["node-gatepost", "gatepost-node"])


@dataclass(frozen=True)
class Both:
    """Two visitors of the two servers, of one person."""

    here: Visitor
    there: Visitor

    def at_both(self, path: str, cookie: str) -> list[Any]:
        """What both answer to a GET."""
        return [at.get(200, path, cookie).json for at in (self.here, self.there)]

    def check(self) -> None:
        """Every status was the expected one."""
        assert self.here.unexpected + self.there.unexpected == []


@pytest.fixture(scope="module")
def servers(
    postgres: Server, template: str, node: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Running]]:
    folder = tmp_path_factory.mktemp("shared")
    with (
        postgres.database(template) as database,
        better_auth(SHARED, postgres, database, folder, node) as one,
        gatepost(SHARED, postgres, database, folder) as other,
    ):
        yield {"node": one, "gatepost": other}


@pytest.fixture
def both(
    servers: dict[str, Running], way: str, request: pytest.FixtureRequest, postgres: Server
) -> Iterator[Both]:
    tag = f"{request.function.__name__}_{way}"
    here, there = (Visitor(servers[name], postgres, tag, BASE_URL) for name in way.split("-"))
    pair = Both(here, there)
    yield pair
    for at in (here, there):
        at.close()
    pair.check()


@BOTH_WAYS
def test_session_is_shared(both: Both) -> None:
    ada = both.here.sign_up("ada")
    one, other = both.at_both("/get-session", ada.cookie)
    assert one == other
    assert one["user"]["id"] == ada.id
    token = both.there.post(200, "/update-user", {"name": "Ada L."}, ada.cookie)
    bearer = {"authorization": f"Bearer {token.header('set-auth-token')}"}
    assert both.here.get(200, "/get-session", headers=bearer).json["user"]["name"] == "Ada L."
    one, other = both.at_both("/list-sessions", ada.cookie)
    assert one == other
    one, other = both.at_both("/list-accounts", ada.cookie)
    assert one == other


@BOTH_WAYS
def test_session_that_is_not_remembered_is_shared(both: Both) -> None:
    ada = both.here.sign_up("ada", rememberMe=False)
    answer = both.there.post(200, "/update-user", {"name": "Ada L."}, ada.cookie)
    assert answer.cookie == ada.cookie
    assert not any("max-age" in line.lower() for line in answer.all("set-cookie"))


@BOTH_WAYS
def test_password_is_shared(both: Both) -> None:
    ada = both.here.sign_up("ada", password="pässwörd ﬁ 😀")
    login = {"email": ada.email, "password": "pässwörd fi 😀"}
    session = both.there.post(200, "/sign-in/email", login)
    both.there.post(401, "/sign-in/email", login | {"password": "passwort"})
    change = {"currentPassword": login["password"], "newPassword": NEW}
    both.there.post(200, "/change-password", change, session.cookie)
    both.here.post(401, "/sign-in/email", login)
    both.here.post(200, "/sign-in/email", login | {"password": NEW})
    taken = {"name": "Ada", "email": ada.email.upper(), "password": PASSWORD}
    both.there.post(422, "/sign-up/email", taken)


@BOTH_WAYS
def test_password_reset_is_shared(both: Both) -> None:
    ada = both.here.sign_up("ada")
    both.here.post(200, "/request-password-reset", {"email": ada.email, "redirectTo": "/new"})
    mail = both.here.mail(ada)
    path = mail["url"].partition("/api/auth")[2]
    assert both.there.get(302, path).header("location") == f"{BASE_URL}/new?token={mail['token']}"
    reset = {"newPassword": NEW, "token": mail["token"]}
    both.there.post(200, "/reset-password", reset)
    both.there.post(400, "/reset-password", reset)
    both.here.post(400, "/reset-password", reset)
    both.here.post(200, "/sign-in/email", {"email": ada.email, "password": NEW})


@BOTH_WAYS
def test_email_verification_is_shared(both: Both) -> None:
    ada = both.here.sign_up("ada")
    both.here.post(200, "/send-verification-email", {"email": ada.email}, ada.cookie)
    both.there.get(200, f"/verify-email?token={both.here.mail(ada)['token']}")
    one, other = both.at_both("/get-session", ada.cookie)
    assert one == other
    assert one["user"]["emailVerified"] is True


@BOTH_WAYS
def test_change_of_email_is_shared(both: Both) -> None:
    ada = both.here.sign_up("ada")
    new = both.here.address("new")
    both.here.post(200, "/change-email", {"newEmail": new}, ada.cookie)
    token = both.here.mail(email=new)["token"]
    both.there.get(200, f"/verify-email?token={token}", ada.cookie)
    both.here.get(401, f"/verify-email?token={token}", ada.cookie)
    both.here.post(200, "/sign-in/email", {"email": new, "password": PASSWORD})
    both.here.post(401, "/sign-in/email", {"email": ada.email, "password": PASSWORD})


@BOTH_WAYS
def test_deletion_of_a_user_is_shared(both: Both) -> None:
    ada = both.here.sign_up("ada")
    both.here.post(200, "/delete-user", {"callbackURL": "/bye"}, ada.cookie)
    path = both.here.mail(ada)["url"].partition("/api/auth")[2]
    both.there.get(302, path, ada.cookie)
    assert both.at_both("/get-session", ada.cookie) == [None, None]
    both.here.post(401, "/sign-in/email", {"email": ada.email, "password": PASSWORD})


@BOTH_WAYS
def test_revocation_is_shared(both: Both) -> None:
    here, there = both.here, both.there
    ada = here.sign_up("ada")
    second, third, fourth = (at.sign_in(ada) for at in (here, there, here))
    there.post(200, "/revoke-session", {"token": second.token}, ada.cookie)
    assert both.at_both("/get-session", second.cookie) == [None, None]
    there.post(200, "/sign-out", {}, third.cookie)
    here.post(401, "/update-user", {"name": "A"}, third.cookie)
    there.post(200, "/revoke-other-sessions", {}, ada.cookie)
    here.post(401, "/revoke-sessions", {}, fourth.cookie)
    assert both.at_both("/get-session", ada.cookie) != [None, None]
    there.post(200, "/revoke-sessions", {}, ada.cookie)
    assert both.at_both("/get-session", ada.cookie) == [None, None]


@BOTH_WAYS
def test_refresh_is_shared(both: Both) -> None:
    ada = both.here.sign_up("ada")
    due = both.here.session(ada, created="-48 h", expires="120 h")
    refreshed = both.here.get(200, "/get-session", due.cookie)
    assert refreshed.cookie == due.cookie
    seen = both.there.get(200, "/get-session", due.cookie)
    assert seen.json == refreshed.json
    assert seen.all("set-cookie") == []


@BOTH_WAYS
def test_expired_session_is_refused_by_both(both: Both) -> None:
    ada = both.here.sign_up("ada")
    over = both.here.session(ada, created="-200 h", expires="-1 h")
    assert both.at_both("/get-session", over.cookie) == [None, None]
    assert both.there.sql(f"SELECT count(*) FROM sessions WHERE token = '{over.token}'") == "0"


@BOTH_WAYS
def test_rate_limits_are_shared(
    way: str, postgres: Server, template: str, node: Path, tmp_path: Path
) -> None:
    with (
        postgres.database(template) as database,
        better_auth(LIMITED, postgres, database, tmp_path, node) as one,
        gatepost(LIMITED, postgres, database, tmp_path) as other,
    ):
        servers = {"node": one, "gatepost": other}
        here, there = (Visitor(servers[name], postgres, "x", BASE_URL) for name in way.split("-"))
        for number, address in enumerate(("203.0.113.7", "2001:db8:1:2::7", "203.0.113.8")):
            headers = {"x-forwarded-for": address}
            turns = [(here, there, here, there, here)[n] for n in range(5)]
            statuses = [at.post(None, "/sign-in/email", {}, headers=headers).status for at in turns]
            assert statuses == [400, 400, 400, 429, 429]
            rows = "SELECT count(*), max(count) FROM rate_limits WHERE key LIKE '%|/sign-in/email'"
            assert here.sql(rows) == f"{number + 1}|3"
        here.close()
        there.close()
