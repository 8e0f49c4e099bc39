"""Linking a provider's account to the user who is signed in."""

from tests.interop.auth.dance import back, dance, grant, link, member, person, rows
from tests.interop.auth.provider import made_up
from tests.interop.auth.visitor import Visitor, scenario, unsigned

PLACES = {"callbackURL": "/in?a=b", "errorCallbackURL": "/oops"}


@scenario("social")
def linking(at: Visitor) -> None:
    for provider in ("plain", "trusted"):
        for local in (True, False):
            for theirs in (True, False):
                name = f"{provider}{local:d}{theirs:d}"
                one = member(at, name, verified=local)
                dance(at, provider, person(at, name, email_verified=theirs, name="Other"),
                      name=name, cookie=one.cookie, linking=True)  # fmt: skip
                at.get(200, "/list-accounts", one.cookie, name=f"{name}: accounts")
    rows(at, "the end")


@scenario("social")
def linking_addresses(at: Visitor) -> None:
    ada = member(at, "ada")
    for name, email in {
        "another": at.address("other"),
        "capitals": ada.email.upper(),
        "none": None,
        "a blank more": f" {ada.email}",
        "empty": "",
    }.items():
        who = {**person(at, name.split()[0]), "email": email}
        who = {key: value for key, value in who.items() if value is not None}
        dance(at, "plain", who, name=name, cookie=ada.cookie, linking=True)
        dance(at, "trusted", who, name=f"{name}, trusted", cookie=ada.cookie, linking=True)
    rows(at, "the end")


@scenario("social")
def linking_what_is_known(at: Visitor) -> None:
    ada, bob = member(at, "ada"), member(at, "bob")
    dance(at, "plain", person(at, "ada"), name="ours", cookie=ada.cookie, linking=True,
          answer={"scope": "read write", "expires_in": 7200})  # fmt: skip
    rows(at, "ours")
    dance(at, "plain", person(at, "ada"), name="ours again", cookie=ada.cookie, linking=True,
          answer={"scope": "more read", "refresh_token": made_up()})  # fmt: skip
    rows(at, "ours again")
    dance(at, "plain", person(at, "ada", email_verified=False), name="ours, not verified",
          cookie=ada.cookie, linking=True)  # fmt: skip
    dance(at, "plain", person(at, "ada", email=at.address("x")), name="ours, another address",
          cookie=ada.cookie, linking=True)  # fmt: skip
    dance(at, "plain", person(at, "ada", email=bob.email), name="another's", cookie=bob.cookie,
          linking=True)  # fmt: skip
    dance(at, "plain", person(at, "second", email=ada.email), name="a second one of a provider",
          cookie=ada.cookie, linking=True)  # fmt: skip
    rows(at, "the end")


@scenario("social")
def linking_sessions(at: Visitor) -> None:
    ada, bob = member(at, "ada"), member(at, "bob")
    second = at.sign_in(ada)
    start = link(at, "plain", second.cookie, name="signed out", **PLACES)
    given = grant(at, start, person(at, "ada"))
    at.post(200, "/sign-out", {}, second.cookie)
    back(at, start, {"code": given.code}, name="signed out")

    old = at.session(ada, expires="1 h")
    start = link(at, "plain", old.cookie, name="expired", **PLACES)
    given = grant(at, start, person(at, "ada"))
    at.sql(
        "UPDATE sessions SET expires_at = created_at + interval '1 ms'"
        f" WHERE token = '{unsigned(old.cookie)}'"
    )
    back(at, start, {"code": given.code}, name="expired")

    start = link(at, "plain", ada.cookie, name="as another", **PLACES)
    given = grant(at, start, person(at, "ada"))
    back(at, start, {"code": given.code}, cookie=f"{bob.cookie}; {start.cookie}", name="as another")

    start = link(at, "trusted", ada.cookie, name="without a session", **PLACES)
    given = grant(at, start, person(at, "ada"))
    back(at, start, {"code": given.code}, name="without a session")

    eve = member(at, "eve")
    start = link(at, "plain", eve.cookie, name="moved", **PLACES)
    given = grant(at, start, person(at, "eve"))
    at.sql(f"UPDATE users SET email = '{at.address('moved')}' WHERE id = '{eve.id}'")
    back(at, start, {"code": given.code}, name="moved")

    joe = member(at, "joe")
    start = link(at, "plain", joe.cookie, name="deleted", **PLACES)
    given = grant(at, start, person(at, "joe"))
    at.sql(f"DELETE FROM users WHERE id = '{joe.id}'")
    back(at, start, {"code": given.code}, name="deleted")
    rows(at, "the end")


@scenario("social")
def linking_errors(at: Visitor) -> None:
    ada = member(at, "ada")
    for name, query in {
        "denied": {"error": "access_denied", "error_description": "no"},
        "no code": {},
        "a bad code": {"code": "nonsense"},
    }.items():
        start = link(at, "plain", ada.cookie, name=name, **PLACES)
        back(at, start, query, name=name)
    dance(at, "plain", person(at, "ada", id=None, sub=None), name="no subject", cookie=ada.cookie,
          linking=True)  # fmt: skip
    dance(at, "strict", person(at, "ada"), name="strict", cookie=ada.cookie, linking=True)
    dance(at, "closed", person(at, "ada"), name="closed", cookie=ada.cookie, linking=True)
    dance(at, "overriding", person(at, "ada", name="Other"), name="overriding", cookie=ada.cookie,
          linking=True)  # fmt: skip
    dance(at, "oidc", {}, name="oidc", claims=person(at, "ada"), cookie=ada.cookie, linking=True)
    rows(at, "the end")


@scenario("social, state in a cookie")
def linking_loosely(at: Visitor) -> None:
    ada = member(at, "ada", verified=False)
    other = person(at, "other", name="Other")
    dance(at, "plain", other, name="another address", cookie=ada.cookie, linking=True,
          answer={"refresh_token": made_up(), "expires_in": 7200, "scope": "a b"})  # fmt: skip
    at.get(200, "/get-session", ada.cookie, name="user")
    dance(at, "trusted", person(at, "third", email_verified=False), name="not verified",
          cookie=ada.cookie, linking=True)  # fmt: skip
    dance(at, "trusted", person(at, "fourth", email=None), name="no address", cookie=ada.cookie,
          linking=True)  # fmt: skip
    dance(at, "oidc", {}, name="no picture", cookie=ada.cookie, linking=True,
          claims=person(at, "fifth", picture=None, name=None))  # fmt: skip
    rows(at, "the end")
