"""POST /sign-in/social and /link-social: a state is kept, and the browser is sent to the provider.

With an ID token that the client has from elsewhere it is done at once (``id_token_sign_in``).
"""

from typing import Final

from ...errors import AuthError
from .. import answers, cipher, provider_endpoints
from ..context import RequestContext
from . import id_token_sign_in, state
from .authorization import authorization_url
from .callback import redirect_uri
from .client import OAuthClient
from .provider import Provider, ProviderUnavailableError
from .state import Link


async def sign_in_social(context: RequestContext) -> answers.AtProvider | answers.SignedIn:
    """Begin to sign in with a provider, or sign in with its ID token."""
    client, declared = await _client(context)
    if context.body.get("idToken"):
        return await id_token_sign_in.sign_in(context, client)
    return await _send_away(context, client, declared, None)


async def link_social(context: RequestContext) -> answers.AtProvider:
    """Begin to link an account of a provider to the user, or link it with its ID token."""
    client, declared = await _client(context)
    if context.body.get("idToken"):
        return await id_token_sign_in.link(context, client)
    user, token = context.user, context.current_session.session.token
    sealed = cipher.encrypt(context.settings.secrets[0], token, "oauth-link-session-token")
    link = Link(str(user.id), user.email, sealed)
    return await _send_away(context, client, declared, link)


async def _client(context: RequestContext) -> tuple[OAuthClient, Provider]:
    """The provider that a request means. Raises AuthError 404."""
    client = context.social.clients.get(context.body["provider"])
    if client is None:
        raise AuthError(404, "PROVIDER_NOT_FOUND")
    try:
        return client, await client.provider()
    except ProviderUnavailableError:
        raise AuthError(404, "PROVIDER_NOT_FOUND") from None


async def _send_away(
    context: RequestContext, client: OAuthClient, declared: Provider, link: Link | None
) -> answers.AtProvider:
    body = context.body
    begun = await state.begin(context, client.id, nonce=declared.nonce, link=link)
    url = authorization_url(
        declared,
        client.settings,
        state=begun.oauth_state or "",
        code_verifier=begun.code_verifier,
        nonce=begun.id_token_nonce,
        redirect_uri=redirect_uri(context, client.id),
        scopes=body.get("scopes") or (),
        login_hint=body.get("loginHint"),
        request_parameters=body.get("additionalParams") or {},
    )
    redirects = not body.get("disableRedirect")
    if redirects:
        context.response_headers["location"] = context.services.origins.header(url)
    return {"url": url, "redirect": redirects}


_NO_PROVIDER: Final = {"PROVIDER_NOT_FOUND": 404}

routes: Final = [
    provider_endpoints.sign_in_social(
        sign_in_social, errors=_NO_PROVIDER | id_token_sign_in.ERRORS
    ),
    provider_endpoints.link_social(link_social, errors=_NO_PROVIDER | id_token_sign_in.LINK_ERRORS),
]
