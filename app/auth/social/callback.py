"""GET /callback/:id: somebody comes back from a provider.

Every end is a redirect: to the application, or with an error to the place that it named, or to the
service's own page where none is known.
"""

import asyncio
import re
from typing import Final

from starlette.responses import Response

from ...errors import BannedError, BusyError, DatabaseError
from .. import cipher, provider_endpoints, sessions
from ..context import RequestContext, redirect, utc_now
from ..errors import MESSAGES
from ..provider_callback import forward
from . import linking, state
from .client import OAuthClient
from .provider import ProviderError, UserInfoError
from .refusals import RefusedError
from .state import Link, State

_PATIENCE: Final = 20
"""Seconds for everything that a provider is asked."""
_MAX_ERROR: Final = 200  # characters of what a provider says that go on
_MAX_DESCRIPTION: Final = 1000


async def callback(context: RequestContext) -> Response:
    """Come back from a provider: sign in or link the account, and on to the application."""
    provider = context.path_params["id"]
    try:
        begun = await state.take(context, provider)
    except RefusedError as refusal:
        return _refused(context, "sign_in", provider, refusal, refusal.error_url)
    event = "account_linked" if begun.link else "sign_in"
    try:
        return await _arrive(context, provider, begun)
    except RefusedError as refusal:
        return _refused(context, event, provider, refusal, begun.error_url)
    except BannedError:
        refusal = RefusedError("banned", MESSAGES["BANNED_USER"])
        return _refused(context, event, provider, refusal, begun.error_url)
    except ProviderError as error:
        return _refused(context, event, provider, RefusedError(error.code), begun.error_url)
    except (DatabaseError, BusyError):
        # the state is used up: nobody can come back to this address
        log(context, event, provider, "failed", "DATABASE")
        return _with_error(context, RefusedError("internal_server_error"), begun.error_url)


async def _arrive(context: RequestContext, provider: str, begun: State) -> Response:
    query = context.query
    if query.get("error"):
        raise RefusedError(
            query["error"][:_MAX_ERROR], query.get("error_description", "")[:_MAX_DESCRIPTION]
        )
    code = query.get("code")
    if not code:
        raise RefusedError("no_code")
    client = context.social.clients.get(provider)
    if client is None:
        raise RefusedError("oauth_provider_not_found")
    try:
        async with asyncio.timeout(_PATIENCE):
            arrival = await _arrival(context, client, begun, code)
    except TimeoutError:
        raise UserInfoError from None
    origins = context.services.origins
    if begun.link is not None:
        await _link(context, arrival, begun.link)
        log(context, "account_linked", provider, "ok")
        return redirect(origins.header(begun.callback_url))
    found = await linking.sign_in(context, arrival, begun.callback_url)
    log_sign_in(context, provider, found)
    if found.session is None:
        raise RefusedError("email_not_verified")
    context.set_session_cookie(found.session.token)
    location = begun.new_user_url if found.kind == "new" else None
    return redirect(origins.header(location or begun.callback_url))


async def _arrival(
    context: RequestContext, client: OAuthClient, begun: State, code: str
) -> linking.Arrival:
    """What the provider says of who comes. Raises RefusedError, ProviderError."""
    declared = await client.provider()
    issuer, nonce = context.query.get("iss"), begun.id_token_nonce
    if issuer is None and declared.requires_iss:
        raise RefusedError("issuer_mismatch")
    if issuer is not None and declared.issuer not in (None, issuer):
        raise RefusedError("issuer_mismatch")
    # a Better Auth server binds none for the providers that it knows
    if declared.nonce and not nonce and not (client.settings.is_built_in and not begun.provider):
        raise RefusedError("nonce_binding_missing")
    tokens = await client.exchange(
        code, code_verifier=begun.code_verifier, redirect_uri=redirect_uri(context, client.id)
    )
    profile = await client.profile(tokens, nonce=nonce, posted_user=context.query.get("user"))
    return linking.Arrival(
        settings=client.settings,
        profile=profile,
        tokens=tokens,
        scope=",".join(tokens.scopes),
        requests_sign_up=begun.request_sign_up is True,
    )


async def _link(context: RequestContext, arrival: linking.Arrival, asked: Link) -> None:
    """For the one who asked, if that session still lives; who is signed in now does not matter."""
    sealed = asked.encrypted_session_token or ""
    token = cipher.decrypt(context.settings.secrets, sealed, "oauth-link-session-token")
    found = await context.services.session_loader.load(token) if token else None
    if token is None or found is None or str(found.user.id) != asked.user_id:
        raise RefusedError("unable_to_link_account")
    context.event_user = found.user.id
    ended = sessions.has_ended(context.settings, found.session, utc_now())
    if ended or sessions.is_refused(context, found):
        raise RefusedError("unable_to_link_account")
    try:
        await linking.link(context, arrival, found.user.id, asked.email, session=token)
    except RefusedError as refusal:
        if refusal.code == "linking_failed":
            raise RefusedError("unable_to_link_account") from refusal
        raise


def redirect_uri(context: RequestContext, provider: str) -> str:
    """Where a provider sends the browser back to."""
    return f"{context.services.base_url}/callback/{provider}"


def log_sign_in(context: RequestContext, provider: str, found: linking.SignedIn) -> None:
    """The security events of a session that a provider has opened."""
    match found.kind:
        case "new":
            log(context, "sign_up", provider, "ok")
        case "linked":
            log(context, "account_linked", provider, "ok")
    if found.old_email is not None:
        log(context, "email_changed", provider, "ok")
    if found.session is not None:
        log(context, "sign_in", provider, "ok")


def _refused(
    context: RequestContext, event: str, provider: str, refusal: RefusedError, error_url: str | None
) -> Response:
    log(context, event, provider, "refused", refusal.code)
    return _with_error(context, refusal, error_url)


def _with_error(context: RequestContext, refusal: RefusedError, error_url: str | None) -> Response:
    url = error_url or f"{context.services.base_url}/error"
    origins = context.services.origins
    return redirect(origins.back_with_error(url, refusal.code, refusal.description))


def log(
    context: RequestContext, event: str, provider: str, outcome: str, reason: str | None = None
) -> None:
    """Log a security event with the provider, if it is a configured one."""
    known = context.social.clients.get(provider) is not None
    if reason is not None and not re.fullmatch(r"[A-Za-z_]{1,64}", reason):
        reason = "provider_error"  # its own words, whatever they hold
    context.log_event(event, outcome, reason=reason, provider=provider if known else None)


routes: Final = [
    provider_endpoints.callback(callback),
    provider_endpoints.posted_callback(forward),
]
