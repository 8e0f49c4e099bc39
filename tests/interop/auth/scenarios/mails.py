"""Verification of addresses, by mail."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from tests.interop.auth.servers import SECRET
from tests.interop.auth.visitor import PASSWORD, Visitor, scenario

VERIFIED = "SELECT email, email_verified FROM users WHERE id = '{}'"


def jwt(claims: Any, header: dict[str, Any] | None = None, secret: str = SECRET) -> str:
    """A token as a mail carries it; the algorithm is HS256, or none where the header says so."""
    header = header or {"alg": "HS256"}
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part, separators=(",", ":")).encode()).decode()
        for part in (header, claims)
    )
    text = f"{head}.{body}".replace("=", "")
    algorithm = hashlib.sha512 if header["alg"] == "HS512" else hashlib.sha256
    mark = hmac.new(secret.encode(), text.encode(), algorithm).digest()
    if header["alg"] == "none":
        return f"{text}."
    return f"{text}.{base64.urlsafe_b64encode(mark).decode().rstrip('=')}"


@scenario("plain")
def send_and_verify(at: Visitor) -> None:
    ada, bob = at.sign_up("ada"), at.sign_up("bob")
    at.post(200, "/send-verification-email", {"email": ada.email}, ada.cookie)
    first = at.mail(ada)["token"]
    at.post(200, "/send-verification-email", {"email": ada.email.upper(), "callbackURL": "/v?a=b"})
    at.mail(ada)
    at.post(200, "/send-verification-email", {"email": ada.email, "callbackURL": ""}, ada.cookie)
    at.mail(ada)
    at.post(200, "/send-verification-email", {"email": at.address("nobody")})
    at.post(400, "/send-verification-email", {"email": bob.email}, ada.cookie)
    at.post(
        403, "/send-verification-email", {"email": ada.email, "callbackURL": "https://x.example"}
    )
    at.get(403, f"/verify-email?token={first}&callbackURL=https://x.example")
    at.get(200, f"/verify-email?token={first}", name="followed")
    at.sql(VERIFIED.format(ada.id))
    at.get(200, "/get-session", ada.cookie)
    at.get(200, f"/verify-email?token={first}", name="again")
    at.get(302, f"/verify-email?token={first}&callbackURL=/v?a=b", name="again, redirected")
    at.get(200, f"/verify-email?token={first}&callbackURL=", name="again, an empty callbackURL")
    at.post(400, "/send-verification-email", {"email": ada.email}, ada.cookie, name="verified")
    at.post(200, "/send-verification-email", {"email": ada.email}, name="verified, signed out")


@scenario("plain")
def verify_redirects(at: Visitor) -> None:
    for number, callback in enumerate(
        ("/v", "/v?a=b", "/v#c", "https://app.example.com/v?a=b", "%2Fv%3Fa%3Db%26error%3Dold%23c")
    ):
        ada = at.sign_up(f"p{number}")
        at.post(200, "/send-verification-email", {"email": ada.email}, ada.cookie)
        token = at.mail(ada)["token"]
        at.get(302, f"/verify-email?token={token}&callbackURL={callback}", ada.cookie)
        at.get(302, f"/verify-email?token=bad&callbackURL={callback}", ada.cookie)


@scenario("plain")
def made_up_tokens(at: Visitor) -> None:
    ada, bob = at.sign_up("ada"), at.sign_up("bob")
    now = int(time.time())
    good = {"email": ada.email, "iat": now, "exp": now + 3600}
    change = good | {"updateTo": at.address("new"), "requestType": "change-email-verification",
                     "userId": ada.id}  # fmt: skip
    tokens = {
        "not a token": "x",
        "empty": "",
        "two parts": "a.b",
        "three bad parts": "a.b.c",
        "another secret": jwt(good, secret="another secret of 32 letters or more"),
        "no algorithm": jwt(good, {"alg": "none"}),
        "HS512": jwt(good, {"alg": "HS512"}),
        "RS256 by name": jwt(good, {"alg": "RS256"}),
        "a changed signature": jwt(good)[:-4] + "AAAA",
        "expired": jwt(good | {"iat": now - 7200, "exp": now - 3600}),
        "not yet": jwt(good | {"nbf": now + 3600}),
        "of a user unknown": jwt(good | {"email": at.address("nobody")}),
        "of another user's id": jwt(good | {"userId": bob.id}),
        "of no user's id": jwt(change | {"userId": "00000000-0000-4000-8000-000000000000"}),
        "a change without an id": jwt({k: v for k, v in change.items() if k != "userId"}),
        "a change from another address": jwt(change | {"email": bob.email}),
    }
    for name, token in tokens.items():
        at.get(401, f"/verify-email?token={token}", name=name)
        at.get(302, f"/verify-email?token={token}&callbackURL=/v", name=f"{name}, redirected")
        at.get(401, f"/verify-email?token={token}", ada.cookie, name=f"{name}, signed in")
    odd = {
        "no email": jwt({"iat": now, "exp": now + 3600}),
        "a number as email": jwt(good | {"email": 1}),
        "no address as email": jwt(good | {"email": "nobody"}),
        "claims that are no object": jwt([1]),
        "updateTo a number": jwt(change | {"updateTo": 1}),
        "updateTo no address": jwt(change | {"updateTo": "nobody"}),
        "an id that is no UUID": jwt(change | {"userId": "x"}),
    }
    for name, token in odd.items():
        at.get(None, f"/verify-email?token={token}", name=name)
    at.sql(f"SELECT count(*) FROM users WHERE email LIKE '%.{at.tag}@%' AND email_verified")


@scenario("plain")
def made_up_tokens_that_are_good(at: Visitor) -> None:
    ada, bob = at.sign_up("ada"), at.sign_up("bob")
    now = int(time.time())
    for name, claims in {
        "typed header": {},
        "no iat": {"iat": None},
        "a user's id": {"userId": ada.id},
    }.items():
        email = ada.email if name != "no iat" else bob.email
        body = {"email": email, "iat": now, "exp": now + 3600} | claims
        body = {key: value for key, value in body.items() if value is not None}
        at.get(200, f"/verify-email?token={jwt(body, {'alg': 'HS256', 'typ': 'JWT'})}", name=name)
    cyd = at.sign_up("cyd")
    no_end = {"email": cyd.email, "iat": now}
    at.get(200, f"/verify-email?token={jwt(no_end)}", name="no exp")
    capitals = {"email": cyd.email.upper(), "iat": now, "exp": now + 3600}
    at.get(200, f"/verify-email?token={jwt(capitals)}", name="capitals")


@scenario("plain")
def change_token_without_a_type(at: Visitor) -> None:
    ada = at.sign_up("ada")
    claims = {"email": ada.email, "updateTo": at.address("new"), "userId": ada.id}
    token = jwt(claims | {"exp": int(time.time()) + 3600})
    at.get(None, f"/verify-email?token={token}", ada.cookie, name="no requestType")
    at.sql(VERIFIED.format(ada.id), name="the address")


@scenario("plain")
def two_step_change(at: Visitor) -> None:
    ada = at.sign_up("ada")
    now = int(time.time())
    new = at.address("new")
    claims = {"email": ada.email, "updateTo": new, "userId": ada.id, "iat": now, "exp": now + 3600,
              "requestType": "change-email-confirmation"}  # fmt: skip
    at.get(200, f"/verify-email?token={jwt(claims)}", name="confirmed at the old address")
    at.mail(email=new)
    at.sql(VERIFIED.format(ada.id))
    at.get(302, f"/verify-email?token={jwt(claims)}&callbackURL=/v%3Fa", name="confirmed again")
    mail = at.mail(email=new)
    at.get(200, f"/verify-email?token={mail['token']}", ada.cookie, name="verified at the new one")
    at.sql(VERIFIED.format(ada.id))


@scenario("strict")
def verification_is_required(at: Visitor) -> None:
    ada = at.sign_up("ada", callbackURL="/hello?a=b")
    mail = at.mail(ada)
    good = {"email": ada.email, "password": PASSWORD}
    at.post(403, "/sign-in/email", good)
    at.post(403, "/sign-in/email", good | {"callbackURL": "/x"}, name="with a callbackURL")
    at.post(401, "/sign-in/email", good | {"password": "wrong"})
    taken = {"name": "Other", "email": ada.email, "password": PASSWORD}
    at.post(200, "/sign-up/email", taken, name="taken")
    at.post(200, "/sign-up/email", taken | {"image": "x", "a": 1, "name": ""}, name="taken, image")
    at.post(400, "/sign-up/email", taken | {"password": "short"}, name="taken, short")
    at.post(200, "/sign-up/email", taken | {"email": ada.email.upper()}, name="taken, capitals")
    at.sql(f"SELECT count(*) FROM users WHERE email = '{ada.email}'")
    answer = at.get(302, f"/verify-email?token={mail['token']}&callbackURL=/hello", name="followed")
    at.get(200, "/get-session", answer.cookie)
    at.get(200, f"/verify-email?token={mail['token']}", name="again")
    at.post(200, "/sign-in/email", good)
    at.post(200, "/send-verification-email", {"email": ada.email})


@scenario("strict")
def verified_while_signed_in(at: Visitor) -> None:
    ada, bob = at.sign_up("ada"), at.sign_up("bob")
    first, second = at.mail(ada), at.mail(bob)
    session = at.session(ada)
    at.get(200, f"/verify-email?token={second['token']}", session.cookie, name="another's token")
    at.get(200, f"/verify-email?token={first['token']}", session.cookie, name="the own token")
    at.sql(f"SELECT count(*) FROM sessions WHERE user_id IN ('{ada.id}', '{bob.id}')")


@scenario("strict")
def change_email_without_verification(at: Visitor) -> None:
    ada, bob = at.sign_up("ada"), at.sign_up("bob")
    at.mail(ada)
    at.mail(bob)
    session = at.session(ada)
    new = at.address("new")
    at.post(200, "/change-email", {"newEmail": bob.email}, session.cookie, name="taken")
    at.post(200, "/change-email", {"newEmail": new, "callbackURL": "/n"}, session.cookie)
    mail = at.mail(email=new)
    at.get(200, "/get-session", session.cookie)
    at.get(200, f"/verify-email?token={mail['token']}")
    third = at.address("third")
    at.post(200, "/change-email", {"newEmail": third}, session.cookie, name="verified now")
    mail = at.mail(email=third)
    at.sql(VERIFIED.format(ada.id))
    at.get(200, f"/verify-email?token={mail['token']}", session.cookie)
    at.sql(VERIFIED.format(ada.id))
