"""The life of a session: reading, refreshing, expiring, listing, revoking."""

from tests.interop.auth.visitor import Visitor, scenario, signed

ENDS = "round(extract(epoch FROM expires_at - now()) / 3600)"


@scenario("plain")
def reading_queries(at: Visitor) -> None:
    ada = at.sign_up("ada")
    for value in ("true", "1", "false", "0", "", "null", "undefined", "%20", "%00", "a&a=b"):
        due = at.session(ada, created="-48 h", expires="120 h")
        for key in ("disableRefresh", "disableCookieCache", "disablerefresh"):
            at.get(200, f"/get-session?{key}={value}", due.cookie)
    due = at.session(ada, created="-48 h", expires="120 h")
    at.get(200, "/get-session?disableRefresh", due.cookie)
    at.get(200, "/get-session?other=1&disableRefresh=1", due.cookie)
    at.get(200, "/get-session?", due.cookie)
    at.get(200, "/get-session?disableRefresh=true")


@scenario("plain")
def refreshing(at: Visitor) -> None:
    ada = at.sign_up("ada")
    for created, expires in (
        ("-48 h", "120 h"), ("-23 h", "145 h"), ("-24 h", "144 h"), ("-25 h", "143 h"),
        ("-1 h", "1 h"), ("-1 h", "167 h"), ("0 h", "400 h"), ("-300 h", "1 h"),
        ("-200 h", "-1 h"), ("-2 h", "-1 h"),
    ):  # fmt: skip
        due = at.session(ada, created, expires)
        name = f"{created} to {expires}"
        at.get(200, "/get-session", due.cookie, name=name)
        at.get(200, "/get-session", due.cookie, name=f"{name}, again")
        at.sql(f"SELECT {ENDS} FROM sessions WHERE token = '{due.token}'")


@scenario("plain")
def refreshing_elsewhere(at: Visitor) -> None:
    ada = at.sign_up("ada")
    calls = {
        "/list-accounts": None,
        "/list-accounts?disableRefresh=1": None,
        "/list-accounts?disableRefresh=": None,
        "/update-user": {"name": "A"},
        "/update-user?disableRefresh=1": {"name": "A"},
        "/update-session": {},
        "/revoke-session": {"token": "none"},
        "/verify-password": {"password": "wrong"},
        "/change-email": {"newEmail": ada.email},
        "/change-password": {"newPassword": "short", "currentPassword": ""},
        "/delete-user": {"password": "x" * 129},
        "/get-access-token": {"accountId": "none"},
        "/send-verification-email": {"email": ada.email},
        "/unlink-account": {"accountId": "none"},
        "/list-sessions?disableRefresh=1": None,
        "/sign-out": {},
    }
    for path, body in calls.items():
        for title, created, expires in (("due", "-20 h", "130 h"), ("over", "-200 h", "-1 h")):
            due = at.session(ada, created, expires)
            name = f"{path}, {title}"
            if body is None:
                at.get(None, path, due.cookie, name=name)
            else:
                at.post(None, path, body, due.cookie, name=name)
            at.sql(f"SELECT {ENDS} FROM sessions WHERE token = '{due.token}'")
    # the mails of the two that were not expired
    at.mail(ada)
    at.get(200, "/get-session", ada.cookie)


@scenario("plain")
def refreshing_forgotten(at: Visitor) -> None:
    ada = at.sign_up("ada", rememberMe=False)
    at.sql(f"SELECT {ENDS} FROM sessions WHERE user_id = '{ada.id}'")
    at.get(200, "/get-session", ada.cookie)
    at.get(200, "/get-session", ada.cookie.partition(";")[0], name="without the mark")
    mark = f"better-auth.dont_remember={signed('true')}"
    over = at.session(ada, "-200 h", "-1 h")
    at.get(200, "/get-session", f"{over.cookie}; {mark}", name="over")


@scenario("plain")
def sessions_without_a_user(at: Visitor) -> None:
    ada = at.sign_up("ada")
    at.sql(f"DELETE FROM users WHERE id = '{ada.id}'")
    at.get(200, "/get-session", ada.cookie)
    at.post(401, "/update-user", {"name": "A"}, ada.cookie)
    at.post(200, "/sign-out", {}, ada.cookie)


@scenario("plain")
def freshness(at: Visitor) -> None:
    ada = at.sign_up("ada")
    for created in ("-23 h", "-25 h"):
        old = at.session(ada, created, "168 h")
        at.get(None, "/list-sessions", old.cookie, name=f"list-sessions {created}")
        at.post(None, "/unlink-account", {"accountId": "x"}, old.cookie, name=f"unlink {created}")
        at.post(None, "/revoke-sessions", {}, old.cookie, name=f"revoke-sessions {created}")
    refreshed = at.session(ada, "-48 h", "120 h")
    at.get(200, "/get-session", refreshed.cookie)
    at.get(403, "/list-sessions", refreshed.cookie)
    due = at.session(ada, "-48 h", "120 h")
    at.get(403, "/list-sessions", due.cookie, name="not fresh and due")
    at.post(400, "/delete-user", {}, due.cookie, name="delete, not fresh")
    at.post(400, "/delete-user", {"password": ""}, due.cookie, name="delete, an empty password")
    at.post(400, "/unlink-account", {}, due.cookie, name="validation first")


