"""The built-in providers at their own hosts, which an HTTPS proxy plays for both servers."""

import ssl
import zlib
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode, urljoin

import httpx

from tests.interop.auth.dance import account_id, begin, member, rows
from tests.interop.auth.visitor import Answer, Visitor, scenario
from tests.social.running_hosts import PLAYED, RunningHosts
from tests.social.visitor import Form

WITH_ID_TOKENS: Final = ("google", "apple", "microsoft", "twitch")
FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
PLACES: Final = {"callbackURL": "/in", "errorCallbackURL": "/oops", "newUserCallbackURL": "/new"}


def hosts_of(at: Visitor) -> RunningHosts:
    assert at.hosts is not None
    return at.hosts


def visit(hosts: RunningHosts, url: str) -> httpx.Response:
    """Go to an address of a provider by the proxy."""
    trust = ssl.create_default_context(cafile=hosts.authority)
    with httpx.Client(proxy=hosts.proxy, verify=trust, trust_env=False, timeout=60) as browser:
        return browser.get(url)


def somebody(at: Visitor, provider: str, name: str, /, **more: Any) -> None:
    """Who signs in there from now on."""
    hosts_of(at).reset(provider)
    subject = str(zlib.crc32(f"{name}-{at.tag}".encode()))  # some have numbers only
    person = {"subject": subject, "name": "Ada Lovelace", "email": at.address(name)}
    hosts_of(at).sign_in_as(provider, **person | more)


def through(at: Visitor, provider: str, name: str, cookie: str | None = None) -> Answer:
    """A whole dance at the provider's own addresses, and what the provider was asked in it."""
    path = "/link-social" if cookie else "/sign-in/social"
    start = begin(at, provider, cookie, path=path, name=name, **PLACES)
    answer = visit(hosts_of(at), start.url)
    callback = answer.headers.get("location", "")
    if form := Form.on(answer.text):
        path = urljoin(start.url, form.action).partition("/api/auth")[2]
        posted = at.post(302, path, urlencode(form.fields).encode(), headers=FORM,
                         name=f"{name}: posted")  # fmt: skip
        callback = posted.header("location")
    _, separator, path = callback.partition("/api/auth")
    assert separator, f"{name}: {answer.status_code} {answer.text} {callback}"
    cookies = "; ".join(filter(None, (cookie, start.cookies)))
    done = at.get(302, path, cookies, name=f"{name}: back")
    at.note(f"{name}: asked", [
        {"to": f"{one.method} {one.host}{one.path}", "query": one.parameters, "form": one.form,
         "authorization": one.headers.get("authorization")}
        for one in hosts_of(at).asked(provider)
        if one.endpoint not in ("authorize", "discovery", "keys")
    ])  # fmt: skip
    return done


def tokens(at: Visitor, path: str, account: str, cookie: str, name: str) -> None:
    """A provider's tokens; the lives of theirs are no hours, so they are noted in seconds."""
    answer = at.post(None, path, {"accountId": account}, cookie, name=name)
    asked, given = at.transcript.pop(), answer.json
    if expires := given.pop("accessTokenExpiresAt", None):
        written = at.quiet_sql(f"SELECT updated_at FROM accounts WHERE id = '{account}'")
        life = datetime.fromisoformat(expires) - datetime.fromisoformat(f"{written}00")
        given["life"] = round(life.total_seconds(), -1)
    at.note(asked.name, [answer.status, given])


@scenario("social, built in")
def built_in_dances(at: Visitor) -> None:
    for provider in PLAYED:
        somebody(at, provider, provider)
        through(at, provider, f"{provider}, new")
        done = through(at, provider, f"{provider}, again")
        if "session_token" not in done.cookie:
            continue
        at.get(200, "/get-session", done.cookie, name=f"{provider}: session")
        at.get(200, "/list-accounts", done.cookie, name=f"{provider}: accounts")
        row = account_id(at, done.cookie, provider)
        at.get(None, f"/account-info?accountId={row}", done.cookie, name=f"{provider}: info")
        for path in ("/get-access-token", "/refresh-token"):
            tokens(at, path, row, done.cookie, f"{provider}: {path}")
        at.post(200, "/sign-out", {}, done.cookie, name=f"{provider}: sign-out")
    rows(at, "the end", lives=True)


