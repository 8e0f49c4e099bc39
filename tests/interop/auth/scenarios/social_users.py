"""Who comes back: somebody known, somebody with the same address, or somebody new."""

from tests.interop.auth.dance import account_id, back, begin, dance, grant, member, person, rows
from tests.interop.auth.provider import CLIENT_ID, made_up
from tests.interop.auth.visitor import PASSWORD, Visitor, scenario, signed

MORE = {"expires_in": 3600, "scope": "read"}


@scenario("social")
def known_accounts(at: Visitor) -> None:
    first = {**MORE, "refresh_token": made_up(), "refresh_token_expires_in": 7200}
    one = dance(at, "plain", person(at, "ada"), name="new", answer=first)
    rows(at, "new")
    at.get(200, "/get-session", one.cookie, name="the session")
    at.get(200, "/list-accounts", one.cookie, name="accounts")
    changed = {"name": "Other", "picture": "https://example.com/other.png"}
    dance(at, "plain", person(at, "ada", **changed), name="without tokens")
    rows(at, "without tokens")
    dance(at, "plain", person(at, "ada"), name="again",
          answer={**MORE, "scope": "read write", "refresh_token": made_up()})  # fmt: skip
    rows(at, "again")
    dance(at, "plain", person(at, "ada", email=at.address("new")), name="another address")
    dance(at, "plain", person(at, "ada", email=None), name="no address")
    rows(at, "another address")
    dance(at, "plain", person(at, "ada", email_verified=False), name="no longer verified")
    rows(at, "no longer verified")
    at.sql(
        "UPDATE users SET email_verified = false WHERE email LIKE '%." + at.tag + "@example.com'"
    )
    dance(at, "plain", person(at, "ada", email=at.address("new")), name="another verified one")
    rows(at, "another verified one")
    dance(at, "plain", person(at, "ada"), name="verified")
    rows(at, "verified")


@scenario("social")
def known_account_of_a_browser_with_a_session(at: Visitor) -> None:
    bob = member(at, "bob")
    answer = dance(at, "plain", person(at, "ada"), name="signed in as bob", cookie=bob.cookie)
    at.get(200, "/get-session", answer.cookie, name="now")
    at.get(200, "/get-session", bob.cookie, name="before")
    dance(at, "plain", person(at, "ada"), name="not remembered",
          cookie=f"better-auth.dont_remember={signed('true')}")  # fmt: skip
    rows(at, "the end")


@scenario("social")
def new_users_by_discovery(at: Visitor) -> None:
    claims = person(at, "ada")
    answer = dance(at, "oidc", {"sub": "nobody"}, name="all in the token", claims=claims,
                   answer={**MORE, "refresh_token": made_up()})  # fmt: skip
    at.get(200, "/get-session", answer.cookie, name="the session")
    bare = {"sub": f"bob-{at.tag}"}
    dance(at, "oidc", person(at, "bob"), name="by userinfo", claims=bare)
    dance(at, "oidc", person(at, "bob", sub="other"), name="another sub", claims=bare)
    dance(at, "oidc", {}, name="verified as text", claims=person(at, "eve", email_verified="true"))
    dance(at, "quiet", person(at, "joe"), name="basic", claims=person(at, "joe"))
    rows(at, "the end")


@scenario("social")
def bad_id_tokens_by_discovery(at: Visitor) -> None:
    for name, claims in {
        "another issuer": {"iss": "https://x.example"},
        "a slash more": {"iss": "http://127.0.0.1/oidc/"},
        "another audience": {"aud": "somebody else"},
        "among audiences": {"aud": ["somebody else", CLIENT_ID]},
        "another nonce": {"nonce": "x"},
        "no nonce": {"nonce": None},
        "expired": {"exp": 1000},
        "no exp": {"exp": None},
        "no iat": {"iat": None},
        "no sub": {"sub": None},
        "an empty sub": {"sub": ""},
        "not before": {"nbf": 9_000_000_000},
        "no audience": {"aud": None},
        "no issuer": {"iss": None},
    }.items():
        who = person(at, f"x{name.replace(' ', '')}")
        dance(at, "oidc", who, name=name, claims={**who, **claims})
    who = person(at, "none")
    dance(at, "oidc", who, name="no ID token")
    rows(at, "the end")


@scenario("social")
def joining(at: Visitor) -> None:
    """Every pair of local and provider's word for the address, trusted and not."""
    for provider in ("plain", "trusted", "closed", "asking"):
        for local in (True, False):
            for theirs in (True, False):
                name = f"{provider}{local:d}{theirs:d}"
                one = member(at, name, verified=local)
                dance(at, provider, person(at, name, email_verified=theirs), name=name)
                at.post(None, "/sign-in/email", {"email": one.email, "password": PASSWORD})
    capitals = member(at, "capitals")
    profile = person(at, "capitals") | {"email": capitals.email.upper()}
    dance(at, "plain", profile, name="capitals")
    dance(at, "trusted", person(at, "capitals"), name="a second provider")
    rows(at, "the end")


