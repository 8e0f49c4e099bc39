"""The admin plugin: who may what, users and their sessions, bans, impersonation."""

from urllib.parse import urlencode

from tests.interop.auth.visitor import PASSWORD, Answer, Person, Visitor, scenario, signed

CHOSEN = "00000000-0000-4000-8000-000000000001"
NOBODY = "00000000-0000-4000-8000-000000000000"
STATE = "role, banned, ban_reason, ban_expires IS NULL"


def administrator(at: Visitor, name: str = "root", role: str = "admin") -> Person:
    person = at.sign_up(name)
    at.sql(f"UPDATE users SET role = '{role}' WHERE id = '{person.id}'")
    return person


def several(at: Visitor) -> Person:
    """An administrator who is not the last one."""
    administrator(at, "another")
    return administrator(at)


@scenario("admin")
def fields_of_a_user(at: Visitor) -> None:
    ada = at.sign_up("ada")
    at.get(200, "/get-session", ada.cookie)
    at.sign_in(ada)
    at.post(400, "/update-user", {"name": "A", "role": "admin"}, ada.cookie)
    at.post(200, "/update-user", {"name": "A", "role": ""}, ada.cookie)
    at.post(400, "/update-user", {"banned": True}, ada.cookie)
    at.post(400, "/update-user", {"banned": False}, ada.cookie)
    at.post(400, "/update-user", {"banReason": "x"}, ada.cookie)
    at.post(400, "/update-user", {"banExpires": "2030-01-01T00:00:00.000Z"}, ada.cookie)
    at.post(400, "/update-session", {"impersonatedBy": ada.id}, ada.cookie)
    at.sql(f"SELECT {STATE} FROM users WHERE id = '{ada.id}'")
    for name, more in {
        "role": {"role": "admin"},
        "no role": {"role": ""},
        "banned": {"banned": True},
        "reason": {"banReason": "x"},
        "end": {"banExpires": "2030-01-01T00:00:00.000Z"},
    }.items():
        body = {"name": "x", "email": at.address(f"x{len(name)}"), "password": PASSWORD} | more
        at.post(None, "/sign-up/email", body, name=f"sign-up with {name}")
    at.sql(f"SELECT email, {STATE} FROM users WHERE email LIKE 'x%{at.tag}@%' ORDER BY email")


@scenario("admin")
def permissions(at: Visitor) -> None:
    ada = at.sign_up("ada")
    body = {
        "userId": ada.id, "role": "user", "email": "a@b.co", "name": "a", "data": {"name": "b"},
        "sessionToken": "x", "newPassword": PASSWORD, "permissions": {"user": ["list"]},
    }  # fmt: skip
    posts = (
        "set-role", "create-user", "update-user", "list-user-sessions", "revoke-user-session",
        "revoke-user-sessions", "ban-user", "unban-user", "impersonate-user", "stop-impersonating",
        "remove-user", "set-user-password", "has-permission",
    )  # fmt: skip
    for path in posts:
        at.post(None, f"/admin/{path}", body, name=f"nobody: {path}")
        at.post(None, f"/admin/{path}", {}, name=f"nobody, nothing: {path}")
        at.post(None, f"/admin/{path}", body, ada.cookie, name=f"a user: {path}")
        at.post(None, f"/admin/{path}", {}, ada.cookie, name=f"a user, nothing: {path}")
        at.get(404, f"/admin/{path}", ada.cookie)
    for path in ("get-user", "list-users", f"get-user?id={ada.id}"):
        at.get(None, f"/admin/{path}", name=f"nobody: {path.partition('=')[0]}")
        at.get(None, f"/admin/{path}", ada.cookie, name=f"a user: {path.partition('=')[0]}")
        at.post(404, f"/admin/{path}", {}, ada.cookie)
    at.get(404, "/admin", ada.cookie)
    at.get(404, "/admin/other", ada.cookie)
    for role in ("user,admin", "user, admin", "Admin", "admin ", "", "editor", "admin,editor"):
        at.sql(f"UPDATE users SET role = '{role}' WHERE id = '{ada.id}'")
        at.get(None, f"/admin/get-user?id={ada.id}", ada.cookie, name=f"as {role!r}")


