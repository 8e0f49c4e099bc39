"""Cookies: how they are read, and the bearer plugin, which reads tokens as cookies."""

from urllib.parse import quote

from tests.interop.auth.visitor import PASSWORD, Visitor, scenario, signature, signed, unsigned

NAME = "better-auth.session_token"


@scenario("plain")
def reading(at: Visitor) -> None:
    ada, bob = at.sign_up("ada"), at.sign_up("bob")
    token, mark = unsigned(ada.cookie), signature(unsigned(ada.cookie))
    full = f"{token}.{mark}"
    encoded = quote(full, safe="")
    other = bob.cookie.partition("=")[2]
    for name, cookie in {
        "as sent": ada.cookie,
        "not encoded": f"{NAME}={full}",
        "all encoded": f"{NAME}={''.join(f'%{ord(c):02x}' for c in full)}",
        "quoted": f'{NAME}="{encoded}"',
        "quoted and not encoded": f'{NAME}="{full}"',
        "half quoted": f'{NAME}="{encoded}',
        "the first of two": f"{NAME}={encoded}; {NAME}={other}",
        "the first of two, a bad one": f"{NAME}=x; {NAME}={encoded}",
        "the first of two, an empty one": f"{NAME}=; {NAME}={encoded}",
        "among others": f"a=b; {NAME}={encoded}; c=d",
        "without blanks": f"a=b;{NAME}={encoded};c=d",
        "with blanks": f"  {NAME} = {encoded} ;",
        "with semicolons": f";;{NAME}={encoded};;",
        "with an attribute": f"{NAME}={encoded}; Path=/; HttpOnly",
        "by comma": f"a=b, {NAME}={encoded}",
        "secure name": f"__Secure-{ada.cookie}",
        "host name": f"__Host-{ada.cookie}",
        "other capitals": f"{NAME.upper()}={encoded}",
        "other prefix": f"session_token={encoded}",
        "an encoded name": f"better-auth%2Esession_token={encoded}",
        "no signature": f"{NAME}={token}",
        "an empty signature": f"{NAME}={token}.",
        "no token": f"{NAME}=.{quote(mark)}",
        "only a dot": f"{NAME}=.",
        "empty": f"{NAME}=",
        "no equals sign": NAME,
        "another's signature": f"{NAME}={quote(f'{unsigned(bob.cookie)}.{mark}')}",
        "a short signature": f"{NAME}={quote(full[:-1])}",
        "a long signature": f"{NAME}={quote(full + '=')}",
        "without the last sign": f"{NAME}={quote(full[:-1] + 'A')}",
        "another secret": f"{NAME}={signed(token, 'another secret of 32 letters or more')}",
        "a bad percent": f"{NAME}={full}%zz",
        "letters more": f"{NAME}=x{encoded}",
        "capitals": f"{NAME}={quote(full.swapcase())}",
        "an unknown token": f"{NAME}={signed('u' * 32)}",
        "an unknown token with dots": f"{NAME}={signed('a.b.c')}",
        "an unknown token of one letter": f"{NAME}={signed('a')}",
        "an unknown token with a null": f"{NAME}={signed(chr(0))}",
        "an unknown token with signs": f"{NAME}={signed('ü %;=')}",
        "a long unknown token": f"{NAME}={signed('u' * 3000)}",
    }.items():
        at.get(None, "/get-session", cookie, name=name)
        at.get(None, "/list-accounts", cookie, name=f"accounts: {name}")


@scenario("plain")
def session_data(at: Visitor) -> None:
    ada = at.sign_up("ada")
    for data in ("better-auth.session_data=x", "better-auth.session_data=",
                 "better-auth.session_data.0=a; better-auth.session_data.1=b",
                 "better-auth.session_data=x; better-auth.session_data.0=a",
                 "better-auth.session_data.x=1", "__Secure-better-auth.session_data=x",
                 "better-auth.session_data.1=b"):  # fmt: skip
        at.get(200, "/get-session", data, name=data)
        at.get(200, "/get-session", f"{ada.cookie}; {data}", name=f"with a session: {data}")
        at.get(200, "/list-accounts", f"{ada.cookie}; {data}", name=f"accounts: {data}")
        bad = f"{NAME}=bad; {data}"
        at.get(200, "/get-session", bad, name=f"with a bad session: {data}")
        gone = f"{NAME}={signed('u' * 32)}; {data}"
        at.get(200, "/get-session", gone, name=f"with an unknown session: {data}")
    at.post(200, "/revoke-sessions", {}, f"{ada.cookie}; better-auth.session_data.0=a")


