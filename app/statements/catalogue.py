"""What PostgreSQL's catalogue says of the tables."""

from typing import Final

from app.sql import Expression, Parameter, Query, Table, named, statement

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
"""One row a column of the named tables, in the order of the tables' definitions."""
