"""The auth API: Better Auth's HTTP protocol under ``/api/auth``."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from ..client_address import ClientAddresses
from ..database import Database
from ..settings import Settings
from ..statements.sessions import SessionStatements
from ..statements.users import UserStatements
from . import (
    accounts,
    devices,
    email_verification,
    no_providers,
    password_change,
    password_reset,
    profile,
    session_management,
    sign_in,
    sign_up,
    status,
)
from .account_limit import AccountLimit
from .context import PREFIX, Services
from .cookies import Cookies, Signer
from .cors import Cors
from .endpoint import not_found
from .fields import Fields
from .mail import Mail
from .origins import Origins
from .passwords import Passwords, common_passwords
from .plugins import load
from .pseudonyms import Pseudonyms
from .rate_limit import RateLimiter
from .session_loader import SessionLoader, ShardLoader
from .session_management import GET_SESSION
from .tokens import MailTokens

if TYPE_CHECKING:
    from ..database.replica import Replica
    from .sightings import Sightings
    from .social.services import Social

_PATH: Final = f"{PREFIX}/get-session".encode()


def auth_routes(services: Services, more: Iterable[BaseRoute] = ()) -> list[BaseRoute]:
    """Every endpoint. A new one adds its module's ``routes`` here; ``more`` are those of what a
    setting has switched on."""
    routes = [
        *session_management.routes,  # first, for get-session is asked most
        *sign_up.routes,
        *sign_in.routes,
        *profile.routes,
        *password_change.routes,
        *password_reset.routes,
        *email_verification.routes,
        *accounts.routes,
        *devices.routes,
        *(services.social.routes if services.social else no_providers.routes),
        *status.routes,
        *(route for plugin in services.plugins for route in plugin.routes),
        *more,
    ]
    router = AuthRouter(routes, redirect_slashes=False, default=not_found)
    return [
        Mount(PREFIX, router),
        Route(PREFIX, router, include_in_schema=False),  # 404 in the form of the auth API
    ]


class GetSessionMiddleware:
    """Passes GET get-session to its endpoint without the routers: a fifth of its time."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope.get("raw_path") == _PATH and scope["method"] == "GET":
            await GET_SESSION.endpoint(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class AuthRouter(Router):
    """Matches the path as it was sent: an encoded slash does not separate two segments."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "raw_path" in scope:  # ASGI leaves it to the server
            scope["path"] = scope["raw_path"].decode("latin-1")
        await super().__call__(scope, receive, send)


def auth_services(
    database: Database,
    settings: Settings,
    client_addresses: ClientAddresses,
    knows_service_key: Callable[[str], bool],
    replica: "Replica | None" = None,
) -> Services | None:
    """What the endpoints use, made from the settings; None when the auth API is off."""
    auth = settings.auth
    if auth is None:
        return None
    signer = Signer(auth.secrets)
    origins = Origins(auth.base_url, auth.trusted_origins)
    rate_limiter = RateLimiter(auth.rate_limit, database)
    pseudonyms = Pseudonyms(auth.secrets[0])
    refused = common_passwords() if auth.refuse_common_passwords else frozenset()
    users, sessions = settings.schema.users, settings.schema.sessions
    session_statements = SessionStatements.of(sessions, users)
    loader = ShardLoader if settings.citus else SessionLoader
    services = Services(
        settings=auth,
        database=database,
        session_loader=loader(database, session_statements),
        client_addresses=client_addresses,
        knows_service_key=knows_service_key,
        rate_limiter=rate_limiter,
        account_limit=AccountLimit(rate_limiter, database, pseudonyms),
        pseudonyms=pseudonyms,
        cookies=Cookies(
            signer,
            prefix=auth.cookie_prefix,
            secure=auth.secure_cookies,
            domain=auth.cookie_domain,
            max_age=auth.session_expires_in,
            host=auth.host_cookies,
            same_site=auth.cookie_same_site,
            partitioned=auth.partitioned_cookies,
        ),
        origins=origins,
        cors=Cors(origins),
        passwords=Passwords(refused, settings.request_timeout),
        tokens=MailTokens(auth.secrets, own_key=auth.better_auth_server == "none"),
        mail=Mail(auth.mail),
        user_fields=Fields(users.fields),
        session_fields=Fields(sessions.fields),
        user_statements=UserStatements.of(users),
        session_statements=session_statements,
        schema=settings.schema,
        replica=replica,
    )
    return replace(
        services,
        plugins=load(auth.plugins, services),
        social=_social(services),
        sightings=_sightings(services),
    )


def _social(services: Services) -> "Social | None":
    if not services.settings.social.providers:
        return None
    from .social.services import Social

    return Social(services.settings, services.database)


def _sightings(services: Services) -> "Sightings | None":
    if not services.settings.last_seen_every:
        return None
    from .sightings import Sightings

    return Sightings(services.database, services.settings.last_seen_every)
