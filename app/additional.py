"""Columns and tables of an application's own, declared in the file of GATEPOST_SCHEMA.

The file is TOML. ``[users.NAME]`` and ``[sessions.NAME]`` are fields as Better Auth's
``additionalFields`` has them, ``[tables.NAME]`` is a table for the REST API. The database has them
by the application's own migrations; here they join the tables of app/schema.py.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from . import schema
from .errors import SettingsError
from .field_values import CONVERTERS
from .relation import (
    ANNOTATIONS,
    GUARDED,
    SECRET,
    SETTLED,
    AdditionalField,
    ColumnType,
    FieldType,
    ForeignKey,
    Relation,
)
from .schema import TABLES, Schema

_COLUMN: Final = re.compile("[a-z][a-z0-9_]{0,62}")
_NAME: Final = re.compile("[A-Za-z][A-Za-z0-9_]{0,62}")
_COLUMN_TYPES: Final[Mapping[FieldType, tuple[ColumnType, ...]]] = MappingProxyType(
    {
        "string": ("text", "uuid"),
        "number": ("integer", "bigint", "numeric"),
        "boolean": ("boolean",),
        "date": ("timestamptz", "date"),
        # Better Auth keeps lists in jsonb, and reads no other
        "string[]": ("jsonb", "text[]"),
        "number[]": ("jsonb",),
        "json": ("jsonb",),
    }
)
"""The columns that each type of field can have; the first is what Better Auth would make."""

_TAKEN: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "users": frozenset(("password", "callbackURL", "rememberMe")),
        "sessions": frozenset(),
    }
)
"""Names besides those of the columns that mean something else in a body."""

_TABLE_NAMES_TAKEN: Final = frozenset(
    (*(table.name for table in TABLES), "schema_migrations", "rpc", "chosen_rows", "written_rows")
)


class _Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: FieldType
    column: str | None = None
    column_type: ColumnType | None = None
    required: bool = False
    default: Any = None
    input: bool = True
    returned: bool = True
    max_length: Annotated[int, Meta(ge=1, le=32_768)] = 4096
    secret: bool = False


class _Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    type: ColumnType
    nullable: bool = False
    database_default: str | None = None
    references: str | None = None
    insert: bool = True
    update: bool = True
    secret: bool = False


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: Annotated[list[str], Meta(min_length=1)]
    columns: Annotated[dict[str, Any], Meta(min_length=1)]
    unique: list[Annotated[list[str], Meta(min_length=1)]] = []


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    users: dict[str, Any] = {}
    sessions: dict[str, Any] = {}
    tables: dict[str, Any] = {}


class _FileError(Exception):
    """What is wrong with a key of the file."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")


def load(setting: str, path: str) -> Schema:
    """Read the file that ``setting`` names. Raises SettingsError: a line that names the key."""
    try:
        text = Path(path).read_text()
        return _schema(_converted("", tomllib.loads(text), _File))
    except OSError as error:
        problem = error.strerror or "cannot be read"
    except UnicodeDecodeError:
        problem = "not a text"
    except tomllib.TOMLDecodeError as error:
        problem = f"not TOML: {error}"
    except _FileError as error:
        problem = str(error)
    raise SettingsError(" ".join(f"{setting}: {path}: {problem}".split()))


def _schema(file: _File) -> Schema:
    found = Schema(
        users=_with_fields(schema.users, file.users),
        sessions=_with_fields(schema.sessions, file.sessions),
    )
    tables = {name: _table(name, declared) for name, declared in file.tables.items()}
    found = replace(found, own=tuple(tables.values()))
    for table in found.own:
        _check_references(table, found.relations)
    return found


def _converted(key: str, value: Any, type_: Any) -> Any:
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        # "Expected `bool`, got `str` - at `$.required`"
        problem, _, where = str(error).partition(" - at ")
        inner = re.sub(r"\[\.\.\.\]|[`$]", "", where).strip(".")
        name = ".".join(filter(None, (key, inner)))
        raise _FileError(name or "the file", problem.replace("`", "'")) from None


# --- fields ---------------------------------------------------------------------------------------


def _with_fields(relation: Relation, declared: Mapping[str, Any]) -> Relation:
    if not declared:
        return relation
    fields: dict[str, AdditionalField] = {}
    columns: list[tuple[str, Any]] = []
    core = {_camel(name) for name in relation.columns} | _TAKEN[relation.name]
    for name, value in declared.items():
        key = f"{relation.name}.{name}"
        if not _NAME.fullmatch(name):
            raise _FileError(
                key, "a name has letters, digits and underscores, and begins with a letter"
            )
        if name in core:
            raise _FileError(key, f"{name} is Gatepost's own")
        given = _converted(key, value, _Field)
        field = _field(key, name, given, creatable=relation.name == "users")
        if field.column in relation.columns:
            raise _FileError(key, f"{relation.name} has a column {field.column} of Gatepost's own")
        if any(other.column == field.column for other in fields.values()):
            raise _FileError(key, f"another field has the column {field.column}")
        fields[name] = field
        mark = SECRET if given.secret else None
        columns.append((field.column, _annotation(field.column_type, mark, not field.required)))
    row = msgspec.defstruct(
        relation.row.__name__, columns, bases=(relation.row,), module=schema.__name__, frozen=True
    )
    factories = {
        field.column: lambda value=field.default: value
        for field in fields.values()
        if field.default is not None
    }
    return replace(
        relation,
        row=row,
        fields=tuple(fields.values()),
        default_factories=relation.default_factories | factories,
    )


