"""Transport: which paths and methods there are, media types, bodies, queries."""

from tests.interop.auth.visitor import PASSWORD, PREFIX, Visitor, scenario

JSON = "application/json"


@scenario("plain")
def unknown_paths(at: Visitor) -> None:
    for path in (
        "", "/", "/ok/", "//ok", "/ok//", "/nothing", "/Ok", "/sign-in", "/sign-in/",
        "/sign-in/email/", "/sign-in//email", "/sign-in/nobody", "/get-session/", "/get-session/x",
        "/set-password", "/ok%2F", "/reset-password/", "/reset-password/a/b?callbackURL=/",
        "/delete-user/callback/", "/callback", "/callback/", "/..", "/ok;a=b", "/session",
        "/admin/list-users", "/token", "/jwks", "/forget-password",
    ):  # fmt: skip
        at.get(404, path)
        at.post(404, path, {})


@scenario("plain")
def paths_as_they_are_written(at: Visitor) -> None:
    at.get(200, "/ok")
    at.get(200, "/ok?a=1&a=2")
    at.get(200, "/ok?")
    for path in ("/%6fk", "/./ok", "/x/../ok", "/ok#part", "/get-session/."):
        at.get(None, path)
    at.send(404, "GET", f"{PREFIX}x/ok", outside=True)


