"""A provider's tokens afterwards: what is stored, refreshed and shown; signing out there."""

from typing import Any

from tests.interop.auth.dance import account_id, dance, member, opened, person, provider_of, rows
from tests.interop.auth.provider import CLIENT_ID, made_up
from tests.interop.auth.visitor import Answer, Visitor, scenario

OVER = {"expires_in": 3600, "scope": "read"}
LONG = {"expires_in": 3600, "scope": "read write"}


def signed_in(at: Visitor, name: str, provider: str = "plain", **more: Any) -> tuple[str, str]:
    """Somebody new by a provider: the session cookie and the id of the account's row."""
    answer = dance(at, provider, person(at, name), name=name, **more)
    return answer.cookie, account_id(at, answer.cookie, provider)


def ask(at: Visitor, path: str, account: str, cookie: str, name: str) -> Answer:
    if path == "/account-info":
        return at.get(None, f"{path}?accountId={account}", cookie, name=f"{name}: {path}")
    return at.post(None, path, {"accountId": account}, cookie, name=f"{name}: {path}")


PATHS = ("/get-access-token", "/refresh-token", "/account-info")


@scenario("social")
def tokens_of_every_kind(at: Visitor) -> None:
    for number, (name, given) in enumerate({
        "no refresh token": LONG,
        "long": {**LONG, "refresh_token": made_up()},
        "over": {**OVER, "refresh_token": made_up(), "refresh_token_expires_in": 7200},
        "over, no refresh token": OVER,
        "no expiry": {"refresh_token": made_up()},
    }.items()):  # fmt: skip
        for path in PATHS:
            who = f"p{number}{path[1:4]}"
            answers = [
                {"expires_in": 7200, "refresh_token": made_up(), "scope": "other"},
                {"expires_in": 7200},
                None,
            ]
            given = {**given, **({"refresh_token": made_up()} if "refresh_token" in given else {})}
            profile = person(at, who)
            answer = dance(at, "plain", profile, name=f"{name}{path}", answer=given,
                           refreshed=answers)  # fmt: skip
            row = account_id(at, answer.cookie, "plain")
            if name.startswith("over"):
                at.sql(
                    "UPDATE accounts SET access_token_expires_at = now() - interval '1 h'"
                    f" WHERE id = '{row}'"
                )
            for turn in range(3):
                ask(at, path, row, answer.cookie, f"{name} {turn}")
    rows(at, "the end")


@scenario("social")
def tokens_about_to_expire(at: Visitor) -> None:
    given = {**LONG, "refresh_token": made_up()}
    cookie, row = signed_in(at, "ada", answer=given, refreshed=[{"expires_in": 3600}] * 9)
    for path in PATHS:
        at.quiet_sql(
            "UPDATE accounts SET access_token_expires_at = now() + interval '4 s'"
            f" WHERE id = '{row}'"
        )
        ask(at, path, row, cookie, "in four seconds")
        rows(at, path)


@scenario("social")
def tokens_refreshed_until_refused(at: Visitor) -> None:
    more: list[Any] = [
        {"expires_in": 7200, "refresh_token_expires_in": 10800, "refresh_token": made_up()},
        {},
        {"access_token": None},
        {"access_token": ""},
        {"expires_in": "7200", "token_type": None},
        None,
    ]
    for provider in ("plain", "basic", "bare"):
        given = {**LONG, "refresh_token": made_up()}
        cookie, row = signed_in(at, f"{provider}x", provider, answer=given, refreshed=list(more))
        for turn in range(7):
            ask(at, "/refresh-token", row, cookie, f"{provider} {turn}")
            rows(at, f"{provider} {turn}")


@scenario("social")
def tokens_by_discovery(at: Visitor) -> None:
    profile = person(at, "ada")
    more: list[Any] = [{"expires_in": 7200}, {"expires_in": 7200, "id_token": None}, None]
    answer = dance(at, "oidc", profile, name="ada", claims=profile, refreshed=more,
                   answer={**LONG, "refresh_token": made_up()})  # fmt: skip
    row = account_id(at, answer.cookie, "oidc")
    for path in (*PATHS, "/refresh-token", "/refresh-token", "/account-info"):
        ask(at, path, row, answer.cookie, "ada")
    bare = {"sub": f"bob-{at.tag}"}
    answer = dance(at, "oidc", person(at, "bob"), name="bob", claims=bare, answer=LONG)
    row = account_id(at, answer.cookie, "oidc")
    ask(at, "/account-info", row, answer.cookie, "by userinfo")
    at.quiet_sql(f"UPDATE accounts SET access_token = NULL WHERE id = '{row}'")
    for path in PATHS:
        ask(at, path, row, answer.cookie, "no access token")
    rows(at, "the end")