@scenario("admin")
def has_permission(at: Visitor) -> None:
    root, ada = administrator(at), at.sign_up("ada")
    for body in (
        {"permissions": {"user": ["list"]}},
        {"permissions": {"user": ["list", "ban"], "session": ["revoke"]}},
        {"permissions": {"user": ["impersonate-admins"]}},
        {"permissions": {"user": ["list", "fly"]}},
        {"permissions": {"user": []}},
        {"permissions": {}},
        {"permissions": {"project": ["create"]}},
        {"permissions": {"user": ["list"]}, "role": "user"},
        {"permissions": {"user": ["list"]}, "userId": ada.id},
        {},
        {"permissions": 1},
        {"permissions": {"user": "list"}},
        {"permissions": {"user": [1]}},
    ):
        for who, person in (("root", root), ("ada", ada)):
            at.post(None, "/admin/has-permission", body, person.cookie, name=f"{who}: {body}")


@scenario("admin")
def users(at: Visitor) -> None:
    root, ada = several(at), at.sign_up("ada")
    at.get(200, f"/admin/get-user?id={ada.id}", root.cookie)
    at.get(404, f"/admin/get-user?id={NOBODY}", root.cookie)
    at.get(404, "/admin/get-user?id=", root.cookie)
    at.get(400, "/admin/get-user", root.cookie)
    for role in ("editor", "admin", ["user", "editor"], [], "", "user"):
        at.post(
            200, "/admin/set-role", {"userId": ada.id, "role": role}, root.cookie, name=f"{role}"
        )
        at.sql(f"SELECT role FROM users WHERE id = '{ada.id}'")
    for name, body in {
        "nobody": {"userId": NOBODY, "role": "user"},
        "no role": {"userId": ada.id},
        "no user": {"role": "user"},
        "a number as role": {"userId": ada.id, "role": 1},
        "null as role": {"userId": ada.id, "role": None},
        "numbers as role": {"userId": ada.id, "role": [1]},
    }.items():
        at.post(None, "/admin/set-role", body, root.cookie, name=f"set-role: {name}")
    at.post(400, "/admin/remove-user", {"userId": root.id}, root.cookie, name="remove oneself")
    at.post(404, "/admin/remove-user", {"userId": NOBODY}, root.cookie, name="remove nobody")
    at.post(200, "/admin/remove-user", {"userId": ada.id}, root.cookie)
    at.get(200, "/get-session", ada.cookie)
    at.sql(f"SELECT count(*) FROM users WHERE id = '{ada.id}'")


@scenario("admin")
def creating(at: Visitor) -> None:
    root = several(at)
    address = at.address
    for name, body in {
        "plain": {"email": address("a"), "name": "A", "password": PASSWORD},
        "taken": {"email": address("A"), "name": "A", "password": PASSWORD},
        "no password": {"email": address("b"), "name": "B"},
        "an empty password": {"email": address("c"), "name": "C", "password": ""},
        "a short password": {"email": address("n"), "name": "N", "password": "x"},
        "an id in data": {"email": address("o"), "name": "O", "data": {"id": CHOSEN}},
        "a long password": {"email": address("d"), "name": "D", "password": "x" * 129},
        "a role": {"email": address("e"), "name": "E", "password": PASSWORD, "role": "editor"},
        "roles": {"email": address("f"), "name": "F", "role": ["user", "editor"]},
        "an administrator": {"email": address("g"), "name": "G", "role": "admin"},
        "data": {
            "email": address("h"),
            "name": "H",
            "data": {"emailVerified": True, "image": "i", "other": 1, "name": "X", "email": "x"},
        },
        "a role in data": {"email": address("i"), "name": "I", "data": {"role": "editor"}},
        "two roles": {"email": address("j"), "name": "J", "role": "a", "data": {"role": "b"}},
        "a number in data": {"email": address("k"), "name": "K", "data": {"role": 1}},
        "a ban": {
            "email": address("l"),
            "name": "L",
            "password": PASSWORD,
            "data": {"banned": True, "banReason": "why"},
        },
        "no address": {"email": "x", "name": "X"},
        "a number as address": {"email": 1, "name": "X"},
        "no email": {"name": "X"},
        "no name": {"email": address("m")},
        "a number as name": {"email": address("m"), "name": 1},
        "a list as data": {"email": address("m"), "name": "M", "data": []},
    }.items():
        at.post(None, "/admin/create-user", body, root.cookie, name=name)
    at.sql(
        "SELECT split_part(email, '.', 1), name, email_verified, image, role, banned, ban_reason,"
        " (SELECT count(*) FROM accounts WHERE user_id = users.id),"
        " (SELECT count(*) FROM sessions WHERE user_id = users.id)"
        f" FROM users WHERE email LIKE '_.{at.tag}@%' ORDER BY 1",
        name="the users",
    )
    made = {"email": address("a"), "password": PASSWORD}
    at.post(200, "/sign-in/email", made, name="the new user")
    at.post(403, "/sign-in/email", {"email": address("l"), "password": PASSWORD}, name="banned")


