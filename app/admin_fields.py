"""The fields of the admin plugin on users and sessions, for a Schema whose service has it on.

Source: Better Auth 1.7: clients see them, and none can give one. The columns are in app/schema.py.
"""

from dataclasses import replace
from functools import partial
from typing import Any, Final

from .field_values import CONVERTERS
from .relation import AdditionalField, ColumnType, FieldType
from .schema import Schema

MAX_ROLE: Final = 1000
"""Characters of a user's roles, with their commas."""
MAX_REASON: Final = 4096


def with_admin(schema: Schema, default_role: str) -> Schema:
    """The tables with the plugin's fields before those of the application's own."""
    users = (
        _field("role", "role", "string", default=default_role, max_length=MAX_ROLE, refused=True),
        _field("banned", "banned", "boolean", default=False),
        _field("banReason", "ban_reason", "string", max_length=MAX_REASON),
        _field("banExpires", "ban_expires", "date", "timestamptz"),
    )
    impersonated = _field("impersonatedBy", "impersonated_by", "string", "uuid", in_new_rows=True)
    return replace(
        schema,
        users=replace(schema.users, fields=users + schema.users.fields),
        sessions=replace(schema.sessions, fields=(impersonated, *schema.sessions.fields)),
    )


def _field(
    name: str,
    column: str,
    type_: FieldType,
    column_type: ColumnType | None = None,
    *,
    default: Any = None,
    max_length: int = 0,
    refused: bool = False,
    in_new_rows: bool = False,
) -> AdditionalField:
    kept: ColumnType = column_type or ("boolean" if type_ == "boolean" else "text")
    return AdditionalField(
        name=name,
        column=column,
        type=type_,
        column_type=kept,
        required=False,
        input=False,
        returned=True,
        in_new_rows=in_new_rows or default is not None,
        default=default,
        refused=refused,
        convert=partial(CONVERTERS[type_], kept, max_length),
    )
