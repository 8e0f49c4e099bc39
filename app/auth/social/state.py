"""What is known of a sign-in while the user is at the provider.

It lies in ``verifications`` under the state that the provider gives back, or encrypted in a cookie.
Both have the form of Better Auth's, so that a sign-in may begin at such a server and end here, or
the other way round. The signed cookie binds the state to the browser, ``provider`` to the provider.

Better Auth has one cookie, so that the second of two tabs ends the sign-in of the first. Here each
state has a cookie of its own, named after it, and one for such a server where there is one.
"""

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from ...errors import AuthError
from ...statements import verifications
from .. import cipher, proofs
from ..context import RequestContext, seconds, utc_now
from .refusals import RefusedError

_KIND: Final = "auth-state:"
_LIFETIME: Final = 600
"""Seconds that a user may take at the provider."""
_MOST: Final = {"database": 5, "cookie": 3}
"""Sign-ins that a browser can have under way, by where they are kept."""
_MOST_CLEARED: Final = 20
"""Cookies that one answer ends: a subdomain can set any number of them."""
_MAX_ROW: Final = 16_384
"""Characters: anybody can have a row written, which stays until the purge."""
_MAX_COOKIE: Final = 3800
"""Characters: browsers drop a cookie of more than 4096 with its name and attributes."""


class Link(msgspec.Struct, frozen=True, rename="camel"):
    """Whose account it will be, as the user was when they asked."""

    user_id: str
    email: str
    encrypted_session_token: str | None = None

    def __repr__(self) -> str:
        return f"Link(user_id={self.user_id!r})"


_NAMES: Final = {
    "callback_url": "callbackURL",
    "code_verifier": "codeVerifier",
    "expires_at": "expiresAt",
    "error_url": "errorURL",
    "new_user_url": "newUserURL",
    "id_token_nonce": "idTokenNonce",
    "request_sign_up": "requestSignUp",
    "oauth_state": "oauthState",
}
_OTHERS: Final = {"serverContext"}
"""What plugins of Better Auth keep."""


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_NAMES):
    """A sign-in that is under way."""

    callback_url: str
    code_verifier: str
    expires_at: float
    """Milliseconds since 1970. It decides, and not the row's."""
    error_url: str | None = None
    new_user_url: str | None = None
    id_token_nonce: str | None = None
    request_sign_up: bool | None = None
    link: Link | None = None
    oauth_state: str | None = None
    provider: str | None = None
    """None: a Better Auth server began it, which does not say."""

    def __repr__(self) -> str:
        return f"State(provider={self.provider!r})"


async def begin(
    context: RequestContext,
    provider: str,
    *,
    nonce: bool,
    link: Link | None = None,
) -> State:
    """Keep a new state, and bind it to the browser. Raises AuthError, DatabaseError.

    ``nonce``: the provider's ID token has to hold one.
    """
    body, name = context.body, secrets.token_urlsafe(24)
    expires_at = utc_now() + seconds(_LIFETIME)
    state = State(
        callback_url=body.get("callbackURL") or context.services.origins.own,
        error_url=body.get("errorCallbackURL"),
        new_user_url=None if link else body.get("newUserCallbackURL"),
        code_verifier=secrets.token_urlsafe(96),
        id_token_nonce=secrets.token_urlsafe(24) if nonce else None,
        expires_at=int(expires_at.timestamp() * 1000),
        request_sign_up=body.get("requestSignUp"),
        link=link,
        oauth_state=name,
        provider=provider,
    )
    text = _encoded(state, body.get("additionalData") or {})
    if context.settings.social.oauth_state == "cookie":
        sealed = cipher.encrypt(context.settings.secrets[0], text, "oauth-state-cookie")
        if len(sealed) > _MAX_COOKIE:
            raise _too_big("a cookie has to hold it")
        _set_cookies(context, name, sealed)
    else:
        if len(text) > _MAX_ROW:
            raise _too_big(f"all that is kept has <={_MAX_ROW} characters")
        identifier = proofs.identifiers(context, _KIND, name)[0]
        await context.database.fetch(verifications.create, identifier, text, expires_at)
        _set_cookies(context, name, None)
    return state


def _encoded(state: State, additional: Mapping[str, Any]) -> str:
    own = {field.encode_name for field in msgspec.structs.fields(State)} | _OTHERS
    others = {name: value for name, value in additional.items() if name not in own}
    return msgspec.json.encode(others | msgspec.to_builtins(state)).decode()


