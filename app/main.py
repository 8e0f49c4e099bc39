"""The service as a Starlette application.

``gatepost serve`` runs it; ``uvicorn app.main:app`` and ``uvicorn --factory app.main:create_app``
give the same answers.
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from uuid import uuid4

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from app.auth.api import GetSessionMiddleware, auth_routes, auth_services
from app.auth.context import PREFIX
from app.client_address import ClientAddresses
from app.database import Database
from app.database.pool_metrics import export_pool
from app.errors import RequestTooLargeError, SettingsError
from app.health import livez, readyz
from app.logs import RATE_LIMIT, logging_in_batches
from app.middleware import RequestMiddleware
from app.pages import root
from app.purge import purge_in_background
from app.redaction import redact_server_logs
from app.responses import API_HEADERS, NO_STORE, error_response, security_headers
from app.rest.api import RestAPI
from app.settings import Settings
from app.telemetry import Telemetry

_log = logging.getLogger("gatepost.requests")
_log.addFilter(RATE_LIMIT)


def create_app(settings: Settings | None = None) -> Starlette:
    """The application. Without ``settings`` they are read from the environment."""
    settings = settings or _settings_from_environment()
    tracing = None
    if settings.tracing:
        from app.tracing import Tracing  # its packages are an extra

        tracing = Tracing()
    database = tracing.database(settings) if tracing else Database(settings)
    telemetry = Telemetry()
    client_addresses = ClientAddresses(settings.trusted_proxies)
    rest = RestAPI(database, settings, client_addresses=client_addresses)
    auth = auth_services(database, settings, client_addresses)
    if auth and tracing:
        loader = tracing.session_loader(database, sharded=settings.citus)
        auth = replace(auth, session_loader=loader)
    https = settings.auth is not None and settings.auth.base_url.startswith("https:")
    headers = security_headers(https=https)
    redact_server_logs()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with logging_in_batches(telemetry), tracing.exporting() if tracing else nullcontext():
            await database.open()
            export_pool(database)
            try:
                await database.check()
                async with (
                    purge_in_background(database, settings.purge_every, citus=settings.citus),
                    rest.running(),
                ):
                    yield
            finally:
                try:
                    if auth:
                        await auth.close()
                finally:
                    await database.close()

    app = Starlette(
        routes=[
            *(auth_routes() if auth else ()),
            *rest.routes(),
            Route("/", root),
            Route("/livez", livez),
            Route("/readyz", readyz),
        ],
        middleware=[
            *([tracing.middleware()] if tracing else ()),
            Middleware(
                RequestMiddleware,
                telemetry=telemetry,
                timeout=settings.request_timeout,
                max_body=settings.max_body,
                headers=headers,
                api_headers=API_HEADERS,
                prepare_error=add_cors_headers,
            ),
            *([Middleware(GetSessionMiddleware)] if auth else ()),
        ],
        exception_handlers={
            HTTPException: http_error,
            RequestTooLargeError: request_too_large,
            Exception: internal_error,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.database = database
    app.state.citus = settings.citus
    app.state.telemetry = telemetry
    app.state.auth = auth
    app.state.headers = headers | NO_STORE
    return app


async def http_error(_: Request, error: Exception) -> Response:
    """The router's 404 and 405."""
    if not isinstance(error, HTTPException):
        raise error
    status = error.status_code
    message = {404: "Not found", 405: "Method not allowed"}.get(status, error.detail)
    return error_response(status, str(status), message, headers=error.headers)


async def request_too_large(request: Request, error: Exception) -> Response:
    response = error_response(413, "413", str(error))
    add_cors_headers(request.scope, response)
    return response


async def internal_error(request: Request, error: Exception) -> Response:
    """What nobody expected: in the log, under the id that the client gets and nothing else."""
    # a middleware of the user's own can fail before there is an id
    request_id: str = getattr(request.state, "request_id", None) or uuid4().hex
    _log.error("request %s failed", request_id, exc_info=error)
    # outside of RequestMiddleware, which gives other responses their headers
    headers = {"x-request-id": request_id, **getattr(request.app.state, "headers", {})}
    response = error_response(500, "500", "Internal error", details=request_id, headers=headers)
    add_cors_headers(request.scope, response)
    return response


def add_cors_headers(scope: Scope, response: Response) -> None:
    """Let a browser client read an error that the auth API did not make itself."""
    auth = getattr(scope["app"].state, "auth", None)
    if auth is not None and scope["path"].startswith(f"{PREFIX}/"):
        auth.cors.add_headers(Headers(scope=scope), response)


def _settings_from_environment() -> Settings:
    try:
        return Settings.from_environment(os.environ)
    except SettingsError as error:
        raise SystemExit(f"gatepost: {error}") from None


def __getattr__(name: str) -> Starlette:
    # on demand, so that importing create_app needs no environment
    if name != "app":
        raise AttributeError(name)
    application = globals()["app"] = create_app()
    return application
