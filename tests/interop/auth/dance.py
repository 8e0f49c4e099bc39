"""A sign-in with a provider, step by step, as the browser of a scenario goes through it."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from app.auth import cipher
from tests.interop.auth.compare import OWN_STATE
from tests.interop.auth.provider import Grant, Provider
from tests.interop.auth.servers import SECRET
from tests.interop.auth.visitor import Answer, Person, Visitor, unsigned

USER_ROWS: Final = """
SELECT coalesce(json_agg(x ORDER BY x.email), '[]') FROM (
  SELECT name, email, email_verified, image,
    (SELECT count(*) FROM sessions WHERE user_id = users.id) AS sessions,
    (SELECT json_agg(y ORDER BY y.provider_id, y.account_id) FROM (
      SELECT provider_id, account_id, access_token, refresh_token, id_token, scope,
        password IS NOT NULL AS has_password,
        round(extract(epoch FROM access_token_expires_at - updated_at) / 10) * 10 AS life,
        to_char(access_token_expires_at AT TIME ZONE 'UTC', '{form}') AS access_expires,
        to_char(refresh_token_expires_at AT TIME ZONE 'UTC', '{form}') AS refresh_expires
      FROM accounts WHERE user_id = users.id AND provider_id <> 'credential') AS y) AS accounts
  FROM users WHERE email LIKE '%.{tag}@%') AS x
