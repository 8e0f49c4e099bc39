"""The description of the APIs against the routes and the errors in the code; no database."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from app.auth.endpoint import AuthRoute, Endpoint
from app.auth.openapi import describe
from app.main import create_app
from app.rest.api import PLANS
from app.rest.openapi import paths
from app.rest.table_schemas import Comments, Tables
from app.schema import RELATIONS
from app.settings import SCOPES, ServiceKey, Settings
from tests.support import ROOT, SECRET, environment

AUTH: Final = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": "http://auth.gatepost.test"}
AUTH_MODULES: Final = sorted((ROOT / "app" / "auth").glob("*.py"))
NOT_FOUND: Final = ("/api/auth", "/rest/v1")
"""The prefixes without a slash, which lead nowhere or to the description."""


def application(**settings: str) -> Starlette:
    """On a database that nobody asks for anything."""
    given = environment("postgresql://nobody@localhost/none") | AUTH | settings
    return create_app(Settings.from_environment(given))


GITHUB: Final = '[{"id": "github", "client_id": "id", "client_secret": "secret"}]'


@pytest.fixture(scope="module", params=["", GITHUB], ids=["no providers", "a provider"])
def app(request: pytest.FixtureRequest) -> Starlette:
    return application(GATEPOST_DOCS="true", GATEPOST_PROVIDERS=request.param)


def tables(*scopes: Any) -> Tables:
    """As a key with these scopes may use them, and with nothing in the catalogue."""
    return Tables(RELATIONS, Comments({}, {}), ServiceKey("key", "", frozenset(scopes)), PLANS)


def auth_endpoints(app: Starlette) -> dict[tuple[str, str], Endpoint]:
    """By method and path."""
    routes = next(r.routes for r in app.routes if isinstance(r, Mount) and r.path == "/api/auth")
    return {
        (method, route.path): route.endpoint
        for route in routes
        if isinstance(route, AuthRoute) and isinstance(route.endpoint, Endpoint)
        for method in route.methods or ()
    }


def served(app: Starlette) -> Iterator[tuple[str, str]]:
    """Method and path of each route that belongs into the description."""
    for outer in app.routes:
        assert isinstance(outer, Mount | Route)
        inner = outer.routes if isinstance(outer, Mount) else [outer]
        for route in inner:
            assert isinstance(route, Route)
            path = (outer.path if isinstance(outer, Mount) else "") + route.path
            if route.include_in_schema and path.rstrip("/") not in NOT_FOUND:
                for method in set(route.methods or ()) - {"HEAD", "OPTIONS"}:
                    yield method, path


def test_every_route_is_described(app: Starlette) -> None:
    document = TestClient(app).get("/openapi.json").json()
    document["paths"] |= paths(tables(*SCOPES), "/rest/v1")
    operations = {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }
    assert set(operations) == set(served(app))
    for name, operation in operations.items():
        assert re.fullmatch(r"[A-Z]\S* .{5,}[^.\s]", operation["summary"]), name
        assert not re.search(r"(GET|POST) /", operation["summary"]), name
    names = [operation["operationId"] for operation in operations.values()]
    assert len(names) == len(set(names)) > 50


def test_route_without_a_description_is_found() -> None:
    async def silent(_: Any) -> Any:
        return None

    services = application().state.auth
    described, _ = describe([AuthRoute("GET", "/silent", silent)], services, "auth")
    assert described["/silent"]["get"]["summary"] == ""


def test_every_answer_has_a_shape(app: Starlette) -> None:
    silent = [
        name
        for name, endpoint in auth_endpoints(app).items()
        if endpoint.handler.__annotations__["return"] is Any
    ]
    assert silent == []


def raised(module: ModuleType) -> set[str]:
    """The codes of the errors that a module raises, and the messages of those without a code."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "AuthError":
            texts = [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "message")]
            found |= {str(text.value) for text in texts if isinstance(text, ast.Constant)}
            if not texts:
                found.add("")
    return found


def test_every_error_is_declared_by_an_endpoint(app: Starlette) -> None:
    declared: dict[str, set[str]] = {}
    for endpoint in auth_endpoints(app).values():
        declared.setdefault(endpoint.handler.__module__, set()).update(endpoint.errors)
    assert len(declared) > 8
    for name, errors in declared.items():
        assert raised(import_module(name)) - errors == set(), name


