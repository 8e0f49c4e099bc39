"""What PostgreSQL's catalogue says of the schema."""

from typing import Final, Literal

import msgspec

from ..sql import (
    Expression,
    Parameter,
    Query,
    Statement,
    Table,
    named,
    raw_statement,
    statement,
)

_class = Table("pg_class", schema="pg_catalog", alias="c")
_attribute = Table("pg_attribute", schema="pg_catalog", alias="a")
_default = Table("pg_attrdef", schema="pg_catalog", alias="d")

columns: Final = statement(
    "catalogue.columns",
    Query.from_(_attribute)
    .join(_class)
    .on(_class.oid == _attribute.attrelid)
    .left_join(_default)
    .on((_default.adrelid == _attribute.attrelid) & (_default.adnum == _attribute.attnum))
    .select(
        named(_class.relname, "table_name"),
        named(_attribute.attname, "name"),
        Expression("format_type({}, NULL)", _attribute.atttypid, alias="type"),
        named(_attribute.attnotnull, "not_null"),
        Expression("pg_get_expr({}, {})", _default.adbin, _default.adrelid, alias="column_default"),
        Expression("col_description({}, {})", _class.oid, _attribute.attnum, alias="description"),
        Expression("obj_description({}, 'pg_class')", _class.oid, alias="table_description"),
    )
    .where(
        Expression("{} = ANY ({}::regclass[])", _class.oid, Parameter("tables", "text[]"))
        & Expression("{} > 0", _attribute.attnum)
        & Expression("NOT {}", _attribute.attisdropped)
    )
    .orderby(_class.relname, _attribute.attnum),
)
"""A row for each column of the named tables, in the order of their definitions."""


class SchemaObject(msgspec.Struct, frozen=True):
    """An object of the schema ``public``. ``comment`` is '' when there is none."""

    kind: Literal["table", "column", "constraint", "index", "trigger", "function", "other"]
    table: str
    """'' for what belongs to no table."""
    name: str
    definition: str
    comment: str
    type: str
    """Of a column."""
    required: bool
    """Of a column: NOT NULL."""
    default: str
    """Of a column."""
    target: str
    """Of a foreign key: its table."""
    columns: list[str]
    """Of a constraint."""


objects: Final[Statement[SchemaObject]] = raw_statement(
    "catalogue.objects",
    """
WITH relations AS (
    SELECT oid, relname::text AS name, relkind, reloptions FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relname <> 'schema_migrations'
), tables AS (
    SELECT oid, name, reloptions FROM relations WHERE relkind IN ('r', 'p')
), objects (kind, "table", rank, position, name, definition, comment, type, required, "default",
            target, columns) AS (
    SELECT 'table', name, 1, 0, '',
           -- sorted: they stand in the order in which they were set
           coalesce((SELECT 'WITH (' || string_agg(option, ', ' ORDER BY option COLLATE "C") || ')'
                     FROM unnest(reloptions) option), ''),
           obj_description(oid, 'pg_class'), '', false, '', '', ARRAY[]::text[]
    FROM tables
  UNION ALL
    SELECT 'column', t.name, 2, a.attnum, a.attname,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod),
                     'COLLATE ' || quote_ident(l.collname),
                     CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                     'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)),
           col_description(t.oid, a.attnum), format_type(a.atttypid, a.atttypmod), a.attnotnull,
           coalesce(pg_get_expr(d.adbin, d.adrelid), ''), '', ARRAY[a.attname::text]
    FROM tables t
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type y ON y.oid = a.atttypid
    LEFT JOIN pg_collation l ON l.oid = a.attcollation AND a.attcollation <> y.typcollation
    LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
  UNION ALL
    SELECT 'constraint', t.name, 3, position(c.contype::text IN 'pufcx'), c.conname,
           pg_get_constraintdef(c.oid), obj_description(c.oid, 'pg_constraint'), '', false, '',
           coalesce(f.relname, ''),
           ARRAY(SELECT attname::text FROM pg_attribute
                 WHERE attrelid = t.oid AND attnum = ANY (c.conkey) ORDER BY attnum)
    FROM tables t
    JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype IN ('p', 'u', 'f', 'c', 'x')
    LEFT JOIN pg_class f ON f.oid = c.confrelid
  UNION ALL
    SELECT 'index', t.name, 4, 0, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid),
           obj_description(i.indexrelid, 'pg_class'), '', false, '', '', ARRAY[]::text[]
    FROM tables t
    JOIN pg_index i ON i.indrelid = t.oid
    WHERE NOT EXISTS (SELECT FROM pg_constraint c
                      WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x'))
  UNION ALL
    SELECT 'trigger', t.name, 5, 0, g.tgname, pg_get_triggerdef(g.oid)
           || CASE g.tgenabled WHEN 'O' THEN '' ELSE ' DISABLED' END,
           obj_description(g.oid, 'pg_trigger'), '', false, '', '', ARRAY[]::text[]
    FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
  UNION ALL
    SELECT 'function', '', 6, 0, p.oid::regprocedure::text, pg_get_functiondef(p.oid),
           obj_description(p.oid, 'pg_proc'), '', false, '', '', ARRAY[]::text[]
    FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.prokind IN ('f', 'p')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
  UNION ALL
    SELECT 'other', '', 7, 0, name, 'relation of kind ' || relkind::text, NULL, '', false, '', '',
           ARRAY[]::text[]
    FROM relations r
    WHERE relkind IN ('v', 'm', 'S', 'f')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = r.oid AND d.deptype = 'e')
)
SELECT kind, "table", name::text, definition, coalesce(comment, '') AS comment, type, required,
       "default", target::text, columns
FROM objects
-- tables as they were made, for a page that reads from the first to the last
ORDER BY (SELECT oid FROM tables WHERE tables.name = objects."table") NULLS LAST,
         rank, position, name COLLATE "C"
""",
    row=SchemaObject,
)
"""Everything in ``public`` except dbmate's table, in the same order on every version."""
