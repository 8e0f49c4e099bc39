"""Sign-up, sign-in, sign-out."""

from tests.interop.auth.visitor import PASSWORD, Visitor, scenario, signed

AGENT = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"


@scenario("plain")
def sign_up(at: Visitor) -> None:
    body = {"name": "Ada Lövelace", "email": "Ada.SIGN_UP@Example.COM", "password": PASSWORD}
    answer = at.post(200, "/sign-up/email", body, headers={"user-agent": AGENT})
    at.get(200, "/get-session", answer.cookie)
    at.post(422, "/sign-up/email", body)
    at.post(422, "/sign-up/email", body | {"email": body["email"].lower()})
    at.post(400, "/sign-up/email", body | {"password": "short"}, name="short before taken")
    at.post(400, "/sign-up/email", body | {"password": "x" * 129}, name="long before taken")
    at.sql("SELECT name, email, email_verified, image FROM users WHERE email LIKE '%.sign_up@%'")
    at.sql(
        "SELECT account_id = user_id::text, provider_id, password ~ '^[0-9a-f]{32}:[0-9a-f]{128}$',"
        " access_token, scope FROM accounts JOIN users ON users.id = user_id"
        " WHERE email LIKE '%.sign_up@%'"
    )


@scenario("plain")
def sign_up_variants(at: Visitor) -> None:
    def body(who: str, **more: object) -> dict[str, object]:
        return {"name": who, "email": at.address(who or "empty"), "password": PASSWORD} | more

    at.post(200, "/sign-up/email", body(""))
    at.post(200, "/sign-up/email", body("image", image="not an address"))
    at.post(200, "/sign-up/email", body("noimage", image=""))
    at.post(200, "/sign-up/email", body("callback", callbackURL="/welcome?a=b"))
    at.post(200, "/sign-up/email", body("nocallback", callbackURL=""))
    forgotten = at.post(200, "/sign-up/email", body("forget", rememberMe=False))
    at.get(200, "/get-session", forgotten.cookie)
    remembered = at.post(200, "/sign-up/email", body("remember", rememberMe=True))
    at.get(200, "/get-session", remembered.cookie)
    extra = {"id": "x", "emailVerified": True, "role": "admin", "banned": True, "a": 1}
    at.post(200, "/sign-up/email", body("extra", createdAt="2000-01-01T00:00:00.000Z", **extra))
    at.post(200, "/sign-up/email", body("eight", password="😀😁😂🤣"), name="8 UTF-16 units")
    at.post(400, "/sign-up/email", body("six", password="😀😁😂"), name="6 UTF-16 units")
    at.post(200, "/sign-up/email", body("long", password="é" * 128), name="128 letters")
    at.post(400, "/sign-up/email", body("longer", password="😀" * 65), name="130 UTF-16 units")
    at.post(400, "/sign-up/email", body("seven", password="1234567"))
    at.post(422, "/sign-up/email", body("null", name="a\u0000b"), name="a null in the name")
    at.post(200, "/sign-up/email", body("surrogate", name="a\ud83db"), name="half a letter")
    at.post(200, "/sign-up/email", body("emoji", name="👩‍💻 <b>&'\""), name="signs")
    old = at.sign_up("old")
    at.post(200, "/sign-up/email", body("second"), cookie=old.cookie, name="while signed in")
    dont_remember = f"better-auth.dont_remember={signed('true')}"
    at.post(200, "/sign-up/email", body("third"), cookie=dont_remember, name="over dont_remember")


@scenario("plain")
def sign_in(at: Visitor) -> None:
    ada = at.sign_up("ada")
    good = {"email": ada.email, "password": PASSWORD}
    answer = at.post(200, "/sign-in/email", good, headers={"user-agent": AGENT})
    at.get(200, "/get-session", answer.cookie)
    at.post(200, "/sign-in/email", good | {"email": ada.email.upper()})
    at.post(200, "/sign-in/email", good | {"rememberMe": True})
    at.post(200, "/sign-in/email", good | {"callbackURL": "/dash?a=b#c"})
    at.post(200, "/sign-in/email", good | {"callbackURL": "https://app.example.com/x"})
    at.post(200, "/sign-in/email", good | {"callbackURL": ""})
    at.post(200, "/sign-in/email", good | {"other": 1, "name": "x"})
    at.post(200, "/sign-in/email?a=b", good)
    forgotten = at.post(200, "/sign-in/email", good | {"rememberMe": False})
    at.get(200, "/get-session", forgotten.cookie)
    at.get(200, "/list-accounts", forgotten.cookie)
    at.post(200, "/sign-in/email", good, cookie=forgotten.cookie, name="over a forgotten one")
    at.post(200, "/sign-in/email", good, cookie=ada.cookie, name="over a session")
    at.sql(
        "SELECT count(*), count(DISTINCT token) FROM sessions JOIN users ON users.id = user_id"
        f" WHERE email = '{ada.email}'"
    )
    for name, password in (
        ("wrong", "wrong horse"), ("empty", ""), ("short", "x"), ("longest", "x" * 128),
        ("space", PASSWORD + " "), ("capitals", PASSWORD.upper()),
    ):  # fmt: skip
        body = good | {"password": password}
        at.post(401, "/sign-in/email", body, name=f"password {name}")
    # HMAC fills its key up with null bytes: this is the same password
    null = good | {"password": f"{PASSWORD}\u0000"}
    at.post(200, "/sign-in/email", null, name="a null behind the password")
    at.post(400, "/sign-in/email", good | {"password": "x" * 129})
    at.post(400, "/sign-in/email", good | {"password": "😀" * 65})
    nobody = {"email": at.address("nobody"), "password": PASSWORD}
    at.post(401, "/sign-in/email", nobody)
    at.post(401, "/sign-in/email", nobody | {"callbackURL": "/dash"})
    at.post(400, "/sign-in/email", nobody | {"password": "x" * 129})
    at.post(401, "/sign-in/email", good | {"password": "wrong"}, cookie=ada.cookie)