@scenario("plain")
def listing_and_revoking(at: Visitor) -> None:
    ada, bob = at.sign_up("ada"), at.sign_up("bob")
    second, third = at.sign_in(ada), at.sign_in(ada)
    over = at.session(ada, "-200 h", "-1 h")
    at.get(200, "/list-sessions", ada.cookie)
    at.post(200, "/revoke-session", {"token": second.token}, ada.cookie)
    at.get(200, "/get-session", second.cookie)
    at.post(200, "/revoke-session", {"token": "none"}, ada.cookie)
    at.post(200, "/revoke-session", {"token": ""}, ada.cookie)
    at.post(200, "/revoke-session", {"token": bob.token}, ada.cookie)
    at.get(200, "/get-session", bob.cookie)
    at.post(200, "/revoke-session", {"token": over.token}, ada.cookie)
    at.post(200, "/revoke-session", {"token": third.token}, third.cookie, name="its own")
    at.get(200, "/get-session", third.cookie)
    at.post(401, "/revoke-session", {"token": third.token}, third.cookie, name="revoked")
    over = at.session(ada, "-200 h", "-1 h")
    for _ in range(2):
        at.sign_in(ada)
    at.post(200, "/revoke-other-sessions", {}, ada.cookie)
    at.sql(f"SELECT count(*) FROM sessions WHERE user_id = '{ada.id}' AND expires_at > now()")
    at.get(200, "/get-session", ada.cookie)
    at.post(200, "/revoke-other-sessions", cookie=ada.cookie, name="without a body")
    at.sign_in(ada)
    at.post(200, "/revoke-sessions", {}, ada.cookie)
    at.sql(f"SELECT count(*) FROM sessions WHERE user_id = '{ada.id}'")
    at.get(200, "/get-session", ada.cookie)
    at.get(200, "/get-session", bob.cookie)
    at.post(401, "/revoke-sessions", {}, ada.cookie)
    at.post(401, "/revoke-other-sessions", {}, ada.cookie)
    at.get(401, "/list-sessions", ada.cookie)
    at.post(200, "/revoke-sessions", [], bob.cookie, name="an array as the body")


@scenario("plain")
def more_than_a_hundred_sessions(at: Visitor) -> None:
    ada = at.sign_up("ada")
    at.sql(
        "INSERT INTO sessions (user_id, token, expires_at)"
        f" SELECT '{ada.id}', md5(n || '{at.tag}'), now() + interval '1 h'"
        " FROM generate_series(1, 120) AS n"
    )
    at.get(200, "/list-sessions?disableRefresh=1", ada.cookie, name="count only")
    at.post(200, "/revoke-other-sessions", {}, ada.cookie)
    at.sql(f"SELECT count(*) FROM sessions WHERE user_id = '{ada.id}'", name="sessions left")
    at.get(200, "/get-session", ada.cookie)


@scenario("plain")
def update_session(at: Visitor) -> None:
    ada = at.sign_up("ada")
    for body in ({}, {"token": "x"}, {"expiresAt": "2100-01-01T00:00:00.000Z"}, {"a": {"b": 1}},
                 {"userId": "x", "id": 1}, {"ipAddress": None, "userAgent": "x"}):  # fmt: skip
        at.post(400, "/update-session", body, ada.cookie, name=f"{body}")
        at.post(401, "/update-session", body, name=f"nobody: {body}")
    at.get(200, "/get-session", ada.cookie)


@scenario("deferred")
def deferred_refresh(at: Visitor) -> None:
    ada = at.sign_up("ada")
    at.get(200, "/get-session", ada.cookie)
    headers = {"cookie": ada.cookie, "origin": at.base_url}
    at.send(200, "POST", "/get-session", None, headers, name="not due")
    for title, created, expires in (("due", "-3 h", "7 h"), ("fresh", "-1 h", "9 h"),
                                    ("over", "-12 h", "-2 h")):  # fmt: skip
        kept = at.session(ada, created, expires)
        for name, method, path in (
            ("GET", "GET", "/get-session"), ("GET quiet", "GET", "/get-session?disableRefresh=1"),
            ("accounts", "GET", "/list-accounts"),
            ("POST quiet", "POST", "/get-session?disableRefresh=1"),
            ("POST", "POST", "/get-session"), ("GET again", "GET", "/get-session"),
            ("POST again", "POST", "/get-session"),
        ):  # fmt: skip
            headers = {"cookie": kept.cookie, "origin": at.base_url}
            at.send(None, method, path, None, headers, name=f"{title}, {name}")
            at.sql(f"SELECT {ENDS} FROM sessions WHERE token = '{kept.token}'")
    forgotten = at.sign_in(ada, rememberMe=False)
    at.get(200, "/get-session", forgotten.cookie, name="forgotten")
    headers = {"cookie": forgotten.cookie, "origin": at.base_url}
    at.send(200, "POST", "/get-session", None, headers, name="forgotten, POST")
    at.send(200, "POST", "/get-session")
    at.send(403, "POST", "/get-session", None, {"cookie": ada.cookie})
    at.send(
        403, "POST", "/get-session", None, {"cookie": ada.cookie, "origin": "https://x.example"}
    )
    at.send(200, "POST", "/get-session", b"{", {"content-type": "application/json"})
    old = at.session(ada, "-2 h", "9 h")
    at.get(403, "/list-sessions", old.cookie, name="a shorter freshness")
