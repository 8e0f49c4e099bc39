"""Passwords: changing, verifying, resetting."""

from tests.interop.auth.visitor import PASSWORD, Visitor, scenario

NEW = "a better password"


@scenario("plain")
def change_password(at: Visitor) -> None:
    ada = at.sign_up("ada")
    other = at.sign_in(ada)
    good = {"currentPassword": PASSWORD, "newPassword": NEW}
    at.post(401, "/change-password", good)
    for name, more in {
        "short": {"newPassword": "1234567"},
        "empty": {"newPassword": ""},
        "long": {"newPassword": "x" * 129},
        "long current": {"currentPassword": "x" * 129},
        "short and long current": {"newPassword": "x", "currentPassword": "x" * 129},
        "wrong": {"currentPassword": "wrong horse"},
        "empty current": {"currentPassword": ""},
    }.items():
        at.post(400, "/change-password", good | more, ada.cookie, name=name)
    at.post(200, "/change-password", good, ada.cookie)
    at.get(200, "/get-session", other.cookie)
    at.post(401, "/sign-in/email", {"email": ada.email, "password": PASSWORD})
    at.post(200, "/sign-in/email", {"email": ada.email, "password": NEW})
    at.post(200, "/change-password", {"currentPassword": NEW, "newPassword": PASSWORD,
                                      "revokeOtherSessions": False}, ada.cookie)  # fmt: skip
    answer = at.post(200, "/change-password", good | {"revokeOtherSessions": True}, ada.cookie,
                     headers={"user-agent": "a browser"}, name="revoke")  # fmt: skip
    at.get(200, "/get-session", ada.cookie)
    at.get(200, "/get-session", other.cookie)
    at.get(200, "/get-session", answer.cookie)
    at.sql(f"SELECT count(*) FROM sessions WHERE user_id = '{ada.id}'")
    at.sql(f"SELECT count(*) FROM accounts WHERE user_id = '{ada.id}'")


@scenario("plain")
def change_password_forgotten(at: Visitor) -> None:
    ada = at.sign_up("ada", rememberMe=False)
    good = {"currentPassword": PASSWORD, "newPassword": NEW, "revokeOtherSessions": True}
    answer = at.post(200, "/change-password", good, ada.cookie)
    at.get(200, "/get-session", answer.cookie)


@scenario("plain")
def verify_password(at: Visitor) -> None:
    ada = at.sign_up("ada")
    at.post(200, "/verify-password", {"password": PASSWORD}, ada.cookie)
    at.post(400, "/verify-password", {"password": "wrong"}, ada.cookie)
    at.post(400, "/verify-password", {"password": ""}, ada.cookie)
    at.post(400, "/verify-password", {"password": "x" * 129}, ada.cookie)
    at.post(401, "/verify-password", {"password": PASSWORD})


