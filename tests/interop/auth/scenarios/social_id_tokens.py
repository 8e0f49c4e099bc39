"""Signing in and linking with an ID token that the client has got itself."""

from typing import Any

from app.settings.providers import BUILT_IN
from tests.interop.auth.dance import dance, member, person, provider_of, rows
from tests.interop.auth.provider import CLIENT_ID, CLIENT_SECRET
from tests.interop.auth.visitor import Visitor, scenario

BOTH = ("/sign-in/social", "/link-social")


@scenario("social")
def id_tokens(at: Visitor) -> None:
    provider = provider_of(at)
    good = person(at, "ada")
    for name, more in {
        "good": {},
        "with a nonce": {"nonce": "n"},
        "another issuer": {"iss": "https://x.example"},
        "another audience": {"aud": "x"},
        "among audiences": {"aud": ["x", CLIENT_ID]},
        "expired": {"exp": 1000},
        "no exp": {"exp": None},
        "no iat": {"iat": None},
        "no sub": {"sub": None},
        "an empty sub": {"sub": ""},
        "not before": {"nbf": 9_000_000_000},
        "no address": {"email": None},
        "an old one": {"iat": 1_700_000_000, "exp": 9_000_000_000},
        "no issuer": {"iss": None},
        "no audience": {"aud": None},
    }.items():
        token = provider.id_token(good | more)
        for nonce in (None, "n", ""):
            given = {"token": token} | ({} if nonce is None else {"nonce": nonce})
            at.post(None, "/sign-in/social", {"provider": "oidc", "idToken": given},
                    name=f"{name}, nonce {nonce}")  # fmt: skip
    for name, token in {
        "a stranger's": provider.id_token(good, key=provider.stranger),
        "a stranger's with our key's id": provider.id_token(good, key=provider.stranger),
        "an unknown key": provider.id_token(good, headers={"kid": "x"}),
        "none": provider.id_token(good, algorithm="none"),
        "the client secret": provider.id_token(
            good, key=CLIENT_SECRET + "x" * 32, algorithm="HS256"
        ),
        "another algorithm": provider.id_token(good, algorithm="RS384"),
        "cut short": provider.id_token(good)[:-4],
        "empty": "",
        "nonsense": "x",
        "dots": "a.b.c",
        "two parts": "a.b",
        "a null byte": "a.b.c\0",
    }.items():
        for path in BOTH:
            at.post(None, path, {"provider": "oidc", "idToken": {"token": token}},
                    name=f"{path} {name}")  # fmt: skip
    rows(at, "the end")


@scenario("social")
def id_tokens_with_more(at: Visitor) -> None:
    provider = provider_of(at)
    for number, (name, more) in enumerate({
        "tokens": {"accessToken": "a", "refreshToken": "r", "expiresAt": 99},
        "access": {"accessToken": "a"},
        "user": {"user": {"name": {"firstName": "Ann", "lastName": "Lee"}, "email": "x@y.z"}},
        "a first name": {"user": {"name": {"firstName": "Ann"}}},
        "no name": {"user": {}},
        "unknown keys": {"x": 1, "user": {"x": 1, "name": {"x": 1}}},
    }.items()):  # fmt: skip
        token = provider.id_token(person(at, f"p{number}"))
        body = {"provider": "oidc", "idToken": {"token": token, **more}, "callbackURL": "/in"}
        answer = at.post(None, "/sign-in/social", body, name=name)
        if answer.status == 200:
            at.get(200, "/get-session", answer.cookie, name=f"{name}: session")
        at.post(None, "/sign-in/social", body | {"callbackURL": "https://x.example"},
                name=f"{name}: elsewhere")  # fmt: skip
    token = provider.id_token({"sub": f"bare-{at.tag}"})
    at.post(None, "/sign-in/social", {"provider": "oidc", "idToken": {"token": token}},
            name="without an address")  # fmt: skip
    rows(at, "the end")


@scenario("social")
def id_tokens_of_others(at: Visitor) -> None:
    token = provider_of(at).id_token(person(at, "ada"))
    ada = member(at, "ada")
    for path in BOTH:
        for name in ("plain", "trusted", "nobody", "github", "discord", "slack", "linkedin",
                     "spotify", "twitter", "gitlab", "twitch"):  # fmt: skip
            body = {"provider": name, "idToken": {"token": token}}
            at.post(None, path, body, ada.cookie, name=f"{path} {name}")
    for name in BUILT_IN:
        at.post(None, "/sign-in/social", {"provider": name, "idToken": {"token": "a.b.c"}},
                name=f"{name}: nonsense")  # fmt: skip


@scenario("social, optioned")
def id_tokens_switched_off(at: Visitor) -> None:
    body = {"provider": "facebook", "idToken": {"token": "x"}}
    at.post(404, "/sign-in/social", body)


@scenario("social")
def id_tokens_and_users(at: Visitor) -> None:
    provider = provider_of(at)

    def send(who: dict[str, Any], name: str, cookie: str | None = None, **more: Any) -> None:
        path = "/link-social" if cookie else "/sign-in/social"
        body = {"provider": "oidc", "idToken": {"token": provider.id_token(who), **more}}
        at.post(None, path, body, cookie, name=name)

    for local in (True, False):
        for theirs in (True, False):
            name = f"p{local:d}{theirs:d}"
            member(at, name, verified=local)
            send(person(at, name, email_verified=theirs), name)
    rows(at, "joined")
    for local in (True, False):
        for theirs in (True, False):
            name = f"l{local:d}{theirs:d}"
            one = member(at, name, verified=local)
            send(person(at, name, email_verified=theirs), f"link {name}", one.cookie)
            at.get(200, "/list-accounts", one.cookie, name=f"accounts {name}")
    ada, bob = member(at, "ada"), member(at, "bob")
    send(person(at, "ada", email=at.address("other")), "link another address", ada.cookie)
    send(person(at, "ada"), "link", ada.cookie, accessToken="a", refreshToken="r")
    send(person(at, "ada", email_verified=False, email=at.address("x")), "link again", ada.cookie)
    send(person(at, "ada", email=bob.email), "link another's", bob.cookie)
    send(person(at, "ada"), "sign in")
    dance(at, "oidc", {}, name="by a dance", claims=person(at, "ada"))
    rows(at, "the end")


@scenario("social, no linking")
def id_tokens_without_linking(at: Visitor) -> None:
    ada = member(at, "ada")
    token = provider_of(at).id_token(person(at, "ada"))
    for path in BOTH:
        at.post(None, path, {"provider": "oidc", "idToken": {"token": token}}, ada.cookie)
