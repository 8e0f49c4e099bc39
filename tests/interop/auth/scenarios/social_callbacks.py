"""The way back from a provider: its errors, its answers, the redirect at the end."""

from typing import Any
from urllib.parse import urlencode

from tests.interop.auth.dance import back, begin, dance, grant, person, provider_of, rows
from tests.interop.auth.provider import made_up
from tests.interop.auth.visitor import Visitor, scenario

FORM = {"content-type": "application/x-www-form-urlencoded"}
TEXTS = (
    "access_denied",
    "a b",
    "a+b",
    "ä~*'()!",
    "",
    "x" * 300,
    "<script>",
    "a%20b",
    "line\nbreak",
)


@scenario("social")
def callback_errors(at: Visitor) -> None:
    for url in ("/oops", "/oops?q=1#z", "/oops?error=before", "https://app.example.com",
                "https://app.example.com/x?y=z#w", "myapp://oops", "/oops?q=a b&r=~*",
                "/oops?", "/oops#", "", None):  # fmt: skip
        start = begin(at, "plain", name=f"{url!r}", errorCallbackURL=url or "")
        back(at, start, {"error": "access_denied", "error_description": "no & ~* ä"},
             name=f"{url!r}")  # fmt: skip
    for text in TEXTS:
        for key in ("error", "error_description"):
            start = begin(at, "plain", name=f"{key} {text}", errorCallbackURL="/oops")
            query = {"error": "e"} | {key: text, "error_uri": "https://x.example", "code": "c"}
            back(at, start, query, name=f"{key} {text}"[:80])
    start = begin(at, "plain", name="no place")
    back(at, start, {"error": "access_denied", "error_description": "x y"}, name="no place")
    start = begin(at, "plain", name="no code", errorCallbackURL="/oops")
    back(at, start, {}, name="no code")
    start = begin(at, "plain", name="empty code", errorCallbackURL="/oops")
    back(at, start, {"code": ""}, name="empty code")
    for provider in ("nobody", "plai", "Plain", "credential", "__proto__", "constructor", "a%2Fb"):
        start = begin(at, "plain", name=provider, errorCallbackURL="/oops")
        back(at, start, {"code": "c"}, provider=provider, name=f"to {provider}")
    for number in range(3):
        start = begin(at, "oidc", name=f"iss {number}", errorCallbackURL="/oops")
        iss = (f"{provider_of(at).url}/oidc", f"{provider_of(at).url}/oidc/", "https://x")[number]
        back(at, start, {"code": "c", "iss": iss}, name=f"iss {number}")
    start = begin(at, "plain", name="iss of nobody", errorCallbackURL="/oops")
    back(at, start, {"code": "c", "iss": "https://x.example"}, name="iss of nobody")


@scenario("social")
def callback_queries(at: Visitor) -> None:
    for field in ("code", "error", "device_id", "error_description", "state", "user", "iss"):
        at.get(400, f"/callback/plain?{field}=a&{field}=b")
        at.post(None, f"/callback/plain?{field}=a&{field}=b", {})
        at.post(None, "/callback/plain", {field: 1}, name=f"{field} is a number")
    for path in ("/callback/", "/callback", "/callback/a/b", "/callback/plain/"):
        at.get(404, f"{path}?state=x")
        at.post(404, path, {})
    for method in ("HEAD", "PUT", "DELETE", "PATCH"):
        at.send(404, method, "/callback/plain?state=x")


@scenario("social")
def callback_by_post(at: Visitor) -> None:
    fields = {"state": "s t", "code": "c+d", "id_token": "x", "user": '{"name":"A"}', "iss": "i",
              "device_id": "d", "error": "e", "error_description": "~*ä", "more": "x"}  # fmt: skip
    for name, body in {
        "all": urlencode(fields),
        "one": "code=c",
        "none": "",
        "twice": "code=a&code=b&state=s",
        "bad percent": "code=%zz&state=%E4",
        "no value": "code&state=",
    }.items():
        at.post(None, "/callback/posting", body.encode(), headers=FORM, name=f"form: {name}")
        at.post(None, "/callback/posting?code=query&iss=q", body.encode(), headers=FORM,
                name=f"form and query: {name}")  # fmt: skip
    at.post(None, "/callback/posting", fields, name="JSON")
    at.post(None, "/callback/posting", name="no body")
    at.post(None, "/callback/posting?state=s&code=c", name="only a query")
    at.post(None, "/callback/a%20b%2Fc?state=s", {}, name="an odd path")
    at.post(None, "/callback/nobody", {"state": "s"}, name="an unknown provider")
    at.post(None, "/callback/posting", b"x", headers={"content-type": "text/plain"}, name="text")
    at.post(None, "/callback/posting", b"x", headers={"content-type": "multipart/form-data"},
            name="multipart")  # fmt: skip
    for origin in ("https://x.example", "null", "https://app.example.com", at.base_url, None):
        for cookie in (None, "a=b"):
            at.post(None, "/callback/posting", b"state=s&code=c",
                    headers={**FORM, "cookie": cookie, "origin": origin},
                    name=f"from {origin} with {cookie}")  # fmt: skip
    start = begin(at, "posting", callbackURL="/in", newUserCallbackURL="/new")
    given = grant(at, start, person(at, "ada"))
    form = urlencode({"state": start.state, "code": given.code}).encode()
    answer = at.post(302, "/callback/posting", form, headers=FORM, name="from the provider")
    path = answer.header("location").partition("/api/auth")[2]
    at.get(302, path, start.cookie, name="and on by GET")
    rows(at, "the end")


