"""The state of a dance: what it is bound to, how often it is good, and for how long."""

from tests.interop.auth.dance import (
    back,
    begin,
    grant,
    link,
    member,
    person,
    rows,
    state_cookie,
    state_row,
)
from tests.interop.auth.visitor import Visitor, scenario, signed

PLACES = {"callbackURL": "/in", "errorCallbackURL": "/oops?q=1#z", "newUserCallbackURL": "/new"}
NAME = "better-auth.state"


@scenario("social")
def state_checks(at: Visitor) -> None:
    for path in ("plain", "plain?state=", "plain?error=access_denied", "plain?code=c",
                 "plain?state=unknown&code=c", "plain?state=unknown&error=access_denied",
                 f"nobody?state={'x' * 32}&code=c", "plain?state=a&state=b", "plain?state=%00",
                 f"plain?state={'x' * 5000}", "plain?state=a%20b&code=c"):  # fmt: skip
        at.get(None, f"/callback/{path}", name=path[:60])
    for where, places in (("with places", PLACES), ("without", {})):
        start, other = (begin(at, "plain", name=where, **places) for _ in range(2))
        given = grant(at, start, person(at, where.split()[0]))
        for name, cookie in {
            "no cookie": "",
            "another's state": other.cookie,
            "not signed": f"{NAME}={start.state}",
            "badly signed": f"{NAME}={start.state}.{'A' * 43}%3D",
            "another secret": f"{NAME}={signed(start.state, 'another secret of 32 letters or so')}",
            "empty": f"{NAME}=",
            "another name": start.cookie.replace(NAME, f"__Secure-{NAME}"),
            "a session's name": start.cookie.replace(NAME, "better-auth.session_token"),
        }.items():
            back(at, start, {"code": given.code}, cookie=cookie, name=f"{where}: {name}")
            back(at, start, {"error": "access_denied"}, cookie=cookie,
                 name=f"{where}, denied: {name}")  # fmt: skip
        state_row(at, start, f"{where}, still")
        at.note(f"{where}: nobody asked", given.asked)
        both = f"{NAME}={signed(start.state)}; a=b"
        back(at, start, {"code": given.code}, cookie=both, name=f"{where}: the right browser")
        state_row(at, start, f"{where}, gone")
        back(at, start, {"code": given.code}, cookie=both, name=f"{where}: again")
        back(at, start, {"error": "x"}, cookie=both, name=f"{where}: again, with an error")
        at.note(f"{where}: asked", given.asked)
    rows(at, "the end")


@scenario("social")
def state_used_up_by_what_follows(at: Visitor) -> None:
    for name, query in {
        "denied": {"error": "access_denied"},
        "no code": {},
        "a bad code": {"code": "nonsense"},
    }.items():
        start = begin(at, "plain", name=name, **PLACES)
        back(at, start, query, name=name)
        state_row(at, start, name)
        good = grant(at, start, person(at, "late"))
        back(at, start, {"code": good.code}, name=f"{name}, then a good one")
    rows(at, "the end")


@scenario("social")
def state_and_time(at: Visitor) -> None:
    for name, change in {
        "the column is over": "expires_at = created_at + interval '1 ms'",
        "the value is over": "value = (value::jsonb || '{\"expiresAt\": 1000}')::text",
        "another oauthState": 'value = (value::jsonb || \'{"oauthState": "x"}\')::text',
        "no oauthState": "value = (value::jsonb - 'oauthState')::text",
        "no errorURL": "value = (value::jsonb - 'errorURL' || '{\"expiresAt\": 1000}')::text",
    }.items():
        start = begin(at, "plain", name=name, **PLACES)
        at.sql(f"UPDATE verifications SET {change} WHERE identifier = 'auth-state:{start.state}'")
        given = grant(at, start, person(at, name.split()[1].lower()))
        back(at, start, {"code": given.code}, name=name)
        at.sql(
            f"SELECT count(*) FROM verifications WHERE identifier = 'auth-state:{start.state}'",
            name=f"{name}: rows left",
        )


@scenario("social")
def state_with_data_of_the_client(at: Visitor) -> None:
    ada = member(at, "ada")
    data = {
        "callbackURL": "https://x.example", "errorURL": "https://x.example", "codeVerifier": "x",
        "link": {"userId": ada.id, "email": at.address("eve")}, "requestSignUp": True,
        "oauthState": "x", "provider": "google", "expiresAt": 1, "newUserURL": "https://x.example",
    }  # fmt: skip
    for provider in ("plain", "asking"):
        start = begin(at, provider, name=provider, additionalData=data)
        given = grant(at, start, person(at, "eve"))
        back(at, start, {"code": given.code}, name=provider)
    rows(at, "the end")


@scenario("social")
def state_of_another_providers_dance(at: Visitor) -> None:
    """Better Auth brings the code to the provider in the path."""
    start = begin(at, "plain", **PLACES)
    given = grant(at, start, person(at, "eve"))
    back(at, start, {"code": given.code}, provider="trusted", name="to another")
    at.note("asked", [one["asked"] for one in given.asked])
    rows(at, "the end")


@scenario("social")
def state_of_two_tabs(at: Visitor) -> None:
    first = begin(at, "plain", name="first", **PLACES)
    second = begin(at, "plain", cookie=first.cookies, name="second", **PLACES)
    jar = dict(part.split("=", 1) for part in f"{first.cookies}; {second.cookies}".split("; "))
    cookie = "; ".join(f"{name}={value}" for name, value in jar.items())
    one, other = (grant(at, start, person(at, name)) for start, name in
                  ((first, "one"), (second, "two")))  # fmt: skip
    back(at, second, {"code": other.code}, cookie=cookie, name="the second")
    back(at, first, {"code": one.code}, cookie=cookie, name="the first")


@scenario("social, state in a cookie")
def state_in_a_cookie(at: Visitor) -> None:
    ada = member(at, "ada")
    start = begin(at, "plain", name="only")
    state_cookie(at, start, "only")
    data = {"mine": [1], "callbackURL": "https://x.example", "oauthState": "x"}
    start = begin(at, "oidc", name="all", requestSignUp=True, additionalData=data, **PLACES)
    state_cookie(at, start, "all")
    state_cookie(at, link(at, "plain", ada.cookie, **PLACES), "a link")
    at.sql("SELECT count(*) FROM verifications WHERE identifier LIKE 'auth-state:%'")
    for where, places in (("with places", PLACES), ("without", {})):
        start, other = (begin(at, "plain", name=where, **places) for _ in range(2))
        given = grant(at, start, person(at, where.split()[0]))
        name = start.cookie.partition("=")[0]
        for what, cookie in {
            "no cookie": "",
            "another's": other.cookie,
            "nonsense": f"{name}=nonsense",
            "hex": f"{name}={'ab' * 60}",
            "cut short": start.cookie[:-2],
            "signed": f"{name}={signed(start.cookie.partition('=')[2])}",
            "the state as a cookie": f"{NAME}={signed(start.state)}",
            "empty": f"{name}=",
        }.items():
            back(at, start, {"code": given.code}, cookie=cookie, name=f"{where}: {what}")
        back(at, start, {"code": given.code}, name=f"{where}: the right one")
        back(at, start, {"code": given.code}, name=f"{where}: again")
        at.get(None, "/callback/plain?code=c", start.cookie, name=f"{where}: no state")
    rows(at, "the end")
