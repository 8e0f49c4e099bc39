"""A provider's tokens after the sign-in: given to their user's own session, and refreshed.

Source: Better Auth 1.7, observed on the wire.
"""

from typing import Any, Final, NoReturn
from uuid import UUID

from ...errors import AuthError
from ...statements import accounts
from ...statements.accounts import StoredTokens
from .. import answers, provider_endpoints, sessions
from ..context import RequestContext, seconds, utc_now
from ..serializers import timestamp
from .client import OAuthClient
from .provider import ProviderError, RefreshError
from .refresh import AccountGoneError
from .token_store import UnreadableTokenError, scopes

_ABOUT_TO_EXPIRE: Final = seconds(5)


async def get_access_token(context: RequestContext) -> answers.AccessToken:
    """Get a token for the provider's API, refreshed when it is about to expire."""
    row = await _selected(context, context.body)
    row = await _refreshed_when_due(context, row, _client(context, row))
    try:
        token = context.social.token_store.open(row.access_token)
    except UnreadableTokenError:
        _no_access_token()
    answer: answers.AccessToken = {"accessToken": token or "", "scopes": list(scopes(row.scope))}
    if row.access_token_expires_at:
        answer["accessTokenExpiresAt"] = timestamp(row.access_token_expires_at)
    if row.id_token:
        answer["idToken"] = row.id_token
    return answer


async def refresh_token(context: RequestContext) -> answers.RefreshedTokens:
    """Ask the provider for new tokens. Of many calls at once one asks, and all get its answer."""
    row = await _selected(context, context.body)
    client = _client(context, row)
    if not row.refresh_token:
        raise AuthError(400, "REFRESH_TOKEN_NOT_FOUND")
    try:
        row = await context.social.refresher.refresh(row, client)
        tokens = context.social.token_store.opened(row)
    except (RefreshError, UnreadableTokenError):
        raise AuthError(400, "FAILED_TO_REFRESH_ACCESS_TOKEN") from None
    except AccountGoneError:
        raise _not_found() from None
    ends = row.refresh_token_expires_at
    answer: answers.RefreshedTokens = {
        "accessToken": tokens.access_token or "",
        "refreshToken": tokens.refresh_token or "",
        "refreshTokenExpiresAt": timestamp(ends) if ends else None,
        "scope": row.scope,
        "idToken": row.id_token,
        "providerId": row.provider_id,
        "accountId": str(row.id),
    }
    expires_at = row.access_token_expires_at
    if expires_at and expires_at > utc_now():  # else it is the old one: the provider named none
        answer["accessTokenExpiresAt"] = timestamp(expires_at)
    return answer


async def account_info(context: RequestContext) -> answers.AccountInfo:
    """Ask the provider about the user's account there."""
    row = await _selected(context, context.query)
    client = context.social.clients.get(row.provider_id)
    if client is None:
        raise AuthError(400, "PROVIDER_NOT_CONFIGURED")
    row = await _refreshed_when_due(context, row, client)
    try:
        tokens = context.social.token_store.opened(row)
    except UnreadableTokenError:
        _no_access_token()
    if not tokens.access_token:
        raise AuthError(400, "ACCESS_TOKEN_NOT_FOUND")
    try:
        profile = await client.account_profile(tokens)
    except ProviderError:
        raise AuthError(401, "FAILED_TO_GET_USER_INFO") from None
    if profile.subject != row.account_id:  # a token of somebody else, which a client may have sent
        raise AuthError(401, "FAILED_TO_GET_USER_INFO")
    user: answers.ProviderUser = {
        "name": profile.name,
        "email": profile.email,
        "emailVerified": profile.email_verified,
    }
    if profile.image is not None:
        user["image"] = profile.image
    return {
        "user": user,
        "data": dict(profile.raw),
        "account": {
            "id": str(row.id),
            "providerId": row.provider_id,
            "accountId": row.account_id,
        },
    }


async def _refreshed_when_due(
    context: RequestContext, row: StoredTokens, client: OAuthClient
) -> StoredTokens:
    expires_at = row.access_token_expires_at
    if not row.refresh_token or expires_at is None or expires_at - utc_now() >= _ABOUT_TO_EXPIRE:
        return row
    try:
        return await context.social.refresher.refresh(row, client)
    except (RefreshError, UnreadableTokenError):
        _no_access_token()
    except AccountGoneError:
        raise _not_found() from None


async def _selected(context: RequestContext, selection: dict[str, Any]) -> StoredTokens:
    """The account that a request means, which is one of its session's user."""
    context.current = await sessions.find(context)
    if context.current is None:
        raise AuthError(401)
    try:
        account_id = UUID(selection.get("accountId"))
    except (ValueError, TypeError):
        raise _not_found() from None
    row = await context.database.fetchrow(accounts.tokens, account_id, context.user.id)
    if row is None or str(row.id) != selection["accountId"]:
        raise _not_found()
    return row


def _client(context: RequestContext, row: StoredTokens) -> OAuthClient:
    client = context.social.clients.get(row.provider_id)
    if client is None:
        message = f"Provider {row.provider_id} is not supported."
        raise AuthError(400, "PROVIDER_NOT_SUPPORTED", message)
    return client


def _not_found() -> AuthError:
    return AuthError(400, "ACCOUNT_NOT_FOUND")


def _no_access_token() -> NoReturn:
    raise AuthError(400, "FAILED_TO_GET_ACCESS_TOKEN") from None


_NOT_SELECTED: Final = {"ACCOUNT_NOT_FOUND": 400, "": 401}
_NO_ACCESS_TOKEN: Final = {"FAILED_TO_GET_ACCESS_TOKEN": 400}

routes: Final = [
    provider_endpoints.get_access_token(
        get_access_token,
        errors=_NOT_SELECTED | _NO_ACCESS_TOKEN | {"PROVIDER_NOT_SUPPORTED": 400},
    ),
    provider_endpoints.refresh_token(
        refresh_token,
        errors=_NOT_SELECTED
        | {
            "PROVIDER_NOT_SUPPORTED": 400,
            "REFRESH_TOKEN_NOT_FOUND": 400,
            "FAILED_TO_REFRESH_ACCESS_TOKEN": 400,
        },
    ),
    provider_endpoints.account_info(
        account_info,
        errors=_NOT_SELECTED
        | _NO_ACCESS_TOKEN
        | {
            "PROVIDER_NOT_CONFIGURED": 400,
            "ACCESS_TOKEN_NOT_FOUND": 400,
            "FAILED_TO_GET_USER_INFO": 401,
        },
    ),
]
