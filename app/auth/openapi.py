"""The description of the auth API in OpenAPI 3.1, made from its routes.

What an endpoint takes is the schema of its checks, what it answers the type that its handler
returns, and the words are the handler's docstring. Imported when GATEPOST_DOCS is on.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from inspect import getdoc
from types import UnionType
from typing import Any, Final, NoReturn, Union, get_args, get_origin

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

from .context import Services
from .endpoint import URLS, AuthRoute, Endpoint, not_text
from .errors import MESSAGES
from .validation import Check

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_HTML: Final = "text/html"

_FIELDS: Final = {
    "callbackURL": "Where to go afterwards: a path, or an address on a trusted origin.",
    "errorCallbackURL": "Where to go when it fails.",
    "image": "The address of a picture, or the picture as a `data:` address.",
    "newEmail": "The address to change to.",
    "newUserCallbackURL": "Where to go when a user was created.",
    "redirectTo": "The page that asks for the new password; it gets the `token`, or an `error`.",
    "rememberMe": "false: the session ends with the browser's.",
    "revokeOtherSessions": "true: end every session and start a new one.",
}
"""What fields mean whose names do not say it."""

_WORDS: Final = MESSAGES | {
    "BAD_REQUEST": "The body is not JSON, or a value cannot be stored.",
    "OAUTH_LINK_ERROR": "Nobody is signed in; the message is why: `account not linked`, …",
    "PAYLOAD_TOO_LARGE": "The body is longer than 64 KiB.",
    "PROVIDER_NOT_SUPPORTED": "The provider of the account is not supported.",
    "UNSUPPORTED_MEDIA_TYPE": "The body is of another media type.",
    "VALIDATION_ERROR": "The message names each field that is wrong, and how.",
}


def _shared(description: str, header: str | None = None) -> dict[str, Any]:
    headers = {"description": "After how many seconds to try again.", "schema": {"type": "string"}}
    return {
        "description": description,
        **({"headers": {header: headers}} if header else {}),
        "content": {_JSON: {"schema": {"$ref": "#/components/schemas/AuthError"}}},
    }


_NO_PATH: Final = {"description": "No such path: a part of it is more than one, or none."}

SCHEMAS: Final[dict[str, Any]] = {
    "AuthError": {
        "type": "object",
        "properties": {"message": {"type": "string"}, "code": {"type": "string"}},
        "required": ["message"],
    },
}
RESPONSES: Final = {
    "Late": _shared("The body did not come in time."),
    "LongAddress": _shared("The address is longer than 40 KiB."),
    "LongHead": _shared("The head of the request is longer than 64 KiB."),
    "TooManyRequests": _shared(
        "Too many requests of this client, or wrong passwords for the account.", "X-Retry-After"
    ),
    "Unavailable": _shared(
        "The database cannot be reached, or too many requests wait.", "Retry-After"
    ),
}
"""What any endpoint can answer."""


def security_schemes(services: Services) -> dict[str, Any]:
    """How a session is shown, as the settings have it."""
    schemes: dict[str, Any] = {
        "apiKeyCookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": services.cookies.session_token,
            "description": "The session cookie. Signing in sets it; a browser sends it by itself.",
        }
    }
    if "bearer" in services.settings.plugins:
        schemes["bearerAuth"] = {
            "type": "http",
            "scheme": "bearer",
            "description": "The value of the session cookie, as `set-auth-token` gives it.",
        }
    return schemes


def describe(
    routes: Iterable[BaseRoute], services: Services, tag: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The paths below the prefix, and the schemas that they refer to."""
    described = [
        (route, route.endpoint)
        for route in routes
        if isinstance(route, AuthRoute) and isinstance(route.endpoint, Endpoint)
    ]
    types = [option for _, endpoint in described for option in _answers(endpoint)]
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    for name, fields in (("User", services.user_fields), ("Session", services.session_fields)):
        if name in schemas:
            schemas[name]["properties"] |= fields.described()
    paths: dict[str, Any] = {}
    names: set[str] = set()
    for route, endpoint in described:
        for method in route.methods or ():
            operation = {
                "tags": [tag],
                "operationId": _name(route.path, method, names),
                **_text(endpoint),
                "security": _security(endpoint, services),
                "parameters": [*_path_parameters(route), *_query_parameters(endpoint.query)],
                **_request_body(endpoint),
                "responses": {
                    **_success(endpoint),
                    **({"404": _NO_PATH} if route.param_convertors else {}),
                    **_refusals(endpoint, method),
                },
            }
            paths.setdefault(route.path, {})[method.lower()] = operation
    return paths, SCHEMAS | schemas


_REF: Final = "#/components/schemas/{name}"


def _name(path: str, method: str, taken: set[str]) -> str:
    """``signInEmail``, as Better Auth calls its server's functions."""
    first, *others = re.findall(r"\w+", path)
    name = first + "".join(word.capitalize() for word in others)
    if name in taken:
        name += method.capitalize()
    taken.add(name)
    return name


def _text(endpoint: Endpoint) -> dict[str, str]:
    """The summary and the description: the first paragraph of the docstring, and the others."""
    summary, _, description = (getdoc(endpoint.handler) or "").partition("\n\n")
    text = {"summary": " ".join(summary.split()).removesuffix(".")}
    return text | ({"description": description} if description else {})


def _security(endpoint: Endpoint, services: Services) -> list[dict[str, list[str]]]:
    if endpoint.session == "none":
        return []
    ways: list[dict[str, list[str]]] = [{name: []} for name in security_schemes(services)]
    return [{}, *ways] if endpoint.session == "optional" else ways


