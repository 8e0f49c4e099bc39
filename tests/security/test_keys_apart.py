"""What is signed for one purpose is nothing for another, and a cookie is read in one way."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.auth.cookies import Cookies, Signer
from app.auth.keys import derived_key
from app.auth.tokens import MailTokens
from app.errors import AuthError
from tests.conftest import SERVERS
from tests.interop.auth.servers import Setup, better_auth, gatepost
from tests.interop.auth.visitor import Visitor
from tests.security.people import COOKIE, SECRET, Person, Site, cookie, jwt, signature
from tests.support import Server

CHANGES = {"GATEPOST_CHANGE_EMAIL": "true"}
ALONE = {"GATEPOST_BETTER_AUTH_SERVER": "none"}


def follow(at: Site, token: str) -> int:
    return at.browser().get("/verify-email", params={"token": token}).status_code


def claims(person: Person, **more: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"email": person.email, "userId": person.id, "iat": now, "exp": now + 600} | more


def as_cookie(token: str) -> str:
    """A mail token's signature as that of a cookie."""
    value, _, mark = token.rpartition(".")
    return f"{value}.{mark.translate(str.maketrans('-_', '+/'))}="


def test_derived_keys_are_those_of_rfc_5869() -> None:
    """By hand, with a salt of our own; unlike each other and any cookie's signature."""
    extracted = hmac.new(b"gatepost", SECRET.encode(), hashlib.sha256).digest()
    expected = hmac.new(extracted, b"mail token\x01", hashlib.sha256).digest()
    assert derived_key(SECRET, "mail token") == expected
    assert derived_key(SECRET, "other") != expected
    assert base64.b64encode(expected).decode() != signature("mail token")


def test_mail_token_is_no_cookie(sites: Callable[..., Site]) -> None:
    at = sites(**CHANGES)
    person = at.sign_up()
    body = {"email": person.email}
    assert person.browser.post("/send-verification-email", json=body).is_success
    forged = as_cookie(at.mail(person.email, "verify-email")["token"])
    assert Signer([SECRET]).verify(forged) is None
    due = at.session(person, "-48 h", "120 h")
    with at.browser(f"{cookie(due)}; better-auth.dont_remember={forged}") as browser:
        answer = browser.get("/get-session")  # refreshed: it was not taken for dont_remember
    assert COOKIE in answer.headers["set-cookie"]
    assert "Max-Age=604800" in answer.headers["set-cookie"]
    with at.browser(f"{COOKIE}={forged}") as browser:
        assert "set-cookie" not in browser.get("/get-session").headers  # as if it were unsigned


def test_cookie_is_no_mail_token(sites: Callable[..., Site]) -> None:
    for at in (sites(**CHANGES), sites(**CHANGES, **ALONE)):
        person = at.sign_up()
        signed = f"{person.token}.{signature(person.token)}"
        url = signed.translate(str.maketrans("+/", "-_"))
        for text in (signed, url, url.rstrip("="), f"eyJhbGciOiJIUzI1NiJ9.{signed}", f".{signed}"):
            assert follow(at, text) == 401


def test_signature_of_the_secret_is_no_mail_token_without_a_better_auth_server(
    sites: Callable[..., Site],
) -> None:
    """Whoever gets the service to sign a cookie of his choice has no mail token by that."""
    at = sites(**CHANGES, **ALONE)
    person = at.sign_up()
    new = f"new.{person.email}"
    change = {"updateTo": new, "requestType": "change-email-verification"}
    for typ in ({}, {"typ": "JWT"}, {"typ": "gatepost-mail+jwt"}):
        header = {"alg": "HS256"} | typ
        assert follow(at, jwt(claims(person), header)) == 401
        assert follow(at, jwt(claims(person, **change), header)) == 401
    assert person.browser.post("/change-email", json={"newEmail": new}).is_success
    assert follow(at, at.mail(new, "verify-email")["token"]) == 200
    assert at.sql(f"SELECT email FROM users WHERE id = '{person.id}'") == new


@pytest.mark.parametrize(
    ("more", "header"),
    [
        ({"session": {}}, None),
        ({"purpose": "other"}, None),
        ({"email": 1}, None),
        ({"exp": "9999999999"}, None),
        ({"iat": "now"}, None),
        ({"userId": None, "updateTo": 1}, None),
        ({"requestType": []}, None),
        ({"jti": 1}, None),
        ({}, {"alg": "HS256", "typ": "at+jwt"}),
        ({}, {"alg": "HS256", "kid": "1"}),
        ({}, {"alg": "HS512"}),
    ],
)
def test_other_tokens_of_the_same_key_are_refused(
    more: dict[str, Any], header: dict[str, Any] | None
) -> None:
    tokens = MailTokens([SECRET])
    now = int(time.time())
    good = {"email": "a@b.co", "exp": now + 60}
    assert tokens.read(jwt(good)) == good
    assert tokens.read(jwt(good, {"alg": "HS256", "typ": "JWT"})) == good
    with pytest.raises(AuthError) as refused:
        tokens.read(jwt(good | more, header))
    assert refused.value.code == "INVALID_TOKEN"


