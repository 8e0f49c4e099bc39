"""The service: every route on one screen. ``uvicorn app.main:app`` runs it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope

from app.auth.call import PREFIX as AUTH
from app.auth.door import AuthDoor
from app.auth.plain import RAW_PATH as GET_SESSION
from app.callbacks import Done, GiveUp
from app.database import Database
from app.errors import SettingsError
from app.http.answer import Answer, collected
from app.http.errors import router_refusal
from app.http.log import configure_logging
from app.http.middleware import RequestMiddleware
from app.http.telemetry import Telemetry
from app.operations.health import Health
from app.operations.purge import purging
from app.rest.door import RestDoor
from app.rest.exchange import PREFIX as REST
from app.settings import Settings


def create_app(settings: Settings) -> Starlette:
    """The application. Its pool lives as long as the lifespan."""
    database = Database(settings)
    rest = RestDoor(database, settings)
    auth = AuthDoor(database, settings.auth) if settings.auth else None
    health = Health(database)
    telemetry = Telemetry()

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
            telemetry.write()

    async def metrics(_: Request) -> Response:
        telemetry.write()
        return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})

    app = Starlette(
        routes=[
            Route("/livez", _alive),
            Route("/readyz", health.ready),
            Route("/metrics", metrics),
        ],
        lifespan=lifespan,
    )
    below_rest = f"{REST}/"
    doors = {REST: rest} | ({AUTH: auth} if auth else {})

    async def answer(scope: Scope, receive: Receive) -> Answer:
        path = scope["path"]
        # by how the path begins, and before the router, which would try its patterns one by one
        for prefix, door in doors.items():
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
                return await door.answer(scope, receive)
        try:
            return await collected(app.router, {**scope, "app": app}, receive)
        except HTTPException as error:
            return router_refusal(error)

    def at_once(scope: Scope, body: bytes, done: Done) -> GiveUp | None:
        if scope["path"].startswith(below_rest):
            return rest.ask(scope, body, done)
        if scope["raw_path"] == GET_SESSION and auth is not None:
            return auth.get_session(scope, body, done)
        return None

    # by hand: Starlette's own stack begins with a layer that answers every error before ours can
    app.middleware_stack = RequestMiddleware(
        answer,
        app.router,
        telemetry=telemetry,
        timeout=settings.request_timeout,
        max_body=settings.max_body,
        at_once=at_once,
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
