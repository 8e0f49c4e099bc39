"""The REST door: PostgREST's protocol over the tables of app/schema.py.

One request is one statement: the query string becomes a tree, the tree a statement (kept by its
shape), and the server gives the rows as the JSON that is sent.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.database import (
    Database,
    DatabaseError,
    DatabaseUnavailableError,
    PoolExhaustedError,
    QueryTimeoutError,
)
from app.http.errors import RETRY_AFTER, error_response
from app.rest import media, openapi
from app.rest.errors import RestError, from_database
from app.rest.exchange import PREFIX, Exchange
from app.rest.keys import Keys, require
from app.rest.reading import Read
from app.rest.writing import Delete, Insert, Put, Update
from app.schema import RELATIONS, SECRETS, Relation
from app.settings import ServiceKey, Settings

_METHODS: Final = "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"


class RestDoor:
    """Answers ``/rest/v1/`` and ``/rest/v1/{relation}``."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._max_rows = settings.max_rows
        self._keys = Keys(settings.service_keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # an ASGI application and not an endpoint: the router would answer other methods itself
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        hidden: frozenset[str] = SECRETS
        try:
            key = self._keys.caller(request.headers)
            request.state.key_name = key.name
            if "secrets" in key.scopes:
                hidden = frozenset()
            # not the router's parameter: its pattern lets a line feed at the end go by
            name = request.scope["path"].removeprefix(PREFIX).removeprefix("/")
            if not name:
                return await self._root(request, key)
            return await self._relation(request, key, _relation(name))
        except RestError as error:
            return _refusal(error)
        except DatabaseError as error:
            return _refusal(from_database(error, hidden=hidden))
        except QueryTimeoutError as error:
            return error_response(504, "57014", "The query took too long", str(error))
        except PoolExhaustedError as error:
            return error_response(
                504, "PGRST003", "Timed out acquiring connection from connection pool.", str(error)
            )
        except DatabaseUnavailableError:
            return error_response(
                503, "PGRST000", "Database connection error. Retry later.", headers=RETRY_AFTER
            )

    async def _root(self, request: Request, key: ServiceKey) -> Response:
        if request.method not in ("GET", "HEAD"):
            raise _no_method(request.method)
        answer = media.negotiate(request.headers.get("accept"), root=True)
        require(key, "read", "pg_catalog")
        body = await openapi.describe(self._database, PREFIX)
        return Response(body, headers={"content-type": answer.content_type})

    async def _relation(self, request: Request, key: ServiceKey, relation: Relation) -> Response:
        match request.method:
            case "OPTIONS":
                return Response(status_code=200, headers={"allow": _METHODS})
            case "GET" | "HEAD":
                exchange: type[Exchange] = Read
            case "POST":
                exchange = Insert
            case "PUT":
                exchange = Put
            case "PATCH":
                exchange = Update
            case "DELETE":
                exchange = Delete
            case method:
                raise _no_method(method)
        return await exchange(self._database, self._max_rows, request, key, relation).answer()


def _relation(name: str) -> Relation:
    relation = RELATIONS.get(name)
    if relation is None:
        if name.startswith("rpc/"):
            raise RestError(
                404,
                "PGRST202",
                f"Could not find the function public.{name[4:]:.100} in the schema cache",
            )
        if "/" in name:
            raise RestError(404, "PGRST125", "Invalid path specified in request URL")
        near = next((known for known in RELATIONS if known.startswith(name[:3].lower())), None)
        raise RestError(
            404,
            "PGRST205",
            f"Could not find the table 'public.{name:.100}' in the schema cache",
            None,
            f"Perhaps you meant the table 'public.{near}'" if near else None,
        )
    return relation


def _no_method(method: str) -> RestError:
    return RestError(405, "PGRST117", f"Unsupported HTTP method: {method:.32}")


def _refusal(error: RestError) -> Response:
    # the answer to a HEAD has no body: here its client finds the code
    headers = {"proxy-status": f"PostgREST; error={error.code}"}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.code == "PGRST117":
        headers["allow"] = _METHODS
    return error_response(
        error.status, error.code, error.message, error.details, error.hint, headers
    )
