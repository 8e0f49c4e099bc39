"""The description of the tables in OpenAPI 2.0, which is what PostgREST's clients read at the root.

``getOpenApiSpec`` of postgrest-js has its shape in a type, and tools that make forms of a schema
look for ``definitions`` and for the notes on keys in the texts. It says less than openapi.py.
"""

from typing import Any, Final

from ..relation import Column, Relation
from . import media
from .plan import PREFIX
from .table_schemas import TYPES, Tables

_FORMATS: Final = {"timestamptz": "timestamp with time zone"}
"""The names of types where PostgreSQL prints others than this project uses."""


def describe(tables: Tables) -> dict[str, Any]:
    return {
        "swagger": "2.0",
        "info": {
            "title": "Gatepost",
            "description": "Users and sessions on PostgreSQL, by PostgREST's protocol",
            "version": "1",
        },
        "basePath": PREFIX,
        "consumes": [media.JSON, media.CSV, media.FORM],
        "produces": [
            media.JSON,
            media.OBJECT,
            f"{media.OBJECT};nulls=stripped",
            f"{media.ARRAY};nulls=stripped",
            media.CSV,
        ],
        "securityDefinitions": {
            "key": {"type": "apiKey", "in": "header", "name": "apikey"},
        },
        "security": [{"key": []}],
        "paths": {f"/{name}": _path(tables, each) for name, each in tables.relations.items()},
        "definitions": {
            name: _definition(tables, relation) for name, relation in tables.relations.items()
        },
    }


def _path(tables: Tables, relation: Relation) -> dict[str, Any]:
    name = relation.name
    summary = tables.comments.tables.get(name) or name
    filters = [
        {"name": column.name, "in": "query", "type": "string", "description": "operator.value"}
        for column in tables.columns(relation)
    ]
    row = {"$ref": f"#/definitions/{name}"}
    body = {"name": name, "in": "body", "schema": row}
    rows = {"200": {"description": "OK", "schema": {"type": "array", "items": row}}}
    created, done = {"201": {"description": "OK"}}, {"204": {"description": ""}}
    operations: dict[str, tuple[list[Any], Any]] = {
        "GET": (filters, rows),
        "POST": ([body], created),
        "PUT": ([*filters, body], done),
        "PATCH": ([*filters, body], done),
        "DELETE": (filters, done),
    }
    return {
        method.lower(): {
            "tags": [name],
            "summary": summary,
            "parameters": parameters,
            "responses": responses,
        }
        for method, (parameters, responses) in operations.items()
        if method in tables.methods(relation)
    }


def _definition(tables: Tables, relation: Relation) -> dict[str, Any]:
    columns = tables.columns(relation)
    return {
        "type": "object",
        "description": tables.comments.tables.get(relation.name),
        "required": [c.name for c in columns if not (c.nullable or c.default)],
        "properties": {column.name: _property(tables, relation, column) for column in columns},
    }


def _property(tables: Tables, relation: Relation, column: Column) -> dict[str, Any]:
    notes = [tables.comments.columns.get((relation.name, column.name))]
    if column.name in relation.primary_key:
        notes.append("Note:\nThis is a Primary Key.<pk/>")
    for key in tables.keys_of(relation, column):
        target, name = key.target, tables.relations[key.target].primary_key[0]
        notes.append(
            f"Note:\nThis is a Foreign Key to `{target}.{name}`."
            f"<fk table='{target}' column='{name}'/>"
        )
    entry = _type(column) | {"description": "\n\n".join(filter(None, notes))}
    if column.default:
        entry["default"] = column.default
    if column.nullable:
        entry["x-nullable"] = True  # Swagger 2.0 has no word of its own for it
    return entry


def _type(column: Column) -> dict[str, Any]:
    entry: dict[str, Any] = {"format": _FORMATS.get(column.type, column.type)}
    match TYPES[column.type].get("type"):
        case "array":
            entry |= {"type": "array", "items": {"type": "string"}}
        case str(name) | [str(name), *_]:
            entry["type"] = name
    return entry
