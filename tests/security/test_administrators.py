"""Who is an administrator, what others cannot make of themselves, and that one always stays."""

import json
import re
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
from tests.security.people import NEW, PASSWORD, Person, Site
from tests.security.races import raced
from tests.support import KEYS, ROOT, wait_until

LAST = (400, "LAST_ADMINISTRATOR")
FIELDS = {
    "role": "admin",
    "banned": True,
    "banReason": "x",
    "banExpires": "2030-01-01T00:00:00.000Z",
}
EVERYTHING = {
    "set-role": {"role": "admin"},
    "create-user": {"email": "new@example.com", "name": "new", "password": PASSWORD},
    "update-user": {"data": {"name": "x"}},
    "list-user-sessions": {},
    "revoke-user-session": {"sessionToken": "x"},
    "revoke-user-sessions": {},
    "ban-user": {},
    "unban-user": {},
    "impersonate-user": {},
    "remove-user": {},
    "set-user-password": {"newPassword": NEW},
    "set-session-policy": {"maxSessions": 2},
}


@pytest.fixture
def at(sites: Callable[..., Site]) -> Site:
    return admin_site(sites)


def row(at: Site, person: Person) -> str:
    columns = "role, banned, ban_reason, ban_expires"
    return at.sql(f"SELECT {columns} FROM users WHERE id = '{person.id}'")


@pytest.mark.parametrize("role", ["user", "", "user, admin", "Admin", "administrator", "admin "])
def test_user_without_the_role_may_do_nothing(at: Site, role: str) -> None:
    administrator(at)
    eve, ada = administrator(at, "eve", role), at.sign_up()
    for path, body in EVERYTHING.items():
        assert act(eve, path, userId=ada.id, **body).status_code == 403, path
    for path in ("list-users", f"get-user?id={ada.id}", f"session-policy?userId={ada.id}"):
        assert eve.browser.get(f"/admin/{path}").status_code == 403
    assert signed_in(ada)


def test_visitor_without_a_session_gets_401_without_a_body(at: Site) -> None:
    ada = at.sign_up()
    for path, body in EVERYTHING.items():
        answer = at.browser().post(f"/admin/{path}", json={"userId": ada.id, **body})
        assert (answer.status_code, answer.content) == (401, b""), path


@pytest.mark.parametrize("field", ["role", "banReason", "banExpires"])
def test_sign_up_with_a_field_of_the_plugin_is_refused(at: Site, field: str) -> None:
    body = {"name": "eve", "email": f"{field.lower()}@example.com", "password": PASSWORD}
    answer = at.browser().post("/sign-up/email", json=body | {field: FIELDS[field]})
    assert refused(answer) == (400, "FIELD_NOT_ALLOWED")


def test_sign_up_takes_no_ban_and_gives_the_default_role(at: Site) -> None:
    body = {"name": "eve", "email": "eve.banned@example.com", "password": PASSWORD}
    user = at.browser().post("/sign-up/email", json=body | {"banned": True}).json()["user"]
    assert [user[name] for name in FIELDS] == ["user", False, None, None]


@pytest.mark.parametrize("field", FIELDS)
def test_user_cannot_change_a_field_of_the_plugin(at: Site, field: str) -> None:
    eve = at.sign_up("eve")
    answer = eve.browser.post("/update-user", json={"name": "x", field: FIELDS[field]})
    assert refused(answer) == (400, "FIELD_NOT_ALLOWED")
    answer = eve.browser.post("/update-session", json={"impersonatedBy": eve.id})
    assert answer.status_code == 400
    assert row(at, eve) == "user|f||"


def test_key_without_secrets_cannot_make_an_administrator(at: Site) -> None:
    eve = at.sign_up("eve")
    headers = {"apikey": KEYS["backend"]}
    rest, browser = at.service.rest, at.browser()
    answer = browser.patch(f"{rest}/users?id=eq.{eve.id}", json={"role": "admin"}, headers=headers)
    assert answer.status_code == 403
    new = {"name": "x", "email": "made@example.com", "role": "admin"}
    assert browser.post(f"{rest}/users", json=new, headers=headers).status_code == 403
    del new["role"]
    assert browser.post(f"{rest}/users", json=new, headers=headers).status_code == 201
    every = browser.patch(
        f"{rest}/users?id=eq.{eve.id}", json={"role": "admin"}, headers={"apikey": KEYS["all"]}
    )
    assert every.status_code == 204
    assert row(at, eve) == "admin|f||"


