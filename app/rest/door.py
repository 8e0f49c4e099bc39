"""The REST door: PostgREST's protocol over the tables of app/schema.py.

One request is one statement: the query string becomes a tree, the tree a statement, and the server
gives the rows as the JSON that is sent. What follows from a request's shape is made once and kept.
"""

from typing import Final

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from app.database import (
    Database,
    DatabaseError,
    DatabaseUnavailableError,
    PoolExhaustedError,
    QueryTimeoutError,
)
from app.http.answer import Answer, Header, whole
from app.http.errors import RETRY_AFTER, error_answer
from app.rest import grammar, media, openapi
from app.rest.errors import RestError, from_database
from app.rest.exchange import PREFIX, Asked, Exchange
from app.rest.keys import Keys, require
from app.rest.reading import Read
from app.rest.shapes import Shapes, decoded, holds, take_apart
from app.rest.tree import Value
from app.rest.writing import Delete, Insert, Put, Update
from app.schema import RELATIONS, SECRETS, Relation
from app.settings import ServiceKey, Settings

_EXCHANGES: Final[dict[str, type[Exchange]]] = {
    "GET": Read,
    "HEAD": Read,
    "POST": Insert,
    "PUT": Put,
    "PATCH": Update,
    "DELETE": Delete,
}
_METHODS: Final = ",".join(("OPTIONS", *_EXCHANGES))
_ASKING: Final = frozenset(
    (b"accept", b"accept-profile", b"content-profile", b"content-type", b"prefer", b"range")
)
"""The headers that an answer depends on, besides those of the key."""


class RestDoor:
    """Answers ``/rest/v1/`` and ``/rest/v1/{relation}``."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._max_rows = settings.max_rows
        self._keys = Keys(settings.service_keys)
        self.shapes = Shapes()

    async def answer(self, scope: Scope, receive: Receive) -> Answer:
        """The answer to one request."""
        hidden: frozenset[str] = SECRETS
        try:
            authorization = apikey = None
            asking: list[Header] = []
            for name, value in scope["headers"]:
                if name in _ASKING:
                    asking.append((name, value))
                elif name == b"apikey" and apikey is None:
                    apikey = value
                elif name == b"authorization" and authorization is None:
                    authorization = value
            key = self._keys.caller(authorization or b"", apikey or b"")
            scope.setdefault("state", {})["key_name"] = key.name
            if "secrets" in key.scopes:
                hidden = frozenset()
            # not the router's parameter: its pattern lets a line feed at the end go by
            path = scope["path"].removeprefix(PREFIX).removeprefix("/")
            if not path:
                return await self._root(scope["method"], key, Headers(raw=asking))
            if scope["method"] == "OPTIONS":
                _relation(path)
                return whole(200, b"", (b"allow", _METHODS.encode()))
            exchange, values = self._exchange(scope, path, key, tuple(asking))
            return await exchange.answer(values, receive)
        except RestError as error:
            return _refusal(error)
        except DatabaseError as error:
            return _refusal(from_database(error, hidden=hidden))
        except QueryTimeoutError as error:
            return error_answer(504, "57014", "The query took too long", str(error))
        except PoolExhaustedError as error:
            return error_answer(
                504, "PGRST003", "Timed out acquiring connection from connection pool.", str(error)
            )
        except DatabaseUnavailableError:
            return error_answer(
                503, "PGRST000", "Database connection error. Retry later.", headers=RETRY_AFTER
            )

    async def _root(self, method: str, key: ServiceKey, headers: Headers) -> Answer:
        if method not in ("GET", "HEAD"):
            raise _no_method(method)
        answer = media.negotiate(headers.get("accept"), root=True)
        require(key, "read", "pg_catalog")
        body = await openapi.describe(self._database, PREFIX)
        return whole(200, body, (b"content-type", answer.content_type.encode()))

    def _exchange(
        self, scope: Scope, path: str, key: ServiceKey, asking: tuple[Header, ...]
    ) -> tuple[Exchange, list[Value]]:
        """The exchange for the shape of a request, and the request's values."""
        method, query = scope["method"], scope["query_string"]
        parts, values = take_apart(query)
        shape = (key.sha256, method, path, asking, parts)
        exchange = self.shapes.get(shape)
        if exchange is not None and len(query) <= grammar.MAX_QUERY:
            return exchange, decoded(values)
        relation = _relation(path)
        if method not in _EXCHANGES:
            raise _no_method(method)
        asked = Asked.by(key, relation, method, Headers(raw=list(asking)))
        parsed = grammar.parse(query)
        exchange = _EXCHANGES[method](self._database, self._max_rows, asked, parsed)
        if holds(query, parsed):
            self.shapes.keep(shape, exchange)
        return exchange, parsed.values


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


def _refusal(error: RestError) -> Answer:
    # the answer to a HEAD has no body: here its client finds the code
    headers = {"proxy-status": f"PostgREST; error={error.code}"}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.code == "PGRST117":
        headers["allow"] = _METHODS
    return error_answer(error.status, error.code, error.message, error.details, error.hint, headers)
