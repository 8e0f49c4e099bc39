"""The REST API: PostgREST's protocol over the tables of app/schema.py.

A request becomes an ApiRequest, the ApiRequest a Plan, and the Plan runs one statement, which gives
the rows as the JSON that is sent. Plans are kept by the shape of their requests.
"""

import asyncio
import signal
from asyncio import Semaphore
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount, Route, Router
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ..client_address import ClientAddresses
from ..database import Actor, Database
from ..errors import DatabaseError, RestError
from ..redaction import safe_path
from ..relation import Relation
from ..schema import RELATIONS, sharded
from ..security_events import agent_of, security_event
from ..settings import ServiceKey, Settings
from . import media, parser
from .errors import METHODS, READING_METHODS, error_to_response, unknown_method, unknown_path
from .keys import ServiceKeys, require
from .places import Place, for_api, for_key
from .plan import PREFIX, Limits, Plan
from .plan_cache import PlanCache, decode_values, is_cacheable, split_values
from .query_tree import Value
from .read import ReadPlan
from .request import ApiRequest, RequestHeaders
from .write import DeletePlan, InsertPlan, PutPlan, UpdatePlan

if TYPE_CHECKING:
    from ..database.replica import Replica
    from .table_schemas import Tables

PLANS: Final[dict[str, type[Plan]]] = {
    "GET": ReadPlan,
    "HEAD": ReadPlan,
    "POST": InsertPlan,
    "PUT": PutPlan,
    "PATCH": UpdatePlan,
    "DELETE": DeletePlan,
}


