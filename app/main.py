"""The service as a Starlette application.

``gatepost serve`` runs it; ``uvicorn gatepost.main:app`` and ``uvicorn --factory
gatepost.main:create_app`` give the same answers (in a checkout ``app`` and not ``gatepost``).
"""

import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from uuid import uuid4

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from .auth.api import GetSessionMiddleware, auth_routes, auth_services
from .auth.context import PREFIX
from .client_address import ClientAddresses
from .database import Database
from .database.pool_metrics import export_pool
from .errors import RequestTooLargeError, SettingsError
from .health import livez, readyz
from .logs import RATE_LIMIT, logging_in_batches
from .middleware import RequestMiddleware
from .migrations.files import MIGRATIONS, versions
from .pages import root
from .process import exit_with
from .purge import purge_in_background
from .redaction import redact_server_logs
from .responses import API_HEADERS, NO_STORE, error_response, security_headers
from .rest.api import RestAPI
from .settings import Settings
from .start import notices, settings_to_serve
from .telemetry import Telemetry

_start_log = logging.getLogger("gatepost")
_log = logging.getLogger("gatepost.requests")
_log.addFilter(RATE_LIMIT)


def create_app(settings: Settings | None = None) -> Starlette:
    """The application. Without ``settings`` they are read from the environment."""
    settings = settings or _settings_from_environment()
    tracing = None
    if settings.tracing:
        from .tracing import Tracing  # its packages are an extra

        tracing = Tracing()
    database = tracing.database(settings) if tracing else Database(settings)
    telemetry = Telemetry()
    client_addresses = ClientAddresses(settings.trusted_proxies)
    replica = None
    if settings.replica_url is not None:
        from .database.replica import Replica  # what is off is not imported

        replica = Replica(settings.replica_url, settings)
    relations = settings.schema.relations
    rest = RestAPI(database, settings, relations, client_addresses, replica)
    auth = auth_services(database, settings, client_addresses, rest.keys.knows, replica)
    docs = None
    if settings.docs:
        from . import __version__
        from .openapi import Docs  # what is off is not imported

        docs = Docs(rest, __version__)
    delivering = nullcontext
    if settings.webhooks.deliver:
        from .webhooks import deliverer  # its packages are an extra

        deliverer.check(settings)
        delivering = partial(deliverer.delivering, database, settings)
    admin_page: list[BaseRoute] = []
    counting: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
    if auth and auth.settings.admin.page:
        from . import __version__
        from .admin_page import admin_routes  # its package is an extra
        from .daily_counts import counting_in_background

        admin_page = admin_routes(auth, settings, __version__)
        counting = partial(counting_in_background, database, citus=settings.citus)
    if auth and tracing:
        statements = auth.session_statements
        loader = tracing.session_loader(database, statements, sharded=settings.citus)
        auth = replace(auth, session_loader=loader)
    https = settings.auth is not None and settings.auth.base_url.startswith("https:")
    headers = security_headers(https=https)
    redact_server_logs()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with logging_in_batches(telemetry), tracing.exporting() if tracing else nullcontext():
            for notice in notices(settings):
                _start_log.warning("%s", notice)
            await database.open()
            export_pool(database)
            try:
                await database.check()
                async with (
                    purge_in_background(
                        database,
                        settings.purge_every,
                        retention=settings.events_retention,
                        citus=settings.citus,
                    ),
                    counting(),
                    replica.running() if replica else nullcontext(),
                    rest.running(),
                    auth.social.running() if auth and auth.social else nullcontext(),
                    delivering(),
                    auth.sightings.running() if auth and auth.sightings else nullcontext(),
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
            *(auth_routes(auth, docs.auth_routes() if docs else ()) if auth else ()),
            *rest.routes(),
            *(docs.routes() if docs else ()),
            *admin_page,
            # for operators, so in no description of the APIs
            Route("/", root, include_in_schema=False),
            Route("/livez", livez, include_in_schema=False),
            Route("/readyz", readyz, include_in_schema=False),
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
    app.state.migrations = frozenset(
        version for folder in (MIGRATIONS, *settings.migrations) for version in versions(folder)
    )
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
        return settings_to_serve(os.environ)
    except SettingsError as error:
        exit_with(error)


def __getattr__(name: str) -> Starlette:
    # on demand, so that importing create_app needs no environment
    if name != "app":
        raise AttributeError(name)
    application = globals()["app"] = create_app()
    return application