"""
TIME_FORM: Final = 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'


@dataclass(frozen=True)
class Start:
    """A dance that has begun: where the browser is sent, and the cookies it was given."""

    provider: str
    url: str
    cookies: str

    @property
    def cookie(self) -> str:
        """The one that binds the state to the browser at either server."""
        return next(one for one in self.cookies.split("; ") if not OWN_STATE.match(one))

    @property
    def parameters(self) -> dict[str, str]:
        query = parse_qs(urlsplit(self.url).query, keep_blank_values=True)
        return {name: values[0] for name, values in query.items()}

    @property
    def state(self) -> str:
        return self.parameters["state"]


def begin(
    at: Visitor,
    provider: str,
    cookie: str | None = None,
    *,
    path: str = "/sign-in/social",
    name: str | None = None,
    **body: Any,
) -> Start:
    """Start a dance."""
    given = {"provider": provider} | body
    answer = at.post(200, path, given, cookie, name=name and f"{name}: begin")
    return Start(provider, answer.json["url"], answer.cookie)


def link(at: Visitor, provider: str, cookie: str, *, name: str | None = None, **body: Any) -> Start:
    """Start a dance that links an account to the user who is signed in."""
    return begin(at, provider, cookie, path="/link-social", name=name, **body)


def grant(at: Visitor, start: Start, profile: Any, **more: Any) -> Grant:
    """What the provider will say at the end of this dance."""
    challenge = start.parameters.get("code_challenge")
    if "claims" in more and (nonce := start.parameters.get("nonce")):
        more["claims"] = {"nonce": nonce} | more["claims"]
    return provider_of(at).grant(profile, challenge=challenge, **more)


def back(
    at: Visitor,
    start: Start,
    query: Mapping[str, str],
    *,
    cookie: str | None = None,
    provider: str | None = None,
    name: str | None = None,
) -> Answer:
    """Come back from the provider with ``query`` and the state; another ``cookie`` if given."""
    given = urlencode({"state": start.state} | dict(query))
    sent = start.cookies if cookie is None else cookie
    path = f"/callback/{provider or start.provider}?{given}"
    return at.get(None, path, sent or None, name=name and f"{name}: back")


def dance(
    at: Visitor,
    provider: str,
    profile: Any,
    *,
    name: str,
    cookie: str | None = None,
    linking: bool = False,
    body: Mapping[str, Any] | None = None,
    query: Mapping[str, str] | None = None,
    **more: Any,
) -> Answer:
    """A whole dance, and what the provider was asked in it."""
    path = "/link-social" if linking else "/sign-in/social"
    asked = {"callbackURL": "/in", "errorCallbackURL": "/oops", "newUserCallbackURL": "/new"}
    start = begin(at, provider, cookie, path=path, name=name, **asked | dict(body or {}))
    given = grant(at, start, profile, **more)
    sent = "; ".join(filter(None, (cookie, start.cookies)))
    answer = back(at, start, {"code": given.code} | dict(query or {}), cookie=sent, name=name)
    at.note(f"{name}: asked of the provider", given.asked)
    return answer


def person(at: Visitor, name: str, /, **more: Any) -> dict[str, Any]:
    """A profile that every kind of provider here understands; None leaves a member out."""
    subject = f"{name}-{at.tag}"
    profile = {
        "id": subject,
        "sub": subject,
        "name": name.capitalize(),
        "email": at.address(name),
        "email_verified": True,
        "picture": f"https://example.com/{name}.png",
    } | more
    return {key: value for key, value in profile.items() if value is not None}


def rows(at: Visitor, name: str, *, lives: bool = False) -> list[dict[str, Any]]:
    """The users of this scenario and their accounts, as they are in the tables.

    ``lives``: of tokens, in seconds since the row was written, instead of when they expire.
    """
    found = json.loads(at.quiet_sql(USER_ROWS.format(tag=at.tag, form=TIME_FORM)))
    for account in (account for user in found for account in user["accounts"] or ()):
        for column in ("access_token", "refresh_token"):
            account[column] = opened(account[column])
        of_other_kind = ("access_expires", "refresh_expires") if lives else ("life",)
        for column in of_other_kind:
            del account[column]
    at.note(f"{name}: rows", found)
    return found


def opened(token: str | None) -> str | None:
    """A token as it is in the table; an encrypted one is opened, and marked."""
    if token is None or not re.fullmatch(r"([0-9a-f]{2}){41,}", token):
        return token
    return f"encrypted: {cipher.decrypt([SECRET], token)}"


def state_row(at: Visitor, start: Start, name: str) -> None:
    """What is kept of a dance, as every server that shares the table has to find it."""
    text = at.quiet_sql(
        f"SELECT value FROM verifications WHERE identifier = 'auth-state:{start.state}'"
    )
    note_state(at, start, json.loads(text) if text else None, name)


def state_cookie(at: Visitor, start: Start, name: str) -> None:
    """The same where it is kept in a cookie."""
    value = cipher.decrypt([SECRET], start.cookie.partition("=")[2], "oauth-state-cookie")
    note_state(at, start, json.loads(value) if value else None, name)


def note_state(at: Visitor, start: Start, value: dict[str, Any] | None, name: str) -> None:
    if value is not None:
        if value.get("provider") == start.provider:
            del value["provider"]  # Gatepost's own: Better Auth does not bind a state to it
        left = value["expiresAt"] / 1000 - time.time()
        value["expiresAt"] = f"in {10 * round(left / 10)} s"
        if "link" in value:
            sealed = value["link"].get("encryptedSessionToken", "")
            value["link"]["encryptedSessionToken"] = cipher.decrypt(
                [SECRET], sealed, "oauth-link-session-token"
            )
    at.note(f"{name}: state", value)


def member(at: Visitor, name: str, *, verified: bool = True) -> Person:
    """Somebody who signed up with a password."""
    one = at.sign_up(name)
    if verified:
        at.sql(f"UPDATE users SET email_verified = true WHERE id = '{one.id}'")
    return one


def account_id(at: Visitor, cookie: str, provider: str) -> str:
    """The id of the row of the user's account with a provider."""
    token = unsigned(session_of(cookie))
    return at.quiet_sql(
        "SELECT a.id FROM accounts a JOIN sessions s ON s.user_id = a.user_id"
        f" WHERE s.token = '{token}' AND a.provider_id = '{provider}'"
    )


def session_of(cookie: str) -> str:
    """The session cookie among those of a browser."""
    return next(part for part in cookie.split("; ") if "session_token=" in part)


def provider_of(at: Visitor) -> Provider:
    assert at.provider is not None
    return at.provider