def _field(key: str, name: str, given: _Field, *, creatable: bool) -> AdditionalField:
    possible = _COLUMN_TYPES[given.type]
    column_type = given.column_type or possible[0]
    if column_type not in possible:
        types = ", ".join(possible)
        raise _FileError(f"{key}.column_type", f"a {given.type} is kept in one of {types}")
    column = _column_name(key, given.column or _snake(name), "column")
    convert = partial(CONVERTERS[given.type], column_type, given.max_length)
    default = None
    if given.default is not None:
        try:
            default = convert(given.default)
        except ValueError as error:
            raise _FileError(f"{key}.default", f"expected {error}") from None
    if given.required and default is None and not (creatable and given.input):
        who = "a client may not give it" if creatable else "nobody gives it at sign-in"
        raise _FileError(f"{key}.required", f"{who}: it needs a default")
    return AdditionalField(
        name=name,
        column=column,
        type=given.type,
        column_type=column_type,
        required=given.required,
        input=given.input,
        returned=given.returned,
        in_new_rows=default is not None or (creatable and given.input),
        default=default,
        convert=convert,
    )


def _snake(name: str) -> str:
    return re.sub("[A-Z]+", lambda match: f"_{match[0].lower()}", name).lstrip("_")


def _camel(column: str) -> str:
    return re.sub("_([a-z])", lambda match: match[1].upper(), column)


def _column_name(key: str, name: str, what: str) -> str:
    if not _COLUMN.fullmatch(name):
        raise _FileError(key, f"{name!r} is no {what}: lower-case letters, digits and underscores")
    return name


def _annotation(type_: ColumnType, mark: Meta | None, nullable: bool) -> Any:
    """The type of a field of a row's Struct."""
    annotation: Any = ANNOTATIONS[type_]
    if mark is not None:
        annotation = Annotated[annotation, mark]
    return annotation | None if nullable else annotation


# --- tables ---------------------------------------------------------------------------------------


def _table(name: str, value: Any) -> Relation:
    key = f"tables.{name}"
    _column_name(key, name, "name of a table")
    if name in _TABLE_NAMES_TAKEN or name.startswith(("pg_", "gathered_")):
        raise _FileError(key, f"the name {name} is taken")
    declared = _converted(key, value, _Table)
    columns: dict[str, _Column] = {}
    for column, given in declared.columns.items():
        where = f"{key}.columns.{column}"
        _column_name(where, column, "column")
        spelled = {"type": given} if isinstance(given, str) else given
        columns[column] = _converted(where, spelled, _Column)
    for what, names in (("key", declared.key), *(("unique", each) for each in declared.unique)):
        for column in names:
            if column not in columns:
                raise _FileError(f"{key}.{what}", f"the table has no column {column}")
            if what == "key" and columns[column].nullable:
                raise _FileError(f"{key}.{what}", f"{column} is nullable")
    return Relation(
        name=name,
        row=msgspec.defstruct(
            name,
            [(column, _annotated(given)) for column, given in columns.items()],
            module=schema.__name__,
            frozen=True,
        ),
        primary_key=tuple(declared.key),
        unique=tuple(tuple(each) for each in declared.unique),
        foreign_keys=tuple(
            ForeignKey(f"{name}_{column}_fkey", name, column, given.references)
            for column, given in columns.items()
            if given.references is not None
        ),
        defaults={
            column: given.database_default
            for column, given in columns.items()
            if given.database_default is not None
        },
    )


def _annotated(column: _Column) -> Any:
    mark = None if column.update else SETTLED
    if not column.insert:
        mark = GUARDED
    return _annotation(column.type, SECRET if column.secret else mark, column.nullable)


def _check_references(table: Relation, relations: Mapping[str, Relation]) -> None:
    for foreign_key in table.foreign_keys:
        key = f"tables.{table.name}.columns.{foreign_key.column}"
        target = relations.get(foreign_key.target)
        if target is None:
            known = ", ".join(relations)
            raise _FileError(
                f"{key}.references", f"{foreign_key.target!r} is not known (known: {known})"
            )
        if len(target.primary_key) > 1:
            raise _FileError(f"{key}.references", f"the key of {target.name} has several columns")
        wanted = next(target.columns[name].type for name in target.primary_key)
        if table.columns[foreign_key.column].type != wanted:
            raise _FileError(f"{key}.type", f"the key of {target.name} is {wanted}")
