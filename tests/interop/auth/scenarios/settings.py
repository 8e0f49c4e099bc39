"""What settings change: cookies, clients behind proxies, rate limits, sign-up without a session."""

from tests.interop.auth.visitor import PASSWORD, Visitor, scenario, signed


@scenario("quiet")
def no_session_at_sign_up(at: Visitor) -> None:
    ada = at.sign_up("ada", callbackURL="/hello")
    at.mail(ada)
    taken = {"name": "Other", "email": ada.email, "password": PASSWORD, "image": "x"}
    at.post(200, "/sign-up/email", taken, name="taken")
    at.post(200, "/sign-up/email", taken | {"rememberMe": False}, name="taken, forgotten")
    at.sql(f"SELECT count(*) FROM sessions WHERE user_id = '{ada.id}'")
    session = at.sign_in(ada)
    at.get(200, "/get-session", session.cookie)
    plain = session.cookie.removeprefix("__Secure-")
    at.get(200, "/get-session", plain, name="the plain name")
    at.post(200, "/sign-out", {}, session.cookie)
    forgotten = at.sign_in(ada, rememberMe=False)
    at.get(200, "/get-session", forgotten.cookie)
    at.post(200, "/update-user", {"name": "N"}, forgotten.cookie)
    old = f"__Secure-better-auth.session_token={signed('u' * 32)}"
    at.get(200, "/get-session", f"{old}; __Secure-better-auth.session_data=x", name="unknown")


@scenario("quiet")
def no_freshness(at: Visitor) -> None:
    ada = at.sign_up("ada")
    at.mail(ada)
    at.cookie_name = "__Secure-better-auth.session_token"
    old = at.session(ada, "-100 h", "168 h")
    at.get(200, "/list-sessions", old.cookie)
    at.post(400, "/unlink-account", {"accountId": "x"}, old.cookie)
    new = at.address("new")
    at.post(200, "/change-email", {"newEmail": new, "callbackURL": "/n"}, old.cookie)
    mail = at.mail(email=new)
    at.get(200, "/get-session", old.cookie)
    at.get(200, f"/verify-email?token={mail['token']}", old.cookie)
    at.post(200, "/delete-user", {}, old.cookie)


@scenario("deferred")
def secure_cookies_off(at: Visitor) -> None:
    ada = at.sign_up("ada")
    at.get(200, "/get-session", ada.cookie)
    at.get(200, "/get-session", f"__Secure-{ada.cookie}", name="the secure name")
    forgotten = at.sign_in(ada, rememberMe=False)
    at.sql(f"SELECT max(round(extract(epoch FROM expires_at - created_at) / 60)) FROM sessions"
           f" WHERE user_id = '{ada.id}'")  # fmt: skip
    at.post(200, "/sign-out", {}, forgotten.cookie)


@scenario("secure")
def prefix_and_domain(at: Visitor) -> None:
    ada = at.sign_up("ada")
    at.get(200, "/get-session", ada.cookie)
    at.get(200, "/get-session", ada.cookie.replace("gate.", "better-auth."), name="another prefix")
    at.get(200, "/get-session", ada.cookie.removeprefix("__Secure-"), name="the plain name")
    at.post(200, "/update-user", {"name": "N"}, ada.cookie)
    at.post(403, "/update-user", {"name": "N"}, ada.cookie,
            headers={"origin": "http://auth.gatepost.test"})  # fmt: skip
    forgotten = at.sign_in(ada, rememberMe=False)
    at.get(200, "/get-session", forgotten.cookie)
    at.get(200, "/get-session", "__Secure-gate.session_data.0=a; __Secure-gate.session_data.1=b")
    at.post(200, "/sign-out", {}, forgotten.cookie)
    at.get(200, "/get-session", forgotten.cookie)
    at.get(302, "/reset-password/none?callbackURL=/new")
    at.get(302, "/reset-password/none?callbackURL=")
    at.get(302, "/callback/github")
    at.post(200, "/request-password-reset", {"email": ada.email, "redirectTo": "/new"})
    at.mail(ada)
    at.post(200, "/send-verification-email", {"email": ada.email}, ada.cookie)
    at.mail(ada)


