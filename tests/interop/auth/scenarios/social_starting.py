"""Starting a sign-in with a provider: what is checked, and where the browser is sent."""

from app.settings.providers import BUILT_IN
from tests.interop.auth.dance import begin, link, member, state_row
from tests.interop.auth.visitor import Visitor, scenario

BOTH = ("/sign-in/social", "/link-social")


@scenario("social")
def starting_bodies(at: Visitor) -> None:
    ada = member(at, "ada")
    for path in BOTH:
        for name, body in {
            "nothing": {},
            "only": {"provider": "plain"},
            "unknown": {"provider": "nobody"},
            "empty": {"provider": ""},
            "capitals": {"provider": "Plain"},
            "a number": {"provider": 1},
            "null": {"provider": None},
            "an object's member": {"provider": "constructor"},
            "credential": {"provider": "credential"},
            "disableRedirect": {"provider": "plain", "disableRedirect": True},
            "redirect": {"provider": "plain", "disableRedirect": False},
            "disableRedirect as text": {"provider": "plain", "disableRedirect": "yes"},
            "null disableRedirect": {"provider": "plain", "disableRedirect": None},
            "scopes as text": {"provider": "plain", "scopes": "x"},
            "scopes of numbers": {"provider": "plain", "scopes": [1, "a", None]},
            "no scopes": {"provider": "plain", "scopes": []},
            "an empty scope": {"provider": "plain", "scopes": [""]},
            "a scope of two": {"provider": "plain", "scopes": ["a b", "ä"]},
            "scopes": {"provider": "plain", "scopes": ["read", "write", "write"]},
            "requestSignUp": {"provider": "plain", "requestSignUp": True},
            "requestSignUp as text": {"provider": "plain", "requestSignUp": "true"},
            "loginHint": {"provider": "plain", "loginHint": "ada@example.com"},
            "an empty loginHint": {"provider": "plain", "loginHint": ""},
            "a number as loginHint": {"provider": "plain", "loginHint": 1},
            "additionalParams": {"provider": "plain", "additionalParams": {"a": "b", "c": "ä &"}},
            "an empty additional one": {"provider": "plain", "additionalParams": {"a": ""}},
            "no additionalParams": {"provider": "plain", "additionalParams": {}},
            "a number in them": {"provider": "plain", "additionalParams": {"a": 1}},
            "a list as them": {"provider": "plain", "additionalParams": ["a"]},
            "text as them": {"provider": "plain", "additionalParams": "a"},
            "null as them": {"provider": "plain", "additionalParams": None},
            "prompt in them": {"provider": "plain", "additionalParams": {"prompt": "login"}},
            "additionalData": {"provider": "plain", "additionalData": {"a": [1, {"b": None}]}},
            "a list as data": {"provider": "plain", "additionalData": []},
            "text as data": {"provider": "plain", "additionalData": "x"},
            "idToken as text": {"provider": "plain", "idToken": "x"},
            "idToken without token": {"provider": "plain", "idToken": {}},
            "idToken of a number": {"provider": "plain", "idToken": {"token": 1}},
            "idToken with numbers": {
                "provider": "plain",
                "idToken": {"token": "x", "nonce": 1, "accessToken": 2, "refreshToken": 3},
            },
            "idToken, expiresAt as text": {
                "provider": "plain",
                "idToken": {"token": "x", "expiresAt": "x"},
            },
            "idToken, user as text": {"provider": "plain", "idToken": {"token": "x", "user": "x"}},
            "idToken, a name of numbers": {
                "provider": "plain",
                "idToken": {"token": "x", "user": {"name": {"firstName": 1}, "email": 2}},
            },
            "null idToken": {"provider": "plain", "idToken": None},
            "more keys": {"provider": "plain", "more": 1},
            "several wrong": {"scopes": 1, "requestSignUp": 1, "callbackURL": "/x"},
        }.items():
            at.post(None, path, body, ada.cookie, name=f"{path}: {name}")
            at.post(None, path, body, name=f"{path}, nobody: {name}")


@scenario("social")
def starting_with_reserved_parameters(at: Visitor) -> None:
    ada = member(at, "ada")
    for path in BOTH:
        for name in ("state", "client_id", "redirect_uri", "response_type", "code_challenge",
                     "code_challenge_method", "nonce", "scope", "State", "response_mode",
                     "code_verifier", "login_hint", "request", "request_uri"):  # fmt: skip
            for provider in ("plain", "oidc", "google"):
                body = {"provider": provider, "additionalParams": {name: "x", "b": "c"}}
                at.post(None, path, body, ada.cookie, name=f"{path} {provider}: {name}")