@scenario("social")
def tokens_of_others(at: Visitor) -> None:
    cookie, row = signed_in(at, "ada", answer={**LONG, "refresh_token": made_up()})
    bob = member(at, "bob")
    credential = account_id(at, bob.cookie, "credential")
    at.quiet_sql(
        "INSERT INTO accounts (user_id, account_id, provider_id, access_token, refresh_token)"
        f" VALUES ('{bob.id}', '{at.tag}', 'nobody', 'access', 'refresh'),"
        f" ('{bob.id}', '{at.tag}', 'plain', 'nobody knows it', NULL),"
        f" ('{bob.id}', '{at.tag}', 'github', 'nobody knows it', 'either')"
    )
    unknown, lost = account_id(at, bob.cookie, "nobody"), account_id(at, bob.cookie, "plain")
    for path in PATHS:
        ask(at, path, row, bob.cookie, "another's")
        ask(at, path, "00000000-0000-4000-8000-000000000000", cookie, "of nobody")
        ask(at, path, "x", cookie, "no id")
        ask(at, path, credential, bob.cookie, "credential")
        ask(at, path, unknown, bob.cookie, "a provider that is not there")
        ask(at, path, lost, bob.cookie, "a token that is not known")
        ask(at, path, f"ada-{at.tag}", cookie, "the provider's id")
        if path == "/account-info":
            at.get(None, f"{path}?accountId={row}", name="info, signed out")
            continue
        at.post(None, path, {"accountId": row}, name=f"{path} signed out")
        at.post(None, path, {"accountId": row, "userId": bob.id}, cookie, name=f"{path} user")
        at.post(None, path, {"useAccountCookie": True}, cookie, name=f"{path} by cookie")


@scenario("social, state in a cookie")
def tokens_encrypted(at: Visitor) -> None:
    more: list[Any] = [{"expires_in": 7200, "refresh_token": made_up()}, {"expires_in": 7200}, None]
    given = {**LONG, "refresh_token": made_up()}
    cookie, row = signed_in(at, "ada", answer=given, refreshed=more)
    rows(at, "new")
    for path in (*PATHS, "/get-access-token", "/refresh-token", "/refresh-token"):
        ask(at, path, row, cookie, "encrypted")
        rows(at, "after")
    at.sql(
        f"SELECT access_token ~ '^[0-9a-f]+$', refresh_token ~ '^[0-9a-f]+$' FROM accounts"
        f" WHERE id = '{row}'"
    )
    for name, text in {
        "plain": "a-plain-token", "hex": "abcdef0123456789", "hex of odd length": "abc",
        "hex of a box's length": "ab" * 60, "empty": "", "capitals": "ABCDEF",
        "a version": "$ba$1$abcdef",
    }.items():  # fmt: skip
        at.quiet_sql(f"UPDATE accounts SET access_token = '{text}' WHERE id = '{row}'")
        answer = ask(at, "/get-access-token", row, cookie, name)
        at.note(f"{name} opened", opened(answer.json.get("accessToken")))


@scenario("social")
def sign_out_at_the_provider(at: Visitor) -> None:
    def new(name: str, provider: str = "oidc") -> str:
        profile = person(at, name)
        return dance(at, provider, profile, name=name, claims=profile).cookie

    at.post(200, "/sign-out", {}, new("ada"), name="plainly")
    for name, body in {
        "disableRedirect": {"disableRedirect": True},
        "callbackURL": {"callbackURL": "https://app.example.com/bye?x=y"},
        "relative": {"callbackURL": "/bye"},
        "callbackURL and state": {"callbackURL": "https://app.example.com", "state": "a b"},
        "state": {"state": "a b"},
        "untrusted": {"callbackURL": "https://x.example"},
        "a number": {"callbackURL": 1},
        "a number as state": {"state": 1},
        "disableRedirect as text": {"disableRedirect": "yes"},
    }.items():
        cookie = new(name.replace(" ", ""))
        at.post(None, "/sign-out", body, cookie, name=name)
        at.get(200, "/get-session", cookie, name=f"{name}: session")
    at.post(200, "/sign-out", name="no body")
    at.post(200, "/sign-out", {"callbackURL": "/bye"}, name="nobody")
    at.post(200, "/sign-out", {}, new("quiet", "quiet"), name="switched off")
    at.post(200, "/sign-out", {}, new("plain", "plain"), name="no such address")
    ada = member(at, "joined")
    at.post(200, "/sign-out", {}, at.sign_in(ada).cookie, name="with a password")
    profile = person(at, "joined")
    dance(at, "oidc", profile, name="joined", claims=profile)
    at.post(200, "/sign-out", {}, at.sign_in(ada).cookie, name="with a password, joined")
    at.post(200, "/sign-out", {}, at.sign_in(ada).cookie, name="and once more")
    at.note("client", CLIENT_ID)
    assert provider_of(at).url
