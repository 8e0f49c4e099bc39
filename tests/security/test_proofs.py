"""A mailed link shows one thing, once, of one user, until the password or the address changes."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import SERVERS
from tests.interop.auth.servers import Setup, better_auth, gatepost
from tests.interop.auth.visitor import Visitor
from tests.security.people import BASE, NEW, PASSWORD, Person, Site, cookie
from tests.security.races import raced
from tests.support import Server

OTHER = "yet another password"
CHANGES = {"GATEPOST_CHANGE_EMAIL": "true", "GATEPOST_DELETE_USER": "true"}
DIRECT = CHANGES | {"GATEPOST_CHANGE_EMAIL_WITHOUT_VERIFICATION": "true"}
SIGNS_IN = {"GATEPOST_AUTO_SIGN_IN_AFTER_VERIFICATION": "true"}


def user(at: Site, person: Person) -> str:
    return at.sql(f"SELECT email, email_verified FROM users WHERE id = '{person.id}'")


def ask_reset(at: Site, person: Person) -> str:
    assert at.browser().post("/request-password-reset", json={"email": person.email}).is_success
    return at.mail(person.email, "reset-password")["token"]


def reset(at: Site, token: str, password: str = NEW) -> int:
    body = {"token": token, "newPassword": password}
    return at.browser().post("/reset-password", json=body).status_code


def ask_change(at: Site, person: Person, new: str) -> str:
    assert person.browser.post("/change-email", json={"newEmail": new}).is_success
    return at.mail(new, "verify-email")["token"]


def ask_verification(at: Site, person: Person) -> str:
    answer = person.browser.post("/send-verification-email", json={"email": person.email})
    assert answer.is_success
    return at.mail(person.email, "verify-email")["token"]


def follow(at: Site, token: str) -> int:
    return at.browser().get("/verify-email", params={"token": token}).status_code


# the address


def test_change_beside_a_verification_leaves_no_unproved_address_verified(
    sites: Callable[..., Site],
) -> None:
    """The new address is written while the old one is being verified: it was not shown by that."""
    at = sites(**DIRECT)
    person = at.sign_up()
    new = f"new.{person.email}"
    verified = f"UPDATE users SET email_verified = true WHERE id = '{person.id}'"
    answer = raced(
        at, lambda: person.browser.post("/change-email", json={"newEmail": new}), verified
    )
    assert answer.json() == {"status": True}
    assert user(at, person) == f"{person.email}|t"


def test_verification_beside_a_change_verifies_only_the_address_of_the_mail(
    sites: Callable[..., Site],
) -> None:
    at = sites(**DIRECT)
    person = at.sign_up()
    token = ask_verification(at, person)
    new = f"new.{person.email}"
    moved = f"UPDATE users SET email = '{new}' WHERE id = '{person.id}'"
    assert raced(at, lambda: follow(at, token), moved) == 401
    assert user(at, person) == f"{new}|f"


def test_verifications_and_changes_at_once_verify_no_unproved_address(
    sites: Callable[..., Site],
) -> None:
    at = sites(**DIRECT)
    with ThreadPoolExecutor(2) as pool:
        for _ in range(15):
            person = at.sign_up()
            token, new = ask_verification(at, person), f"new.{person.email}"
            change = pool.submit(person.browser.post, "/change-email", json={"newEmail": new})
            verification = pool.submit(follow, at, token)
            assert change.result().json() == {"status": True}
            assert verification.result() in (200, 401)
            assert user(at, person) in (f"{person.email}|t", f"{new}|f")


def test_link_followed_twice_at_once_is_good_twice(sites: Callable[..., Site]) -> None:
    """A mail scanner and its reader may be as quick as each other."""
    at = sites(**DIRECT, **SIGNS_IN)
    person = at.sign_up()
    token = ask_verification(at, person)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: follow(at, token), range(4))) == {200}
    assert user(at, person) == f"{person.email}|t"
    assert len(at.sessions(person)) == 2  # of the sign-up and of one link


def test_new_change_of_address_ends_the_link_before(sites: Callable[..., Site]) -> None:
    at = sites(**CHANGES)
    person = at.sign_up()
    first, second = (ask_change(at, person, f"{n}.{person.email}") for n in "ab")
    assert follow(at, first) == 401
    assert user(at, person) == f"{person.email}|f"
    assert follow(at, second) == 200
    assert user(at, person) == f"b.{person.email}|f"
    assert follow(at, second) == 401


def test_changed_address_ends_every_link(sites: Callable[..., Site]) -> None:
    at = sites(**CHANGES)
    person = at.sign_up()
    proof, token = ask_reset(at, person), ask_verification(at, person)
    assert follow(at, ask_change(at, person, f"new.{person.email}")) == 200
    assert reset(at, proof) == 400
    assert follow(at, token) == 401
    assert user(at, person) == f"new.{person.email}|f"


# the password


def test_reset_ends_every_other_reset_link(sites: Callable[..., Site]) -> None:
    at = sites(**CHANGES)
    person, bob = at.sign_up(), at.sign_up("bob")
    tokens = [ask_reset(at, person) for _ in range(3)]
    foreign = ask_reset(at, bob)
    assert reset(at, tokens[1]) == 200
    for token in tokens:
        link = at.browser().get(f"/reset-password/{token}?callbackURL=/new")
        assert link.headers["location"] == f"{BASE}/new?error=INVALID_TOKEN"
        assert reset(at, token, OTHER) == 400
    assert at.sign_in(person.email, NEW).status_code == 200
    assert reset(at, foreign) == 200


def test_concurrent_resets_by_several_links_succeed_once(sites: Callable[..., Site]) -> None:
    at = sites(**CHANGES)
    for _ in range(3):
        person = at.sign_up()
        tokens = [ask_reset(at, person) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            statuses = list(pool.map(lambda token: reset(at, token), tokens))
        assert sorted(statuses) == [200, 400, 400, 400]


@pytest.mark.parametrize("way", ["change", "reset"])
def test_new_password_ends_every_link(sites: Callable[..., Site], way: str) -> None:
    """Who was in the account for a moment has asked for links: they must not let them in again."""
    at = sites(**CHANGES, **SIGNS_IN)
    person = at.sign_up()
    moved, shown = ask_change(at, person, f"evil.{person.email}"), ask_verification(at, person)
    proof = ask_reset(at, person)
    if way == "change":
        body = {"currentPassword": PASSWORD, "newPassword": NEW}
        assert person.browser.post("/change-password", json=body).is_success
    else:
        assert reset(at, ask_reset(at, person)) == 200
    before = at.sessions(person)
    assert reset(at, proof, OTHER) == 400
    assert [follow(at, moved), follow(at, shown)] == [401, 401]
    assert user(at, person) == f"{person.email}|f"
    assert at.sessions(person) == before
    assert at.sql(f"SELECT count(*) FROM verifications WHERE value = '{person.id}'") == "0"
    assert follow(at, ask_verification(at, person)) == 200


def test_password_ends_the_link_that_deletes(sites: Callable[..., Site]) -> None:
    at = sites(**CHANGES, GATEPOST_DELETE_USER_BY_MAIL="true")
    person = at.sign_up()
    assert person.browser.post("/delete-user", json={}).is_success
    token = at.mail(person.email, "delete-account")["token"]
    body = {"currentPassword": PASSWORD, "newPassword": NEW}
    assert person.browser.post("/change-password", json=body).is_success
    assert person.browser.post("/delete-user", json={"token": token}).status_code == 404


# what the table opens


@pytest.mark.parametrize("server", ["hashed", "none"])
def test_hashed_tokens_are_not_in_the_database(sites: Callable[..., Site], server: str) -> None:
    at = sites(**CHANGES, GATEPOST_DELETE_USER_BY_MAIL="true", GATEPOST_BETTER_AUTH_SERVER=server)
    person = at.sign_up()
    token = ask_reset(at, person)
    assert person.browser.post("/delete-user", json={}).is_success
    deletion = at.mail(person.email, "delete-account")["token"]
    mails = [ask_change(at, person, f"n.{person.email}"), ask_verification(at, person)]
    table = at.sql("SELECT identifier, value FROM verifications")
    for secret in (token, deletion, *mails):
        assert secret not in table
    digest = hashlib.sha256(f"reset-password:{token}".encode()).digest()
    stored = urlsafe_b64encode(digest).decode().rstrip("=")
    assert stored in table
    # what is read there opens nothing
    for line in table.splitlines():
        identifier, value = line.split("|")
        for leaked in (identifier, value, identifier.partition(":")[2]):
            assert reset(at, leaked) == 400
            answer = person.browser.post("/delete-user", json={"token": leaked or "x"})
            assert answer.status_code == 404
            assert follow(at, leaked or "x") == 401
    link = at.browser().get(f"/reset-password/{token}?callbackURL=/new")
    assert link.headers["location"] == f"{BASE}/new?token={token}"
    assert reset(at, token) == 200
    assert reset(at, token) == 400


@pytest.mark.parametrize("way", ["node-gatepost", "gatepost-node"])
def test_hashed_tokens_are_shared_with_a_better_auth_server(
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    node: Path,
    tmp_path: Path,
    way: str,
) -> None:
    setup = Setup(
        settings={
            "GATEPOST_BETTER_AUTH_SERVER": "hashed",
            "GATEPOST_DELETE_USER": "true",
            "GATEPOST_DELETE_USER_BY_MAIL": "true",
        },
        options={
            "verification": {"storeIdentifier": "hashed"},
            "user": {"deleteUser": {"enabled": True}},
        },
        mails="reset-password,verify-email,delete-account",
    )
    postgres = postgres_servers(SERVERS[0])
    with (
        postgres.database(templates(postgres)) as database,
        better_auth(setup, postgres, database, tmp_path, node) as one,
        gatepost(setup, postgres, database, tmp_path) as other,
    ):
        servers = {"node": one, "gatepost": other}
        here, there = (
            Visitor(servers[name], postgres, "h", setup.base_url) for name in way.split("-")
        )
        ada = here.sign_up("ada")
        here.post(200, "/request-password-reset", {"email": ada.email, "redirectTo": "/new"})
        token = here.mail(ada)["token"]
        assert token not in here.sql("SELECT identifier FROM verifications")
        assert token in there.get(302, f"/reset-password/{token}?callbackURL=/new").header(
            "location"
        )
        there.post(200, "/reset-password", {"newPassword": NEW, "token": token})
        here.post(400, "/reset-password", {"newPassword": NEW, "token": token})
        here.post(200, "/delete-user", {"callbackURL": "/bye"}, ada.cookie)
        path = here.mail(ada)["url"].partition("/api/auth")[2]
        there.get(302, path, ada.cookie)
        assert here.get(200, "/get-session", ada.cookie).json is None
        for at in (here, there):
            at.close()
            assert at.unexpected == []


def test_token_of_a_backend_that_stores_it_plainly_is_good(sites: Callable[..., Site]) -> None:
    at = sites(**CHANGES, GATEPOST_DELETE_USER_BY_MAIL="true", GATEPOST_BETTER_AUTH_SERVER="hashed")
    person = at.sign_up()
    at.sql(
        "INSERT INTO verifications (identifier, value, expires_at) VALUES"
        f" ('reset-password:made', '{person.id.upper()}', now() + interval '1 hour')"
    )
    assert reset(at, "made") == 200
    assert reset(at, "made") == 400


# what else asks for more than a session


def test_change_and_deletion_ask_for_a_fresh_session(sites: Callable[..., Site]) -> None:
    at = sites(**CHANGES)
    person = at.sign_up()
    old = cookie(at.session(person, "-25 h"))
    answer = at.browser(old).post("/change-email", json={"newEmail": f"n.{person.email}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "SESSION_NOT_FRESH")
    assert at.mails(f"n.{person.email}") == []
    answer = at.browser(old).post("/delete-user", json={})
    assert (answer.status_code, answer.json()["code"]) == (400, "SESSION_EXPIRED")
    fresh = cookie(at.session(person, "-23 h"))
    answer = at.browser(fresh).post("/change-email", json={"newEmail": f"n.{person.email}"})
    assert answer.status_code == 200


def test_old_address_is_told(sites: Callable[..., Site]) -> None:
    at = sites(**CHANGES)
    person, bob = at.sign_up(), at.sign_up("bob")
    # also of an address that is taken: the answers must not tell which
    assert person.browser.post("/change-email", json={"newEmail": bob.email}).is_success
    assert len(at.mails(person.email, "email-change-requested")) == 1
    assert at.mails(bob.email) == []
    new = f"new.{person.email}"
    token = ask_change(at, person, new)
    asked = at.mails(person.email, "email-change-requested")
    assert len(asked) == 2
    assert asked[-1] == {
        "kind": "email-change-requested",
        "email": person.email,
        "userId": person.id,
    }
    assert at.mails(person.email, "email-changed") == []
    assert follow(at, token) == 200
    assert len(at.mails(person.email, "email-changed")) == 1
    assert person.browser.post("/delete-user", json={"password": PASSWORD}).is_success
    assert [mail["kind"] for mail in at.mails(new)] == ["verify-email", "account-deleted"]


def test_user_is_told_of_a_new_password(sites: Callable[..., Site]) -> None:
    at = sites()
    person = at.sign_up()
    body = {"currentPassword": PASSWORD, "newPassword": "another long password"}
    assert person.browser.post("/change-password", json=body).is_success
    assert len(at.mails(person.email, "password-changed")) == 1
    person.browser.post("/request-password-reset", json={"email": person.email})
    token = at.mail(person.email, "reset-password")["token"]
    body = {"newPassword": "a third long password", "token": token}
    assert at.browser().post("/reset-password", json=body).is_success
    told = at.mails(person.email, "password-changed")
    assert told[1:] == [{"kind": "password-changed", "email": person.email, "userId": person.id}]


def test_old_address_is_told_of_a_change_without_a_link(sites: Callable[..., Site]) -> None:
    at = sites(**DIRECT)
    person = at.sign_up()
    body = {"newEmail": f"new.{person.email}"}
    assert person.browser.post("/change-email", json=body).is_success
    assert [mail["kind"] for mail in at.mails(person.email)] == ["email-changed"]