def test_sessions_are_embedded_in_users_without_a_name_of_the_key(at: Site) -> None:
    root, ada = administrator(at), at.sign_up()
    done(root, "impersonate-user", userId=ada.id)
    headers = {"apikey": KEYS["reader"]}
    asked = f"{at.service.rest}/users?id=eq.{ada.id}&select=id,sessions(user_id)"
    (found,) = at.browser().get(asked, headers=headers).json()
    assert {each["user_id"] for each in found["sessions"]} == {ada.id}
    named = "sessions!sessions_impersonated_by_fkey(user_id)"
    asked = f"{at.service.rest}/users?id=eq.{root.id}&select=id,{named}"
    (found,) = at.browser().get(asked, headers=headers).json()
    assert found["sessions"] == [{"user_id": ada.id}]


@pytest.mark.parametrize("role", ["user", "", ["user", "editor"], []])
def test_last_administrator_keeps_the_role(at: Site, role: str | list[str]) -> None:
    root = administrator(at)
    assert refused(act(root, "set-role", userId=root.id, role=role)) == LAST
    answer = act(root, "update-user", userId=root.id, data={"role": role})
    assert refused(answer) == LAST
    other = administrator(at, "other")
    done(root, "set-role", userId=root.id, role=role)
    assert refused(act(root, "set-role", userId=other.id, role="user"))[0] == 403


def test_last_administrator_cannot_leave(at: Site) -> None:
    root = administrator(at)
    answer = root.browser.post("/delete-user", json={"password": PASSWORD})
    assert refused(answer) == LAST
    assert refused(act(root, "remove-user", userId=root.id)) == (400, "YOU_CANNOT_REMOVE_YOURSELF")
    assert refused(act(root, "ban-user", userId=root.id)) == (400, "YOU_CANNOT_BAN_YOURSELF")
    administrator(at, "other")
    answer = root.browser.post("/delete-user", json={"password": PASSWORD})
    assert answer.status_code == 200


def test_administrator_who_is_banned_does_not_count(at: Site) -> None:
    root, other = administrator(at), administrator(at, "other")
    done(root, "ban-user", userId=other.id)
    assert refused(act(root, "set-role", userId=root.id, role="user")) == LAST


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("set-role", {"role": "user"}),
        ("update-user", {"data": {"role": "user"}}),
        ("update-user", {"data": {"banned": True}}),
        ("ban-user", {}),
        ("remove-user", {}),
    ],
)
def test_two_administrators_cannot_take_each_other_away_at_once(
    at: Site, path: str, body: dict[str, object]
) -> None:
    for _ in range(5):
        at.sql("UPDATE users SET role = 'user' WHERE role <> 'user'")
        one, two = administrator(at, "one"), administrator(at, "two")
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(act, one, path, userId=two.id, **body)
            second = pool.submit(act, two, path, userId=one.id, **body)
            statuses = {first.result().status_code, second.result().status_code}
        assert 200 in statuses
        left = "SELECT count(*) FROM users WHERE role = 'admin' AND NOT banned"
        assert at.sql(left) == "1"


def test_demotion_that_waits_for_another_one_is_refused(at: Site) -> None:
    one, two = administrator(at, "one"), administrator(at, "two")
    demoted = f"UPDATE users SET role = 'user' WHERE id = '{two.id}'"
    answer = raced(at, lambda: act(one, "set-role", userId=one.id, role="user"), demoted)
    assert refused(answer) == LAST


