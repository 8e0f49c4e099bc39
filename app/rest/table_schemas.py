"""The tables as a key may use them, and the JSON Schemas of their rows.

What is served comes from app/schema.py, the words from the catalogue's comments.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..database import Database
from ..relation import Column, ColumnType, ForeignKey, Relation
from ..settings import ServiceKey
from ..statements import catalogue
from .plan import Plan

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
"""Those that are described; HEAD is a GET without a body."""

TYPES: Final[dict[ColumnType, dict[str, Any]]] = {
    "uuid": {"type": "string", "format": "uuid"},
    "text": {"type": "string"},
    "boolean": {"type": "boolean"},
    "timestamptz": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "integer": {"type": "integer", "format": "int32"},
    "bigint": {"type": "integer", "format": "int64"},
    "numeric": {"type": ["number", "string"]},  # NaN and Infinity are texts
    "jsonb": {},  # any JSON value
    "text[]": {"type": "array", "items": {"type": ["string", "null"]}},
}


@dataclass(frozen=True, slots=True)
class Comments:
    """What the catalogue says of tables and, by table and name, of columns."""

    tables: Mapping[str, str]
    columns: Mapping[tuple[str, str], str]

    @classmethod
    async def read(cls, database: Database, relations: Mapping[str, Relation]) -> "Comments":
        rows = await database.fetch(catalogue.columns, list(relations))
        return cls(
            {row["table_name"]: row["table_description"] or "" for row in rows},
            {(row["table_name"], row["name"]): row["description"] or "" for row in rows},
        )


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables as a key may use them."""

    relations: Mapping[str, Relation]
    comments: Comments
    key: ServiceKey
    plans: Mapping[str, type[Plan]]
    """What answers each method."""

    @property
    def secrets(self) -> bool:
        return "secrets" in self.key.scopes

    def columns(self, relation: Relation) -> list[Column]:
        """Those that the key may see."""
        return [each for each in relation.columns.values() if self.secrets or not each.secret]

    def keys_of(self, relation: Relation, column: Column) -> Iterator[ForeignKey]:
        """The foreign keys of a column to tables that are served."""
        for key in relation.foreign_keys:
            if key.column == column.name and key.target in self.relations:
                yield key

    def methods(self, relation: Relation) -> list[str]:
        """Those that can succeed."""
        needed = [c for c in relation.columns.values() if _is_required(relation, c)]
        possible = {
            "POST": self.secrets or not any(column.guarded for column in needed),
            # which changes every column but the primary key
            "PUT": self.secrets
            or not any(c.settled for c in needed if c.name not in relation.primary_key),
        }
        return [
            method
            for method in METHODS
            if self.key.scopes.issuperset(self.plans[method].scopes)
            and possible.get(method, True)
            and (method == "GET" or not relation.read_only)
        ]

    def schemas(self) -> dict[str, Any]:
        """Of each table its rows, and rows to insert and changes where the key allows them."""
        found: dict[str, Any] = {}
        for name, relation in self.relations.items():
            methods = self.methods(relation)
            found[name] = self._row(relation)
            if "POST" in methods:
                found[f"{name}_insert"] = self._new_row(relation)
            if "PATCH" in methods:
                found[f"{name}_update"] = self._changes(relation)
        return found

    def tags(self) -> list[dict[str, str]]:
        return [{"name": n, "description": self.comments.tables.get(n, n)} for n in self.relations]

    def _row(self, relation: Relation) -> dict[str, Any]:
        properties = {c.name: self._property(relation, c) for c in self.columns(relation)}
        for name, to_one in self._embeddable(relation):
            reference = {"$ref": f"#/components/schemas/{name}"}
            schema = (
                {"anyOf": [reference, {"type": "null"}]}
                if to_one
                else {"type": "array", "items": reference}
            )
            properties.setdefault(name, schema | {"description": f"With `select=*,{name}(*)`."})
        return {
            "type": "object",
            "description": f"{self.comments.tables.get(relation.name, relation.name)}\n\n"
            "Every column that the key may see, or what `select` names.",
            "properties": properties,
        }

    def _new_row(self, relation: Relation) -> dict[str, Any]:
        columns = [c for c in relation.columns.values() if self.secrets or not c.guarded]
        return {
            "type": "object",
            "properties": {c.name: self._property(relation, c) for c in columns},
            "required": [c.name for c in columns if _is_required(relation, c)],
            "additionalProperties": False,
        }

    def _changes(self, relation: Relation) -> dict[str, Any]:
        columns = [
            column
            for column in relation.columns.values()
            if (self.secrets or not column.settled) and column.name not in relation.set_by_trigger
        ]
        return {
            "type": "object",
            "properties": {c.name: self._property(relation, c) for c in columns},
            "additionalProperties": False,
        }

    def _property(self, relation: Relation, column: Column) -> dict[str, Any]:
        schema = dict(TYPES[column.type])
        if column.nullable and "type" in schema:
            given = schema["type"]
            schema["type"] = [*([given] if isinstance(given, str) else given), "null"]
        comment = self.comments.columns.get((relation.name, column.name), "")
        notes = [comment]
        if column.name in relation.primary_key and "primary key" not in comment.lower():
            notes.append("Primary key.")
        notes += [f"Refers to `{key.target}`." for key in self.keys_of(relation, column)]
        if column.default:
            notes.append(f"Default: `{column.default}`.")
        return schema | {"description": " ".join(filter(None, notes))}

    def _embeddable(self, relation: Relation) -> Iterator[tuple[str, bool]]:
        """The tables that can be embedded by their names alone, and whether that is one row."""
        ways: dict[str, list[bool]] = {}
        for key in relation.foreign_keys:
            if key.by_hint:
                continue
            if key.target in self.relations and key.target != relation.name:
                ways.setdefault(key.target, []).append(True)
        for other in self.relations.values():
            for key in other.foreign_keys:
                if key.target == relation.name and not key.by_hint:
                    ways.setdefault(other.name, []).append((key.column,) in other.keys)
        for name, found in ways.items():
            if len(found) == 1:
                yield name, found[0]


def _is_required(relation: Relation, column: Column) -> bool:
    """Whether a new row has to have the column."""
    filled = column.nullable or column.default or column.name in relation.default_factories
    return not filled