def test_token_without_an_end_is_refused() -> None:
    with pytest.raises(AuthError):
        MailTokens([SECRET]).read(jwt({"email": "a@b.co"}))


def test_token_of_one_mode_is_none_of_the_other() -> None:
    shared, alone = MailTokens([SECRET]), MailTokens([SECRET], own_key=True)
    for one, other in ((shared, alone), (alone, shared)):
        token = one.sign({"email": "a@b.co"}, 60)
        assert one.read(token)["email"] == "a@b.co"
        with pytest.raises(AuthError):
            other.read(token)


def test_change_is_refused_while_the_feature_is_off(sites: Callable[..., Site]) -> None:
    at = sites()
    person = at.sign_up()
    new = f"new.{person.email}"
    for kind in ("change-email-verification", "change-email-confirmation"):
        token = jwt(claims(person, updateTo=new, requestType=kind))
        assert follow(at, token) == 401
    assert at.mails(new) == []
    assert at.sql(f"SELECT email FROM users WHERE id = '{person.id}'") == person.email


def test_change_to_what_is_no_address_is_refused(sites: Callable[..., Site]) -> None:
    at = sites(**CHANGES)
    person = at.sign_up()
    for new in ("", "nobody", "a b@c.co", "a@b.co\nBcc: c@d.co"):
        token = jwt(claims(person, updateTo=new, requestType="change-email-verification"))
        assert follow(at, token) == 401


# cookies


def test_host_cookies_cannot_be_set_by_a_subdomain(sites: Callable[..., Site]) -> None:
    """Browsers take a name with __Host- only with Secure and Path=/, and without a domain."""
    at = sites(**ALONE, GATEPOST_SECURE_COOKIES="on")
    person = at.sign_up()
    mallory = at.sign_up("mallory")
    answer = at.sign_in(person.email)
    (line,) = answer.headers.get_list("set-cookie")
    name = f"__Host-{COOKIE}"
    assert line.startswith(f"{name}={answer.json()['token']}.")
    assert line.endswith("; Path=/; HttpOnly; Secure; SameSite=Lax")
    assert "domain" not in line.lower()
    good = cookie(person.token, name)
    for tossed in (
        cookie(mallory.token, f"__Secure-{COOKIE}"),
        cookie(mallory.token),
        cookie(mallory.token, name.lower()),
        cookie(mallory.token, f"__host-{COOKIE}"),
    ):
        with at.browser(tossed) as browser:
            assert browser.get("/get-session").json() is None
        for both in (f"{tossed}; {good}", f"{good}; {tossed}"):
            with at.browser(both) as browser:
                assert browser.get("/get-session").json()["user"]["id"] == person.id


@pytest.mark.parametrize("way", ["node-gatepost", "gatepost-node"])
def test_host_cookies_are_shared_with_a_better_auth_server(
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    node: Path,
    tmp_path: Path,
    way: str,
) -> None:
    """With the options that docs/SECURITY.md names."""
    advanced = {
        "useSecureCookies": False,
        "cookiePrefix": "__Host-better-auth",
        "defaultCookieAttributes": {"secure": True},
    }
    setup = Setup(
        settings={"GATEPOST_HOST_COOKIES": "on"},
        options={"advanced": advanced},
        base_url="https://auth.gatepost.test",
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
        assert ada.cookie.startswith("__Host-better-auth.session_token=")
        assert there.get(200, "/get-session", ada.cookie).json["user"]["id"] == ada.id
        again = there.post(200, "/update-user", {"name": "Ada L."}, ada.cookie)
        assert again.cookie == ada.cookie
        assert "; Secure" in again.header("set-cookie")
        for at in (here, there):
            at.close()
            assert at.unexpected == []


def test_first_of_two_cookies_of_one_name_counts(sites: Callable[..., Site]) -> None:
    """As Better Auth has it, everywhere alike: what a subdomain tosses in with a longer path comes
    first, and is taken if it is somebody's session. Names with __Host- are the answer to that."""
    at = sites()
    person, mallory = at.sign_up(), at.sign_up("mallory")
    one, other = cookie(person.token), cookie(mallory.token)
    for pair, first in ((f"{one}; {other}", person), (f"{other}; {one}", mallory)):
        with at.browser(pair) as browser:
            assert browser.get("/get-session").json()["user"]["id"] == first.id
            (account,) = browser.get("/list-accounts").json()
            assert account["userId"] == first.id
            assert browser.post("/sign-out", json={}).is_success
        assert first.token not in at.sessions(first)
    # what nobody signed keeps the one behind it from being taken, and opens nothing itself
    bob = at.sign_up("bob")
    with at.browser(f"{COOKIE}=x; {cookie(bob.token)}") as browser:
        assert browser.get("/get-session").json() is None


def test_names_of_cookies_follow_the_settings() -> None:
    def name(*, secure: bool, host: bool) -> str:
        made = Cookies(
            Signer([SECRET]), prefix="p", secure=secure, domain=None, max_age=60, host=host
        )
        return made.session("t" * 32, remember=True, remembered=True)[0].partition("=")[0]

    assert name(secure=True, host=True) == "__Host-p.session_token"
    assert name(secure=True, host=False) == "__Secure-p.session_token"
    assert name(secure=False, host=False) == "p.session_token"
