"""Accounts, and the OAuth endpoints of a server without providers."""

from tests.interop.auth.visitor import PASSWORD, Visitor, scenario


@scenario("plain")
def list_and_unlink(at: Visitor) -> None:
    ada, bob = at.sign_up("ada"), at.sign_up("bob")
    at.get(401, "/list-accounts")
    at.get(200, "/list-accounts", ada.cookie)
    own = f"(SELECT id FROM accounts WHERE user_id = '{ada.id}' AND provider_id = 'credential')"
    credential = at.sql(f"SELECT id FROM accounts WHERE id = {own}")
    foreign = at.sql(f"SELECT id FROM accounts WHERE user_id = '{bob.id}'")
    at.post(400, "/unlink-account", {"accountId": credential}, ada.cookie, name="the last")
    at.post(400, "/unlink-account", {"accountId": "none"}, ada.cookie, name="the last, unknown")
    at.post(401, "/unlink-account", {"accountId": "none"})
    for scope in ("'repo,user'", "' repo , user ,,x'", "''", "NULL", "'repo user'"):
        key = f"md5({own}::text || coalesce({scope}, 'null'))"
        at.sql(
            "INSERT INTO accounts (user_id, account_id, provider_id, scope, access_token)"
            f" VALUES ('{ada.id}', {key}, 'github', {scope}, 'x')"
        )
    at.get(200, "/list-accounts", ada.cookie, name="with others")
    at.post(400, "/unlink-account", {"accountId": "none"}, ada.cookie, name="unknown")
    at.post(400, "/unlink-account", {"accountId": foreign}, ada.cookie, name="another's")
    at.post(400, "/unlink-account", {"accountId": credential, "providerId": "credential"},
            bob.cookie, name="ours by another")  # fmt: skip
    at.post(None, "/unlink-account", {"accountId": credential.upper()}, ada.cookie, name="capitals")
    at.post(400, "/unlink-account", {"accountId": ada.id}, ada.cookie, name="by the account's id")
    at.post(200, "/unlink-account", {"accountId": credential, "providerId": "x"}, ada.cookie)
    at.sql(f"SELECT count(*) FROM accounts WHERE user_id = '{ada.id}'")
    at.post(401, "/sign-in/email", {"email": ada.email, "password": PASSWORD})


@scenario("plain")
def social_sign_in(at: Visitor) -> None:
    ada = at.sign_up("ada")
    for path in ("/sign-in/social", "/link-social"):
        for cookie in (None, ada.cookie):
            for name, body in {
                "github": {"provider": "github"},
                "unknown": {"provider": "x"},
                "empty": {"provider": ""},
                "none": {},
                "a number": {"provider": 1},
                "null": {"provider": None},
                "id token": {"provider": "google", "idToken": {"token": "x"}},
                "a bad id token": {"provider": "google", "idToken": {}},
                "id token text": {"provider": "google", "idToken": "x"},
                "scopes": {"provider": "google", "scopes": "x"},
                "scopes of numbers": {"provider": "google", "scopes": [1]},
                "disableRedirect": {"provider": "google", "disableRedirect": "yes"},
                "additionalData": {"provider": "google", "additionalData": []},
                "callback": {"provider": "google", "callbackURL": "https://x.example"},
                "errorCallbackURL": {"provider": "google", "errorCallbackURL": "https://x.example"},
                "newUserCallbackURL": {"provider": "github", "newUserCallbackURL": "//x.example"},
                "good paths": {"provider": "github", "callbackURL": "/a", "errorCallbackURL": "/b"},
            }.items():
                who = "signed in" if cookie else "nobody"
                at.post(None, path, body, cookie, name=f"{path} {name}, {who}")


@scenario("plain")
def callbacks(at: Visitor) -> None:
    for path in (
        "github", "x", "github?error=access_denied", "github?code=c", "github?state=s&code=c",
        "github?error=a&error_description=b%20c", "github?state=&code=c", "a%2Fb?code=c",
        "github?state=s&error=access_denied", "github?state=a&state=b",
    ):  # fmt: skip
        at.get(None, f"/callback/{path}")
        at.post(None, f"/callback/{path}", {})
    at.post(None, "/callback/github", {"state": "s", "code": "c"}, name="fields in the body")
    at.post(None, "/callback/github", {"state": 1}, name="a number as the state")
    at.post(None, "/callback/github", name="no body")
    at.post(400, "/callback/github", b"{")
    at.get(None, "/callback/github?state=s&code=c", "better-auth.state=x", name="a state cookie")


@scenario("plain")
def provider_tokens(at: Visitor) -> None:
    ada = at.sign_up("ada")
    credential = at.sql(f"SELECT id FROM accounts WHERE user_id = '{ada.id}'")
    at.sql(
        "INSERT INTO accounts (user_id, account_id, provider_id, access_token, refresh_token)"
        f" VALUES ('{ada.id}', '{at.tag}', 'github', 'access', 'refresh')"
    )
    github = at.sql(f"SELECT id FROM accounts WHERE account_id = '{at.tag}'")
    bodies = {
        "none": {},
        "unknown": {"accountId": "none"},
        "empty": {"accountId": ""},
        "a number": {"accountId": 1},
        "cookie": {"useAccountCookie": True},
        "no cookie": {"useAccountCookie": False},
        "both": {"accountId": "none", "useAccountCookie": True},
        "too much": {"accountId": "none", "providerId": "github"},
        "a user": {"accountId": "none", "userId": ada.id},
        "cookie and user": {"useAccountCookie": True, "userId": "x"},
        "credential": {"accountId": credential},
        "github": {"accountId": github},
        "not an id": {"accountId": "00000000-0000-4000-8000-000000000000"},
    }
    for path in ("/get-access-token", "/refresh-token"):
        for name, body in bodies.items():
            at.post(None, path, body, name=f"{path} {name}, nobody")
            at.post(None, path, body, ada.cookie, name=f"{path} {name}")
    for query in ("", "?accountId=none", "?accountId=", "?accountId=a&accountId=b",
                  "?useAccountCookie=true", "?useAccountCookie=1", "?accountId=none&providerId=x",
                  f"?accountId={credential}", f"?accountId={github}",
                  f"?accountId=none&userId={ada.id}"):  # fmt: skip
        title = query.replace(credential, "CREDENTIAL").replace(github, "GITHUB")
        at.get(None, f"/account-info{query}", name=f"info {title}, nobody")
        at.get(None, f"/account-info{query}", ada.cookie, name=f"info {title}")
