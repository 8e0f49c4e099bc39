"""Every endpoint on one screen: method, path, what it takes, whom it serves, which flow answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import unquote

from app.auth import (
    accounts,
    email_verification,
    password_change,
    profile,
    server,
    sessions,
    sign_in,
    sign_up,
)
from app.auth.call import Call
from app.auth.validation import (
    Check,
    boolean,
    both,
    email,
    fields,
    filled,
    optional,
    provider,
    record,
    selection,
    string,
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What the door checks before the flow runs."""

    flow: Callable[[Call], Awaitable[Any]]
    body: Check | None = None
    """None: a body is parsed, and not looked at."""
    query: Check | None = None
    session: Literal["none", "session", "fresh"] = "none"
    form: bool = False
    """Also takes a form."""
    from_forms: bool = False
    """Can be posted by a plain form of another site, so a request without cookies is looked at."""
    ignores_body: bool = False
    checks_callback: bool = False
    """A GET that redirects to its callbackURL."""


_CALLBACK: Final[dict[str, Check]] = {"callbackURL": optional(string)}
_REMEMBER: Final[dict[str, Check]] = {
    "callbackURL": optional(string),
    "rememberMe": optional(boolean),
}

_FROM_PROVIDER: Final = fields({name: optional(string) for name in accounts.CALLBACK})

ENDPOINTS: Final[dict[tuple[str, str], Endpoint]] = {
    ("GET", "/ok"): Endpoint(server.ok),
    ("GET", "/error"): Endpoint(server.error),
    # signing up, in and out
    ("POST", "/sign-up/email"): Endpoint(
        sign_up.sign_up,
        both(
            fields(
                {"name": string, "email": email, "password": filled, "image": optional(string)}
                | _REMEMBER
            ),
            record,
        ),
        form=True,
        from_forms=True,
    ),
    ("POST", "/sign-in/email"): Endpoint(
        sign_in.sign_in,
        fields({"email": string, "password": string} | _REMEMBER),
        form=True,
        from_forms=True,
    ),
    ("POST", "/sign-out"): Endpoint(
        sessions.sign_out,
        optional(
            fields(
                {
                    "callbackURL": optional(string),
                    "disableRedirect": optional(boolean),
                    "state": optional(string),
                }
            )
        ),
    ),
    # sessions
    ("GET", "/get-session"): Endpoint(sessions.get_session),
    ("POST", "/get-session"): Endpoint(sessions.get_session, ignores_body=True),
    ("GET", "/list-sessions"): Endpoint(sessions.list_sessions, session="fresh"),
    ("POST", "/revoke-session"): Endpoint(
        sessions.revoke, fields({"token": string}), session="session"
    ),
    ("POST", "/revoke-sessions"): Endpoint(sessions.revoke_all, session="session"),
    ("POST", "/revoke-other-sessions"): Endpoint(sessions.revoke_others, session="session"),
    ("POST", "/update-session"): Endpoint(sessions.update_session, record, session="session"),
    # the user
    ("POST", "/update-user"): Endpoint(
        profile.update_user, profile.check_update, session="session"
    ),
    ("POST", "/change-email"): Endpoint(
        profile.change_email, fields({"newEmail": email} | _CALLBACK), session="session"
    ),
    ("POST", "/delete-user"): Endpoint(
        profile.delete_user,
        fields(
            {
                "callbackURL": optional(string),
                "password": optional(string),
                "token": optional(string),
            }
        ),
        session="session",
    ),
    ("GET", "/delete-user/callback"): Endpoint(
        profile.delete_user_callback,
        query=fields({"token": string} | _CALLBACK),
        checks_callback=True,
    ),
    # passwords
    ("POST", "/change-password"): Endpoint(
        password_change.change,
        fields(
            {
                "newPassword": string,
                "currentPassword": string,
                "revokeOtherSessions": optional(boolean),
            }
        ),
        session="session",
    ),
    ("POST", "/verify-password"): Endpoint(
        password_change.verify, fields({"password": string}), session="session"
    ),
    ("POST", "/request-password-reset"): Endpoint(
        password_change.request_reset,
        fields({"email": email, "redirectTo": optional(string)}),
    ),
    ("GET", "/reset-password/:token"): Endpoint(
        password_change.follow_reset,
        query=fields({"callbackURL": string}),
        checks_callback=True,
    ),
    ("POST", "/reset-password"): Endpoint(
        password_change.reset,
        fields({"newPassword": string, "token": optional(string)}),
        query=fields({"token": optional(string)}),
    ),
    # verification of an address
    ("POST", "/send-verification-email"): Endpoint(
        email_verification.request_mail, fields({"email": email} | _CALLBACK)
    ),
    ("GET", "/verify-email"): Endpoint(
        email_verification.verify,
        query=fields({"token": string} | _CALLBACK),
        checks_callback=True,
    ),
    # accounts, and the endpoints of providers
    ("GET", "/list-accounts"): Endpoint(accounts.list_accounts, session="session"),
    ("POST", "/unlink-account"): Endpoint(
        accounts.unlink, fields({"accountId": string}), session="fresh"
    ),
    ("POST", "/sign-in/social"): Endpoint(accounts.sign_in_social, provider),
    ("POST", "/link-social"): Endpoint(accounts.sign_in_social, provider, session="session"),
    ("GET", "/callback/:id"): Endpoint(accounts.callback, query=_FROM_PROVIDER),
    ("POST", "/callback/:id"): Endpoint(
        accounts.callback, optional(_FROM_PROVIDER), query=_FROM_PROVIDER, form=True
    ),
    ("POST", "/get-access-token"): Endpoint(accounts.access_token, selection),
    ("POST", "/refresh-token"): Endpoint(accounts.access_token, selection),
    ("GET", "/account-info"): Endpoint(accounts.account_info, query=selection),
}

_PLAIN: Final = {key: e for key, e in ENDPOINTS.items() if ":" not in key[1]}
PATHS: Final = frozenset(path for _, path in _PLAIN)
"""The paths without a parameter."""
_WITH_PARAMETER: Final = [
    (method, *path.split("/:"), endpoint)
    for (method, path), endpoint in ENDPOINTS.items()
    if ":" in path
]


def route(method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
    """The endpoint of a path below the door's own, still percent-encoded, and its parameter."""
    endpoint = _PLAIN.get((method, path))
    if endpoint is not None:
        return endpoint, {}
    for wanted, start, parameter, candidate in _WITH_PARAMETER:
        value = path.removeprefix(start + "/")
        if method == wanted and path.startswith(start + "/") and value and "/" not in value:
            return candidate, {parameter: unquote(value)}
    return None
