"""The endpoints of providers, of which none is configured.

Where Better Auth would hand over to an OAuth provider, the answers are those of its server without
providers.
"""

from typing import Any, Final, NoReturn

from starlette.responses import Response

from ..errors import AuthError
from ..statements import accounts
from ..statements.accounts import PublicAccount
from . import provider_endpoints, sessions
from .context import RequestContext, redirect
from .provider_callback import forward


async def sign_in_social(_: RequestContext) -> NoReturn:
    """Begin to sign in with a provider, of which none is configured."""
    raise AuthError(404, "PROVIDER_NOT_FOUND")


async def callback(context: RequestContext) -> Response:
    """Come back from a provider, of which none is configured: on to the page of the error."""
    error = "state_mismatch" if context.query.get("state") else "state_not_found"
    return redirect(f"{context.services.base_url}/error?error={error}")


async def access_token(context: RequestContext) -> NoReturn:
    """Get or refresh the token for a provider's API, of which none is configured."""
    row = await _selected(context, context.body)
    raise AuthError(400, "PROVIDER_NOT_SUPPORTED", f"Provider {row.provider_id} is not supported.")


async def account_info(context: RequestContext) -> NoReturn:
    """Ask a provider about the user's account there; none is configured."""
    await _selected(context, context.query)
    raise AuthError(400, "PROVIDER_NOT_CONFIGURED")


async def _selected(context: RequestContext, selection: dict[str, Any]) -> PublicAccount:
    current = await sessions.find(context)
    if current is None:
        raise AuthError(401)
    rows = await context.database.fetch(accounts.of_user, current.user.id)
    for row in rows:
        if selection.get("accountId") == str(row.id):
            return row
    raise AuthError(400, "ACCOUNT_NOT_FOUND")


_NO_PROVIDER: Final = {"PROVIDER_NOT_FOUND": 404}
_NOT_SELECTED: Final = {"ACCOUNT_NOT_FOUND": 400, "": 401}
_NO_TOKEN: Final = _NOT_SELECTED | {"PROVIDER_NOT_SUPPORTED": 400}

routes: Final = [
    provider_endpoints.sign_in_social(sign_in_social, errors=_NO_PROVIDER),
    provider_endpoints.link_social(sign_in_social, errors=_NO_PROVIDER),
    provider_endpoints.callback(callback),
    provider_endpoints.posted_callback(forward),
    provider_endpoints.get_access_token(access_token, errors=_NO_TOKEN),
    provider_endpoints.refresh_token(access_token, errors=_NO_TOKEN),
    provider_endpoints.account_info(
        account_info, errors=_NOT_SELECTED | {"PROVIDER_NOT_CONFIGURED": 400}
    ),
]