@scenario("social")
def starting_places(at: Visitor) -> None:
    ada = member(at, "ada")
    for path in BOTH:
        for field in ("callbackURL", "errorCallbackURL", "newUserCallbackURL"):
            for url in (
                "/a", "/a?b=c#d", "https://app.example.com/x", "https://app.example.com",
                "https://x.example/a", "//x.example", "/\\x.example", "x", "",
                "javascript:alert(1)",
                "myapp://open", "http://auth.gatepost.test/x", "https://app.example.com.x.example",
                "data:text/html,x", 1, None, ["/a"], "/ä b",
            ):  # fmt: skip
                body = {"provider": "plain", field: url}
                at.post(None, path, body, ada.cookie, name=f"{path} {field} {url!r}")


@scenario("social")
def starting_by_other_means(at: Visitor) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    for path in BOTH:
        at.post(None, path, b"provider=plain", headers=form, name=f"{path}: a form")
        at.post(None, path, b"{", name=f"{path}: half of JSON")
        at.post(None, path, name=f"{path}: no body")
        at.post(None, path, [], name=f"{path}: a list")
        at.get(None, path, name=f"{path}: GET")
        plain = {"provider": "plain"}
        site = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors",
                "origin": "https://x.example"}  # fmt: skip
        at.post(None, path, plain, headers=site, name=f"{path}: from another site")
        at.post(None, path, plain, headers=site | {"cookie": "a=b"},
                name=f"{path}: from another site, with a cookie")  # fmt: skip
        at.post(None, path, plain, headers={"cookie": "a=b"}, name=f"{path}: without an origin")
        trusted = {"origin": "https://app.example.com"}
        at.post(None, path, plain, headers=trusted, name=f"{path}: from a trusted origin")
    for path in ("/sign-in/oauth2", "/oauth2/callback/plain", "/oauth2/link"):
        at.post(404, path, {"providerId": "plain"})


@scenario("social")
def starting_every_provider(at: Visitor) -> None:
    ada = member(at, "ada")
    more = {
        "scopes": ["one", "two"],
        "loginHint": "ada@example.com",
        "additionalParams": {"x": "y", "prompt": "select_account"},
    }
    for provider in (*BUILT_IN, "oidc", "quiet", "plain", "trusted", "basic", "posting", "bare",
                     "closed", "prompting"):  # fmt: skip
        begin(at, provider, name=f"{provider}")
        begin(at, provider, name=f"{provider} with more", **more)
        begin(at, provider, name=f"{provider} quietly", disableRedirect=True)
        link(at, provider, ada.cookie, name=f"{provider} for a link", **more)


@scenario("social, optioned")
def starting_providers_with_options(at: Visitor) -> None:
    ada = member(at, "ada")
    for provider in ("google", "microsoft", "gitlab", "github", "apple", "discord", "slack",
                     "facebook", "plain", "oidc"):  # fmt: skip
        begin(at, provider, name=f"{provider}")
        begin(at, provider, name=f"{provider}, scopes", scopes=["one", "two"])
        link(at, provider, ada.cookie, name=f"{provider} for a link", loginHint="x@example.com")
    at.post(404, "/sign-in/social", {"provider": "twitch"}, name="one that is not configured")


@scenario("social")
def starting_keeps(at: Visitor) -> None:
    ada = member(at, "ada")
    state_row(at, begin(at, "plain"), "only")
    places = {"callbackURL": "/a", "errorCallbackURL": "/b", "newUserCallbackURL": "/c"}
    state_row(at, begin(at, "oidc", **places), "places")
    state_row(at, begin(at, "plain", callbackURL="", errorCallbackURL=""), "empty places")
    state_row(at, begin(at, "plain", requestSignUp=True), "requestSignUp")
    state_row(at, begin(at, "bare", requestSignUp=False), "requestSignUp false, no PKCE")
    data = {
        "mine": {"deep": [1, None]},
        "callbackURL": "https://x.example",
        "errorURL": "https://x.example",
        "newUserURL": "https://x.example",
        "codeVerifier": "x",
        "link": {"userId": ada.id, "email": "x@example.com"},
        "oauthState": "x",
        "requestSignUp": True,
        "expiresAt": 9_999_999_999_999,
        "idTokenNonce": "x",
        "serverContext": {"x": 1},
    }
    state_row(at, begin(at, "plain", additionalData=data), "additionalData")
    state_row(at, link(at, "plain", ada.cookie, additionalData=data, **places), "a link")
    start = begin(at, "plain", name="life")
    at.sql(
        "SELECT round(extract(epoch FROM expires_at - now()) / 10) FROM verifications"
        f" WHERE identifier = 'auth-state:{start.state}'",
        name="life of the row",
    )