def test_every_error_of_the_auth_api_is_described(app: Starlette) -> None:
    text = TestClient(app).get("/openapi.json").text
    modules = [import_module(f"app.auth.{path.stem}") for path in AUTH_MODULES]
    codes = {code for module in modules for code in raised(module) if code.isupper()}
    assert len(codes) > 30
    assert {code for code in codes if f'"{code}"' not in text} == set()


def test_description_shows_what_a_key_may_do() -> None:
    methods = {
        scopes: {path: set(item) for path, item in paths(tables(*scopes)).items()}
        for scopes in (("read",), ("read", "write"), ("read", "write", "secrets"))
    }
    assert methods["read",] == {f"/{name}": {"get"} for name in RELATIONS}
    for found in methods.values():
        assert found.pop("/events") == {"get"}  # whatever the key may do
        assert found.pop("/erasures") == {"get"}
        assert found.pop("/session_policies") == {"get"}
    # a new session says whose it is, and a PUT would change the address of a user
    changing = {"get", "patch", "delete"}
    backend = methods["read", "write"]
    assert (backend["/users"], backend["/sessions"]) == (changing | {"post"}, changing)
    everything = changing | {"post", "put"}
    assert set(map(frozenset, methods["read", "write", "secrets"].values())) == {
        frozenset(everything)
    }


def test_description_hides_what_a_key_may_not_see() -> None:
    with_secrets, without = tables(*SCOPES), tables("read", "write")
    assert "token" in with_secrets.schemas()["sessions"]["properties"]
    shown = without.schemas()
    assert "token" not in shown["sessions"]["properties"]
    assert "'token'" not in str(paths(without))
    assert "sessions_insert" not in shown
    # given to a new row, but not changed
    assert "email" in shown["users_insert"]["properties"]
    assert "email" not in shown["users_update"]["properties"]
    assert shown["users_insert"]["required"] == ["name", "email"]


def test_relations_that_can_be_embedded_are_described() -> None:
    schemas = tables("read").schemas()
    reference = {"$ref": "#/components/schemas/users"}
    assert schemas["sessions"]["properties"]["users"]["anyOf"] == [reference, {"type": "null"}]
    assert schemas["users"]["properties"]["sessions"]["items"] == {
        "$ref": "#/components/schemas/sessions"
    }


def test_description_is_off_unless_asked_for() -> None:
    client = TestClient(application())
    for path in ("/openapi.json", "/docs", "/docs/start.js", "/api/auth/reference"):
        assert client.get(path).status_code == 404, path
    code = "import sys, app.main; app.main.create_app(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        env=environment("postgresql://nobody@localhost/none") | AUTH,
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert "app.main" in loaded
    assert {"app.openapi", "app.auth.openapi", "flask_swagger_ui"} & set(loaded) == set()


def test_page_is_made_of_local_files_and_imports_no_flask(app: Starlette) -> None:
    client = TestClient(app)
    page = client.get("/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "unsafe" not in page.headers["content-security-policy"]
    files = re.findall(r'(?:src|href)="(docs/[^"]+)"', page.text)
    assert len(files) == 3
    for file in files:
        answer = client.get(f"/{file}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].split(";")[0] in ("text/css", "text/javascript")
    assert client.get("/docs/index.html").status_code == 404
    assert client.get("/docs/%2e%2e%2fflask_swagger_ui.py").status_code == 404
    assert "flask" not in sys.modules


def test_page_without_its_package_says_what_to_install(
    app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.openapi.find_spec", lambda _: None)
    client = TestClient(app)
    page = client.get("/docs")
    assert page.status_code == 501
    assert "pip install &#x27;gatepost[docs]&#x27;" in page.text
    assert client.get("/docs/swagger-ui.css").status_code == 404
    assert client.get("/openapi.json").status_code == 200


def test_reference_leads_to_the_page_wherever_the_application_is_mounted(app: Starlette) -> None:
    outer = Starlette(routes=[Mount("/accounts", app)])
    client = TestClient(outer)
    page = client.get("/accounts/api/auth/reference")
    assert page.url.path == "/accounts/docs"
    assert client.get("/accounts/openapi.json").json()["servers"] == [{"url": "/accounts"}]
