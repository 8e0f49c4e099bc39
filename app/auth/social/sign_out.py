"""Signing out at the provider as well: OpenID Connect RP-Initiated Logout 1.0.

The account that was written last decides, of those whose provider has an address for it.
"""

import asyncio
from typing import Any, Final
from uuid import UUID

from ...errors import DatabaseError
from ...statements import accounts
from ...statements.accounts import StoredTokens
from ..context import RequestContext
from .client import OAuthClients
from .provider import ProviderError

_PATIENCE: Final = 3.0
"""Seconds for a discovery document that is not known yet: nobody waits long to be signed out."""


async def end_session_url(
    context: RequestContext, clients: OAuthClients, user_id: UUID
) -> str | None:
    """Where the provider's session of a user ends; None: nowhere.

    The user is signed out here whatever comes of this, so nothing is raised.
    """
    configured = context.settings.social.providers
    if all(each.is_built_in or each.disable_provider_logout for each in configured):
        return None
    redirect_to = context.body_field("callbackURL")
    target = {
        "redirect_to": context.services.origins.absolute(redirect_to) if redirect_to else None,
        "state": context.body_field("state"),
    }
    try:
        rows = await context.database.fetch(accounts.tokens_of_user, user_id)
        async with asyncio.timeout(_PATIENCE):
            return await _first_url(clients, rows, target)
    except (DatabaseError, TimeoutError):
        return None


async def _first_url(
    clients: OAuthClients, rows: list[StoredTokens], target: dict[str, Any]
) -> str | None:
    newest = {row.provider_id: row for row in reversed(rows)}  # one of each provider
    for row in rows:
        client = clients.get(row.provider_id)
        if client is None or newest[row.provider_id] is not row:
            continue
        try:
            url = await client.end_session_url(id_token=row.id_token, **target)
        except ProviderError:
            continue
        if url:
            return url
    return None
