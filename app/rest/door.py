"""The REST door: PostgREST's protocol over the tables of app/schema.py.

One request is one statement: the query string becomes a tree, the tree a statement, and the server
gives the rows as the JSON that is sent. What follows from a request's shape is made once and kept.
"""

import asyncio
from functools import partial
from typing import Final

from starlette.types import Receive, Scope

from app.callbacks import Done, GiveUp, awaited, nothing
from app.database import (
    Database,
    DatabaseError,
    DatabaseUnavailableError,
    PoolExhaustedError,
    QueryTimeoutError,
    Row,
)
from app.http.answer import Answer, Header, whole, whole_body
from app.http.errors import RETRY_AFTER, error_answer
from app.rest import grammar, media, openapi
from app.rest.errors import RestError, from_database
from app.rest.exchange import PREFIX, Asked, Asking, Exchange, Step
from app.rest.keys import Keys, require
from app.rest.reading import Read
from app.rest.shapes import Shapes, decoded, holds, take_apart
from app.rest.tree import Request
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
_ASKING: Final = tuple(name.replace("_", "-").encode() for name in Asking._fields)
_LISTS: Final = (b"accept", b"prefer")


class RestDoor:
    """Answers ``/rest/v1/`` and ``/rest/v1/{relation}``."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._max_rows = settings.max_rows
        self._keys = Keys(settings.service_keys)
        self.shapes = Shapes()

    async def answer(self, scope: Scope, receive: Receive) -> Answer:
        """The answer to one request."""
        if _relation_path(scope):
            body = b"" if scope["method"] in ("GET", "HEAD") else await whole_body(receive)
            return await awaited(partial(self.ask, scope, body))
        try:
            key, asking = self._caller(scope)
            return await self._root(scope["method"], key, _decoded(asking).accept)
        except _FAILURES as error:
            return _failed(error)

    def ask(self, scope: Scope, body: bytes, done: Done) -> GiveUp | None:
        """Have ``done`` called with the answer to a request below the root."""
        path = _relation_path(scope)
        if not path:
            return None
        asked = _Asked(self._database, done)
        try:
            key, asking = self._caller(scope)
            asked.key = key
            method, query = scope["method"], scope["query_string"]
            parts, values = take_apart(query)
            shape = (key.sha256, method, path, asking, parts)
            exchange = self.shapes.get(shape)
            if exchange is not None and len(query) <= grammar.MAX_QUERY:
                step = exchange.begin(decoded(values), body)
            elif method == "OPTIONS":
                _relation(path)
                step = whole(200, b"", (b"allow", _METHODS.encode()))
            else:
                exchange, request = self._exchange(method, path, key, asking, query)
                if holds(query, request):
                    self.shapes.keep(shape, exchange)
                step = exchange.begin(request.values, body)
            return asked.take(step)
        except _FAILURES as error:
            asyncio.get_running_loop().call_soon(done, asked.failed(error), None)
            return nothing

    def _caller(self, scope: Scope) -> tuple[ServiceKey, tuple[bytes | None, ...]]:
        """Who asks, and the values of Asking. Raises RestError."""
        headers = scope["state"]["headers"]
        if len(headers) < len(scope["headers"]):
            headers = _each_once(scope["headers"])
        key = self._keys.caller(headers.get(b"authorization", b""), headers.get(b"apikey", b""))
        scope["state"]["key_name"] = key.name
        return key, tuple(map(headers.get, _ASKING))

    async def _root(self, method: str, key: ServiceKey, accept: str | None) -> Answer:
        if method not in ("GET", "HEAD"):
            raise _no_method(method)
        answer = media.negotiate(accept, root=True)
        require(key, "read", "pg_catalog")
        body = await openapi.describe(self._database, PREFIX)
        return whole(200, body, (b"content-type", answer.content_type.encode()))

    def _exchange(
        self,
        method: str,
        path: str,
        key: ServiceKey,
        asking: tuple[bytes | None, ...],
        query: bytes,
    ) -> tuple[Exchange, Request]:
        """The exchange for a request, and its query string. Raises RestError."""
        relation = _relation(path)
        if method not in _EXCHANGES:
            raise _no_method(method)
        asked = Asked.by(key, relation, method, _decoded(asking))
        parsed = grammar.parse(query)
        return _EXCHANGES[method](self._max_rows, asked, parsed), parsed


class _Asked:
    """A request on its way from step to step."""

    __slots__ = ("_database", "_done", "_give_up", "_then", "key")

    def __init__(self, database: Database, done: Done) -> None:
        self._database = database
        self._done = done
        self.key: ServiceKey | None = None

    def take(self, step: Answer | Step) -> GiveUp:
        """Raises DatabaseUnavailableError."""
        if isinstance(step, Step):
            self._then = step.then
            self._give_up = self._database.ask_row(
                step.statement, step.arguments, self._found, step.check, step.rollback
            )
        else:
            self._give_up = nothing
            asyncio.get_running_loop().call_soon(self._done, step, None)
        return self.give_up

    def give_up(self) -> None:
        self._give_up()

    def failed(self, error: Exception) -> Answer:
        """The answer to one of the failures."""
        if self.key is not None and "secrets" in self.key.scopes:
            return _failed(error, hidden=frozenset())
        return _failed(error)

    def _found(self, row: Row, failure: Exception | None) -> None:
        answer = None
        try:
            if failure is not None:
                raise failure
            answer = self._then(row)
            if isinstance(answer, Step):
                self.take(answer)
                return
        except _FAILURES as error:
            answer, failure = self.failed(error), None
        except Exception as error:  # noqa: BLE001 - theirs who asked
            failure = error
        self._done(answer, failure)


def _each_once(headers: list[Header]) -> dict[bytes, bytes]:
    """The first of each name, and of a list all of it."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name not in found:
            found[name] = value
        elif name in _LISTS:
            found[name] += b", " + value
    return found


def _decoded(asking: tuple[bytes | None, ...]) -> Asking:
    return Asking(*(value if value is None else value.decode("latin-1") for value in asking))


def _relation_path(scope: Scope) -> str:
    # not the router's parameter: its pattern lets a line feed at the end go by
    return scope["path"][len(PREFIX) + 1 :]


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


_FAILURES: Final = (RestError, DatabaseError, DatabaseUnavailableError)


def _failed(error: Exception, hidden: frozenset[str] = SECRETS) -> Answer:
    """The answer to one of these; ``hidden`` are the columns of which it may not tell."""
    match error:
        case RestError():
            return _refusal(error)
        case DatabaseError():
            return _refusal(from_database(error, hidden=hidden))
        case QueryTimeoutError():
            return error_answer(504, "57014", "The query took too long", str(error))
        case PoolExhaustedError():
            return error_answer(
                504, "PGRST003", "Timed out acquiring connection from connection pool.", str(error)
            )
    return error_answer(
        503, "PGRST000", "Database connection error. Retry later.", headers=RETRY_AFTER
    )


def _refusal(error: RestError) -> Answer:
    # the answer to a HEAD has no body: here its client finds the code
    headers = {"proxy-status": f"PostgREST; error={error.code}"}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.code == "PGRST117":
        headers["allow"] = _METHODS
    return error_answer(error.status, error.code, error.message, error.details, error.hint, headers)