def test_role_of_ones_own_has_no_power_over_administrators(sites: Callable[..., Site]) -> None:
    actions = ["list", "get", "update", "set-role", "set-password", "set-email", "ban", "delete"]
    roles = {"support": {"user": [*actions, "create", "impersonate"], "session": ["list"]}}
    at = admin_site(sites, GATEPOST_ROLES=json.dumps(roles))
    root, helper, ada = administrator(at), administrator(at, "helper", "support"), at.sign_up()
    changes = {
        "set-role": {"role": "user"},
        "update-user": {"data": {"email": "mine@example.com"}},
        "set-user-password": {"newPassword": NEW},
        "ban-user": {},
        "unban-user": {},
        "remove-user": {},
        "impersonate-user": {},
    }
    administrator(at, "another")
    for path, body in changes.items():
        assert refused(act(helper, path, userId=root.id, **body))[0] == 403, path
    for path, body in (
        ("set-role", {"userId": helper.id, "role": "admin"}),
        ("set-role", {"userId": ada.id, "role": ["user", "admin"]}),
        ("update-user", {"userId": ada.id, "data": {"role": "admin"}}),
        ("create-user", {"name": "x", "email": "y@example.com", "role": "admin"}),
    ):
        assert refused(act(helper, path, **body))[0] == 403
    answer = act(helper, "set-role", userId=ada.id, role="nobody")
    assert refused(answer) == (400, "YOU_ARE_NOT_ALLOWED_TO_SET_NON_EXISTENT_VALUE")
    assert done(helper, "set-role", userId=ada.id, role="support")["user"]["role"] == "support"
    assert refused(act(helper, "revoke-user-sessions", userId=ada.id))[0] == 403
    done(helper, "set-user-password", userId=ada.id, newPassword=NEW)
    assert row(at, root) == "admin|f||"


def test_has_permission_answers_for_the_one_who_asks(at: Site) -> None:
    root, ada = administrator(at), at.sign_up()

    def may(person: Person, **asked: object) -> bool:
        return done(person, "has-permission", **asked)["success"]

    assert may(root, permissions={"user": ["ban", "list"], "session": ["revoke"]})
    assert not may(root, permissions={"user": ["impersonate-admins"]})
    assert not may(root, permissions={"user": []})
    assert not may(root, permissions={})
    assert not may(root, permissions={"project": ["create"]})
    assert not may(ada, permissions={"user": ["list"]}, role="admin", userId=root.id)


def test_new_password_by_an_administrator_ends_sessions_and_links(at: Site) -> None:
    root, ada = administrator(at), at.sign_up()
    other = again(at, ada)
    ada.browser.post("/request-password-reset", json={"email": ada.email})
    token = at.mail(ada.email, "reset-password")["token"]
    done(root, "set-user-password", userId=ada.id, newPassword=NEW)
    assert not signed_in(ada)
    assert not signed_in(other)
    new = {"newPassword": "yet another password", "token": token}
    assert refused(at.browser().post("/reset-password", json=new)) == (400, "INVALID_TOKEN")
    assert at.sign_in(ada.email).status_code == 401
    assert at.sign_in(ada.email, NEW).status_code == 200
    at.mail(ada.email, "password-changed")


@pytest.mark.parametrize("given", ["", "x", "' OR true", 7, None, {}, "0" * 32, "\u0660" * 36])
def test_id_that_is_nobodys_is_not_found(at: Site, given: object) -> None:
    root = administrator(at)
    for path, body in EVERYTHING.items():
        if path in ("create-user", "revoke-user-session"):
            continue
        answer = act(root, path, userId=given, **body)
        assert answer.status_code in (
            (200,) if path in ("list-user-sessions", "revoke-user-sessions") else (404, 400)
        ), (path, answer.text)
    assert root.browser.get("/admin/get-user", params={"id": f"{given}"}).status_code == 404
    asked = root.browser.get("/admin/session-policy", params={"userId": f"{given}"})
    assert asked.status_code == 404
    assert signed_in(root)


