"""What users change about themselves: the profile, the address, everything at once."""

from tests.interop.auth.visitor import PASSWORD, Person, Visitor, scenario, signed

ROW = "SELECT name, email, email_verified, image FROM users WHERE id = '{}'"


@scenario("plain")
def update_user(at: Visitor) -> None:
    ada = at.sign_up("ada")
    for name, body in {
        "a name": {"name": "Ada L."},
        "an empty name": {"name": ""},
        "an image": {"image": "https://example.com/a.png"},
        "an empty image": {"image": ""},
        "no image": {"image": None},
        "both": {"name": "Ada", "image": "x"},
        "others": {"name": "A", "id": "x", "emailVerified": True, "createdAt": 1, "role": "admin"},
        "an empty address": {"name": "B", "email": ""},
        "no address": {"name": "C", "email": None},
        "letters": {"name": "Ü\u2028😀 <&>"},
        "half a letter": {"name": "\ud83d"},
    }.items():
        at.post(200, "/update-user", body, ada.cookie, name=name)
        at.sql(ROW.format(ada.id))
        at.get(200, "/get-session", ada.cookie)
    for name, body in {
        "nothing": {},
        "only others": {"id": "x", "emailVerified": True, "password": PASSWORD},
        "an address": {"email": "new@example.com"},
        "an address and a name": {"name": "N", "email": "new@example.com"},
        "an address of another type": {"name": "N", "email": 1},
        "only an empty address": {"email": ""},
    }.items():
        at.post(400, "/update-user", body, ada.cookie, name=name)
    for name, body in {
        "a number as the name": {"name": 1},
        "true as the name": {"name": True},
        "null as the name": {"name": None},
        "an object as the name": {"name": {"a": 1}},
        "an array as the name": {"name": ["a"]},
        "a null byte in the name": {"name": "a\u0000b"},
        "a number as the image": {"image": 1},
        "an object as the image": {"image": {}},
        "a null byte in the image": {"image": "\u0000"},
    }.items():
        at.post(None, "/update-user", body, ada.cookie, name=name)
    at.post(401, "/update-user", {"name": "N"})
    at.post(401, "/update-user", {"email": "new@example.com"})


@scenario("plain")
def update_user_keeps_the_session(at: Visitor) -> None:
    ada = at.sign_up("ada", rememberMe=False)
    at.post(200, "/update-user", {"name": "N"}, ada.cookie)
    at.post(200, "/update-user", {"name": "N"}, ada.cookie.partition(";")[0], name="no mark")
    mark = f"better-auth.dont_remember={signed('true')}"
    bob = at.sign_up("bob")
    at.post(200, "/update-user", {"name": "N"}, f"{bob.cookie}; {mark}", name="a mark")
    aged = at.session(bob, "-10 h", "150 h")
    at.post(200, "/update-user", {"name": "N"}, aged.cookie, name="not due")
    at.get(200, "/get-session", aged.cookie)


@scenario("plain")
def change_email(at: Visitor) -> None:
    ada, bob = at.sign_up("ada"), at.sign_up("bob")
    new = at.address("new")
    at.post(401, "/change-email", {"newEmail": new})
    at.post(400, "/change-email", {"newEmail": ada.email}, ada.cookie)
    at.post(400, "/change-email", {"newEmail": ada.email.upper()}, ada.cookie)
    at.post(200, "/change-email", {"newEmail": bob.email}, ada.cookie, name="taken")
    at.post(403, "/change-email", {"newEmail": new, "callbackURL": "https://x.example"}, ada.cookie)
    at.post(200, "/change-email", {"newEmail": new.upper(), "callbackURL": "/done?a=b"}, ada.cookie)
    mail = at.mail(email=new)
    at.sql(ROW.format(ada.id))
    token = mail["token"]
    at.get(None, f"/verify-email?token={token}", bob.cookie, name="as somebody else")
    at.get(None, f"/verify-email?token={token}&callbackURL=/x", bob.cookie, name="else, redirected")
    at.get(200, f"/verify-email?token={token}", ada.cookie, name="followed")
    at.get(200, "/get-session", ada.cookie)
    at.get(401, f"/verify-email?token={token}", ada.cookie, name="again")
    at.get(302, f"/verify-email?token={token}&callbackURL=/x", name="again, redirected")
    third = at.address("third")
    at.post(200, "/change-email", {"newEmail": third}, ada.cookie)
    mail = at.mail(email=third)
    at.get(302, f"/verify-email?token={mail['token']}&callbackURL=%2F", name="signed out")
    at.sql(ROW.format(ada.id))
    at.post(401, "/sign-in/email", {"email": new, "password": PASSWORD})
    at.post(200, "/sign-in/email", {"email": third, "password": PASSWORD})


