"""The OpenAPI description of the tables served (OpenAPI 2.0, as PostgREST's root gives it).

Texts come from the catalogue's comments; what is served comes from app/schema.py.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from app.database import Database
from app.rest.plan import PREFIX
from app.schema import ColumnType, Relation
from app.statements import catalogue

_TYPES: Final[dict[ColumnType, dict[str, Any]]] = {
    "uuid": {"type": "string", "format": "uuid"},
    "text": {"type": "string", "format": "text"},
    "boolean": {"type": "boolean", "format": "boolean"},
    "timestamptz": {"type": "string", "format": "timestamp with time zone"},
    "date": {"type": "string", "format": "date"},
    "integer": {"type": "integer", "format": "integer"},
    "bigint": {"type": "integer", "format": "bigint"},
    "numeric": {"type": "number", "format": "numeric"},
    "jsonb": {"format": "jsonb"},  # any JSON value
    "text[]": {"type": "array", "format": "text[]", "items": {"type": "string"}},
}
_BODY: Final = ("POST", "PUT", "PATCH")
_RESPONSES: Final = {"GET": ("200", "OK"), "POST": ("201", "Created")}


async def describe(database: Database, relations: Mapping[str, Relation]) -> bytes:
    """The description as JSON."""
    rows = await database.fetch(catalogue.columns, list(relations))
    comments = {(row["table_name"], row["name"]): row["description"] for row in rows}
    tables = {row["table_name"]: row["table_description"] for row in rows}
    document = {
        "swagger": "2.0",
        "info": {
            "title": "Gatepost",
            "description": "Users and sessions on PostgreSQL, by PostgREST's protocol",
            "version": "1",
        },
        "basePath": PREFIX,
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
        "paths": {
            f"/{name}": _path(relation, tables.get(name)) for name, relation in relations.items()
        },
        "definitions": {
            name: _definition(relation, relations, tables.get(name), comments)
            for name, relation in relations.items()
        },
    }
    return msgspec.json.encode(document)


def _path(relation: Relation, description: str | None) -> dict[str, Any]:
    name = relation.name
    filters = [
        {"name": column, "in": "query", "type": "string", "description": "operator.value"}
        for column in relation.columns
    ]
    body = {"name": name, "in": "body", "schema": {"$ref": f"#/definitions/{name}"}}
    rows = {"type": "array", "items": {"$ref": f"#/definitions/{name}"}}

    def operation(method: str) -> dict[str, Any]:
        status, text = _RESPONSES.get(method, ("204", ""))
        response: dict[str, Any] = {"description": text}
        if method == "GET":
            response["schema"] = rows
        parameters = ([] if method == "POST" else filters) + ([body] if method in _BODY else [])
        return {
            "tags": [name],
            "summary": description or name,
            "parameters": parameters,
            "responses": {status: response},
        }

    return {
        method.lower(): operation(method) for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    }


def _definition(
    relation: Relation,
    relations: Mapping[str, Relation],
    description: str | None,
    comments: Mapping[tuple[str, str], str | None],
) -> dict[str, Any]:
    properties = {}
    keys = {
        key.column: relations[key.target]
        for key in relation.foreign_keys
        if key.target in relations
    }
    for column in relation.columns.values():
        notes = [comments.get((relation.name, column.name)) or ""]
        if column.name in relation.primary_key:
            notes.append("Note:\nThis is a Primary Key.<pk/>")
        if column.name in keys:
            target, key = keys[column.name].name, keys[column.name].primary_key[0]
            notes.append(
                f"Note:\nThis is a Foreign Key to `{target}.{key}`."
                f"<fk table='{target}' column='{key}'/>"
            )
        entry = {**_TYPES[column.type], "description": "\n\n".join(filter(None, notes))}
        if column.default:
            entry["default"] = column.default
        if column.nullable:
            entry["x-nullable"] = True  # Swagger 2.0 has no word of its own for it
        properties[column.name] = entry
    required = [c.name for c in relation.columns.values() if not (c.nullable or c.default)]
    return {
        "type": "object",
        "description": description,
        "required": required,
        "properties": properties,
    }
