"""What is selected of a level besides its relations: columns, casts and counts."""

from typing import Final

from ..errors import RestError
from ..relation import Relation
from ..sql import Expression, Term, named
from .query_tree import ColumnItem, CountItem, SelectItem

_CASTS: Final = frozenset(
    (
        *("text", "varchar", "character varying", "uuid", "bool", "boolean", "json", "jsonb"),
        *("int", "integer", "int2", "smallint", "int4", "int8", "bigint", "numeric", "decimal"),
        *("real", "float4", "float8", "double precision", "date", "time", "timetz"),
        *("timestamp", "timestamptz", "timestamp with time zone", "timestamp without time zone"),
    )
)


def counts(relation: Relation, item: SelectItem) -> bool:
    """Whether the item is a count. A column that is not there, ``count``, has always been one."""
    if isinstance(item, ColumnItem):
        return item.name == "count" and item.name not in relation.columns
    return isinstance(item, CountItem)


def term(field: Term, cast: str | None, label: str) -> Term:
    """A column or a count under its name in the response. Raises RestError 42704."""
    if cast is None:
        return named(field, label)
    if cast.lower() not in _CASTS:
        raise RestError(400, "42704", f'type "{cast:.100}" does not exist')
    return Expression(f"CAST({{}} AS {cast.lower()})", field, alias=label)
