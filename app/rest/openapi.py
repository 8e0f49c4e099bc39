"""The OpenAPI description of the tables served (OpenAPI 2.0, as PostgREST's root gives it).

Texts come from the catalogue's comments; what is served comes from app/schema.py.
"""

from typing import Any, Final

import msgspec

from app.database import Database
from app.schema import RELATIONS
from app.statements import catalogue

_JSON_TYPES: Final = {
    "uuid": ("string", "uuid"),
    "text": ("string", "text"),
    "boolean": ("boolean", "boolean"),
    "timestamptz": ("string", "timestamp with time zone"),
}
_BODY: Final = ("POST", "PUT", "PATCH")


async def describe(database: Database, prefix: str) -> bytes:
    """The description as JSON."""
    rows = await database.fetch(catalogue.columns, list(RELATIONS))
    comments = {(row["table_name"], row["name"]): row["description"] for row in rows}
    tables = {row["table_name"]: row["table_description"] for row in rows}
    document = {
        "swagger": "2.0",
        "info": {
            "title": "Gatepost",
            "description": "Users and sessions on PostgreSQL, by PostgREST's protocol",
            "version": "1",
        },
        "basePath": prefix,
        "consumes": ["application/json", "text/csv", "application/x-www-form-urlencoded"],
        "produces": [
            "application/json",
            "application/vnd.pgrst.object+json",
            "application/vnd.pgrst.object+json;nulls=stripped",
            "application/vnd.pgrst.array+json;nulls=stripped",
            "text/csv",
        ],
        "securityDefinitions": {
            "key": {"type": "apiKey", "in": "header", "name": "apikey"},
        },
        "security": [{"key": []}],
        "paths": {f"/{name}": _path(name, tables.get(name)) for name in RELATIONS},
        "definitions": {name: _definition(name, tables, comments) for name in RELATIONS},
    }
    return msgspec.json.encode(document)


def _path(name: str, description: str | None) -> dict[str, Any]:
    filters = [
        {"name": column, "in": "query", "type": "string", "description": "operator.value"}
        for column in RELATIONS[name].columns
    ]
    body = {"name": name, "in": "body", "schema": {"$ref": f"#/definitions/{name}"}}
    rows = {"type": "array", "items": {"$ref": f"#/definitions/{name}"}}

    def operation(method: str) -> dict[str, Any]:
        status = {"GET": "200", "POST": "201"}.get(method, "204")
        answer: dict[str, Any] = {"description": {"200": "OK", "201": "Created"}.get(status, "")}
        if method == "GET":
            answer["schema"] = rows
        parameters = ([] if method == "POST" else filters) + ([body] if method in _BODY else [])
        return {
            "tags": [name],
            "summary": description or name,
            "parameters": parameters,
            "responses": {status: answer},
        }

    return {
        method.lower(): operation(method) for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    }


def _definition(
    name: str, tables: dict[str, str | None], comments: dict[tuple[str, str], str | None]
) -> dict[str, Any]:
    properties = {}
    required = []
    keys = {key.column: key for key in RELATIONS[name].foreign_keys}
    for column in RELATIONS[name].columns.values():
        kind, format_ = _JSON_TYPES[column.type]
        notes = [comments.get((name, column.name)) or ""]
        if column.name == "id":
            notes.append("Note:\nThis is a Primary Key.<pk/>")
        if column.name in keys:
            target = keys[column.name].target
            notes.append(
                f"Note:\nThis is a Foreign Key to `{target}.id`.<fk table='{target}' column='id'/>"
            )
        entry = {"type": kind, "format": format_, "description": "\n\n".join(filter(None, notes))}
        if column.default:
            entry["default"] = column.default
        properties[column.name] = entry
        if not column.nullable and not column.default:
            required.append(column.name)
    return {
        "type": "object",
        "description": tables.get(name),
        "required": required,
        "properties": properties,
    }
