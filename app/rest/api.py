"""The REST API: PostgREST's protocol over the tables of app/schema.py.

A request becomes an ApiRequest, the ApiRequest a Plan, and the Plan runs one statement, which gives
the rows as the JSON that is sent. Plans are kept by the shape of their requests.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router

from app.database import Database
from app.errors import DatabaseError, RestError
from app.rest import media, openapi, parser
from app.rest.errors import METHODS, error_to_response, unknown_method, unknown_path
from app.rest.keys import ServiceKeyMiddleware, require
from app.rest.plan import PREFIX, Plan
from app.rest.plan_cache import PlanCache, decode_values, is_cacheable, split_values
from app.rest.query_tree import Value
from app.rest.read import ReadPlan
from app.rest.request import ApiRequest, RequestHeaders
from app.rest.write import DeletePlan, InsertPlan, PutPlan, UpdatePlan
from app.schema import RELATIONS, Relation
from app.settings import ServiceKey, Settings

_PLANS: Final[dict[str, type[Plan]]] = {
    "GET": ReadPlan,
    "HEAD": ReadPlan,
    "POST": InsertPlan,
    "PUT": PutPlan,
    "PATCH": UpdatePlan,
    "DELETE": DeletePlan,
}


def rest_routes(
    database: Database, settings: Settings, relations: Mapping[str, Relation] = RELATIONS
) -> list[BaseRoute]:
    """The routes of the API: its root, and one for each table in ``relations``."""
    return RestAPI(database, settings, relations).routes()


class RestAPI:
    """The endpoints, and the plans they share."""

    def __init__(
        self, database: Database, settings: Settings, relations: Mapping[str, Relation] = RELATIONS
    ) -> None:
        self.plans = PlanCache()
        self._database = database
        self._settings = settings
        self._relations = relations
        columns = [column for each in relations.values() for column in each.columns.values()]
        self._secrets = frozenset(column.name for column in columns if column.secret)

    def routes(self) -> list[BaseRoute]:
        tables = [
            Route(f"/{name}", partial(self.table, relation), methods=METHODS, name=f"rest:{name}")
            for name, relation in self._relations.items()
        ]
        root = Route("/", self.root, name="rest")
        errors = dict.fromkeys((RestError, DatabaseError, HTTPException), self.on_error)
        middleware = [
            Middleware(ExceptionMiddleware, handlers=errors),
            Middleware(ServiceKeyMiddleware, keys=self._settings.service_keys),
        ]
        return [
            Mount(PREFIX, Router([*tables, root], redirect_slashes=False), middleware=middleware),
            # middleware of a Route runs for its methods only: root() refuses the others
            Route(PREFIX, self.root, methods=METHODS, middleware=middleware),
        ]

    async def table(self, relation: Relation, request: Request) -> Response:
        """Answer a request to a table."""
        if request.method == "OPTIONS":
            return Response(headers={"allow": ",".join(METHODS)})
        plan, values = self._plan(relation, request)
        body = await request.body() if plan.reads_body else b""
        return await plan.execute(self._database, values, body)

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
            plan = _PLANS[request.method](api_request, self._relations, self._settings.max_rows)
            self.plans.put(shape, plan)
        return plan, query.values + headers.range_values

    async def root(self, request: Request) -> Response:
        """The OpenAPI description."""
        if request.method not in ("GET", "HEAD"):
            raise unknown_method(request.method)
        accept = ", ".join(request.headers.getlist("accept"))
        response_format = media.negotiate(accept, root=True)
        require(request.state.service_key, "read", "pg_catalog")
        body = await openapi.describe(self._database, self._relations)
        return Response(body, headers={"content-type": response_format.content_type})

    async def on_error(self, request: Request, error: Exception) -> Response:
        """The response for an error of ours or of the router."""
        if isinstance(error, HTTPException):
            if error.status_code == 405:
                error = unknown_method(request.method)
            else:
                path = request.scope["path"].removeprefix(f"{PREFIX}/")
                error = unknown_path(path, tuple(self._relations))
        key: ServiceKey | None = getattr(request.state, "service_key", None)
        hidden = frozenset[str]() if key and "secrets" in key.scopes else self._secrets
        return error_to_response(error, hidden)