@scenario("social, built in")
def built_in_profiles(at: Visitor) -> None:
    for provider in PLAYED:
        for number, (name, more) in enumerate({
            "not verified": {"verified": False},
            "no picture": {"picture": None, "photo": False},
            "no address": {"email": None},
            "capitals": {"email": at.address(f"{provider}3").upper()},
        }.items()):  # fmt: skip
            somebody(at, provider, f"{provider}{number}", **more)
            through(at, provider, f"{provider}, {name}")
    rows(at, "the end", lives=True)


@scenario("social, built in")
def built_in_names(at: Visitor) -> None:
    for provider in PLAYED:
        somebody(at, provider, provider, name="")
        through(at, provider, provider)
        at.sql(
            f"SELECT name FROM users WHERE email = '{at.address(provider)}'",
            name=f"{provider}: name",
        )


@scenario("social, built in")
def built_in_links(at: Visitor) -> None:
    for provider in PLAYED:
        one = member(at, provider)
        somebody(at, provider, provider)
        through(at, provider, f"{provider}, linked", one.cookie)
        through(at, provider, f"{provider}, by the same address")
        at.get(200, "/list-accounts", one.cookie, name=f"{provider}: accounts")
    rows(at, "the end", lives=True)


@scenario("social, built in")
def built_in_id_tokens(at: Visitor) -> None:
    """ID tokens by hand, with the providers' own keys."""
    for provider in ("google", "apple", "microsoft", "facebook"):
        for number, (name, more) in enumerate({
            "good": {},
            "another issuer": {"claims": {"iss": "https://x.example"}},
            "another audience": {"claims": {"aud": "x"}},
            "expired": {"claims": {"exp": 1000}},
            "an hour old": {"claims": {"iat": 1_700_000_000, "exp": 9_000_000_000}},
            "a stranger's": {"key": "stranger"},
            "none": {"key": "none"},
            "by the secret": {"key": "hmac"},
            "no sub": {"without": ["sub"]},
            "no iat": {"without": ["iat"]},
            "no exp": {"without": ["exp"]},
            "no address": {"email": None},
        }.items()):  # fmt: skip
            somebody(at, provider, f"{provider}{number}", **more)
            for nonce in (None, "n", "other"):
                asked = {} if nonce is None else {"nonce": "n"}
                token = hosts_of(at).id_token(provider, **asked)
                given = {"token": token} | ({} if nonce is None else {"nonce": nonce})
                body = {"provider": provider, "idToken": given}
                at.post(None, "/sign-in/social", body, name=f"{provider} {name}, {nonce}")
    rows(at, "the end", lives=True)


@scenario("social, built in")
def built_in_forged(at: Visitor) -> None:
    """ID tokens that the token endpoint gives: Better Auth reads them without looking."""
    for provider in WITH_ID_TOKENS:
        for number, (name, more) in enumerate({
            "another issuer": {"claims": {"iss": "https://x.example"}},
            "another audience": {"claims": {"aud": "x"}},
            "expired": {"claims": {"exp": 1000}},
            "a stranger's": {"key": "stranger"},
            "another nonce": {"claims": {"nonce": "x"}},
        }.items()):  # fmt: skip
            somebody(at, provider, f"{provider}{number}", **more)
            through(at, provider, f"{provider}, {name}")
        somebody(at, provider, f"{provider}x", id_token=False)
        through(at, provider, f"{provider}, no ID token")


@scenario("social, built in")
def built_in_faults(at: Visitor) -> None:
    for provider in PLAYED:
        for how in ("500", "wrong_json", "redirect"):
            somebody(at, provider, f"{provider}{how[0]}")
            hosts_of(at).fail(provider, "token", how)
            through(at, provider, f"{provider}, token endpoint {how}")
    rows(at, "the end", lives=True)