def test_events_say_who_did_it_to_whom(at: Site) -> None:
    root, ada = administrator(at), at.sign_up()
    new = {"email": "created@example.com", "name": "new", "password": PASSWORD}
    created = done(root, "create-user", **new)["user"]["id"]
    done(root, "update-user", userId=ada.id, data={"name": "Ada"})
    done(root, "set-role", userId=ada.id, role="editor")
    done(root, "ban-user", userId=ada.id)
    done(root, "unban-user", userId=ada.id)
    done(root, "set-user-password", userId=ada.id, newPassword=NEW)
    done(root, "set-session-policy", userId=ada.id, maxSessions=2)
    done(root, "impersonate-user", userId=ada.id)
    root.browser.post("/update-user", json={"name": "x"})
    root.browser.post("/revoke-other-sessions", json={})
    done(root, "stop-impersonating")
    act(root, "remove-user", userId=ada.id)

    def logged() -> list[dict[str, str]]:
        text = at.service.log.read_text()
        lines = (each for each in text.splitlines(keepends=True) if each.startswith("{"))
        found = [json.loads(each) for each in lines if each.endswith("\n")]
        return [each for each in found if "event" in each]

    def mine_of(events: list[dict[str, str]]) -> list[dict[str, str]]:
        return [each for each in events if each.get("target") == ada.id]

    wait_until(  # the site is shared: other tests delete users, too
        lambda: "user_deleted" in {each["event"] for each in mine_of(logged())}, "the last event"
    )
    events = logged()
    mine = mine_of(events)
    assert {each["event"] for each in mine} == {
        "user_updated", "session_policy_set",
        "role_set", "user_banned", "user_unbanned", "password_set", "impersonation_begun",
        "impersonation_ended", "user_deleted",
    }  # fmt: skip
    assert {each["user"] for each in mine} == {root.id}
    (of_created,) = (each for each in events if each.get("target") == created)
    assert (of_created["event"], of_created["user"]) == ("user_created", root.id)
    page = (ROOT / "docs" / "OPERATIONS.md").read_text().partition("| event of the admin")[2]
    documented = set(re.findall(r"(?m)^\| `(\w+)` \|", page.partition("\n\n")[0]))
    assert documented == {each["event"] for each in mine} - {"user_deleted"} | {"user_created"}
    borrowed = [each for each in events if each.get("impersonator") == root.id]
    assert {each["event"] for each in borrowed} == {"sessions_revoked", "impersonation_ended"}
    assert PASSWORD not in at.service.log.read_text()
    assert ada.email not in at.service.log.read_text()


ODD = [
    {
        "filterField": "createdAt",
        "filterOperator": "gt",
        "filterValue": "0001-01-01T00:00:00+14:00",
    },
    {
        "filterField": "createdAt",
        "filterOperator": "lt",
        "filterValue": "9999-12-31T23:59:59-14:00",
    },
    {"filterField": "createdAt", "filterValue": "yesterday"},
    {"filterField": "id", "filterValue": "1"},
    {"filterField": "password", "filterValue": "x"},
    {"filterField": "email", "filterOperator": "starts_with", "filterValue": "\U0010ffff"},
    {"filterField": "name", "filterOperator": "contains", "filterValue": "%" * 4096},
    {"searchValue": "\\", "searchField": "name"},
    {"sortBy": "id; DROP TABLE users"},
    {"limit": "1e400"},
    {"limit": "-1"},
    {"offset": "9007199254740991"},
    {"offset": "1e15", "limit": "1000"},
]


@pytest.mark.parametrize("query", ODD, ids=str)
def test_odd_search_is_answered_or_refused(at: Site, query: dict[str, str]) -> None:
    answer = administrator(at).browser.get("/admin/list-users", params=query)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        assert answer.json()["code"] in ("VALIDATION_ERROR", "BAD_REQUEST")


ODD_BODIES = [
    ("ban-user", {"banExpiresIn": 1e308}),
    ("ban-user", {"banExpiresIn": -1e12}),
    ("set-role", {"role": []}),
    ("set-role", {"role": "x" * 1001}),
    ("set-role", {"role": [1]}),
    ("update-user", {"data": {"email": 5}}),
    ("update-user", {"data": {"name": None}}),
    ("update-user", {"data": {"emailVerified": "yes"}}),
    ("update-user", {"data": {"banExpires": "0001-01-01T00:00:00+14:00"}}),
    ("update-user", {"data": {"banExpires": "9999-12-31T23:59:59-14:00"}}),
    ("update-user", {"data": {"banExpires": 1e300}}),
    ("update-user", {"data": {"createdAt": "x", "id": "y"}}),
    ("create-user", {"email": "x@example.com", "name": "x" * 1001}),
    ("create-user", {"email": "y@example.com", "name": "y", "data": {"image": {"a": 1}}}),
    ("create-user", {"email": "z@example.com", "name": "z", "data": []}),
    ("set-user-password", {"newPassword": "x" * 5000}),
]


@pytest.mark.parametrize(("path", "body"), ODD_BODIES, ids=str)
def test_odd_body_is_taken_or_refused(at: Site, path: str, body: dict[str, object]) -> None:
    root, ada = administrator(at), at.sign_up()
    answer = act(root, path, userId=ada.id, **body)
    assert answer.status_code in (200, 400), answer.text
    for user_id in ("", "1", None, 5, {"a": 1}, "\x00", "é" * 40):
        answer = act(root, path, userId=user_id, **body)
        assert answer.status_code in (200, 400, 404), (user_id, answer.text)
