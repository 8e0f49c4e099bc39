"""For Starlette's AuthenticationMiddleware: ``request.user``, ``request.auth``, ``@requires``.

    middleware = [gatepost_middleware("https://auth.example.com")]
    app = Starlette(routes=[…], middleware=middleware)

    @requires("authenticated")
    async def me(request):
        return JSONResponse({"email": request.user.email})

``requires`` knows the scopes ``authenticated``, ``fresh`` and ``role:NAME``.
``pip install 'gatepost-client[starlette]'``.
"""

from collections.abc import Collection

from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    BaseUser,
)
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response

from .errors import OriginError, UnavailableError, UnexpectedResponseError
from .guard import Guard, SessionSource
from .http import GatepostClient
from .models import Session, User


class SessionUser(BaseUser):
    """``request.user`` of somebody who is signed in."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def user(self) -> User:
        return self.session.user

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def display_name(self) -> str:
        return self.user.name

    @property
    def identity(self) -> str:
        return self.user.id

    @property
    def email(self) -> str:
        return self.user.email


class _RefusedError(AuthenticationError):
    def __init__(self, status: int, text: str, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after


class GatepostBackend(AuthenticationBackend):
    """Finds the session of each request."""

    def __init__(self, source: SessionSource, trusted_origins: Collection[str] = ()) -> None:
        self._guard = Guard(source, trusted_origins)

    async def authenticate(
        self, conn: HTTPConnection
    ) -> tuple[AuthCredentials, SessionUser] | None:
        try:
            session = await self._guard.session(conn.scope.get("method", "WEBSOCKET"), conn)
        except OriginError as error:
            raise _RefusedError(403, str(error)) from error
        except UnavailableError as error:
            text = "It cannot be said now who this is"
            raise _RefusedError(503, text, error.retry_after) from error
        except UnexpectedResponseError as error:
            raise _RefusedError(503, "It cannot be said now who this is") from error
        if session is None:
            return None
        scopes = ["authenticated", *(f"role:{role}" for role in session.user.roles)]
        if session.is_fresh():
            scopes.append("fresh")
        return AuthCredentials(scopes), SessionUser(session)


def on_error(_: HTTPConnection, error: AuthenticationError) -> Response:
    """403 for a request that another site sent, 503 while the service does not answer."""
    status = error.status if isinstance(error, _RefusedError) else 403
    retry_after = error.retry_after if isinstance(error, _RefusedError) else None
    headers = {"Retry-After": str(retry_after)} if retry_after else None
    return PlainTextResponse(str(error), status, headers)


def gatepost_middleware(
    service: str | SessionSource, *, trusted_origins: Collection[str] = ()
) -> Middleware:
    """For ``Starlette(middleware=[…])``. ``service``: its address, or a client of your own."""
    source = GatepostClient(service) if isinstance(service, str) else service
    backend = GatepostBackend(source, trusted_origins)
    return Middleware(AuthenticationMiddleware, backend=backend, on_error=on_error)