@scenario("cross-site")
def cookies_for_other_sites(at: Visitor) -> None:
    """Each way in which a cookie is set and ended, and the requests that other sites make."""
    ada = at.sign_up("ada")
    forgotten = at.sign_in(ada, rememberMe=False)
    at.get(200, "/get-session", forgotten.cookie)
    due = at.session(ada, created="-48 h", expires="120 h")
    token = f"__Secure-{due.cookie}"
    at.get(200, "/get-session", token, name="due")
    at.get(200, "/get-session", f"{token}; __Secure-better-auth.session_data=x", name="a copy")
    for origin in ("https://app.example.com", "https://evil.example", "null"):
        fetched = {"origin": origin, "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
        at.get(None, "/get-session", forgotten.cookie, fetched, f"read from {origin}")
        at.post(None, "/update-user", {"name": "N"}, forgotten.cookie, fetched, f"from {origin}")
    for mode, dest in (("no-cors", "image"), ("navigate", "iframe"), ("navigate", "document")):
        asked = {"sec-fetch-site": "cross-site", "sec-fetch-mode": mode, "sec-fetch-dest": dest}
        at.get(None, "/get-session", forgotten.cookie, asked, f"{mode} for an {dest}")
        asked["referer"] = "https://app.example.com/page"
        at.get(200, "/get-session", forgotten.cookie, asked, f"{mode} for our {dest}")
    at.post(200, "/sign-out", {}, forgotten.cookie)
    at.get(200, "/get-session", forgotten.cookie, name="an ended session")
    ada = at.sign_in(ada)
    at.post(200, "/delete-user", {"password": PASSWORD}, ada.cookie)


@scenario("secure")
def behind_proxies(at: Visitor) -> None:
    ada = at.sign_up("ada")
    body = {"email": ada.email, "password": PASSWORD}
    for chain in (
        "203.0.113.7", "203.0.113.7, 10.1.2.3", "203.0.113.7,10.1.2.3,10.1.255.255",
        "198.51.100.1, 203.0.113.7, 10.1.2.3", "203.0.113.7, 10.2.0.1", "10.1.2.3, 10.1.2.4",
        "10.1.2.3", "nonsense, 10.1.2.3", "nonsense, 203.0.113.7, 10.1.2.3",
        "203.0.113.7, nonsense", "203.0.113.7,", ", 203.0.113.7", "203.0.113.7, , 10.1.2.3",
        "2001:db8:9::1, 2001:db8:7:1::2", "2001:db8:9:1:2:3:4:5", "203.0.113.7, ::ffff:10.1.2.3",
        "203.0.113.7:80, 10.1.2.3", "nonsense",
    ):  # fmt: skip
        headers = {"x-forwarded-for": chain}
        answer = at.post(200, "/sign-in/email", body, headers=headers, name=f"from {chain!r}")
        at.get(200, "/get-session", answer.cookie, name=f"session from {chain!r}")


def limits(at: Visitor) -> None:
    """Requests as fast as they go: fewer than a window apart, all in one."""
    wrong = {"email": "nobody", "password": "p"}
    for path, body, allowed in (
        ("/sign-in/email", wrong, 3), ("/sign-up/email", {}, 3), ("/change-password", {}, 3),
        ("/change-email", {}, 3), ("/request-password-reset", {}, 3), ("/sign-in/nothing", {}, 3),
        ("/send-verification-email", {}, 3), ("/forget-password/x", {}, 3),
    ):  # fmt: skip
        for address in ("203.0.113.7", "203.0.113.8"):
            for number in range(allowed + 2):
                headers = {"x-forwarded-for": address}
                at.post(None, path, body, headers=headers, name=f"{path} {address} {number}")
    for name, headers in {
        "another address": {"x-forwarded-for": "203.0.113.9"},
        "in the same /64": {"x-forwarded-for": "2001:db8:1:2::1"},
        "no address": {},
        "no good address": {"x-forwarded-for": "203.0.113.7, nonsense"},
    }.items():
        at.post(400, "/sign-in/email", wrong, headers=headers, name=name)
    for last in (2, 3, 4):
        headers = {"x-forwarded-for": f"2001:db8:1:2::{last}"}
        at.post(None, "/sign-in/email", wrong, headers=headers, name=f"the same /64, {last}")
    for path in ("/nothing", "/list-accounts", "/error"):
        headers = {"x-forwarded-for": "203.0.113.7"}
        for number in range(102):
            at.get(None, path, headers=headers, name=f"{path} {number}")
    headers = {"x-forwarded-for": "203.0.113.7"}
    at.send(429, "OPTIONS", "/nothing", None, headers)
    at.get(200, "/ok", headers=headers)


@scenario("limited")
def limits_in_memory(at: Visitor) -> None:
    limits(at)


@scenario("limited by table")
def limits_in_the_table(at: Visitor) -> None:
    limits(at)
    rows = "SELECT key, count FROM rate_limits WHERE key {} '/(ok|nothing|list-accounts|error)$'"
    made_up = "key ~ '/forget-password/'"
    at.sql(f"{rows.format('!~')} AND NOT {made_up} ORDER BY key")
    at.sql(f"{rows.format('!~')} AND {made_up} ORDER BY key", name="no endpoint's path")
    at.sql(f"{rows.format('~')} AND count = 100 ORDER BY key", name="under the general rule")