@scenario("plain")
def sign_in_without_a_password(at: Visitor) -> None:
    ada = at.sign_up("ada")
    good = {"email": ada.email, "password": PASSWORD}
    at.sql(f"DELETE FROM accounts WHERE user_id = '{ada.id}'")
    at.post(401, "/sign-in/email", good)
    at.get(200, "/list-accounts", ada.cookie)
    at.post(400, "/verify-password", {"password": PASSWORD}, ada.cookie)
    changed = {"currentPassword": PASSWORD, "newPassword": PASSWORD}
    at.post(400, "/change-password", changed, ada.cookie)
    at.post(400, "/delete-user", {"password": PASSWORD}, ada.cookie)
    at.sql(
        "INSERT INTO accounts (user_id, account_id, provider_id, scope)"
        f" VALUES ('{ada.id}', '1', 'github', 'repo, user,x')"
    )
    at.post(401, "/sign-in/email", good)
    at.get(200, "/list-accounts", ada.cookie)


@scenario("plain")
def passwords_are_normalised(at: Visitor) -> None:
    ada = at.sign_up("ada", password="ﬁancé ①½ Å")
    same = {"email": ada.email, "password": "fiance\u0301 11⁄2 A\u030a"}
    at.post(200, "/sign-in/email", same)
    at.post(401, "/sign-in/email", same | {"password": "fiance 11⁄2 A"})
    bob = at.sign_up("bob", password="half \ud83d letter")
    at.post(200, "/sign-in/email", {"email": bob.email, "password": "half \ufffd letter"})
    at.post(200, "/sign-in/email", {"email": bob.email, "password": "half \ud83e letter"})


@scenario("plain")
def stored_hashes(at: Visitor) -> None:
    ada = at.sign_up("ada")
    good = {"email": ada.email, "password": PASSWORD}
    for name, stored in (("no colon", "abcd"), ("empty", ""), ("only a colon", ":"),
                         ("no key", "a" * 32 + ":"), ("another key", "a" * 32 + ":" + "b" * 128),
                         ("not hex", "x" * 32 + ":" + "y" * 128)):  # fmt: skip
        at.sql(f"UPDATE accounts SET password = '{stored}' WHERE user_id = '{ada.id}'")
        at.post(None, "/sign-in/email", good, name=f"stored {name}")


@scenario("plain")
def addresses_of_clients(at: Visitor) -> None:
    ada = at.sign_up("ada")
    body = {"email": ada.email, "password": PASSWORD}
    for address in (
        "203.0.113.7", "203.0.113.7, 10.0.0.1", "2001:DB8:1:2:3:4:5:6", "::ffff:192.0.2.1",
        "::1", "not an address", "203.0.113.7:8080", "[2001:db8::1]", "999.1.1.1", "",
        " 203.0.113.8 ", "01.2.3.4", "fe80::1%eth0",
    ):  # fmt: skip
        headers = {"x-forwarded-for": address}
        answer = at.post(200, "/sign-in/email", body, headers=headers, name=f"from {address!r}")
        at.get(200, "/get-session", answer.cookie, name=f"session from {address!r}")
    headers = {"x-real-ip": "203.0.113.9", "forwarded": "for=203.0.113.9", "user-agent": ""}
    answer = at.post(200, "/sign-in/email", body, headers=headers, name="other headers")
    at.get(200, "/get-session", answer.cookie)
    headers = {"user-agent": "ä" * 600}
    answer = at.post(200, "/sign-in/email", body, headers=headers, name="a long agent")
    at.get(200, "/get-session", answer.cookie)


@scenario("plain")
def sign_out(at: Visitor) -> None:
    ada = at.sign_up("ada")
    other = at.sign_in(ada)
    at.post(200, "/sign-out", {}, ada.cookie)
    at.get(200, "/get-session", ada.cookie)
    at.get(200, "/get-session", other.cookie)
    at.post(200, "/sign-out", {}, ada.cookie, name="again")
    at.post(200, "/sign-out", {}, name="nobody")
    at.post(200, "/sign-out", {"callbackURL": "/bye", "disableRedirect": True, "state": "s"},
            other.cookie)  # fmt: skip
    at.sql(f"SELECT count(*) FROM sessions WHERE user_id = '{ada.id}'")
    third = at.sign_in(ada)
    at.post(200, "/sign-out", cookie=third.cookie, name="no body")
    fourth = at.sign_in(ada, rememberMe=False)
    at.post(200, "/sign-out", {}, fourth.cookie, name="a forgotten one")
    at.post(200, "/sign-out", {}, f"better-auth.session_token={signed('x' * 32, 'other secret')}")
    at.post(200, "/sign-out", {}, f"better-auth.session_token={signed('y' * 32)}", name="unknown")
    at.post(200, "/sign-out", {}, "better-auth.session_data.0=a; better-auth.session_data.1=b",
            name="chunks")  # fmt: skip