@scenario("plain")
def dont_remember(at: Visitor) -> None:
    ada = at.sign_up("ada")
    mark = f"better-auth.dont_remember={signed('true')}"
    for name, cookie in {
        "good": mark,
        "bad": "better-auth.dont_remember=true",
        "of another secret": f"better-auth.dont_remember={signed('true', 'x' * 32)}",
        "false": f"better-auth.dont_remember={signed('false')}",
        "empty": "better-auth.dont_remember=",
    }.items():
        due = at.session(ada, created="-48 h", expires="120 h")
        at.get(200, "/get-session", f"{due.cookie}; {cookie}", name=f"due, {name}")
        body = {"name": name}
        both = f"{ada.cookie}; {cookie}"
        at.post(200, "/update-user", body, both, name=f"update-user, {name}")
    at.get(200, "/get-session", mark, name="alone")
    at.post(200, "/sign-out", {}, mark, name="sign-out")


@scenario("plain")
def bearer(at: Visitor) -> None:
    ada, bob = at.sign_up("ada"), at.sign_up("bob")
    token = unsigned(ada.cookie)
    full = f"{token}.{signature(token)}"
    for name, value in {
        "signed": f"Bearer {full}",
        "encoded": f"Bearer {quote(full, safe='')}",
        "small": f"bearer {full}",
        "capitals": f"BEARER {full}",
        "bare": f"Bearer {token}",
        "badly signed": f"Bearer {token}.{'A' * 43}=",
        "two blanks": f"Bearer  {full} ",
        "no blank": f"Bearer{full}",
        "nothing": "Bearer ",
        "only the word": "Bearer",
        "a dot": "Bearer .",
        "basic": f"Basic {full}",
        "a list": f"Bearer {full}, Bearer {full}",
        "bad percent": f"Bearer {full}%",
        "unknown": f"Bearer {'u' * 32}.{signature('u' * 32)}",
        "unknown with dots": f"Bearer a.b.{signature('a.b')}",
        "a short signature": f"Bearer {full[:-1]}",
        "quoted": f'Bearer "{full}"',
    }.items():
        header = {"authorization": value}
        at.get(200, "/get-session", headers=header, name=name)
        at.get(None, "/list-accounts", headers=header, name=f"accounts: {name}")
    header = {"authorization": f"Bearer {full}"}
    at.get(200, "/get-session", bob.cookie, headers=header, name="beats a cookie")
    bad = {"authorization": f"Bearer {token}.{'A' * 43}="}
    at.get(200, "/get-session", bob.cookie, headers=bad, name="a bad one and a good cookie")
    at.get(200, "/get-session", "a=b; c=d", headers=header, name="with another cookie")
    at.post(200, "/update-user", {"name": "Ada"}, headers=header, name="sets the cookie again")
    at.post(200, "/update-user", {"name": "Ada"}, headers=header | {"origin": "https://x.example"},
            name="from any origin")  # fmt: skip
    at.post(403, "/update-user", {"name": "Ada"}, headers=header | {"cookie": ""},
            name="an empty Cookie header")  # fmt: skip
    due = at.session(ada, created="-48 h", expires="120 h")
    token = unsigned(due.cookie)
    header = {"authorization": f"Bearer {token}.{signature(token)}"}
    at.get(200, "/get-session", headers=header, name="refreshed")
    at.post(200, "/sign-out", {}, headers=header, name="sign-out")
    at.get(200, "/get-session", headers=header, name="signed out")


@scenario("plain")
def bearer_flow(at: Visitor) -> None:
    """Everything by tokens alone, as a mobile client has it."""
    ada = at.sign_up("ada")
    answer = at.post(200, "/sign-in/email", {"email": ada.email, "password": PASSWORD})
    header = {"authorization": f"Bearer {answer.header('set-auth-token')}"}
    at.post(200, "/verify-password", {"password": PASSWORD}, headers=header)
    changed = at.post(
        200, "/change-password",
        {"currentPassword": PASSWORD, "newPassword": "another battery",
         "revokeOtherSessions": True}, headers=header,
    )  # fmt: skip
    at.get(200, "/get-session", headers=header)
    header = {"authorization": f"Bearer {changed.header('set-auth-token')}"}
    at.get(200, "/list-sessions", headers=header)
    at.post(200, "/revoke-sessions", {}, headers=header)
    at.get(401, "/list-sessions", headers=header)
