"""The description of the APIs as the service gives it, held to the standard."""

from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from app.main import create_app
from app.settings import Settings
from tests.support import KEYS, SECRET, environment

TABLES: Final = {"/rest/v1/users", "/rest/v1/sessions", "/rest/v1/accounts"}
OPENAPI_3: Final = "application/openapi+json;version=3.1"
BASE: Final = "http://auth.gatepost.test"


@pytest.fixture
async def http(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    given = environment(database_url) | {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": BASE,
        "GATEPOST_DOCS": "true",
        "GATEPOST_PLUGINS": "bearer",
    }
    app = create_app(Settings.from_environment(given))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client,
    ):
        yield client


async def document(http: httpx.AsyncClient, path: str, **headers: str) -> dict[str, Any]:
    """A description that is valid."""
    answer = (await http.get(path, headers=headers)).raise_for_status()
    validate(answer.json(), cls=OpenAPIV31SpecValidator)
    return answer.json()


async def test_stranger_sees_the_auth_api_and_no_table(http: httpx.AsyncClient) -> None:
    found = await document(http, "/openapi.json")
    assert "/api/auth/sign-in/email" in found["paths"]
    assert not [path for path in found["paths"] if path.startswith("/rest")]
    schemes = found["components"]["securitySchemes"]
    assert set(schemes) == {"serviceKey", "apiKeyCookie", "bearerAuth"}
    assert schemes["apiKeyCookie"]["name"] == "better-auth.session_token"
    assert "email_verified" not in str(found)  # the name of a column


@pytest.mark.parametrize("name", ["all", "backend", "reader"])
async def test_key_sees_both_apis(http: httpx.AsyncClient, name: str) -> None:
    found = await document(http, "/openapi.json", apikey=KEYS[name])
    assert TABLES | {"/api/auth/sign-in/email"} <= set(found["paths"])
    email = found["components"]["schemas"]["users"]["properties"]["email"]
    assert "unique" in email["description"]  # of the catalogue's comment
    bearer = await document(http, "/openapi.json", authorization=f"Bearer {KEYS[name]}")
    assert bearer == found


async def test_key_that_cannot_read_or_is_not_known_is_refused(http: httpx.AsyncClient) -> None:
    for key, status, code in ((KEYS["writer"], 403, "42501"), ("wrong", 401, "PGRST301")):
        answer = await http.get("/openapi.json", headers={"apikey": key})
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_column_of_the_database_is_described_by_its_comment(
    http: httpx.AsyncClient, db: asyncpg.Connection
) -> None:
    await db.execute("COMMENT ON COLUMN users.name IS 'What their friends call them.'")
    found = await document(http, "/openapi.json", apikey=KEYS["reader"])
    name = found["components"]["schemas"]["users"]["properties"]["name"]
    assert name == {"type": "string", "description": "What their friends call them."}


async def test_endpoint_says_what_it_takes_answers_and_refuses(http: httpx.AsyncClient) -> None:
    found = await document(http, "/openapi.json")
    operation = found["paths"]["/api/auth/unlink-account"]["post"]
    assert operation["summary"].startswith("Remove one of the ways the user signs in; the last one")
    assert operation["security"] == [{"apiKeyCookie": []}, {"bearerAuth": []}]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["accountId"]
    responses = operation["responses"]
    answer = responses["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/Done"}
    codes = {
        status: response["content"]["application/json"]["schema"]["properties"]["code"]["enum"]
        for status, response in responses.items()
        if status in ("400", "401", "403")
    }
    assert codes == {
        "400": [
            "BAD_REQUEST",
            "VALIDATION_ERROR",
            "FAILED_TO_UNLINK_LAST_ACCOUNT",
            "ACCOUNT_NOT_FOUND",
        ],
        "401": ["UNAUTHORIZED", "FAILED_TO_GET_SESSION"],
        "403": ["MISSING_OR_NULL_ORIGIN", "INVALID_ORIGIN", "SESSION_NOT_FRESH"],
    }
    assert {"408", "413", "415", "429", "503"} <= set(responses)


async def test_auth_api_is_described_where_better_auth_does(http: httpx.AsyncClient) -> None:
    found = await document(http, "/api/auth/open-api/generate-schema")
    assert found["servers"] == [{"url": f"{BASE}/api/auth"}]
    assert found["paths"]["/sign-in/email"]["post"]["operationId"] == "signInEmail"
    assert {"User", "Session", "Account"} <= set(found["components"]["schemas"])
    page = await http.get("/api/auth/reference")
    assert (page.status_code, page.headers["location"]) == (302, "../../docs")


async def test_root_has_the_version_that_is_asked_for(http: httpx.AsyncClient) -> None:
    key = {"apikey": KEYS["backend"]}
    found = await document(http, "/rest/v1/", accept=OPENAPI_3, **key)
    assert await document(http, "/rest/v1", accept=OPENAPI_3, **key) == found
    assert {f"/rest/v1{path}" for path in found["paths"]} >= TABLES
    assert found["servers"] == [{"url": "/rest/v1"}]
    for accept in ("*/*", "application/json", "application/openapi+json"):
        answer = await http.get("/rest/v1/", headers={"accept": accept, **key})
        assert answer.json()["swagger"] == "2.0"
        assert "token" not in answer.json()["definitions"]["sessions"]["properties"]
    unknown = await http.get("/rest/v1/", headers={"accept": f"{OPENAPI_3[:-1]}0", **key})
    assert (unknown.status_code, unknown.json()["code"]) == (406, "PGRST107")
