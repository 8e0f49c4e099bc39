"""Sign-in with providers as a service of the application: its clients and its endpoints."""

from contextlib import AbstractAsyncContextManager
from typing import Final
from uuid import UUID

from ...database import Database
from ...settings import AuthSettings
from ..context import RequestContext
from ..endpoint import AuthRoute
from . import callback, sign_in, sign_out, stored_tokens
from .client import OAuthClients
from .refresh import Refresher
from .token_store import TokenStore


class Social:
    """What GATEPOST_PROVIDERS switches on."""

    def __init__(self, settings: AuthSettings, database: Database) -> None:
        social = settings.social
        self.clients: Final = OAuthClients(social)
        self.token_store: Final = TokenStore(settings.secrets, encrypt=social.encrypt_oauth_tokens)
        self.refresher: Final = Refresher(database, self.token_store)
        self.routes: Final[list[AuthRoute]] = [
            *sign_in.routes,
            *callback.routes,
            *stored_tokens.routes,
        ]

    async def end_session_url(self, context: RequestContext, user_id: UUID) -> str | None:
        """Where a user who has signed out here signs out at the provider; None: nowhere."""
        return await sign_out.end_session_url(context, self.clients, user_id)

    def running(self) -> AbstractAsyncContextManager[None]:
        """The generic providers are discovered in the background while the block lasts."""
        return self.clients.running()

    async def close(self) -> None:
        await self.refresher.close()
        await self.clients.close()
