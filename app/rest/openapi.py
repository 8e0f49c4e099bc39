"""The description of the tables in OpenAPI 3.1: what a key may see and do, and nothing else."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ..relation import Relation
from . import media, preferences
from .parser import OPERATORS
from .table_schemas import Tables

VERSION: Final = "3.1.1"
TITLE: Final = "Gatepost"

SECURITY_SCHEMES: Final = {
    "serviceKey": {
        "type": "apiKey",
        "in": "header",
        "name": "apikey",
        "description": "A service key, for the tables; `Authorization: Bearer KEY` does as well.",
    }
}

_REFUSALS: Final = {
    "300": "Several foreign keys lead to the relation; the hint lists them.",
    "400": "The query string, the body or a value in them is not right; the message says where.",
    "401": "No service key, or one that is not known.",
    "403": "The key lacks a scope.",
    "405": "PUT with other filters than the primary key.",
    "406": "No such media type; or not exactly one row, where one object was asked for.",
    "408": "The body did not come in time.",
    "409": "Not unique, or the row referred to does not exist.",
    "413": "The body is too long.",
    "414": "The query string is longer than 32 KiB.",
    "415": "The body is of another media type.",
    "416": "The range lies outside of the rows.",
    "431": "The head of the request is longer than 64 KiB.",
    "503": "The database cannot be reached; try again after `Retry-After` seconds.",
    "504": "No connection is free, or the statement took too long.",
}


class _Method(NamedTuple):
    """What is said of a method, besides the table."""

    verb: str
    summary: str
    parameters: tuple[str, ...]
    preferences: tuple[str, ...]
    refusals: tuple[str, ...]
    """The statuses that not every method has."""


_WITH_BODY: Final = ("408", "409", "413", "415")
_FOUND: Final = ("select", "order", "limit", "offset", "and", "or")
_WRITING: Final = ("return", "count", "tx", "handling")
_METHODS: Final = {
    "GET": _Method(
        "read", "Read rows of {table}", (*_FOUND, "Range"), ("count", "handling"), ("416",)
    ),
    "POST": _Method(
        "insert",
        "Insert or upsert rows of {table}",
        ("select", "columns", "on_conflict"),
        (*_WRITING, "resolution", "missing"),
        _WITH_BODY,
    ),
    "PUT": _Method(
        "put",
        "Insert or replace a row of {table}, by its primary key",
        ("select", "columns"),
        _WRITING,
        ("405", *_WITH_BODY),
    ),
    "PATCH": _Method(
        "update",
        "Change the rows of {table} that the filters find",
        (*_FOUND, "columns"),
        _WRITING,
        _WITH_BODY,
    ),
    "DELETE": _Method(
        "delete", "Delete the rows of {table} that the filters find", _FOUND, _WRITING, ("409",)
    ),
}
_EVERY: Final = frozenset(_REFUSALS) - {s for each in _METHODS.values() for s in each.refusals}
_ROW_COUNT: Final = {"type": "integer", "minimum": 0}


def _parameter(name: str, description: str, schema: Mapping[str, Any] | None = None) -> Any:
    place = "header" if name[0].isupper() else "query"
    return {
        "name": name,
        "in": place,
        "description": description,
        "schema": schema or {"type": "string"},
    }


PARAMETERS: Final = {
    "select": _parameter(
        "select",
        "The columns and relations: `id,alias:name,created_at::date,relation(*)`. Without it "
        "every column that the key may see.",
    ),
    "order": _parameter("order", "`column.desc.nullslast`, several separated by commas."),
    "limit": _parameter("limit", "Rows at most.", _ROW_COUNT),
    "offset": _parameter("offset", "Rows to leave out first.", _ROW_COUNT),
    "and": _parameter("and", "Conditions that all hold: `(column.gt.1,or(…))`."),
    "or": _parameter("or", "Conditions of which one holds: `(column.is.null,column.gt.1)`."),
    "columns": _parameter("columns", "The columns of the body that are used."),
    "on_conflict": _parameter(
        "on_conflict", "The unique columns by which a row is there already, for an upsert."
    ),
    "Range": _parameter("Range", "A page: `0-24`."),
}
SCHEMAS: Final[dict[str, Any]] = {
    "RestError": {
        "type": "object",
        "properties": {
            "code": {"type": "string", "description": "PostgREST's, or an SQLSTATE."},
            "message": {"type": "string"},
            "details": {"type": ["string", "null"]},
            "hint": {"type": ["string", "null"]},
        },
        "required": ["code", "message", "details", "hint"],
    }
}
RESPONSES: Final = {
    f"Rest{status}": {
        "description": description,
        "content": {media.JSON: {"schema": {"$ref": "#/components/schemas/RestError"}}},
    }
    for status, description in _REFUSALS.items()
}


_FILTERS: Final = (
    "A filter is `operator.value` or `not.operator.value`; the operators are "
    f"{', '.join(sorted(OPERATORS))}."
)


def paths(tables: Tables, prefix: str = "") -> dict[str, Any]:
    """What the key may do, below ``prefix``."""
    return {
        f"{prefix}/{name}": {
            method.lower(): _operation(tables, method, relation)
            for method in tables.methods(relation)
        }
        for name, relation in tables.relations.items()
    }


def _operation(tables: Tables, method: str, relation: Relation) -> dict[str, Any]:
    verb, summary, *_ = _METHODS[method]
    name = relation.name
    scopes = " and ".join(f"`{scope}`" for scope in tables.plans[method].scopes)
    description = f"Needs a key with {scopes}."
    if method == "GET":
        description += f" HEAD gives the headers alone. {_FILTERS}"
    if method in ("PATCH", "DELETE"):
        description += f" A filter is needed. {_FILTERS}"
    return {
        "tags": [name],
        "operationId": f"{verb}_{name}",
        "summary": summary.format(table=name),
        "description": description,
        "security": [{"serviceKey": []}],
        "parameters": _parameters(tables, method, relation),
        **_request_body(method, name),
        "responses": _responses(method, name),
    }


def _parameters(tables: Tables, method: str, relation: Relation) -> list[Any]:
    filters = []
    if method == "PUT":
        filters = [
            _parameter(name, "`eq.` and the value.") | {"required": True}
            for name in relation.primary_key
        ]
    elif method != "POST":
        columns = tables.columns(relation)
        filters = [_parameter(column.name, "A filter: `operator.value`.") for column in columns]
    shared = [{"$ref": f"#/components/parameters/{name}"} for name in _METHODS[method].parameters]
    return [*filters, *shared, _prefer(method)]


def _prefer(method: str) -> Any:
    choices = [
        f"`{name}={'|'.join(sorted(preferences.WORDS[name]))}`"
        for name in _METHODS[method].preferences
    ]
    if method in ("PATCH", "DELETE"):
        choices.append("`max-affected=N` with `handling=strict`")
    return _parameter("Prefer", f"Separated by commas: {', '.join(choices)}.")


def _request_body(method: str, name: str) -> dict[str, Any]:
    if method in ("GET", "DELETE"):
        return {}
    schema = f"{name}_update" if method == "PATCH" else f"{name}_insert"
    row: dict[str, Any] = {"$ref": f"#/components/schemas/{schema}"}
    rows = {"anyOf": [row, {"type": "array", "items": row}]} if method == "POST" else row
    content = {
        media.JSON: {"schema": rows},
        media.CSV: {"schema": {"type": "string"}},
        media.FORM: {"schema": row},
    }
    return {"requestBody": {"required": True, "content": content}}


def _responses(method: str, name: str) -> dict[str, Any]:
    row = {"$ref": f"#/components/schemas/{name}"}
    rows = {
        "description": "The rows"
        + ("." if method == "GET" else ", with `Prefer: return=representation`."),
        "headers": {
            "Content-Range": {
                "description": "`0-24/100`: which rows these are, and of how many where counted.",
                "schema": {"type": "string"},
            },
        },
        "content": {
            media.JSON: {"schema": {"type": "array", "items": row}},
            media.OBJECT: {"schema": row},
            media.CSV: {"schema": {"type": "string"}},
        },
    }
    nothing = {"description": "Done, with nothing to show."}
    responses = {
        "GET": {"200": rows, "206": rows | {"description": "A part of the rows that are counted."}},
        "POST": {"200": rows, "201": rows},
        "PUT": {"200": rows, "201": rows, "204": nothing},
        "PATCH": {"200": rows, "204": nothing},
        "DELETE": {"200": rows, "204": nothing},
    }[method]
    statuses = sorted({*_EVERY, *_METHODS[method].refusals})
    return {
        **responses,
        **{status: {"$ref": f"#/components/responses/Rest{status}"} for status in statuses},
    }


def components(tables: Tables) -> dict[str, Any]:
    """What the paths refer to."""
    return {
        "schemas": SCHEMAS | tables.schemas(),
        "parameters": PARAMETERS,
        "responses": RESPONSES,
        "securitySchemes": SECURITY_SCHEMES,
    }


def document(tables: Tables, server: str) -> dict[str, Any]:
    """A description of nothing but the tables; ``server`` is the path of the API."""
    return {
        "openapi": VERSION,
        "info": {"title": TITLE, "version": "1"},
        "servers": [{"url": server}],
        "tags": tables.tags(),
        "paths": paths(tables),
        "components": components(tables),
    }
