import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import getrandbits

from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.database import Database
from app.errors import RequestTooLargeError
from app.responses import error_response
from app.rest.api import rest_routes
from app.settings import Settings


class Throwaway:
    def __init__(self, app, limit):
        self.app, self.limit = app, limit

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        scope.setdefault("state", {})
        received = 0

        async def limited():
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limit:
                raise RequestTooLargeError(self.limit)
            return message

        try:
            await self.app(scope, limited, send)
        except RequestTooLargeError as error:
            await error_response(413, "413", str(error))(scope, receive, send)


def create_app(settings: Settings) -> Starlette:
    database = Database(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await database.open()
        try:
            yield
        finally:
            await database.close()

    async def live(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def metrics(_: Request) -> Response:
        return Response(generate_latest())

    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware

    async def http_error(request, error):
        return error_response(error.status_code, str(error.status_code), "no")

    app = Starlette(
        routes=[
            *rest_routes(database, settings),
            Route("/livez", live),
            Route("/readyz", live),
            Route("/metrics", metrics),
        ],
        middleware=[Middleware(Throwaway, settings.max_body)],
        exception_handlers={HTTPException: http_error},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


def __getattr__(name: str) -> Starlette:
    if name != "app":
        raise AttributeError(name)
    return create_app(Settings.from_environment(os.environ))
