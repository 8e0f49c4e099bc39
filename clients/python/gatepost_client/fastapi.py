"""Dependencies for FastAPI: ``user: CurrentUser`` and that is all.

    app = FastAPI(lifespan=lifespan("https://auth.example.com"))

    @app.get("/me")
    async def me(user: CurrentUser) -> dict[str, str]:
        return {"email": user.email}

Nobody signed in is 401, a role that is missing 403, a request that another site sent 403, and a
service that does not answer 503 with Retry-After. ``pip install 'gatepost-client[fastapi]'``.
"""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Security
from fastapi.requests import HTTPConnection
from fastapi.security import APIKeyCookie, HTTPBearer

from .errors import OriginError, UnavailableError, UnexpectedResponseError
from .guard import Guard, SessionSource
from .http import COOKIE_PREFIX, GatepostClient
from .models import Session, User

__all__ = [
    "CurrentSession",
    "CurrentUser",
    "FreshSession",
    "OptionalSession",
    "OptionalUser",
    "lifespan",
    "user_with_role",
]

Lifespan = Callable[[Any], AbstractAsyncContextManager[dict[str, Any]]]


def lifespan(service: str | SessionSource, *, trusted_origins: Collection[str] = ()) -> Lifespan:
    """For ``FastAPI(lifespan=…)``: opens and closes the client that the dependencies use.

    ``service`` is the address of the service, or a client of your own. In a lifespan of your own:
    ``async with lifespan(…)(app) as state: yield state``.
    """

    @asynccontextmanager
    async def running(_: Any) -> AsyncIterator[dict[str, Any]]:
        source = GatepostClient(service) if isinstance(service, str) else service
        async with source:
            yield {"gatepost": Guard(source, trusted_origins)}

    return running


class _Cookie(APIKeyCookie):
    """Shows in /docs; what it finds is not used."""

    async def __call__(self, connection: HTTPConnection) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return None


class _Bearer(HTTPBearer):
    async def __call__(self, connection: HTTPConnection) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return None


_cookie = _Cookie(
    name=f"{COOKIE_PREFIX}.session_token", scheme_name="Session cookie", auto_error=False
)
_bearer = _Bearer(scheme_name="Bearer token", auto_error=False)


async def optional_session(
    connection: HTTPConnection,
    _cookie: Annotated[None, Security(_cookie)] = None,
    _bearer: Annotated[None, Security(_bearer)] = None,
) -> Session | None:
    """The session of the request, or None."""
    guard: Guard | None = getattr(connection.state, "gatepost", None)
    if guard is None:
        raise RuntimeError("FastAPI(lifespan=gatepost_client.fastapi.lifespan(…)) is missing")
    try:
        return await guard.session(connection.scope.get("method", "WEBSOCKET"), connection)
    except OriginError as error:
        raise HTTPException(403, str(error)) from error
    except UnavailableError as error:
        headers = {"Retry-After": str(error.retry_after)}
        raise HTTPException(503, "It cannot be said now who this is", headers) from error
    except UnexpectedResponseError as error:
        raise HTTPException(503, "It cannot be said now who this is") from error


OptionalSession = Annotated[Session | None, Depends(optional_session)]


async def current_session(session: OptionalSession) -> Session:
    """The session of the request, or 401."""
    if session is None:
        raise HTTPException(401, "Nobody is signed in", {"WWW-Authenticate": "Bearer"})
    return session


CurrentSession = Annotated[Session, Depends(current_session)]


async def fresh_session(session: CurrentSession) -> Session:
    """A session whose sign-in was within a day, or 403: for what needs the user themselves."""
    if not session.is_fresh():
        raise HTTPException(403, "Sign in again: this needs a fresh session")
    return session


FreshSession = Annotated[Session, Depends(fresh_session)]


async def optional_user(session: OptionalSession) -> User | None:
    """The user of the request, or None."""
    return session.user if session else None


async def current_user(session: CurrentSession) -> User:
    """The user of the request, or 401."""
    return session.user


OptionalUser = Annotated[User | None, Depends(optional_user)]
CurrentUser = Annotated[User, Depends(current_user)]


def user_with_role(*roles: str) -> Callable[[User], Any]:
    """``Annotated[User, Depends(user_with_role("admin"))]``: a user with one of them, or 403."""
    if not roles:
        raise ValueError("which roles?")

    async def user_of_role(user: CurrentUser) -> User:
        if not set(roles) & set(user.roles):
            raise HTTPException(403, f"This needs the role {' or '.join(roles)}")
        return user

    return user_of_role
