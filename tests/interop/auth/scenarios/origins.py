"""Origins: who may call with a cookie, and where a callback may lead."""

from urllib.parse import quote

from tests.interop.auth.visitor import Visitor, scenario

ORIGINS = (
    "http://auth.gatepost.test", "http://auth.gatepost.test/", "http://auth.gatepost.test/a/b?c#d",
    "HTTP://AUTH.Gatepost.TEST", "http://auth.gatepost.test:80", "http://auth.gatepost.test:8000",
    "https://auth.gatepost.test", "http://auth.gatepost.test.", "http://gatepost.test",
    "http://x.auth.gatepost.test", "http://auth.gatepost.testx", "auth.gatepost.test",
    "//auth.gatepost.test", "http://user:pw@auth.gatepost.test",
    "http://auth.gatepost.test@x.example", "null", "", " ", "*", "/", "/path", "http://", "http:",
    "javascript:alert(1)", "data:text/html,x", "https://app.example.com",
    "https://app.example.com:443", "https://app.example.com:8443", "http://app.example.com",
    "https://APP.example.com", "https://app.example.com.x.example", "http://localhost:3000",
    "http://localhost:3001", "http://127.0.0.1:3000", "http://localhost", "https://a.wild.example",
    "http://a.wild.example", "https://a.b.wild.example", "https://wild.example",
    "https://a.wild.example:8443", "https://awild.example", "https://a.wild.example.x",
    "https://a.deep.example:8443", "https://a.deep.example", "http://a.deep.example:8443",
    "https://a.b.deep.example:8443", "https://one1.example", "https://one12.example",
    "https://one.example", "http://10.0.0.7", "http://10.0.0.7:8000", "http://10.0.0.x",
    "http://10.0.0.1.evil.example", "http://10.0.0.1234", "http://0x0a000007", "myapp://",
    "myapp://x", "myapp://x/y", "myapp2://", "exp://10.0.0.5:80/path",
    "exp://10.0.0.5:80/path/more", "exp://10.0.0.5:80/pathology", "exp://11.0.0.5:80/path",
    "https://app.example.com\\@x.example", "https://xn--bcher-kva.example", "file:///etc",
    "blob:http://auth.gatepost.test/x",
)  # fmt: skip

CALLBACKS = (
    "/", "/a", "/a/b?c=d#e", "/a/../b", "//x.example", "/\\x.example", "\\/x.example", "/a\\b",
    "/%2fx.example", "/a%2Fb", "/%5cx.example", "/a?b=%2F", "/a#%2f", "/a%20b", "/a b", "/ü",
    "/a//b", "///x.example", "/.//x.example", "/a/..//x.example", "/%2e//x.example", "/a@b",
    "/:80", "/a?u=https://x.example", "/\tx", "/a\n", "/%00",
    "/.", "/..", "/~a-b_c.d", "/a+b", "/a;b", "/a,b", "/a'b", '/a"b', "/<a>", "/[a]", "/{a}",
    "/a|b", "/a^b", "/a`b", "/a!$&()*=b", "/a%", "/a%zz", "?a=b", "#a", "a", "dashboard", "./a",
    "../a", "x.example", " /a", "/a ", "http:/a", "https:x.example", "https:///x.example",
    "http://auth.gatepost.test\\.x.example",
)  # fmt: skip


@scenario("plain")
def origin_with_a_cookie(at: Visitor) -> None:
    for origin in ORIGINS:
        at.post(None, "/sign-out", {}, headers={"cookie": "a=b", "origin": origin},
                name=f"Origin {origin!r}")  # fmt: skip
    for referer in ORIGINS:
        at.post(None, "/sign-out", {}, headers={"cookie": "a=b", "referer": referer},
                name=f"Referer {referer!r}")  # fmt: skip


@scenario("plain")
def origin_and_cookie(at: Visitor) -> None:
    own, strange = at.base_url, "https://x.example"
    for name, headers in {
        "no cookie, no origin": {},
        "no cookie, strange": {"origin": strange},
        "no cookie, null": {"origin": "null"},
        "a cookie, no origin": {"cookie": "a=b"},
        "an empty cookie, no origin": {"cookie": ""},
        "an empty cookie, strange": {"cookie": "", "origin": strange},
        "an empty cookie, own": {"cookie": "", "origin": own},
        "origin beats referer": {"cookie": "a=b", "origin": strange, "referer": own},
        "origin beats referer, own": {"cookie": "a=b", "origin": own, "referer": strange},
        "null origin, own referer": {"cookie": "a=b", "origin": "null", "referer": own},
        "empty origin, own referer": {"cookie": "a=b", "origin": "", "referer": own},
        "null, same-origin": {"cookie": "a=b", "origin": "null", "sec-fetch-site": "same-origin"},
        "null, same-site": {"cookie": "a=b", "origin": "null", "sec-fetch-site": "same-site"},
        "null, cross-site": {"cookie": "a=b", "origin": "null", "sec-fetch-site": "cross-site"},
        "null, none": {"cookie": "a=b", "origin": "null", "sec-fetch-site": "none"},
        "none, same-origin": {"cookie": "a=b", "sec-fetch-site": "same-origin"},
        "strange, same-origin": {
            "cookie": "a=b",
            "origin": strange,
            "sec-fetch-site": "same-origin",
        },
    }.items():
        for path, body in (("/sign-out", {}), ("/revoke-sessions", {}), ("/sign-in/email", {}),
                           ("/request-password-reset", {"email": "a@b.co"})):  # fmt: skip
            at.post(None, path, body, headers=headers, name=f"{path} {name}")
        at.send(None, "POST", "/get-session", None, headers, name=f"/get-session {name}")
        at.get(200, "/get-session", headers=headers, name=f"GET {name}")
        at.get(401, "/list-accounts", headers=headers, name=f"accounts {name}")


