"""A session begins only while what was checked still stands.

A transaction holds the row that the other side is about to change, so each race is run at the one
point where it was lost; then the same with requests that run beside each other.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.auth.passwords import hashed
from tests.security.people import NEW, PASSWORD, Person, Site
from tests.security.races import raced

OTHER = "yet another password"


def changed(person: Person, password: str = NEW) -> str:
    stored = hashed(password, "00" * 16)
    return f"UPDATE accounts SET password = '{stored}' WHERE user_id = '{person.id}'"


def ended(person: Person) -> str:
    return f"DELETE FROM sessions WHERE user_id = '{person.id}'"


def test_sign_in_with_a_password_that_is_being_changed_is_refused(
    sites: Callable[..., Site],
) -> None:
    at = sites()
    person = at.sign_up()
    answer = raced(at, lambda: at.sign_in(person.email), changed(person), ended(person))
    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_EMAIL_OR_PASSWORD")
    assert "set-cookie" not in answer.headers
    assert at.sessions(person) == set()
    assert at.sign_in(person.email, NEW).status_code == 200


def test_sign_in_of_a_user_who_is_being_deleted_is_refused(sites: Callable[..., Site]) -> None:
    at = sites()
    person = at.sign_up()
    gone = f"DELETE FROM users WHERE id = '{person.id}'"
    answer = raced(at, lambda: at.sign_in(person.email), gone)
    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_EMAIL_OR_PASSWORD")
    assert (
        at.sql("SELECT count(*) FROM sessions WHERE user_id NOT IN (SELECT id FROM users)") == "0"
    )


def test_sign_in_with_an_account_that_is_being_unlinked_is_refused(
    sites: Callable[..., Site],
) -> None:
    at = sites()
    person = at.sign_up()
    gone = f"DELETE FROM accounts WHERE user_id = '{person.id}'"
    answer = raced(at, lambda: at.sign_in(person.email), gone, ended(person))
    assert answer.status_code == 401
    assert at.sessions(person) == set()


@pytest.mark.parametrize("revoke", [True, False])
def test_change_with_a_password_that_is_being_reset_is_refused(
    sites: Callable[..., Site], revoke: bool
) -> None:
    """The one who knows the old password must not take back what a reset has decided."""
    at = sites()
    person = at.sign_up()
    change = {"currentPassword": PASSWORD, "newPassword": OTHER, "revokeOtherSessions": revoke}
    answer = raced(
        at, lambda: person.browser.post("/change-password", json=change), changed(person),
        ended(person),
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_PASSWORD")
    assert at.sessions(person) == set()
    assert at.sign_in(person.email, OTHER).status_code == 401
    assert at.sign_in(person.email, NEW).status_code == 200


def test_link_that_signs_in_and_whose_address_is_being_changed_is_refused(
    sites: Callable[..., Site],
) -> None:
    at = sites(
        GATEPOST_AUTO_SIGN_IN_AFTER_VERIFICATION="true",
        GATEPOST_SEND_VERIFICATION_ON_SIGN_UP="true",
    )
    person = at.sign_up()
    token = at.mail(person.email, "verify-email")["token"]
    moved = f"UPDATE users SET email = 'x{person.email}' WHERE id = '{person.id}'"
    follow = at.browser()
    answer = raced(at, lambda: follow.get(f"/verify-email?token={token}"), moved, ended(person))
    assert answer.status_code == 401
    assert at.sessions(person) == set()
    assert at.sql(f"SELECT email_verified FROM users WHERE id = '{person.id}'") == "f"


def test_sign_ins_under_way_do_not_survive_a_change_that_revokes(
    sites: Callable[..., Site],
) -> None:
    """Four sign-ins beside each change: afterwards there is the session of the change alone."""
    at = sites()
    with ThreadPoolExecutor(5) as pool:
        for _ in range(3):
            person = at.sign_up()
            signing_in = [pool.submit(at.sign_in, person.email) for _ in range(2)]
            change = pool.submit(
                person.browser.post, "/change-password",
                json={"currentPassword": PASSWORD, "newPassword": NEW, "revokeOtherSessions": True},
            )  # fmt: skip
            signing_in += [pool.submit(at.sign_in, person.email) for _ in range(2)]
            assert {one.result().status_code for one in signing_in} <= {200, 401}
            answer = change.result()
            assert answer.status_code == 200
            assert at.sessions(person) == {answer.json()["token"]}


def test_sign_ins_under_way_do_not_survive_a_reset(
    sites: Callable[..., Site],
) -> None:
    at = sites()
    with ThreadPoolExecutor(5) as pool:
        for _ in range(3):
            person = at.sign_up()
            person.browser.post("/request-password-reset", json={"email": person.email})
            token = at.mail(person.email, "reset-password")["token"]
            signing_in = [pool.submit(at.sign_in, person.email) for _ in range(2)]
            reset = pool.submit(
                at.browser().post, "/reset-password", json={"newPassword": NEW, "token": token}
            )
            signing_in += [pool.submit(at.sign_in, person.email) for _ in range(2)]
            assert {one.result().status_code for one in signing_in} <= {200, 401}
            assert reset.result().status_code == 200
            assert at.sessions(person) == set()


def test_unlinks_beside_each_other_leave_an_account(sites: Callable[..., Site]) -> None:
    """Fifty times two accounts are unlinked at the same moment: one of them stays."""
    at = sites()
    person = at.sign_up()
    outcomes = []
    with ThreadPoolExecutor(2) as pool:
        for number in range(50):
            at.sql(
                f"DELETE FROM accounts WHERE user_id = '{person.id}';"
                "INSERT INTO accounts (user_id, account_id, provider_id) VALUES"
                f" ('{person.id}', '{number}', 'github'), ('{person.id}', '{number}', 'google')"
            )
            ids = at.sql(f"SELECT id FROM accounts WHERE user_id = '{person.id}'").split()
            asked = [
                pool.submit(person.browser.post, "/unlink-account", json={"accountId": one})
                for one in ids
            ]
            answers = [one.result() for one in asked]
            assert sorted(answer.status_code for answer in answers) == [200, 400]
            (refused,) = [answer for answer in answers if answer.status_code == 400]
            assert refused.json()["code"] == "FAILED_TO_UNLINK_LAST_ACCOUNT"
            left = f"SELECT count(*) FROM accounts WHERE user_id = '{person.id}'"
            outcomes.append(at.sql(left))
    assert outcomes == ["1"] * 50


def test_unlink_beside_a_deletion_of_the_other_account_is_refused(
    sites: Callable[..., Site],
) -> None:
    """The same race, held where it was lost: each had seen the account that the other deleted."""
    at = sites()
    person = at.sign_up()
    at.sql(
        "INSERT INTO accounts (user_id, account_id, provider_id)"
        f" VALUES ('{person.id}', '{person.id}', 'github')"
    )
    own = f"user_id = '{person.id}' AND provider_id"
    credential = at.sql(f"SELECT id FROM accounts WHERE {own} = 'credential'")
    answer = raced(
        at, lambda: person.browser.post("/unlink-account", json={"accountId": credential}),
        f"DELETE FROM accounts WHERE {own} = 'github'",
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (400, "FAILED_TO_UNLINK_LAST_ACCOUNT")
    assert at.sql(f"SELECT count(*) FROM accounts WHERE user_id = '{person.id}'") == "1"


def test_sign_ins_beside_a_deletion_leave_nothing(sites: Callable[..., Site]) -> None:
    at = sites(GATEPOST_DELETE_USER="true")
    with ThreadPoolExecutor(5) as pool:
        for _ in range(3):
            person = at.sign_up()
            signing_in = [pool.submit(at.sign_in, person.email) for _ in range(2)]
            deletion = pool.submit(person.browser.post, "/delete-user", json={"password": PASSWORD})
            signing_in += [pool.submit(at.sign_in, person.email) for _ in range(2)]
            assert {one.result().status_code for one in signing_in} <= {200, 401}
            assert deletion.result().status_code == 200
            assert at.sessions(person) == set()
            assert at.sign_in(person.email).status_code == 401
