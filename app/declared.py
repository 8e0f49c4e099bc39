"""What GATEPOST_SCHEMA declares against the live catalogue, for ``gatepost doctor``."""

import re
from collections.abc import Iterable
from typing import Final

from .relation import AdditionalField, ColumnType, Relation
from .schema import Schema
from .statements.catalogue import SchemaObject

_TYPES: Final[dict[ColumnType, str]] = {
    "text": r"text|character varying(\(\d+\))?",
    "timestamptz": r"timestamp(\(\d\))? with time zone",
    "numeric": r"numeric(\(.*\))?",
}
"""The types, as the catalogue names them, that fit a declared one besides its own."""


def differences(schema: Schema, objects: Iterable[SchemaObject]) -> tuple[list[str], list[str]]:
    """What does not work, and what may surprise."""
    found = list(objects)
    columns = {(each.table, each.name): each for each in found if each.kind == "column"}
    constraints = [each for each in found if each.kind == "constraint"]
    faults: list[str] = []
    warnings: list[str] = []
    for relation in (schema.users, schema.sessions):
        for field in relation.fields:
            live = columns.get((relation.name, field.column))
            _compare(faults, f"{relation.name}.{field.column}", field.column_type, live)
            if live is not None:
                warnings += _defaults(relation, field, live)
    for table in schema.own:
        for column in table.columns.values():
            live = columns.get((table.name, column.name))
            where = f"{table.name}.{column.name}"
            _compare(faults, where, column.type, live)
            if live is not None and (live.default or None) != column.default:
                default = live.default or "none"
                warnings.append(f"{where}: its database_default is {default}, not {column.default}")
        faults += _keys(table, [each for each in constraints if each.table == table.name])
    return faults, warnings


def _compare(faults: list[str], where: str, type_: ColumnType, live: SchemaObject | None) -> None:
    if live is None:
        faults.append(f"{where} is declared, and not in the database")
    elif not re.fullmatch(_TYPES.get(type_, re.escape(type_)), live.type):
        faults.append(f"{where} is declared as {type_}, and is {live.type}")


def _defaults(relation: Relation, field: AdditionalField, live: SchemaObject) -> list[str]:
    where = f"{relation.name}.{field.column}"
    if live.default and field.default is None and field.in_new_rows:
        return [f"{where}: sign-up writes null and not {live.default}: declare the default"]
    if live.default and field.default is None and field.returned and relation.name == "users":
        # an answer about an address that is taken would not have it
        return [f"{where}: declare the default {live.default}, which shows who is registered"]
    return []


def _keys(table: Relation, constraints: list[SchemaObject]) -> list[str]:
    unique = [set(c.columns) for c in constraints if c.definition.startswith(("PRIMARY", "UNIQUE"))]
    missing = [
        f"{table.name} has no unique key ({', '.join(key)})"
        for key in table.keys
        if set(key) not in unique
    ]
    followed = [(constraint.target, constraint.columns) for constraint in constraints]
    missing += [
        f"{table.name}.{key.column} has no foreign key to {key.target}"
        for key in table.foreign_keys
        if (key.target, [key.column]) not in followed
    ]
    return missing