@scenario("admin")
def updating(at: Visitor) -> None:
    root, ada, bob = several(at), at.sign_up("ada"), at.sign_up("bob")
    for name, data in {
        "nothing": {},
        "a name": {"name": "Ada L."},
        "an image": {"image": "https://example.com/a.png"},
        "no image": {"image": None},
        "an address": {"email": at.address("NEW")},
        "a taken address": {"email": bob.email},
        "no address": {"email": "x"},
        "verified": {"emailVerified": True},
        "a password": {"password": "x"},
        "an id": {"id": NOBODY},
        "a role": {"role": "editor"},
        "roles": {"role": ["user", "editor"]},
        "a number as role": {"role": 1},
        "unknown": {"other": 1},
        "a reason": {"banReason": "why"},
        "an end": {"banExpires": "2030-01-01T00:00:00.000Z"},
    }.items():
        body = {"userId": ada.id, "data": data}
        at.post(None, "/admin/update-user", body, root.cookie, name=name)
    at.get(200, "/get-session", ada.cookie)
    at.post(200, "/admin/update-user", {"userId": ada.id, "data": {"banned": True}}, root.cookie)
    at.get(200, "/get-session", ada.cookie, name="banned")
    at.post(404, "/admin/update-user", {"userId": NOBODY, "data": {"name": "x"}}, root.cookie)
    for name, body in {
        "oneself": {"userId": root.id, "data": {"banned": True}},
        "no user": {"data": {"name": "x"}},
        "no data": {"userId": ada.id},
        "a list": {"userId": ada.id, "data": []},
    }.items():
        at.post(400, "/admin/update-user", body, root.cookie, name=name)