@scenario("plain")
def wrong_methods(at: Visitor) -> None:
    gets = ("/ok", "/error", "/list-sessions", "/list-accounts", "/verify-email", "/account-info",
            "/delete-user/callback", "/reset-password/abc")  # fmt: skip
    posts = ("/sign-up/email", "/sign-in/email", "/sign-in/social", "/sign-out", "/revoke-session",
             "/revoke-sessions", "/revoke-other-sessions", "/update-session", "/update-user",
             "/change-email", "/change-password", "/verify-password", "/delete-user",
             "/request-password-reset", "/reset-password", "/send-verification-email",
             "/unlink-account", "/link-social", "/get-access-token", "/refresh-token")  # fmt: skip
    for path in gets:
        for method in ("POST", "PUT", "HEAD", "OPTIONS"):
            at.send(404, method, path)
    for path in posts:
        for method in ("GET", "DELETE", "OPTIONS"):
            at.send(404, method, path)
    for method in ("PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
        at.send(404, method, "/get-session")
    at.send(404, "POST", "/ok", b"{", {"content-type": JSON})
    at.send(404, "POST", "/nothing", b"{", {"content-type": "text/plain"})


@scenario("plain")
def preflight(at: Visitor) -> None:
    asked = {
        "origin": "https://stranger.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    at.send(404, "OPTIONS", "/sign-in/email", None, asked)
    own = asked | {"origin": "https://app.example.com"}
    at.send(404, "OPTIONS", "/sign-in/email", None, own, name="a preflight from a trusted origin")


@scenario("plain")
def error_page(at: Visitor) -> None:
    for query in (
        "", "?error=abc", "?error=it's_a-1", "?error=%3Cscript%3E", "?error=",
        "?error=a&error_description=b+c%26d", "?error_description=%C3%BC",
        "?error=a&error=b", "?error=a%20b", "?error=%C3%BC&error_description=",
    ):  # fmt: skip
        at.get(302, f"/error{query}")


@scenario("plain")
def media_types(at: Visitor) -> None:
    body = b'{"email": "nobody", "password": "p"}'
    for kind in (JSON, f"{JSON}; charset=utf-8", f"{JSON};charset=latin-1", "APPLICATION/JSON",
                 f" {JSON} ", f"{JSON} ; a=b", f"{JSON};"):  # fmt: skip
        at.post(400, "/sign-in/email", body, headers={"content-type": kind}, name=kind)
    for kind in (
        "text/plain", "application/vnd.api+json", "application/jsonx",
        "multipart/form-data; boundary=x", "json", "*/*", "application/json, text/plain",
        "text/json", "application/xml;q=1",
    ):  # fmt: skip
        for path in ("/sign-in/email", "/sign-out", "/reset-password"):
            at.post(415, path, body, headers={"content-type": kind}, name=f"{kind} {path}")
    form = "application/x-www-form-urlencoded"
    for path in ("/sign-out", "/change-password", "/request-password-reset", "/update-user"):
        at.post(415, path, b"a=b", headers={"content-type": form}, name=f"form {path}")
    for kind in ("", " "):
        at.post(None, "/sign-in/email", body, headers={"content-type": kind}, name=f"type {kind!r}")
        at.post(None, "/sign-out", body, headers={"content-type": kind}, name=f"out {kind!r}")


@scenario("plain")
def no_media_type(at: Visitor) -> None:
    for path in ("/sign-in/email", "/sign-up/email", "/request-password-reset", "/change-password",
                 "/update-user", "/delete-user"):  # fmt: skip
        at.post(400, path, b'{"email": "a@b.co"}', headers={"content-type": None})
        at.post(400, path)
    at.post(200, "/sign-out", b"[]", headers={"content-type": None})
    at.post(200, "/sign-out", b"{", headers={"content-type": None})
    at.post(200, "/sign-out")
    at.post(401, "/revoke-sessions")


@scenario("plain")
def empty_bodies(at: Visitor) -> None:
    for path in ("/sign-in/email", "/reset-password", "/update-user", "/delete-user"):
        at.post(400, path, b"")
    at.post(200, "/sign-out", b"")
    at.post(401, "/revoke-sessions", b"")
    at.send(400, "POST", "/sign-out", b"", {"content-type": JSON}, chunked=True, name="chunked")
    at.send(415, "POST", "/sign-out", b"x", {"content-type": "a/b"}, chunked=True, name="chunk a/b")
    at.post(None, "/sign-out", b"", headers={"content-type": "text/plain"}, name="empty text")
    at.send(None, "POST", "/sign-out", None, {"content-type": JSON}, name="a type and no body")
    at.send(None, "POST", "/sign-out", None, {"content-type": "text/plain"}, name="only text/plain")


@scenario("plain")
def chunked_body(at: Visitor) -> None:
    body = b'{"email": "nobody", "password": "p"}'
    at.send(400, "POST", "/sign-in/email", body, {"content-type": JSON}, chunked=True)


@scenario("plain")
def malformed_json(at: Visitor) -> None:
    broken = (
        b"{", b"}", b"nothing", b"{'email': 1}", b'{"email": "a@b.co",}', b'{"a": NaN}',
        b'{"a": Infinity}', b'{"a": 01}', b'{"a": "\x01"}', b'{"a": 1} x', b'{"a": 1}{}', b"[1,]",
        b'{"a": "\\x"}', b'{"a": .5}', b'{"a": +1}', b"undefined", b"{\"a\": \"b\nc\"}", b" ",
        b"\n", b"// c\n{}", b'"', b"\xff\xfe{\x00}\x00", b'{"a": tru}', b"{a: 1}",
        b'\xef\xbb\xbf{',
    )  # fmt: skip
    for body in broken:
        at.post(400, "/sign-in/email", body, name=f"sign in {body!r}")
    for path in ("/sign-out", "/revoke-sessions", "/update-user", "/request-password-reset",
                 "/revoke-other-sessions", "/get-access-token"):  # fmt: skip
        at.post(400, path, b"{")


@scenario("plain")
def json_that_is_not_an_object(at: Visitor) -> None:
    for path in ("/sign-in/email", "/sign-up/email", "/sign-out", "/update-user", "/update-session",
                 "/delete-user", "/unlink-account", "/account-info", "/get-access-token",
                 "/revoke-session", "/sign-in/social"):  # fmt: skip
        for body in (b"[]", b"null", b"1", b'"text"', b"true", b"{}", b'[{"email": "a@b.co"}]'):
            at.post(None, path, body, name=f"{path} {body!r}")


@scenario("plain")
def json_oddities(at: Visitor) -> None:
    at.post(400, "/sign-in/email", b'\xef\xbb\xbf{"email": "nobody", "password": "p"}')
    at.post(400, "/sign-in/email", b'{"email": 1, "password": "p", "email": "nobody"}')
    at.post(400, "/sign-in/email", b'{"email": "nobody", "password": "p", "email": 1}')
    at.post(400, "/sign-in/email", b'  \r\n\t{"email": "nobody", "password": "p"}  \n')
    at.post(400, "/sign-in/email", b'{"__proto__": {"email": "nobody"}, "password": "p"}')
    at.post(400, "/sign-in/email", b'{"constructor": 1, "email": "nobody", "password": "p"}')
    at.post(400, "/sign-in/email", b'{"email": "nobod\xff", "password": "p"}')
    too_big = b'{"email": "nobody", "password": 1e400}'
    at.post(400, "/sign-in/email", too_big, name="a number too big")
    at.post(400, "/sign-in/email", b'{"email": -0, "password": 123456789012345678901234567890}')
    at.post(400, "/sign-in/email", b"[" * 400 + b"]" * 400, name="deep")
    at.post(400, "/sign-in/email", b'{"a": 1, "email": "nobody", "password": "p", "": ""}')


@scenario("plain")
def body_before_origin_before_validation(at: Visitor) -> None:
    strange = {"cookie": "a=b", "origin": "https://stranger.example"}
    for path in ("/sign-in/email", "/revoke-session", "/update-user"):
        at.post(400, path, b"{", headers=strange)
        at.post(415, path, b"{}", headers=strange | {"content-type": "text/plain"})
        at.post(403, path, {}, headers=strange, name=f"{path} origin before validation")
    at.post(400, "/revoke-session", {}, cookie="a=b")
    at.post(401, "/revoke-session", {"token": "t"}, cookie="a=b")
    at.post(400, "/revoke-session?token=a&token=b", {}, cookie="a=b")


@scenario("plain")
def get_session_reads_no_body(at: Visitor) -> None:
    at.send(405, "POST", "/get-session", b"{", {"content-type": JSON})
    at.send(405, "POST", "/get-session", b"{", {"content-type": "text/plain"})
    at.send(405, "POST", "/get-session", b"{}", {"content-type": JSON})
    at.send(405, "POST", "/get-session")
    for path in ("/get-session", "/ok", "/list-sessions"):
        at.send(None, "GET", path, b"{", {"content-type": JSON}, name=f"{path} with a broken body")
        at.send(None, "GET", path, b"x", {"content-type": "a/b"}, name=f"{path} with a typed body")


@scenario("plain")
def repeated_query_parameters(at: Visitor) -> None:
    at.get(400, "/verify-email?token=a&token=b")
    at.get(400, "/verify-email")
    at.get(400, "/verify-email?callbackURL=/a")
    at.get(400, "/verify-email?token=a&callbackURL=/a&callbackURL=/b")
    at.get(400, "/verify-email?token=a&token=b&callbackURL=/a&callbackURL=/b")
    at.get(400, "/reset-password/abc")
    at.get(400, "/reset-password/abc?callbackURL=/a&callbackURL=/b")
    at.get(400, "/delete-user/callback")
    at.get(400, "/delete-user/callback?token=a&token=b")
    at.post(400, "/reset-password?token=a&token=b", {"newPassword": PASSWORD})
    at.post(400, "/reset-password?token=a&token=b", {})
    at.get(None, "/get-session?disableRefresh=1&disableRefresh=2")
    at.get(None, "/get-session?disableCookieCache=a&disableCookieCache=b")


@scenario("plain")
def form_bodies(at: Visitor) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    ada = at.sign_up("ada")
    login = f"email={ada.email}&password={PASSWORD.replace(' ', '+')}".encode()
    at.post(200, "/sign-in/email", login, headers=form, name="form")
    kind = {"content-type": "Application/X-WWW-Form-URLencoded; charset=utf-8"}
    at.post(200, "/sign-in/email", login, headers=kind, name="form with a charset")
    at.post(400, "/sign-in/email", login + b"&rememberMe=false", headers=form, name="remember")
    at.post(400, "/sign-in/email", b"", headers=form, name="empty form")
    at.post(400, "/sign-in/email", b"{}", headers=form, name="JSON as a form")
    at.post(None, "/sign-in/email", b"email=a&email=nobody&password=p", headers=form, name="twice")
    at.post(400, "/sign-in/email", b"email=%zz&password=%", headers=form, name="bad percent")
    email = at.address("bob")
    new = f"name=Bob+B&email={email}&password=12345678%209".encode()
    at.post(200, "/sign-up/email", new, headers=form, name="sign-up form")
    at.post(400, "/sign-up/email", b"name=B&email=x", headers=form, name="bad sign-up form")
    at.post(None, "/callback/github", b"state=s&code=c", headers=form, name="callback form")