class RestAPI:
    """The endpoints, and the plans they share."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        relations: Mapping[str, Relation] = RELATIONS,
        client_addresses: ClientAddresses | None = None,
        replica: "Replica | None" = None,
    ) -> None:
        if settings.citus:
            relations = sharded(relations)
        self.plans = PlanCache()
        self._database = database
        self._settings = settings
        self._relations = relations
        timeout = min(settings.rest_query_timeout, settings.query_timeout)
        self._limits = Limits(settings.max_rows, timeout)
        self._api_places = Semaphore(for_api(settings.pool_size))
        self._key_places: dict[str, Semaphore] = {}
        self._replica = replica
        columns = [column for each in relations.values() for column in each.columns.values()]
        self.keys = ServiceKeys(settings)
        self._client_addresses = client_addresses or ClientAddresses(settings.trusted_proxies)
        self._secrets = frozenset(column.name for column in columns if column.secret)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Read the file of keys again at each SIGHUP while the block lasts, if there is one."""
        loop, following = asyncio.get_running_loop(), False
        if self._settings.service_keys_file is not None:
            with suppress(ValueError, RuntimeError):  # not in the main thread: the host's business
                loop.add_signal_handler(signal.SIGHUP, self.reload_keys)
                following = True
        try:
            yield
        finally:
            if following:
                loop.remove_signal_handler(signal.SIGHUP)

    def reload_keys(self) -> None:
        if self.keys.reload():
            self.plans.clear()  # each was made for what its key was allowed
            self._key_places.clear()

    def routes(self) -> list[BaseRoute]:
        """The root, and one for each table."""
        tables = [
            RestRoute(
                f"/{name}",
                Endpoint(self, partial(self.table, relation), _methods(relation)),
                _methods(relation),
                name,
            )
            for name, relation in self._relations.items()
        ]
        root = Endpoint(self, self.root, ("GET", "HEAD"))
        routes = [*tables, RestRoute("/", root, ("GET", "HEAD"), "root")]
        unknown = Endpoint(self, self.unknown, methods=None)
        return [
            Mount(PREFIX, Router(routes, redirect_slashes=False, default=unknown)),
            RestRoute(PREFIX, root, ("GET", "HEAD"), "root without a slash"),
        ]

    def authenticate(self, request: Request) -> None:
        """Put the key into the request's state. Raises RestError 401."""
        try:
            key = self.keys.authenticate(request.scope["headers"])
        except RestError as error:
            security_event(
                "service_key_refused",
                outcome="refused",
                reason=error.code,
                ip=self._client_addresses.of(request.scope),
                agent=agent_of(request.headers),
                request=getattr(request.state, "request_id", None),
                path=safe_path(request.scope["path"]),
            )
            raise
        request.state.service_key = key
        request.state.key_name = key.name  # for the access log

    def error_response(self, request: Request, error: RestError | DatabaseError) -> Response:
        key: ServiceKey | None = getattr(request.state, "service_key", None)
        hidden = frozenset[str]() if key and "secrets" in key.scopes else self._secrets
        return error_to_response(error, hidden)

    async def unknown(self, request: Request) -> Response:
        """Refuse a path that no table has."""
        path = request.scope["path"].removeprefix(f"{PREFIX}/")
        raise unknown_path(path, tuple(self._relations))

    async def table(self, relation: Relation, request: Request) -> Response:
        """Answer a request to a table."""
        if request.method == "OPTIONS":
            return Response(headers={"allow": ",".join(_methods(relation))})
        plan, values = self._plan(relation, request)
        body = await request.body() if plan.reads_body else b""
        state = request.scope["state"]
        database, request_id = self._database_for(request), state.get("request_id")
        if not isinstance(plan, ReadPlan):
            ip = self._client_addresses.of(request.scope)
            key: ServiceKey = state["service_key"]
            database = database.acting(Actor(key=key.name, ip=ip, request=request_id))
        if self._replica is None:
            return await plan.execute(database, values, body, request_id)
        from . import replica  # what is off is not imported

        return await replica.execute(
            plan, request, database, self._replica, values, body, request_id
        )

    def _database_for(self, request: Request) -> Database:
        """The database by the part of the pool that the request's key has."""
        key: ServiceKey = request.scope["state"]["service_key"]
        own = None
        if len(self.keys) > 1:
            own = self._key_places.get(key.sha256)
            if own is None:
                own = self._key_places[key.sha256] = Semaphore(for_key(self._settings.pool_size))
        return self._database.behind(Place(self._api_places, own, request))

    def _plan(self, relation: Relation, request: Request) -> tuple[Plan, list[Value]]:
        """The plan for a request, and the values of its query string."""
        key: ServiceKey = request.scope["state"]["service_key"]
        query_string: bytes = request.scope["query_string"]
        headers = RequestHeaders.from_scope(request.scope)
        parts, values = split_values(query_string)
        # the range itself is a value
        shape = (key.sha256, relation.name, request.method, *headers[:-1], bool(headers.range))
        plan = self.plans.get((*shape, parts))
        if plan is not None and len(query_string) <= parser.MAX_QUERY:
            return plan, decode_values(values) + headers.range_values
        api_request = ApiRequest.parse(key, relation, request.method, headers, query_string)
        query = api_request.query
        shape = (*shape, parts if is_cacheable(query_string, query) else query.tree)
        plan = self.plans.get(shape)
        if plan is None:
            plan = PLANS[request.method](api_request, self._relations, self._limits)
            self.plans.put(shape, plan)
        return plan, query.values + headers.range_values

    async def root(self, request: Request) -> Response:
        """The description of the tables."""
        from . import openapi, swagger  # few ask for it

        if request.method not in ("GET", "HEAD"):
            raise unknown_method(request.method)
        accept = ", ".join(request.headers.getlist("accept"))
        response_format = media.negotiate(accept, root=True)
        tables = await self.describe(request)
        if response_format.type == media.OPENAPI_3:
            scope = request.scope
            mounted_at = scope.get("app_root_path", scope.get("root_path", ""))
            document = openapi.document(tables, mounted_at + PREFIX)
        else:
            document = swagger.describe(tables)
        body = msgspec.json.encode(document)
        return Response(body, headers={"content-type": response_format.content_type})

    async def describe(self, request: Request) -> "Tables":
        """The tables as the key of a request may use them. Raises RestError 403 without `read`."""
        from .table_schemas import Comments, Tables

        key: ServiceKey = request.state.service_key
        require(key, "read", "pg_catalog")
        comments = await Comments.read(self._database_for(request), self._relations)
        return Tables(self._relations, comments, key, PLANS)


def _methods(relation: Relation) -> Sequence[str]:
    return READING_METHODS if relation.read_only else METHODS


class Endpoint:
    """A handler behind the check of the key; errors become responses of PostgREST's shape."""

    def __init__(
        self,
        api: RestAPI,
        handler: Callable[[Request], Awaitable[Response]],
        methods: Sequence[str] | None = METHODS,
    ) -> None:
        self.api = api
        self.handler = handler
        self.methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            self.api.authenticate(request)
            if self.methods is not None and request.method not in self.methods:
                raise unknown_method(request.method)
            response = await self.handler(request)
        except (RestError, DatabaseError) as error:
            response = self.api.error_response(request, error)
            if response.status_code == 405 and self.methods is not None:
                response.headers["allow"] = ",".join(self.methods)
        await response(scope, receive, send)


class RestRoute(Route):
    """A path whose endpoint refuses other methods itself: after the key, in PostgREST's shape."""

    def __init__(self, path: str, endpoint: Endpoint, methods: Sequence[str], name: str) -> None:
        super().__init__(path, endpoint, methods=methods, name=f"rest:{name}")

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        return (match if match is Match.NONE else Match.FULL), child_scope

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