@scenario("admin")
def banning(at: Visitor) -> None:
    root, ada = several(at), at.sign_up("ada")
    second = at.sign_in(ada)
    at.post(200, "/admin/ban-user", {"userId": ada.id}, root.cookie)
    at.sql(f"SELECT {STATE} FROM users WHERE id = '{ada.id}'")
    at.sql(f"SELECT count(*) FROM sessions WHERE user_id = '{ada.id}'")
    at.get(200, "/get-session", second.cookie)
    credentials = {"email": ada.email, "password": PASSWORD}
    at.post(403, "/sign-in/email", credentials, name="banned")
    at.post(401, "/sign-in/email", credentials | {"password": "wrong one"}, name="and wrong")
    at.post(200, "/admin/unban-user", {"userId": ada.id}, root.cookie)
    at.sql(f"SELECT {STATE} FROM users WHERE id = '{ada.id}'")
    at.post(200, "/sign-in/email", credentials, name="no longer banned")
    for name, more in {
        "a reason": {"banReason": "why"},
        "no reason": {"banReason": ""},
        "an hour": {"banExpiresIn": 3600},
        "no end": {"banExpiresIn": 0},
        "long ago": {"banExpiresIn": -3600},
        "a text": {"banExpiresIn": "3600"},
        "a number as reason": {"banReason": 1},
    }.items():
        body = {"userId": ada.id, **more}
        at.post(None, "/admin/ban-user", body, root.cookie, name=f"for {name}")
        at.sql(f"SELECT {STATE} FROM users WHERE id = '{ada.id}'")
    past = "ban_expires = '2020-01-01'"
    at.sql(f"UPDATE users SET banned = true, {past} WHERE id = '{ada.id}'")
    at.post(200, "/sign-in/email", credentials, name="over")
    at.sql(f"SELECT {STATE} FROM users WHERE id = '{ada.id}'")
    for path in ("ban-user", "unban-user"):
        at.post(404, f"/admin/{path}", {"userId": NOBODY}, root.cookie, name=f"{path}: nobody")
        at.post(400, f"/admin/{path}", {}, root.cookie, name=f"{path}: no user")
    at.post(400, "/admin/ban-user", {"userId": root.id}, root.cookie, name="oneself")
    bob = at.sign_up("bob")
    at.sql(f"UPDATE users SET banned = true WHERE id = '{bob.id}'", name="a hand bans")
    at.get(200, "/get-session", bob.cookie, name="banned by hand")


@scenario("admin")
def the_last_administrator(at: Visitor) -> None:
    at.sql("UPDATE users SET role = 'user' WHERE role LIKE '%admin%'", name="nobody else")
    root = administrator(at)
    at.post(200, "/admin/set-role", {"userId": root.id, "role": "user"}, root.cookie)
    at.get(403, "/admin/list-users", root.cookie, name="demoted")


@scenario("admin")
def ids_that_are_none(at: Visitor) -> None:
    root = several(at)
    for given in ("x", 7, None, {}):
        for path, more in {
            "set-role": {"role": "user"},
            "ban-user": {},
            "unban-user": {},
            "list-user-sessions": {},
            "revoke-user-sessions": {},
            "impersonate-user": {},
            "remove-user": {},
            "update-user": {"data": {"name": "x"}},
        }.items():
            body = {"userId": given, **more}
            at.post(None, f"/admin/{path}", body, root.cookie, name=f"{path} {given}")
    at.get(None, "/admin/get-user?id=x", root.cookie)


@scenario("admin")
def their_sessions(at: Visitor) -> None:
    root, ada = several(at), at.sign_up("ada")
    at.sign_in(ada)
    at.session(ada, "-200 h", "-1 h")
    at.post(200, "/admin/list-user-sessions", {"userId": ada.id}, root.cookie)
    at.post(200, "/admin/list-user-sessions", {"userId": NOBODY}, root.cookie)
    at.post(400, "/admin/list-user-sessions", {}, root.cookie)
    at.post(200, "/admin/revoke-user-session", {"sessionToken": ada.token}, root.cookie)
    at.get(200, "/get-session", ada.cookie)
    at.post(200, "/admin/revoke-user-session", {"sessionToken": "none"}, root.cookie)
    at.post(400, "/admin/revoke-user-session", {}, root.cookie)
    at.post(400, "/admin/revoke-user-session", {"sessionToken": 1}, root.cookie)
    at.post(200, "/admin/revoke-user-sessions", {"userId": ada.id}, root.cookie)
    at.sql(f"SELECT count(*) FROM sessions WHERE user_id = '{ada.id}'")
    at.post(200, "/admin/revoke-user-sessions", {"userId": NOBODY}, root.cookie)
    at.post(200, "/admin/revoke-user-session", {"sessionToken": root.token}, root.cookie)
    at.get(200, "/get-session", root.cookie)