@scenario("plain")
def change_email_of_a_verified_user(at: Visitor) -> None:
    ada = at.sign_up("ada")
    at.sql(f"UPDATE users SET email_verified = true WHERE id = '{ada.id}'")
    new = at.address("new")
    at.post(200, "/change-email", {"newEmail": new}, ada.cookie)
    first = at.mail(email=new)
    at.post(200, "/change-email", {"newEmail": at.address("other")}, ada.cookie)
    second = at.mail(email=at.address("other"))
    at.get(200, f"/verify-email?token={first['token']}", ada.cookie, name="the first")
    at.get(401, f"/verify-email?token={second['token']}", ada.cookie, name="the second")
    at.sql(ROW.format(ada.id))


@scenario("plain")
def change_email_to_one_taken_meanwhile(at: Visitor) -> None:
    ada = at.sign_up("ada")
    new = at.address("new")
    at.post(200, "/change-email", {"newEmail": new}, ada.cookie)
    mail = at.mail(email=new)
    at.sign_up("new")
    at.get(None, f"/verify-email?token={mail['token']}", ada.cookie, name="taken meanwhile")
    at.sql(ROW.format(ada.id))


@scenario("bare")
def what_is_switched_off(at: Visitor) -> None:
    ada = at.sign_up("ada")
    at.post(400, "/change-email", {"newEmail": at.address("new")}, ada.cookie)
    at.post(400, "/change-email", {"newEmail": "x"}, ada.cookie)
    at.post(401, "/change-email", {"newEmail": at.address("new")})
    at.post(404, "/delete-user", {}, ada.cookie)
    at.post(404, "/delete-user", {"password": PASSWORD}, ada.cookie)
    at.post(401, "/delete-user", {})
    at.post(400, "/delete-user", {"password": 1}, ada.cookie)
    at.get(404, "/delete-user/callback?token=x", ada.cookie)
    at.get(404, "/delete-user/callback?token=x&callbackURL=/bye")
    at.get(403, "/delete-user/callback?token=x&callbackURL=https://x.example")
    at.get(400, "/delete-user/callback", ada.cookie)
    at.get(200, "/get-session", ada.cookie)
    aged = at.session(ada, "-25 h", "168 h")
    at.get(403, "/list-sessions", aged.cookie)
    for cookie in (None, ada.cookie):
        who = "signed in" if cookie else "nobody"
        at.post(400, "/request-password-reset", {"email": ada.email}, cookie, name=f"reset, {who}")
        at.post(400, "/request-password-reset", {"email": "x"}, cookie, name=f"bad reset, {who}")
        body = {"email": ada.email}
        at.post(400, "/send-verification-email", body, cookie, name=f"verification, {who}")
    at.get(302, "/reset-password/none?callbackURL=/new")
    at.post(400, "/reset-password", {"newPassword": PASSWORD, "token": "none"})


@scenario("bare, but a change of address")
def change_email_without_mails(at: Visitor) -> None:
    ada = at.sign_up("ada")
    at.post(400, "/change-email", {"newEmail": at.address("new")}, ada.cookie)
    at.post(400, "/change-email", {"newEmail": ada.email}, ada.cookie)


