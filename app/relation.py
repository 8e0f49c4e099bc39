"""What a table is to the service: columns, keys and defaults, read off the Struct of its rows.

app/schema.py declares the tables with it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from types import MappingProxyType, NoneType
from typing import Annotated, Any, Final, Literal, get_args
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType
from pypika import Table

ColumnType = Literal[
    "uuid", "text", "boolean", "timestamptz", "date", "integer", "bigint", "numeric", "jsonb",
    "text[]",
]  # fmt: skip

Int32 = Annotated[int, Meta(ge=-(2**31), lt=2**31)]
Int64 = Annotated[int, Meta(ge=-(2**63), lt=2**63)]
Json = Annotated[str, Meta(extra={"json": True})]
"""A ``jsonb`` column: its JSON text, which is how the driver gives it."""

_TYPES: Final[dict[Any, ColumnType]] = {
    UUID: "uuid",
    str: "text",
    bool: "boolean",
    datetime: "timestamptz",
    date: "date",
    Int32: "integer",
    Int64: "bigint",
    Decimal: "numeric",
    Json: "jsonb",
    list[str]: "text[]",
}

ANNOTATIONS: Final[dict[ColumnType, Any]] = {type_: base for base, type_ in _TYPES.items()}
"""What a Struct says of a column of each type."""

SECRET: Final = Meta(extra={"secret": True})
Secret = Annotated[str, SECRET]
"""A column whose value gives access: shown and written only with the scope ``secrets``."""

GUARDED: Final = Meta(extra={"guarded": "always"})
"""A column that says who gets in, or until when: written only with the scope ``secrets``."""

SETTLED: Final = Meta(extra={"guarded": "later"})
"""A column that says who a row is: given to a new row, but changed only with ``secrets``."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the catalogue has it, and what of it takes the scope ``secrets``."""

    name: str
    type: ColumnType
    nullable: bool
    default: str | None
    """The default as PostgreSQL prints it, or None."""
    secret: bool
    """Seeing it, and all else."""
    guarded: bool
    """Giving it to a new row, and changing it."""
    settled: bool
    """Changing it in a row that is there."""


FieldType = Literal["string", "number", "boolean", "date", "string[]", "number[]", "json"]
"""The types that Better Auth has for fields."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AdditionalField:
    """A column of an application's own as the clients of the auth API know it: an entry of Better
    Auth's ``additionalFields``. app/additional.py makes them.
    """

    name: str
    column: str
    type: FieldType
    column_type: ColumnType
    required: bool
    """A user who signs up gives it."""
    input: bool
    """Clients may write it."""
    returned: bool
    """Clients see it."""
    in_new_rows: bool
    """The auth API writes it into a new row; elsewhere the column's own default holds."""
    default: Any
    """What a new row has that is given nothing, as the driver takes it; None: nothing."""
    convert: Callable[[Any], Any]
    """From a JSON value to what the driver takes. Raises ValueError: what it expected."""
    refused: bool = False
    """A client is told that it may not write it, though there is a default to write instead."""

    @property
    def parameter(self) -> str:
        """The name of its value in a statement."""
        return f"field_{self.column}"


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """``table.column`` refers to ``target``'s primary key; deleting the target deletes the row."""

    name: str
    table: str
    column: str
    target: str
    by_hint: bool = False
    """Embedded only where the request names it, so that another one needs no name."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Relation:
    """A table: its name, the Struct of its rows, its defaults and its keys."""

    name: str
    row: type[msgspec.Struct]
    primary_key: tuple[str, ...] = ("id",)
    unique: tuple[tuple[str, ...], ...] = ()
    """Unique keys besides the primary key."""
    foreign_keys: tuple[ForeignKey, ...] = ()
    defaults: dict[str, str] = field(default_factory=dict)
    default_factories: dict[str, Callable[[], Any]] = field(default_factory=dict)
    """Columns without a database default that the service fills in when a row leaves them out."""
    set_by_trigger: tuple[str, ...] = ()
    """Columns that a trigger keeps, whatever an UPDATE says."""
    fields: tuple[AdditionalField, ...] = ()
    """Columns of the application's own, which come last."""
    read_only: bool = False
    """The REST API reads it, and does not write it."""
    restricted: bool = False
    """Nor may the service change or delete its rows: its role has fewer privileges."""
    served_below: str | None = None
    """An expression: rows whose key is not less may still get others before them."""
    shard_key: str | None = None
    """The column that decides on which machine a row is; None: every machine has all rows."""

    @cached_property
    def table(self) -> Table:
        """The table in PyPika."""
        return Table(self.name)

    @cached_property
    def keys(self) -> tuple[tuple[str, ...], ...]:
        """The primary key and every other unique key."""
        return (self.primary_key, *self.unique)

    @cached_property
    def columns(self) -> MappingProxyType[str, Column]:
        return MappingProxyType({f.name: self._column(f) for f in msgspec.structs.fields(self.row)})

    @cached_property
    def insert_type(self) -> type[msgspec.Struct]:
        """A row to insert: what the database fills in may be left out (UNSET)."""
        return self._derived("New", lambda column: column.default is not None or column.nullable)

    @cached_property
    def update_type(self) -> type[msgspec.Struct]:
        """Changes to a row: every column may be left out, and those of the trigger are."""
        return self._derived("Changed", lambda _: True, without=self.set_by_trigger)

    def _derived(
        self, prefix: str, optional: Callable[[Column], bool], without: tuple[str, ...] = ()
    ) -> type[msgspec.Struct]:
        fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
            (f.name, f.type | UnsetType, UNSET)
            if optional(self.columns[f.name])
            else (f.name, f.type)
            for f in msgspec.structs.fields(self.row)
            if f.name not in without
        ]
        name = prefix + self.row.__name__
        return msgspec.defstruct(name, fields, module=__name__, frozen=True, kw_only=True)

    def _column(self, declared: msgspec.structs.FieldInfo) -> Column:
        options = get_args(declared.type) if NoneType in get_args(declared.type) else ()
        base = next((option for option in options if option is not NoneType), declared.type)
        meta = [m for m in getattr(base, "__metadata__", ()) if isinstance(m, Meta)]
        extra: dict[str, Any] = {}
        for each in meta:
            extra |= each.extra or {}
        secret = bool(extra.get("secret"))
        guarded = secret or extra.get("guarded") == "always"
        return Column(
            name=declared.name,
            type=_TYPES[_unmarked(base)],
            nullable=bool(options),
            default=self.defaults.get(declared.name),
            secret=secret,
            guarded=guarded,
            settled=guarded or extra.get("guarded") == "later",
        )


def _unmarked(annotation: Any) -> Any:
    """A type without what it says of scopes."""
    marks = {"secret", "guarded"}
    kept = [
        m for m in getattr(annotation, "__metadata__", ()) if not marks & (m.extra or {}).keys()
    ]
    plain = get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation
    return Annotated[(plain, *kept)] if kept else plain