@scenario("admin")
def setting_passwords(at: Visitor) -> None:
    root, ada = several(at), at.sign_up("ada")
    new = "a better password"
    for name, body in {
        "short": {"userId": ada.id, "newPassword": "short"},
        "long": {"userId": ada.id, "newPassword": "x" * 129},
        "short, nobody": {"userId": NOBODY, "newPassword": "short"},
        "nobody": {"userId": NOBODY, "newPassword": new},
        "empty": {"userId": ada.id, "newPassword": ""},
        "no user": {"userId": "", "newPassword": new},
        "none": {"userId": ada.id},
        "nothing": {},
        "numbers": {"userId": 1, "newPassword": 2},
    }.items():
        at.post(None, "/admin/set-user-password", body, root.cookie, name=name)
    good = {"userId": ada.id, "newPassword": new}
    at.post(200, "/admin/set-user-password", good, root.cookie, name="good")
    at.post(200, "/sign-in/email", {"email": ada.email, "password": new}, name="the new one")
    at.post(401, "/sign-in/email", {"email": ada.email, "password": PASSWORD}, name="the old one")
    at.get(200, "/get-session", ada.cookie)
    at.sql(f"DELETE FROM accounts WHERE user_id = '{ada.id}'")
    at.post(200, "/admin/set-user-password", good, root.cookie, name="without an account")
    at.post(200, "/sign-in/email", {"email": ada.email, "password": new}, name="the first one")


@scenario("admin")
def listing(at: Visitor) -> None:
    root = several(at)
    names = ("amy", "ann", "bea", "cat", "a%n", "a_n")
    for number, name in enumerate(names):
        local = f"p{number}"
        at.post(
            200,
            "/admin/create-user",
            {"email": at.address(local), "name": f"{name} {at.tag}"},
            root.cookie,
            name=f"create {name}",
        )
    at.sql(f"UPDATE users SET role = 'editor' WHERE name LIKE 'bea {at.tag}'")
    at.sql(f"UPDATE users SET banned = true WHERE name LIKE 'cat {at.tag}'")
    mine = {"searchValue": f".{at.tag}@", "sortBy": "email"}
    for name, more in {
        "all": {},
        "two": {"limit": "2"},
        "the next two": {"limit": "2", "offset": "2"},
        "the last": {"limit": "100", "offset": "7"},
        "none": {"limit": "0", "offset": "0"},
        "a word": {"limit": "x", "offset": "y"},
        "down": {"sortDirection": "desc"},
        "by name": {"sortBy": "name"},
        "by column": {"sortBy": "email", "sortDirection": "asc"},
        "a role": {"filterField": "role", "filterValue": "editor"},
        "not a role": {"filterField": "role", "filterValue": "editor", "filterOperator": "ne"},
        "banned": {"filterField": "banned", "filterValue": "true"},
        "not banned": {"filterField": "banned", "filterValue": "no"},
        "verified": {"filterField": "email_verified", "filterValue": "true"},
        "later": {
            "filterField": "createdAt",
            "filterValue": "2020-01-01T00:00:00.000Z",
            "filterOperator": "gt",
        },
        "an empty value": {"filterField": "role", "filterValue": ""},
        "a name that contains": {
            "filterField": "name", "filterValue": "nn", "filterOperator": "contains",
        },
        "a name that starts": {
            "filterField": "name", "filterValue": "a", "filterOperator": "starts_with",
        },
        "a name that ends": {
            "filterField": "name", "filterValue": at.tag, "filterOperator": "ends_with",
        },
        "a name with a wildcard": {
            "filterField": "name", "filterValue": "a%n", "filterOperator": "starts_with",
        },
        "an unknown field": {"filterField": "nothing", "filterValue": "x"},
        "an unknown order": {"sortBy": "nothing"},
        "an id that is none": {"filterField": "id", "filterValue": "x"},
        "a negative limit": {"limit": "-1"},
        "a fraction": {"limit": "1.5"},
        "a field that is not searched": {"searchField": "id"},
        "a search that is none": {"searchOperator": "is"},
        "a direction that is none": {"sortDirection": "up"},
        "an operator that is none": {"filterOperator": "is", "filterValue": "x"},
    }.items():  # fmt: skip
        at.get(None, f"/admin/list-users?{urlencode(mine | more)}", root.cookie, name=name)
    for name, search in {
        "the beginning": {"searchValue": f"p0.{at.tag}", "searchOperator": "starts_with"},
        "the end": {"searchValue": f"p1.{at.tag}@example.com", "searchOperator": "ends_with"},
        "capitals": {"searchValue": f"P0.{at.tag}"},
        "a name": {"searchValue": f"amy {at.tag}", "searchField": "name"},
        "a wildcard": {"searchValue": f"a%n {at.tag}", "searchField": "name"},
        "another wildcard": {"searchValue": f"a_n {at.tag}", "searchField": "name"},
    }.items():
        query = urlencode({"sortBy": "email", **search})
        at.get(200, f"/admin/list-users?{query}", root.cookie, name=name)
    several_roles = f"filterField=role&filterOperator=in&filterValue=editor&{urlencode(mine)}"
    at.get(200, f"/admin/list-users?{several_roles}&filterValue=x", root.cookie, name="in two")
    at.get(200, f"/admin/list-users?{several_roles}", root.cookie, name="in one")


