"""An ID token that a client has from the provider itself, as an app has: it is done at once."""

from typing import Final

from ...errors import AuthError, DatabaseError
from .. import answers, serializers
from ..context import RequestContext
from . import linking
from .callback import log, log_sign_in
from .client import OAuthClient
from .provider import (
    InvalidIdTokenError,
    ProviderUnavailableError,
    Tokens,
    UserInfoError,
)
from .refusals import RefusedError

_TOKEN_ERRORS: Final = {
    "ID_TOKEN_NOT_SUPPORTED": 404,
    "INVALID_TOKEN": 401,
    "FAILED_TO_GET_USER_INFO": 401,
    "USER_EMAIL_NOT_FOUND": 401,
}
ERRORS: Final = _TOKEN_ERRORS | {
    "OAUTH_LINK_ERROR": 401,
    "EMAIL_NOT_VERIFIED": 403,
    "BANNED_USER": 403,
}
LINK_ERRORS: Final = _TOKEN_ERRORS | {
    "SOCIAL_ACCOUNT_ALREADY_LINKED": 409,
    "LINKING_NOT_ALLOWED": 401,
    "LINKING_DIFFERENT_EMAILS_NOT_ALLOWED": 401,
    "LINKING_FAILED": 417,
}
_LINK_CODES: Final = {
    "account_already_linked_to_different_user": "SOCIAL_ACCOUNT_ALREADY_LINKED",
    "unable_to_link_account": "LINKING_NOT_ALLOWED",
    "email_does_not_match": "LINKING_DIFFERENT_EMAILS_NOT_ALLOWED",
    "linking_failed": "LINKING_FAILED",
}


async def sign_in(context: RequestContext, client: OAuthClient) -> answers.SignedIn:
    """Sign in with an ID token. Raises AuthError."""
    try:
        arrival = await _arrival(context, client)
        try:
            found = await linking.sign_in(context, arrival)
        except RefusedError as refusal:
            raise AuthError(401, "OAUTH_LINK_ERROR", refusal.code.replace("_", " ")) from refusal
        log_sign_in(context, client.id, found)
        if found.session is None:
            raise AuthError(403, "EMAIL_NOT_VERIFIED")
    except (AuthError, DatabaseError) as error:
        _log_failure(context, "sign_in", client, error)
        raise
    context.set_session_cookie(found.session.token)
    user = serializers.user(found.user, context.services.user_fields.shown)
    return {"redirect": False, "token": found.session.token, "user": user}


async def link(context: RequestContext, client: OAuthClient) -> answers.AtProvider:
    """Link an account with its ID token. Raises AuthError."""
    user, session = context.user, context.current_session.session.token
    try:
        arrival = await _arrival(context, client, context.body["idToken"].get("refreshToken"))
        try:
            await linking.link(
                context, arrival, user.id, user.email, session=session, own_first=True
            )
        except RefusedError as refusal:
            code = _LINK_CODES[refusal.code]
            raise AuthError(LINK_ERRORS[code], code) from refusal
    except (AuthError, DatabaseError) as error:
        _log_failure(context, "account_linked", client, error)
        raise
    log(context, "account_linked", client.id, "ok")
    return {"url": "", "status": True, "redirect": False}


async def _arrival(
    context: RequestContext, client: OAuthClient, refresh_token: str | None = None
) -> linking.Arrival:
    given = context.body["idToken"]
    if not client.supports_id_tokens:
        raise AuthError(404, "ID_TOKEN_NOT_SUPPORTED")
    access_token = given.get("accessToken") or None
    try:
        profile = await client.profile_of_id_token(
            given["token"],
            nonce=given.get("nonce") or None,
            access_token=access_token,
            user=given.get("user"),
        )
    except InvalidIdTokenError:
        raise AuthError(401, "INVALID_TOKEN") from None
    except UserInfoError:
        raise AuthError(401, "FAILED_TO_GET_USER_INFO") from None
    except ProviderUnavailableError:
        raise AuthError(404, "PROVIDER_NOT_FOUND") from None
    if profile.email is None:
        raise AuthError(401, "USER_EMAIL_NOT_FOUND")
    return linking.Arrival(
        settings=client.settings,
        profile=profile,
        tokens=Tokens(
            access_token=access_token, refresh_token=refresh_token, id_token=given["token"]
        ),
        requests_sign_up=context.body.get("requestSignUp") is True,
    )


def _log_failure(
    context: RequestContext, event: str, client: OAuthClient, error: AuthError | DatabaseError
) -> None:
    if isinstance(error, AuthError):
        log(context, event, client.id, "refused", error.code)
    else:
        log(context, event, client.id, "failed", "DATABASE")
