"""A stand-in with the health endpoints, the metrics and the purge; the application replaces it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.database import Database
from app.errors import SettingsError
from app.health import livez, readyz
from app.purge import purge_in_background
from app.settings import Settings


def create_app(settings: Settings | None = None) -> Starlette:
    """The application; without ``settings`` they are read from the environment."""
    settings = settings or _settings_from_environment()
    database = Database(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await database.open()
        try:
            async with purge_in_background(database, settings.purge_every):
                yield
        finally:
            await database.close()

    app = Starlette(
        routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)],
        lifespan=lifespan,
    )
    app.state.database = database
    return app


async def metrics(_: Request) -> Response:
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})


def _settings_from_environment() -> Settings:
    try:
        return Settings.from_environment(os.environ)
    except SettingsError as error:  # uvicorn would print a traceback
        raise SystemExit(f"gatepost: {error}") from None


def __getattr__(name: str) -> Starlette:
    if name != "app":
        raise AttributeError(name)
    return create_app()
