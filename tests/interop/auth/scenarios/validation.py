"""Validation: which bodies are refused, and with which words."""

import itertools

from tests.interop.auth.visitor import PASSWORD, Visitor, scenario

WRONG = (None, 1, 1.5, True, [], {}, ["a"])
"""A value of each JSON type but text."""

ADDRESSES = (
    "a@b.co", "a.b@c.de", "a+b@c.de", "a'b@c.de", "a_b@c.de", "a-b@c.de", "_@c.de", "-a@c.de",
    "A@B.CO", "1@2.com", "a@1.2.com", "a@b-c.de", "a@b--c.de", "a@xn--bcher-kva.example", "a@b.c1",
    "a@b.c", "a@b", "a@localhost", "@b.co", "a@", "a", "", " ", " a@b.co", "a@b.co ", "a b@c.de",
    ".a@b.co", "a.@b.co", "a..b@c.de", "a'@b.co", "a-@b.co", "a+@b.co", "a_@b.co", "a@@b.co",
    "a@b@c.de", "a@.co", "a@b..co", "a@-b.co", "a@b-.co", "a@b_c.de", "a@b.co.", "a@[1.2.3.4]",
    "a@1.2.3.4", '"a"@b.co', "a!b@c.de", "a#b@c.de", "a/b@c.de", "a=b@c.de", "a,b@c.de",
    "a(b)@c.de", "jürgen@b.co", "a@bücher.de", "a@b.co\n", "a@b.co\u0000", "a\t@b.co", "<a@b.co>",
    "a@b.co,c@d.ef", "x" * 300 + "@b.co", "a@" + "b" * 70 + ".co", "a@b.museum", "a@b.c-d",
    "a%b@c.de", "a*b@c.de", "ſ@b.co", "K@b.co", "a@b.ſs", "'a@b.co", "a'.b@c.de", "a.'b@c.de",
    "a--b@c.de", "a@a.b.c.d.ef",
)  # fmt: skip


@scenario("plain")
def addresses(at: Visitor) -> None:
    for address in ADDRESSES:
        # one of a user would send a mail; these are nobody's
        at.post(None, "/request-password-reset", {"email": address}, name=f"reset {address!r:.40}")


@scenario("plain")
def sign_up_fields(at: Visitor) -> None:
    good = {"name": "A", "email": "a@b.co", "password": PASSWORD}
    for key, value in itertools.product(good, WRONG):
        at.post(400, "/sign-up/email", good | {key: value}, name=f"{key} {value!r}")
    for key in good:
        at.post(
            400, "/sign-up/email", {k: v for k, v in good.items() if k != key}, name=f"no {key}"
        )
    for value in (1, True, [], {}, None):
        at.post(400, "/sign-up/email", good | {"image": value}, name=f"image {value!r}")
        at.post(400, "/sign-up/email", good | {"callbackURL": value}, name=f"callback {value!r}")
    for value in ("true", 1, 0, None, [], {}):
        at.post(400, "/sign-up/email", good | {"rememberMe": value}, name=f"remember {value!r}")
    at.post(400, "/sign-up/email", good | {"password": ""}, name="no letters")
    at.post(400, "/sign-up/email", {"name": 1, "email": "x", "password": "", "image": 2,
                                    "rememberMe": 3}, name="all bad")  # fmt: skip
    for email in ("x", "a@b", " a@b.co", "a@b.co "):
        at.post(400, "/sign-up/email", good | {"email": email}, name=f"email {email!r}")


@scenario("plain")
def sign_in_fields(at: Visitor) -> None:
    good = {"email": "nobody", "password": "p"}
    for key, value in itertools.product(good, WRONG):
        at.post(400, "/sign-in/email", good | {key: value}, name=f"{key} {value!r}")
    for value in ("true", 1, None, []):
        at.post(400, "/sign-in/email", good | {"rememberMe": value}, name=f"remember {value!r}")
    for value in (1, None, True, [], {}):
        at.post(400, "/sign-in/email", good | {"callbackURL": value}, name=f"callback {value!r}")
    for email in ("", "a@b", " a@b.co", "a@b.co ", "jürgen@b.co", "a..b@c.de"):
        at.post(400, "/sign-in/email", {"email": email, "password": "p"}, name=f"email {email!r}")
    at.post(400, "/sign-in/email", {"email": "nobody"})
    at.post(400, "/sign-in/email", {"password": "p"})
    at.post(400, "/sign-in/email", good | {"other": {"a": [1]}})


@scenario("plain")
def other_fields(at: Visitor) -> None:
    fields = {
        "/revoke-session": ("token",),
        "/change-email": ("newEmail", "callbackURL"),
        "/change-password": ("newPassword", "currentPassword", "revokeOtherSessions"),
        "/verify-password": ("password",),
        "/delete-user": ("callbackURL", "password", "token"),
        "/reset-password": ("newPassword", "token"),
        "/send-verification-email": ("email", "callbackURL"),
        "/request-password-reset": ("email", "redirectTo"),
        "/unlink-account": ("accountId",),
        "/sign-out": ("callbackURL", "disableRedirect", "state"),
    }
    for path, names in fields.items():
        for value in WRONG:
            for key in names:
                at.post(None, path, {key: value}, name=f"{path} {key} {value!r}")
            at.post(None, path, dict.fromkeys(names, value), name=f"{path} all {value!r}")
        at.post(None, path, {"other": 1}, name=f"{path} other")


@scenario("plain")
def validation_with_a_session(at: Visitor) -> None:
    ada = at.sign_up("ada")
    for path in ("/revoke-session", "/change-email", "/change-password", "/verify-password",
                 "/unlink-account"):  # fmt: skip
        at.post(400, path, {}, ada.cookie)
        at.post(400, path, [], ada.cookie)
    for path in ("/update-user", "/update-session", "/delete-user"):
        at.post(400, path, [], ada.cookie)
        at.post(400, path, b"null", ada.cookie)
        at.post(400, path, b"", ada.cookie)
    at.post(400, "/change-email", {"newEmail": "x"}, ada.cookie)
    at.post(400, "/change-email", {"newEmail": "x", "callbackURL": 1}, ada.cookie)
    at.get(200, "/get-session", ada.cookie)