@scenario("social, state in a cookie")
def joining_loosely(at: Visitor) -> None:
    for local in (True, False):
        for theirs in (True, False):
            name = f"p{local:d}{theirs:d}"
            member(at, name, verified=local)
            profile = person(at, name, email_verified=theirs, name="Other")
            answer = dance(at, "plain", profile, name=name,
                           answer={**MORE, "refresh_token": made_up()})  # fmt: skip
            at.get(200, "/get-session", answer.cookie, name=f"{name}: session")
    rows(at, "the end")


@scenario("social, nothing implicit")
def joining_nothing_implicitly(at: Visitor) -> None:
    member(at, "ada")
    dance(at, "plain", person(at, "ada"), name="same address")
    dance(at, "plain", person(at, "new"), name="new", answer={**MORE, "refresh_token": made_up()})
    dance(at, "plain", person(at, "new"), name="again", answer={"expires_in": 7200, "scope": "x"})
    dance(at, "trusted", person(at, "new"), name="a second provider")
    rows(at, "the end")


@scenario("social, no linking")
def joining_is_off(at: Visitor) -> None:
    ada = member(at, "ada")
    for provider in ("plain", "trusted"):
        dance(at, provider, person(at, "ada"), name=f"{provider}: same address")
        dance(at, provider, person(at, provider), name=f"{provider}: new")
        dance(at, provider, person(at, provider), name=f"{provider}: again")
        dance(at, provider, person(at, "ada"), name=f"{provider}: link", cookie=ada.cookie,
              linking=True)  # fmt: skip
    rows(at, "the end")


@scenario("social")
def sign_up_by_request_only(at: Visitor) -> None:
    for provider in ("asking", "closed"):
        for wanted in (False, True):
            name = f"{provider}{wanted:d}"
            dance(at, provider, person(at, name), name=name, body={"requestSignUp": wanted})
            dance(at, provider, person(at, name), name=f"{name} again")
    rows(at, "the end")


@scenario("social")
def user_info_overridden(at: Visitor) -> None:
    bob = member(at, "bob")
    dance(at, "overriding", person(at, "ada"), name="new")
    changed = {"name": "Other", "picture": "https://example.com/other.png"}
    dance(at, "overriding", person(at, "ada", **changed), name="again")
    rows(at, "again")
    moved = {"email": at.address("moved"), "email_verified": False}
    dance(at, "overriding", person(at, "ada", **moved), name="another address")
    rows(at, "another address")
    dance(at, "overriding", person(at, "ada", name=None, picture=None), name="nothing")
    rows(at, "nothing")
    dance(at, "overriding", person(at, "bob", name="Robert"), name="joined")
    at.get(200, "/get-session", bob.cookie, name="bob")
    dance(at, "overriding", person(at, "ada", email=bob.email), name="another's address")
    rows(at, "the end")


@scenario("social")
def verification_required(at: Visitor) -> None:
    for theirs in (False, True):
        name = f"v{theirs:d}"
        for turn in ("new", "again", "and again"):
            dance(at, "strict", person(at, name, email_verified=theirs), name=f"{name} {turn}")
        dance(at, "strict", person(at, name), name=f"{name} verified")
        dance(at, "strict", person(at, name), name=f"{name} after that")
    rows(at, "the end")


@scenario("social")
def accounts_unlinked(at: Visitor) -> None:
    ada = member(at, "ada")
    joined = dance(at, "plain", person(at, "ada"), name="join")
    row = account_id(at, ada.cookie, "plain")
    at.post(400, "/unlink-account", {"accountId": f"ada-{at.tag}"}, ada.cookie, name="by their id")
    at.post(200, "/unlink-account", {"accountId": row}, joined.cookie)
    dance(at, "plain", person(at, "ada"), name="joined again")
    only = dance(at, "plain", person(at, "bob"), name="only this")
    row = account_id(at, only.cookie, "plain")
    at.post(400, "/unlink-account", {"accountId": row}, only.cookie, name="the last")
    old = at.session(ada, created="-48 h", expires="100 h")
    at.post(403, "/unlink-account", {"accountId": row}, old.cookie, name="not fresh")
    rows(at, "the end")


@scenario("social, state in a cookie")
def last_account_unlinked(at: Visitor) -> None:
    only = dance(at, "plain", person(at, "bob"), name="only this")
    row = account_id(at, only.cookie, "plain")
    at.post(200, "/unlink-account", {"accountId": row}, only.cookie, name="the last")
    start = begin(at, "plain", name="back again", callbackURL="/in", errorCallbackURL="/oops")
    given = grant(at, start, person(at, "bob"))
    back(at, start, {"code": given.code}, name="back again")
    rows(at, "the end")
