"""The service: every route on one screen. ``uvicorn app.main:app`` runs it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.auth.call import PREFIX as AUTH
from app.auth.door import AuthDoor
from app.database import Database
from app.http.answers import Answers
from app.http.errors import on_http_exception
from app.http.log import configure_logging
from app.http.middleware import Answer, RequestMiddleware
from app.operations.health import Health
from app.operations.purge import purging
from app.rest.door import RestDoor
from app.rest.exchange import PREFIX as REST
from app.settings import Settings, SettingsError


def create_app(settings: Settings) -> Starlette:
    """The application. Its pool lives as long as the lifespan."""
    database = Database(settings)
    rest = RestDoor(database, settings)
    auth = AuthDoor(database, settings.auth) if settings.auth else None
    health = Health(database)
    answers = Answers()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        configure_logging()
        await database.open()
        try:
            async with purging(database, settings.purge_every):
                yield
        finally:
            if auth is not None:
                await auth.close()
            await database.close()
            answers.write()

    async def metrics(_: Request) -> Response:
        answers.write()
        return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})

    app = Starlette(
        routes=[
            Route("/livez", _alive),
            Route("/readyz", health.ready),
            Route("/metrics", metrics),
        ],
        lifespan=lifespan,
    )
    doors = {REST: rest} | ({AUTH: auth} if auth else {})
    router = ExceptionMiddleware(app.router, {HTTPException: on_http_exception})

    def door(path: str) -> RestDoor | AuthDoor | None:
        # by how the path begins, and before the router, which would try its patterns one by one
        for prefix, found in doors.items():
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
                return found
        return None

    async def quick(scope: Scope) -> Answer | None:
        found = door(scope["path"])
        return await found.quick(scope) if found else None

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        found = door(scope["path"]) if scope["type"] == "http" else None
        await (found or router)(scope, receive, send)

    # by hand: Starlette's own stack begins with a layer that answers every error before ours can
    app.middleware_stack = RequestMiddleware(
        dispatch,
        answers=answers,
        timeout=settings.request_timeout,
        max_body=settings.max_body,
        quick=quick,
    )
    return app


async def _alive(_: Request) -> Response:
    return PlainTextResponse("ok")


def __getattr__(name: str) -> Starlette:
    # made on demand: importing this module for create_app must not need an environment
    if name != "app":
        raise AttributeError(name)
    try:
        return create_app(Settings.from_environment(os.environ))
    except SettingsError as error:
        raise SystemExit(f"gatepost: {error}") from None