def _too_big(why: str) -> AuthError:
    return AuthError(400, "VALIDATION_ERROR", f"[body.additionalData] Too big: {why}")


def _decoded(text: str) -> State | None:
    try:
        return msgspec.json.decode(text, type=State)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None


async def take(context: RequestContext, provider: str) -> State:
    """The state of an answer from a provider, which is good once.

    Another browser's answer, or one for another provider, is refused and does not use it up.
    Raises RefusedError, DatabaseError.
    """
    name = context.query.get("state")
    if not name:
        raise RefusedError("state_not_found")
    in_cookie = context.settings.social.oauth_state == "cookie"
    state = _in_cookie(context, name) if in_cookie else await _in_database(context, name)
    if state.oauth_state not in (None, name) or not (in_cookie or _is_ours(context, name)):
        raise RefusedError("state_mismatch", error_url=state.error_url)
    if state.provider not in (None, provider):
        raise RefusedError("state_mismatch", error_url=state.error_url)
    if not in_cookie:
        identifiers = proofs.identifiers(context, _KIND, name)
        if not await context.database.fetch(verifications.consume, identifiers):
            raise RefusedError("state_mismatch", error_url=state.error_url)  # another was faster
    _clear_cookies(context, name)
    if state.expires_at < utc_now().timestamp() * 1000:
        raise RefusedError("state_mismatch", error_url=state.error_url)
    return state


async def _in_database(context: RequestContext, name: str) -> State:
    identifiers = proofs.identifiers(context, _KIND, name)
    proof = await context.database.fetchrow(verifications.find, identifiers, 1)
    state = _decoded(proof.value) if proof else None
    if state is None:
        raise RefusedError("state_mismatch")
    return state


def _in_cookie(context: RequestContext, name: str) -> State:
    cookies = context.cookies
    shared = context.services.cookies.oauth_state
    sealed = cookies.get(_own(shared, name)) or cookies.get(shared)
    if not sealed:
        raise RefusedError("state_mismatch")
    text = cipher.decrypt(context.settings.secrets, sealed, "oauth-state-cookie")
    state = _decoded(text) if text else None
    if state is None or state.oauth_state is None:
        raise RefusedError("state_invalid")
    return state


def _is_ours(context: RequestContext, name: str) -> bool:
    """Whether this browser began it."""
    cookies = context.services.cookies
    names = (_own(cookies.state, name), cookies.state)
    return any(cookies.signed_value(context.cookies, each) == name for each in names)


def _own(shared: str, name: str) -> str:
    return f"{shared}_{name}"


def _shared(context: RequestContext) -> str:
    cookies = context.services.cookies
    in_cookie = context.settings.social.oauth_state == "cookie"
    return cookies.oauth_state if in_cookie else cookies.state


def _set_cookies(context: RequestContext, name: str, sealed: str | None) -> None:
    cookies, shared = context.services.cookies, _shared(context)
    alone = context.settings.better_auth_server == "none"
    for each in (_own(shared, name),) if alone else (shared, _own(shared, name)):
        context.response_cookies.append(
            cookies.signed(each, name, _LIFETIME)
            if sealed is None
            else cookies.plain(each, sealed, _LIFETIME)
        )
    # a browser sends the oldest first
    own = re.compile(re.escape(_own(shared, "")) + r"[A-Za-z0-9_-]{32}")
    others = [each for each in context.cookies if own.fullmatch(each)]
    kept = _MOST[context.settings.social.oauth_state] - 1
    ended = others[:-kept][:_MOST_CLEARED]
    context.response_cookies += [cookies.cleared(each) for each in ended]


def _clear_cookies(context: RequestContext, name: str) -> None:
    cookies, shared = context.services.cookies, _shared(context)
    own, given = _own(shared, name), context.cookies
    if shared in given:
        in_cookie = context.settings.social.oauth_state == "cookie"
        last = given.get(own, given[shared]) if in_cookie else name
        newest = given[shared] if in_cookie else cookies.signed_value(given, shared)
        if newest == last:  # another sign-in has not begun since
            context.response_cookies.append(cookies.cleared(shared))
    if own in given:
        context.response_cookies.append(cookies.cleared(own))
