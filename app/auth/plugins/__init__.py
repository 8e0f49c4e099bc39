"""Plugins: modules of this package that GATEPOST_PLUGINS names. The others are not imported.

Such a module has a ``Plugin``. docs/PLUGINS.md says what each does and opens.
"""

from collections.abc import Iterable, Sequence
from importlib import import_module
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ...database import Transaction
from ...statements.sessions import UserSession
from ..context import RequestContext, Services


class Plugin:
    """What a plugin may do; one overrides what it does."""

    def __init__(self, services: Services) -> None:
        """Made once, with the application."""

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """Endpoints of its own."""
        return ()

    def origin(self, request: Request) -> str | None:
        """The origin that a client names which sends no Origin; None: it names none."""

    def before(self, context: RequestContext) -> None:
        """Before the fields of a request to an endpoint are looked at, and its session."""

    def refuses(self, found: UserSession) -> bool:
        """Whether a session that is still good must not be used."""
        return False

    async def check_new_session(
        self, transaction: Transaction, context: RequestContext, user_id: UUID
    ) -> None:
        """In the transaction of a new session of this user. Raises AuthError: there is none."""

    async def before_deletion(self, transaction: Transaction, user_id: UUID) -> None:
        """In the transaction that deletes a user, before it does. Raises AuthError."""

    async def after(self, context: RequestContext, response: Response) -> None:
        """When the response of an endpoint has its cookies. It raises nothing."""


def expose(response: Response, name: str, value: str) -> None:
    """Give a response a header that scripts of trusted origins may read."""
    response.headers[name] = value
    others = response.headers.get("access-control-expose-headers")
    response.headers["access-control-expose-headers"] = f"{others}, {name}" if others else name


def load(names: Iterable[str], services: Services) -> tuple[Plugin, ...]:
    """The plugins of these names, which the settings have checked."""
    modules = [import_module(f"{__name__}.{name}") for name in names]
    return tuple(module.Plugin(services) for module in modules)
