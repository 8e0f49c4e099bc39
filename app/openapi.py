"""The description of both APIs in OpenAPI 3.1, and the page that shows it.

GATEPOST_DOCS puts them there; without it this module is not imported. Anybody can read what the
auth API is, for it is Better Auth's protocol. The tables are described to a service key alone, and
as far as it reaches.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from . import pages
from .auth import openapi as auth_openapi
from .auth.context import PREFIX as AUTH_PREFIX
from .auth.context import RequestContext, Services, redirect
from .auth.endpoint import get
from .errors import DatabaseError, RestError
from .responses import API_HEADERS
from .rest import openapi as rest_openapi
from .rest.api import RestAPI
from .rest.openapi import SECURITY_SCHEMES, TITLE, VERSION
from .rest.plan import PREFIX as REST_PREFIX
from .rest.table_schemas import Tables

_KEY_HEADERS: Final = ("apikey", "authorization")
_AUTH_TAG: Final = "auth"
_FILES: Final = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
_SCRIPT_NAME: Final = "start.js"
_ABOUT: Final = """\
The auth API, which signs people in, is [Better Auth](https://www.better-auth.com)'s protocol. \
The REST API is [PostgREST](https://postgrest.org)'s over the tables, for backends with a service \
key.

**A service key** in *Authorize*, or in the header `apikey` of the request for this document, adds \
the tables as that key may use them."""

_PAGE: Final = f"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>{TITLE}: the APIs</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/{_SCRIPT_NAME}"></script>
</html>
"""
_SCRIPT: Final = """\
"use strict";
// the service key in Authorize; with another one the document is another, too
let key;
const withKey = (system) => {
  const wrapped = (original) => (payload) => {
    const result = original(payload);
    const now = system.authSelectors.authorized().getIn(["serviceKey", "value"]);
    if (now !== key) {
      key = now;
      system.specActions.download();
    }
    return result;
  };
  return { statePlugins: { auth: { wrapActions: { authorize: wrapped, logout: wrapped } } } };
};
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null, // it would send the document to another host
  plugins: [withKey],
  requestInterceptor: (request) => {
    if (request.loadSpec && key) request.headers.apikey = key;
    return request;
  },
});
"""
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "same-origin",
}
_CACHED: Final = {"cache-control": "max-age=3600"}


class Docs:
    """The endpoints that describe, and what is kept of what they say."""

    def __init__(self, rest: RestAPI, version: str) -> None:
        """``version``: of what is described."""
        self._rest = rest
        self._version = version
        self._described: tuple[dict[str, Any], dict[str, Any]] | None = None

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/openapi.json", self.document, include_in_schema=False),
            Route("/docs", self.page, include_in_schema=False),
            Route("/docs/{name}", self.file, include_in_schema=False),
        ]

    def auth_routes(self) -> list[BaseRoute]:
        """Where Better Auth's plugin ``openAPI`` has them."""
        return [
            get("/open-api/generate-schema", self.auth_document),
            get("/reference", self.reference),
        ]

    async def document(self, request: Request) -> Response:
        """GET /openapi.json."""
        tables = None
        if any(name in request.headers for name in _KEY_HEADERS):
            try:
                self._rest.authenticate(request)
                tables = await self._rest.describe(request)
            except (RestError, DatabaseError) as error:
                return self._rest.error_response(request, error)
        body = msgspec.json.encode(self._document(request, tables))
        return Response(body, headers={"content-type": "application/json"})

    async def page(self, request: Request) -> Response:
        """GET /docs."""
        if _files() is None:
            text = "This page needs a package: pip install 'gatepost[docs]'"
            answer = pages.page("The APIs", text, 501)
            answer.headers.update(API_HEADERS)
            return answer
        return HTMLResponse(_PAGE, headers=_HEADERS)

    async def file(self, request: Request) -> Response:
        """GET /docs/NAME: what the page is made of."""
        name, folder = request.path_params["name"], _files()
        if name == _SCRIPT_NAME:
            return Response(_SCRIPT, media_type="text/javascript", headers=_CACHED)
        if name not in _FILES or folder is None:
            return Response(status_code=404)
        return FileResponse(folder / name, media_type=_FILES[name], headers=_CACHED)

    async def auth_document(self, context: RequestContext) -> dict[str, Any]:
        """Describe the auth API alone, as Better Auth's plugin does."""
        paths, schemas = self._auth(context.request.app)
        schemes = auth_openapi.security_schemes(context.services)
        return {
            "openapi": VERSION,
            "info": {"title": TITLE, "description": "The auth API", "version": self._version},
            "components": {
                "schemas": schemas,
                "responses": auth_openapi.RESPONSES,
                "securitySchemes": schemes,
            },
            "security": [{name: []} for name in schemes],
            "servers": [{"url": context.services.base_url}],
            "tags": [{"name": _AUTH_TAG, "description": "Better Auth's protocol."}],
            "paths": paths,
        }

    async def reference(self, _: RequestContext) -> Response:
        """Go on to the page that shows the description of both APIs."""
        return redirect("../../docs")

    def _document(self, request: Request, tables: Tables | None) -> dict[str, Any]:
        app: Starlette = request.app
        services: Services | None = app.state.auth
        tags: list[dict[str, str]] = []
        paths: dict[str, Any] = {}
        components: dict[str, Any] = {"securitySchemes": SECURITY_SCHEMES}
        if services is not None:
            tags.append({"name": _AUTH_TAG, "description": "Who is signed in: Better Auth's API."})
            auth_paths, schemas = self._auth(app)
            paths |= {AUTH_PREFIX + path: item for path, item in auth_paths.items()}
            components = {
                "schemas": schemas,
                "responses": auth_openapi.RESPONSES,
                "securitySchemes": SECURITY_SCHEMES | auth_openapi.security_schemes(services),
            }
        if tables is not None:
            tags += tables.tags()
            paths |= rest_openapi.paths(tables, REST_PREFIX)
            for kind, more in rest_openapi.components(tables).items():
                components[kind] = components.get(kind, {}) | more
        return {
            "openapi": VERSION,
            "info": {"title": TITLE, "description": _ABOUT, "version": self._version},
            "servers": [{"url": request.scope.get("root_path") or "/"}],
            "tags": tags,
            "paths": paths,
            "components": components,
        }

    def _auth(self, app: Starlette) -> tuple[dict[str, Any], dict[str, Any]]:
        """The paths of the auth API and their schemas, made when they are first asked for."""
        if self._described is None:
            routes = next(
                route.routes
                for route in app.routes
                if isinstance(route, Mount) and route.path == AUTH_PREFIX
            )
            self._described = auth_openapi.describe(routes, app.state.auth, _AUTH_TAG)
        return self._described


def _files() -> Path | None:
    """Swagger UI's files; None when the extra is not installed. The package is not imported."""
    spec = find_spec("flask_swagger_ui")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "dist"
