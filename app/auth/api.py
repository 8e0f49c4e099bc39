"""The auth API: Better Auth's HTTP protocol under ``/api/auth``."""

from typing import Final

from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from app.auth import (
    accounts,
    email_verification,
    password_change,
    password_reset,
    profile,
    session_management,
    sign_in,
    sign_up,
    status,
)
from app.auth.account_limit import AccountLimit
from app.auth.context import PREFIX, Services
from app.auth.cookies import Cookies, Signer
from app.auth.cors import Cors
from app.auth.endpoint import not_found
from app.auth.mail import Mail
from app.auth.origins import Origins
from app.auth.passwords import Passwords, common_passwords
from app.auth.plugins import load
from app.auth.pseudonyms import Pseudonyms
from app.auth.rate_limit import RateLimiter
from app.auth.session_loader import SessionLoader, ShardLoader
from app.auth.session_management import GET_SESSION
from app.auth.tokens import MailTokens
from app.client_address import ClientAddresses
from app.database import Database
from app.settings import AuthSettings, Settings

_PATH: Final = f"{PREFIX}/get-session".encode()


def auth_routes() -> list[BaseRoute]:
    """Every endpoint. A new one adds its module's ``routes`` here."""
    routes = [
        *session_management.routes,  # first, for get-session is asked most
        *sign_up.routes,
        *sign_in.routes,
        *profile.routes,
        *password_change.routes,
        *password_reset.routes,
        *email_verification.routes,
        *accounts.routes,
        *status.routes,
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
    database: Database, settings: Settings, client_addresses: ClientAddresses
) -> Services | None:
    """What the endpoints use, made from the settings; None when the auth API is off."""
    if settings.auth is None:
        return None
    return _services(database, settings, settings.auth, client_addresses)


def _services(
    database: Database, whole: Settings, settings: AuthSettings, client_addresses: ClientAddresses
) -> Services:
    signer = Signer(settings.secrets)
    origins = Origins(settings.base_url, settings.trusted_origins)
    rate_limiter = RateLimiter(settings.rate_limit, database)
    pseudonyms = Pseudonyms(settings.secrets[0])
    refused = common_passwords() if settings.refuse_common_passwords else frozenset()
    return Services(
        settings=settings,
        database=database,
        session_loader=ShardLoader(database) if whole.citus else SessionLoader(database),
        client_addresses=client_addresses,
        rate_limiter=rate_limiter,
        account_limit=AccountLimit(rate_limiter, database, pseudonyms),
        pseudonyms=pseudonyms,
        plugins=load(settings.plugins),
        cookies=Cookies(
            signer,
            prefix=settings.cookie_prefix,
            secure=settings.secure_cookies,
            domain=settings.cookie_domain,
            max_age=settings.session_expires_in,
            host=settings.host_cookies,
        ),
        origins=origins,
        cors=Cors(origins),
        passwords=Passwords(refused, whole.request_timeout),
        tokens=MailTokens(settings.secrets, own_key=settings.better_auth_server == "none"),
        mail=Mail(settings.mail),
    )