@scenario("plain")
def form_csrf(at: Visitor) -> None:
    own, strange = at.base_url, "https://x.example"
    sign_in = {"email": "nobody", "password": "p"}
    sign_up = {"name": "A", "email": "a@b.co", "password": "short"}
    for name, headers in {
        "cross-site navigate": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
        "cross-site navigate, own": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate",
                                     "sec-fetch-dest": "document", "origin": own},
        "cross-site cors": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"},
        "cross-site cors, own": {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors",
                                 "origin": own},
        "same-origin cors, own": {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors",
                                  "origin": own},
        "same-origin cors": {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"},
        "same-origin navigate, null": {"sec-fetch-site": "same-origin", "origin": "null",
                                       "sec-fetch-mode": "navigate"},
        "same-site navigate, strange": {"sec-fetch-site": "same-site", "origin": strange,
                                        "sec-fetch-mode": "navigate"},
        "navigate alone": {"sec-fetch-mode": "navigate"},
        "cors alone": {"sec-fetch-mode": "cors"},
        "cors, own": {"sec-fetch-mode": "cors", "origin": own},
        "dest alone": {"sec-fetch-dest": "empty"},
        "dest, strange": {"sec-fetch-dest": "empty", "origin": strange},
        "empty site": {"sec-fetch-site": ""},
        "user alone": {"sec-fetch-user": "?1"},
        "capitals": {"sec-fetch-site": "Cross-Site", "sec-fetch-mode": "Navigate"},
        "own origin": {"origin": own},
        "strange origin": {"origin": strange},
        "null origin": {"origin": "null"},
        "empty origin": {"origin": ""},
        "own referer": {"referer": f"{own}/page"},
        "strange referer": {"referer": f"{strange}/page"},
        "null, own referer": {"origin": "null", "referer": own},
        "trusted": {"origin": "https://app.example.com"},
        "nothing": {},
        "cross-site navigate, a cookie": {"sec-fetch-site": "cross-site", "cookie": "a=b",
                                          "sec-fetch-mode": "navigate", "origin": own},
        "bearer": {"authorization": "Bearer a.b", "sec-fetch-mode": "cors"},
    }.items():  # fmt: skip
        at.post(None, "/sign-in/email", sign_in, headers=headers, name=f"in {name}")
        at.post(None, "/sign-up/email", sign_up, headers=headers, name=f"up {name}")
        at.post(None, "/sign-out", {}, headers=headers, name=f"out {name}")
    at.post(None, "/sign-in/email", {}, headers={"origin": strange}, name="validation after")


@scenario("plain")
def callback_urls(at: Visitor) -> None:
    for url in (*CALLBACKS, *ORIGINS):
        body = {"email": "nobody", "password": "p", "callbackURL": url}
        at.post(None, "/sign-in/email", body, name=f"callbackURL {url!r}")
        body = {"email": at.address("nobody"), "redirectTo": url}
        at.post(None, "/request-password-reset", body, name=f"redirectTo {url!r}")


@scenario("plain")
def callback_urls_in_queries(at: Visitor) -> None:
    for url in (*CALLBACKS, *ORIGINS):
        asked = quote(url, safe="")
        at.get(None, f"/verify-email?token=x&callbackURL={asked}", name=f"verify {url!r}")
        at.get(None, f"/reset-password/none?callbackURL={asked}", name=f"reset {url!r}")
    for url in ("/a", "https://x.example", "//x.example", "a", ""):
        at.get(None, f"/delete-user/callback?token=x&callbackURL={url}")
        at.post(None, f"/sign-out?callbackURL={url}", {}, name=f"query of sign-out {url!r}")
        at.post(None, f"/sign-out?redirectTo={url}", {}, name=f"redirectTo of sign-out {url!r}")


@scenario("plain")
def every_kind_of_url(at: Visitor) -> None:
    for key in ("callbackURL", "redirectTo", "errorCallbackURL", "newUserCallbackURL"):
        for value in (
            "https://x.example", "//x.example", "a", "/a", "", None, 1, 0, False, True, [],
            ["/a"], ["https://x.example"], {}, {"a": 1}, "myapp://x", " ",
        ):  # fmt: skip
            for path in ("/sign-out", "/revoke-sessions", "/sign-in/email"):
                at.post(None, path, {key: value}, name=f"{path} {key} {value!r}")
    at.post(None, "/sign-out", {"callbackURL": "https://x.example", "redirectTo": 1})
    at.post(None, "/sign-out?callbackURL=https://x.example", {"callbackURL": "/a"})
    at.post(None, "/sign-out?callbackURL=https://x.example", {"callbackURL": ""})
    at.post(None, "/sign-out?callbackURL=https://x.example", b"[]")
    at.post(None, "/sign-out?callbackURL=/a&callbackURL=/b", {})
    strange = {"cookie": "a=b", "origin": "https://y.example"}
    at.post(403, "/sign-out", {"callbackURL": "https://x.example"}, headers=strange)
    at.get(200, "/get-session?callbackURL=https://x.example")
    at.get(200, "/ok?callbackURL=https://x.example")