def back(answer: Answer, cookie: str = "") -> str:
    """The cookies of a browser in which an administrator acts as somebody."""
    return f"{answer.cookie}{cookie}"


@scenario("admin")
def impersonating(at: Visitor) -> None:
    root, ada, other = several(at), at.sign_up("ada"), administrator(at, "other", "user,admin")
    body = {"userId": ada.id}
    answer = at.post(200, "/admin/impersonate-user", body, root.cookie)
    borrowed = back(answer)
    at.sql(
        "SELECT round(extract(epoch FROM expires_at - now())), impersonated_by FROM sessions"
        f" WHERE user_id = '{ada.id}' AND impersonated_by IS NOT NULL"
    )
    at.get(200, "/get-session", borrowed)
    at.get(200, "/list-sessions", ada.cookie)
    at.get(200, "/list-sessions", borrowed, name="list-sessions, borrowed")
    at.get(403, "/admin/list-users", borrowed)
    at.post(403, "/admin/impersonate-user", {"userId": other.id}, borrowed, name="twice")
    at.post(200, "/admin/stop-impersonating", {}, borrowed)
    at.post(401, "/admin/stop-impersonating", {}, borrowed, name="stopped already")
    at.post(400, "/admin/stop-impersonating", {}, root.cookie, name="not begun")
    at.post(401, "/admin/stop-impersonating", {})
    at.get(200, "/get-session", root.cookie)
    at.post(403, "/admin/impersonate-user", {"userId": root.id}, root.cookie, name="oneself")
    at.post(403, "/admin/impersonate-user", {"userId": other.id}, root.cookie, name="another")
    at.post(404, "/admin/impersonate-user", {"userId": NOBODY}, root.cookie, name="nobody")
    at.post(400, "/admin/impersonate-user", {}, root.cookie, name="no user")
    at.post(200, "/admin/ban-user", body, root.cookie)
    at.post(403, "/admin/impersonate-user", body, root.cookie, name="a banned user")


@scenario("admin")
def impersonating_unremembered(at: Visitor) -> None:
    administrator(at, "another")
    root, ada = at.sign_up("root", rememberMe=False), at.sign_up("ada")
    at.sql(f"UPDATE users SET role = 'admin' WHERE id = '{root.id}'")
    answer = at.post(200, "/admin/impersonate-user", {"userId": ada.id}, root.cookie)
    at.post(200, "/admin/stop-impersonating", {}, back(answer))
    answer = at.post(200, "/admin/impersonate-user", {"userId": ada.id}, root.cookie)
    session = answer.cookies["better-auth.session_token"]
    alone = f"better-auth.session_token={session}"
    at.post(None, "/admin/stop-impersonating", {}, alone, name="without the way back")
    forged = f"{alone}; better-auth.admin_session={signed('x:', 'another secret of 32 letters!')}"
    at.post(None, "/admin/stop-impersonating", {}, forged, name="with another one")
    at.post(200, "/sign-out", {}, back(answer))