@scenario("social")
def callback_places(at: Visitor) -> None:
    for number, url in enumerate(
        ("/in", "/in?a=b#c", "https://app.example.com/x?y=ä", "myapp://in", "/a b", "", None)
    ):
        body: dict[str, Any] = {"callbackURL": url} if url is not None else {}
        for turn in ("new", "known"):
            name = f"{url!r} {turn}"
            start = begin(at, "plain", name=name, **body)
            given = grant(at, start, person(at, f"p{number}"))
            back(at, start, {"code": given.code}, name=name)
    start = begin(at, "plain", name="an empty place", callbackURL="/in", newUserCallbackURL="")
    given = grant(at, start, person(at, "other"))
    back(at, start, {"code": given.code}, name="an empty place")


@scenario("social")
def callback_tokens(at: Visitor) -> None:
    """What the token endpoint may answer."""
    for number, (name, more) in enumerate({
        "status 400": {"status": 400},
        "status 500": {"status": 500},
        "status 401": {"status": 401},
        "status 201": {"status": 201},
        "no access token": {"answer": {"access_token": None}},
        "an empty access token": {"answer": {"access_token": ""}},
        "an error with 200": {"answer": {"access_token": None, "error": "invalid_grant"}},
        "no token type": {"answer": {"token_type": None}},
        "another token type": {"answer": {"token_type": "mac"}},
        "expiry as text": {"answer": {"expires_in": "3600"}},
        "no expiry": {"answer": {}},
        "expiry": {"answer": {"expires_in": 3600, "refresh_token": made_up(),
                              "refresh_token_expires_in": 7200}},
        "scope": {"answer": {"scope": "read write"}},
        "scope with commas": {"answer": {"scope": "read,write"}},
        "scopes as a list": {"answer": {"scope": ["read", "write"]}},
        "empty scope": {"answer": {"scope": ""}},
        "white space": {"answer": {"scope": "  read \t write "}},
        "an ID token nobody asked for": {"claims": {"sub": "x"}},
    }.items()):  # fmt: skip
        dance(at, "plain", person(at, f"t{number}"), name=name, **more)
    for provider in ("basic", "bare", "posting", "prompting", "trusted"):
        dance(at, provider, person(at, provider), name=provider)
    start = begin(at, "plain", name="the code again", errorCallbackURL="/oops")
    given = grant(at, start, person(at, "twice"))
    given.used = True
    back(at, start, {"code": given.code}, name="the code again")
    rows(at, "the end")


@scenario("social")
def callback_profiles(at: Visitor) -> None:
    """What the profile may be."""
    for number, (name, profile) in enumerate({
        "good": {},
        "no id": {"id": None, "sub": None},
        "only sub": {"id": None},
        "an empty id": {"id": ""},
        "a number as id": {"id": 4711},
        "zero as id": {"id": 0},
        "undefined": {"id": "undefined", "sub": "undefined"},
        "null as text": {"id": "null", "sub": "null"},
        "no name": {"name": None},
        "an empty name": {"name": ""},
        "no address": {"email": None},
        "an empty address": {"email": ""},
        "verified as text": {"email_verified": "true"},
        "not verified as text": {"email_verified": "false"},
        "verified as number": {"email_verified": 1},
        "verified as yes": {"email_verified": "yes"},
        "no word": {"email_verified": None},
        "camel case": {"email_verified": None, "emailVerified": True},
        "no picture": {"picture": None},
        "image": {"picture": None, "image": "https://example.com/i.png"},
        "avatar_url": {"picture": None, "avatar_url": "https://example.com/a.png"},
        "given names": {"name": None, "given_name": "Ada", "family_name": "Lovelace"},
        "preferred name": {"name": None, "preferred_username": "ada"},
    }.items()):  # fmt: skip
        dance(at, "plain", person(at, f"p{number}", **profile), name=name)
    capitals = person(at, "capitals")
    dance(at, "plain", capitals | {"email": capitals["email"].upper()}, name="capitals")
    for name, value in {"a list": [], "text": "x", "null": None, "no JSON": b"<html>",
                        "an empty object": {}}.items():  # fmt: skip
        dance(at, "plain", value, name=name)
    rows(at, "the end")