@scenario("plain")
def delete_user(at: Visitor) -> None:
    ada, bob, cyd = at.sign_up("ada"), at.sign_up("bob"), at.sign_up("cyd")
    at.post(401, "/delete-user", {})
    at.post(400, "/delete-user", cookie=ada.cookie)
    at.post(400, "/delete-user", {"password": "wrong horse"}, ada.cookie)
    at.post(400, "/delete-user", {"password": "x" * 129}, ada.cookie)
    at.post(404, "/delete-user", {"token": "none"}, ada.cookie)
    at.post(400, "/delete-user", {"password": "wrong", "token": "none"}, ada.cookie)
    at.post(403, "/delete-user", {"callbackURL": "https://x.example"}, ada.cookie)
    at.get(404, "/delete-user/callback?token=none", ada.cookie)
    at.get(404, "/delete-user/callback?token=none")
    at.get(404, "/delete-user/callback?token=", ada.cookie)
    at.sign_in(ada)
    at.post(200, "/delete-user", {"password": PASSWORD}, ada.cookie)
    at.sql(f"SELECT count(*) FROM users WHERE id = '{ada.id}'")
    at.sql(f"SELECT count(*) FROM sessions WHERE user_id = '{ada.id}'")
    at.sql(f"SELECT count(*) FROM accounts WHERE user_id = '{ada.id}'")
    at.get(200, "/get-session", ada.cookie)
    at.post(401, "/sign-in/email", {"email": ada.email, "password": PASSWORD})
    at.post(200, "/delete-user", {"token": "", "password": "", "callbackURL": ""}, bob.cookie)
    old = at.session(cyd, "-25 h", "168 h")
    at.post(400, "/delete-user", {}, old.cookie, name="not fresh")
    at.post(200, "/delete-user", {"password": PASSWORD}, old.cookie, name="not fresh, a password")


@scenario("strict")
def delete_user_by_mail(at: Visitor) -> None:
    ada, bob = verified(at, "ada"), verified(at, "bob")
    at.post(400, "/delete-user", {"password": "wrong"}, ada.cookie)
    at.post(200, "/delete-user", {"password": PASSWORD}, ada.cookie)
    at.mail(ada)
    at.post(200, "/delete-user", {"callbackURL": "/bye?a=b"}, ada.cookie)
    token = at.mail(ada)["token"]
    at.sql(
        f"SELECT value = '{ada.id}', round(extract(epoch FROM expires_at - created_at) / 60)"
        f" FROM verifications WHERE identifier = 'delete-account-{token}'"
    )
    at.get(403, f"/delete-user/callback?token={token}&callbackURL=https://x.example", ada.cookie)
    at.get(404, f"/delete-user/callback?token={token}", name="signed out")
    at.get(404, f"/delete-user/callback?token={token}", bob.cookie, name="somebody else")
    at.get(404, f"/delete-user/callback?token={token}", ada.cookie, name="used up by the other")
    at.post(200, "/delete-user", {}, ada.cookie)
    token = at.mail(ada)["token"]
    at.get(302, f"/delete-user/callback?token={token}&callbackURL=/bye", ada.cookie)
    at.get(200, "/get-session", ada.cookie)
    at.sql(f"SELECT count(*) FROM users WHERE id = '{ada.id}'")
    old = at.session(bob, "-25 h", "168 h")
    at.post(200, "/delete-user", {}, old.cookie, name="not fresh")
    token = at.mail(bob)["token"]
    at.sql(f"UPDATE verifications SET expires_at = created_at + interval '1 ms'"
           f" WHERE identifier = 'delete-account-{token}'")  # fmt: skip
    at.get(404, f"/delete-user/callback?token={token}", bob.cookie, name="expired")
    at.post(200, "/delete-user", {}, bob.cookie)
    token = at.mail(bob)["token"]
    at.post(200, "/delete-user", {"token": token}, bob.cookie, name="by POST")
    third = verified(at, "third")
    at.post(200, "/delete-user", {}, third.cookie)
    token = at.mail(third)["token"]
    at.get(200, f"/delete-user/callback?token={token}", third.cookie, name="no callbackURL")


def verified(at: Visitor, name: str) -> Person:
    """A user who followed the mail, and is signed in by that."""
    person = at.sign_up(name)
    answer = at.get(200, f"/verify-email?token={at.mail(person)['token']}")
    return Person(person.email, person.id, None, answer.cookie)
