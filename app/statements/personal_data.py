"""The rows of one user in every table that refers to users, as the catalogue has them.

The statements on these tables are made for the tables that are there: their names are the
catalogue's, quoted, and no value stands in their texts.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any, Final

import msgspec

from ..sql import (
    Expression,
    Field,
    Parameter,
    Query,
    Statement,
    Subquery,
    Table,
    raw_statement,
    statement,
)

_u = Table("users", alias="u")
_s, _seen = Table("sessions", alias="s"), Table("session_activity", alias="seen")
_ID: Final = Parameter("id", "uuid")


class Reference(msgspec.Struct, frozen=True):
    """A foreign key that leads to users; of users itself, its primary key."""

    schema: str
    table: str
    key: list[str]
    """Its columns, and in ``target`` those of users that they have to equal."""
    target: list[str]
    on_delete: str
    """As pg_constraint has it: c cascade, n and d null and default, a and r refuse; '' of users."""
    columns: list[str]
    """All of the table's."""
    readable: bool
    """Whether the role may."""

    @property
    def name(self) -> str:
        """The table's name, with the schema's where that is not public."""
        return self.table if self.schema == "public" else f"{self.schema}.{self.table}"


references: Final[Statement[Reference]] = raw_statement(
    "personal_data.references",
    """
    WITH keys AS (
        SELECT conrelid, conkey, confkey, confdeltype::text AS on_delete FROM pg_constraint
        -- of a partitioned table, and not of each partition
        WHERE contype = 'f' AND confrelid = 'public.users'::regclass AND conparentid = 0
        UNION ALL
        SELECT attrelid, ARRAY[attnum], ARRAY[attnum], '' FROM pg_attribute
        WHERE attrelid = 'public.users'::regclass AND attname = 'id'
    )
    SELECT n.nspname::text AS schema, c.relname::text AS "table",
           ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY k (number, place)
                 JOIN pg_attribute ON attrelid = c.oid AND attnum = number ORDER BY place) AS key,
           ARRAY(SELECT attname::text FROM unnest(confkey) WITH ORDINALITY k (number, place)
                 JOIN pg_attribute ON attrelid = 'public.users'::regclass AND attnum = number
                 ORDER BY place) AS target,
           on_delete,
           ARRAY(SELECT attname::text FROM pg_attribute
                 WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
                 ORDER BY attnum) AS columns,
           has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS readable
    FROM keys JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    ORDER BY on_delete <> '', n.nspname <> 'public', c.relname, conkey
    """,
    row=Reference,
)
"""Users first."""


def rows_of(keys: Sequence[Reference], columns: Iterable[str]) -> Statement[Any]:
    """The rows of a table that any of its keys leads from to a user, as JSON: these columns."""
    table, shown = _table(keys), Table("shown_row")
    names = list(columns)
    rows = Query.from_(table).select(*(table.field(name) for name in names)).where(_of_user(keys))
    query = Query.from_(Subquery("shown_row", rows)).select(
        Expression("to_jsonb({})::text", Field("shown_row"), alias="row")
    )
    for name in ("created_at", "id"):
        if name in names:
            query = query.orderby(shown.field(name))
    return statement("personal_data.rows", query)


def count_of(keys: Sequence[Reference]) -> Statement[Any]:
    """How many those are."""
    query = Query.from_(_table(keys)).select(Expression("count(*)", alias="count"))
    return statement("personal_data.count", query.where(_of_user(keys)))


activity: Final = statement(
    "personal_data.activity",
    Query.from_(_s)
    .join(_seen)
    .on(_seen.session_id == _s.id)
    .select(Expression("to_jsonb({})::text", Field("seen"), alias="row"))
    .where(_s.user_id == _ID)
    .orderby(_seen.session_id),
)
"""When a user's sessions were last seen, as JSON: the rows of session_activity."""


def _table(keys: Sequence[Reference]) -> Table:
    return Table(keys[0].table, schema=keys[0].schema, alias="t")


def _of_user(keys: Sequence[Reference]) -> Any:
    table = _table(keys)
    return reduce(lambda one, other: one | other, (_is_of_user(table, key) for key in keys))


def _is_of_user(table: Table, key: Reference) -> Any:
    parts = (
        table.field(column) == (_ID if target == "id" else _value(target))
        for column, target in zip(key.key, key.target, strict=True)
    )
    return reduce(lambda one, other: one & other, parts)


def _value(column: str) -> Any:
    return Expression("({})", Query.from_(_u).select(_u.field(column)).where(_u.id == _ID))