def _path_parameters(route: AuthRoute) -> Iterator[dict[str, Any]]:
    for name in route.param_convertors:
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _query_parameters(query: Check | None) -> Iterator[dict[str, Any]]:
    if query is None:
        return
    for name, schema in query.schema["properties"].items():
        required = name in query.schema.get("required", ())
        # in a query everything is a text
        schema = schema if "type" in schema else {"type": "string"}
        parameter = {"name": name, "in": "query", "required": required, "schema": schema}
        yield _explained(name, parameter)


def _explained(name: str, described: Mapping[str, Any]) -> dict[str, Any]:
    return {**described, **({"description": _FIELDS[name]} if name in _FIELDS else {})}


def _request_body(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.body is None:
        return {}
    schema = dict(endpoint.body.schema)
    if properties := schema.get("properties"):
        schema["properties"] = {n: _explained(n, each) for n, each in properties.items()}
    types = (_JSON, _FORM) if endpoint.accepts_form else (_JSON,)
    content = {media_type: {"schema": schema} for media_type in types}
    return {"requestBody": {"required": endpoint.body.required, "content": content}}


def _answers(endpoint: Endpoint) -> list[Any]:
    """The types of the handler's answers; Response stands for a redirect."""
    returned = endpoint.handler.__annotations__.get("return", Any)
    options = get_args(returned) if get_origin(returned) in (Union, UnionType) else (returned,)
    return [option for option in options if option not in (Response, NoReturn)]


def _success(endpoint: Endpoint) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    returned = endpoint.handler.__annotations__.get("return", Any)
    if types := _answers(endpoint):
        (*schemas,), _ = msgspec.json.schema_components(types, ref_template=_REF)
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        content = {_JSON: {"schema": schema}}
        responses["200"] = {"description": "OK", "content": _or_page(endpoint, content)}
    if returned is Response or Response in get_args(returned):
        responses["302"] = {
            "description": "Go on to the page of the application.",
            "headers": {"Location": {"schema": {"type": "string", "format": "uri-reference"}}},
        }
    return responses


def _or_page(endpoint: Endpoint, content: dict[str, Any]) -> dict[str, Any]:
    """What a browser gets that followed a mailed link is a page."""
    page = {_HTML: {"schema": {"type": "string"}}} if endpoint.redirects_to_callback else {}
    return content | page


def _refusals(endpoint: Endpoint, method: str) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code, status in _errors(endpoint, method):
        codes = by_status.setdefault(status, [])
        if code not in codes:
            codes.append(code)
    responses: dict[str, Any] = {
        str(status): _refusal(endpoint, by_status[status]) for status in sorted(by_status)
    }
    if method != "GET" and not endpoint.ignores_body:
        responses["408"] = {"$ref": "#/components/responses/Late"}
    responses["414"] = {"$ref": "#/components/responses/LongAddress"}
    responses["431"] = {"$ref": "#/components/responses/LongHead"}
    responses["429"] = {"$ref": "#/components/responses/TooManyRequests"}
    responses["503"] = {"$ref": "#/components/responses/Unavailable"}
    return responses


def _errors(endpoint: Endpoint, method: str) -> Iterator[tuple[str, int]]:
    """The codes of all errors with their statuses, in the order in which they are looked for."""
    reads_body = method != "GET" and not endpoint.ignores_body
    if reads_body:
        yield "PAYLOAD_TOO_LARGE", 413
        yield "UNSUPPORTED_MEDIA_TYPE", 415
    if reads_body or endpoint.query:
        yield "BAD_REQUEST", 400
    if method != "GET":
        yield "MISSING_OR_NULL_ORIGIN", 403
        yield "INVALID_ORIGIN", 403
    if reads_body and endpoint.body:
        for name, code in URLS:
            if name in endpoint.body.schema.get("properties", ()):
                yield not_text(name), 400
                yield code, 403
    if endpoint.body or endpoint.query:
        yield "VALIDATION_ERROR", 400
    if endpoint.checks_login_csrf:
        yield "CROSS_SITE_NAVIGATION_LOGIN_BLOCKED", 403
    if endpoint.session in ("session", "fresh"):
        yield "UNAUTHORIZED", 401
    if endpoint.session == "bare":
        yield "", 401
    if endpoint.session != "none":
        yield "FAILED_TO_GET_SESSION", 401
    if endpoint.session == "fresh":
        yield "SESSION_NOT_FRESH", 403
    if endpoint.redirects_to_callback:
        yield "INVALID_CALLBACK_URL", 403
    yield from endpoint.errors.items()


def _refusal(endpoint: Endpoint, codes: list[str]) -> dict[str, Any]:
    """The response to the errors of one status; those without a code go by their message, or ''."""
    coded = [code for code in codes if re.fullmatch(r"[A-Z_]+", code)]
    lines = [f"- `{code}`: {_WORDS[code]}" if code in coded else f"- {code}" for code in codes]
    if "" in codes:  # it has no body
        return {"description": "\n".join(line for line in lines if line != "- ") or "Refused."}
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"message": {"type": "string"}},
        "required": ["message"],
    }
    if coded:
        schema["properties"]["code"] = {"type": "string", "enum": coded}
    if coded == codes:
        schema["required"] = ["message", "code"]
    content = {_JSON: {"schema": schema}}
    return {"description": "\n".join(lines), "content": _or_page(endpoint, content)}