@scenario("plain")
def reset_password(at: Visitor) -> None:
    ada = at.sign_up("ada")
    asked = {"email": ada.email}
    at.post(200, "/request-password-reset", asked)
    first = at.mail(ada)["token"]
    at.post(200, "/request-password-reset", asked | {"redirectTo": "/reset?a=b&c#d"})
    second = at.mail(ada)["token"]
    at.post(200, "/request-password-reset", {"email": ada.email.upper(), "redirectTo": ""})
    third = at.mail(ada)["token"]
    at.post(200, "/request-password-reset", asked | {"redirectTo": "https://app.example.com/r"})
    at.mail(ada)
    at.post(200, "/request-password-reset", {"email": at.address("nobody")})
    at.post(403, "/request-password-reset", asked | {"redirectTo": "https://x.example"})
    at.post(200, "/request-password-reset", asked, ada.cookie, name="while signed in")
    at.mail(ada)
    at.sql(
        f"SELECT value = '{ada.id}', round(extract(epoch FROM expires_at - created_at) / 60)"
        f" FROM verifications WHERE identifier = 'reset-password:{first}'"
    )
    for callback in ("/new", "/new?a=b&token=old", "https://app.example.com/new%3Fa%3Db%23c", "",
                     "https%3A%2F%2Fapp.example.com", "/a%20b", "/%C3%BC?x=%C3%BC+y", "/new%23frag",
                     "%2Fnew%3Fa%3Db", "http://auth.gatepost.test/x"):  # fmt: skip
        at.get(302, f"/reset-password/{first}?callbackURL={callback}", name=f"to {callback!r}")
        at.get(302, f"/reset-password/none?callbackURL={callback}", name=f"none to {callback!r}")
    at.get(403, f"/reset-password/{first}?callbackURL=https://x.example")
    at.get(302, f"/reset-password/{first}?callbackURL=/new&other=1", ada.cookie)
    at.get(302, "/reset-password/a%20b%2Fc?callbackURL=/new")
    for name, body in {
        "no token": {"newPassword": NEW},
        "an empty token": {"newPassword": NEW, "token": ""},
        "short": {"newPassword": "1234567", "token": first},
        "long": {"newPassword": "x" * 129, "token": first},
        "short before unknown": {"newPassword": "1234567", "token": "none"},
        "unknown": {"newPassword": NEW, "token": "none"},
        "other capitals": {"newPassword": NEW, "token": first.swapcase()},
        "a null byte": {"newPassword": NEW, "token": "\u0000"},
    }.items():
        at.post(None, "/reset-password", body, name=name)
    at.post(400, "/reset-password?token=", {"newPassword": NEW}, name="an empty token in the query")
    at.post(200, "/reset-password", {"newPassword": NEW, "token": first})
    at.post(400, "/reset-password", {"newPassword": NEW, "token": first}, name="again")
    at.get(302, f"/reset-password/{first}?callbackURL=/new", name="used up")
    at.get(200, "/get-session", ada.cookie)
    at.post(401, "/sign-in/email", {"email": ada.email, "password": PASSWORD})
    at.post(200, "/sign-in/email", {"email": ada.email, "password": NEW})
    at.post(200, f"/reset-password?token={second}", {"newPassword": PASSWORD}, name="by the query")
    at.post(200, "/request-password-reset", asked)
    fourth = at.mail(ada)["token"]
    at.post(200, f"/reset-password?token={fourth}", {"newPassword": NEW}, name="by the query, anew")
    at.post(400, f"/reset-password?token={third}", {"newPassword": NEW, "token": "none"})
    expire = (
        "UPDATE verifications SET expires_at = created_at + interval '1 ms' WHERE identifier = '{}'"
    )
    at.sql(expire.format(f"reset-password:{third}"))
    at.get(302, f"/reset-password/{third}?callbackURL=/new", name="expired")
    at.post(400, "/reset-password", {"newPassword": NEW, "token": third}, name="expired, POST")


@scenario("plain")
def reset_without_a_password(at: Visitor) -> None:
    ada = at.sign_up("ada")
    at.sql(f"DELETE FROM accounts WHERE user_id = '{ada.id}'")
    at.post(200, "/request-password-reset", {"email": ada.email})
    token = at.mail(ada)["token"]
    at.post(200, "/reset-password", {"newPassword": NEW, "token": token})
    at.post(200, "/sign-in/email", {"email": ada.email, "password": NEW})
    at.get(200, "/list-accounts", ada.cookie)
    at.post(200, "/request-password-reset", {"email": ada.email})
    token = at.mail(ada)["token"]
    at.sql(f"DELETE FROM users WHERE id = '{ada.id}'")
    at.get(302, f"/reset-password/{token}?callbackURL=/new", name="no user")
    at.post(400, "/reset-password", {"newPassword": NEW, "token": token}, name="no user, POST")


@scenario("plain")
def reset_rows_from_elsewhere(at: Visitor) -> None:
    ada = at.sign_up("ada")
    for token, value, identifier in (
        ("odd", ada.id, "reset-password:odd"),
        ("with-sign_s.1", ada.id, "reset-password:with-sign_s.1"),
        ("foreign", "not an id", "reset-password:foreign"),
        ("kind", ada.id, "delete-account-kind"),
    ):
        at.sql(
            "INSERT INTO verifications (identifier, value, expires_at)"
            f" VALUES ('{identifier}', '{value}', now() + interval '1 h')"
        )
        at.post(None, "/reset-password", {"newPassword": NEW, "token": token}, name=f"POST {token}")
        at.sql(f"SELECT count(*) FROM verifications WHERE identifier = '{identifier}'")


@scenario("strict")
def reset_revokes_sessions(at: Visitor) -> None:
    ada = at.sign_up("ada")
    mail = at.mail(ada)
    session = at.get(200, f"/verify-email?token={mail['token']}")
    at.get(200, "/get-session", session.cookie)
    at.post(200, "/request-password-reset", {"email": ada.email})
    token = at.mail(ada)["token"]
    at.post(200, "/reset-password", {"newPassword": NEW, "token": token}, session.cookie)
    at.get(200, "/get-session", session.cookie)
    at.sql(f"SELECT count(*) FROM sessions WHERE user_id = '{ada.id}'")
    at.post(200, "/sign-in/email", {"email": ada.email, "password": NEW})
