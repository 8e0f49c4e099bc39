"""The statements of the REST API, one function for each kind.

Each gives one row: how many rows were found or written, these as JSON made by the server, and what
else a response needs.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..errors import RestError
from ..relation import Column, Relation
from ..sql import (
    AliasedQuery,
    Expression,
    Field,
    Parameter,
    Query,
    Rows,
    Selectable,
    Subquery,
    Table,
    Term,
    named,
    statement,
)
from .binding import BoundStatement, Output
from .builder import QueryBuilder, all_of, filtered, json_array, lacks_secrets
from .errors import RESPONSE_TOO_LONG, not_implemented
from .query_tree import QueryTree
from .resource import Resource

# what psql shows, and not what a cast to text gives: t and f
_PRINTED: Final = "CASE WHEN {0} IS NOT NULL THEN format('%s', {0}) END"
# An alias in a request cannot end in a dot, so these names are never that of a selected column.
_PAGE: Final = "page."
_BODY: Final = "body."
_INSERTED: Final = "inserted."
_WRITTEN: Final = AliasedQuery("written_rows")
_CHOSEN: Final = AliasedQuery("chosen_rows")
_LOGGED_KEYS: Final = 20
MAX_RESPONSE: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """The table of a statement, the tree of its request, and what the caller may see."""

    relations: Mapping[str, Relation]
    relation: Relation
    tree: QueryTree
    secrets: bool

    def builder(self) -> QueryBuilder:
        return QueryBuilder(self.relations, self.tree, secrets=self.secrets)


@dataclass(frozen=True, slots=True)
class Insert:
    """The columns of an INSERT, each checked by check_writable."""

    columns: tuple[str, ...]
    defaulted: tuple[str, ...] = ()
    """Columns with a second parameter: whether the row takes the default."""
    on_conflict: tuple[str, ...] | None = None
    merged: tuple[str, ...] | None = None
    """Columns that a conflict overwrites; None leaves the old row as it is."""
    single: bool = False
    """One row: the parameters are values, otherwise arrays."""
    key: bool = False
    """Give the primary key of the new row as texts."""


def read(target: Target, output: Output) -> BoundStatement:
    """SELECT. Gives ``count``, ``body`` and ``total``."""
    builder = target.builder()
    resource = builder.top(target.relation, Table(target.relation.name, alias="r"))
    if builder.lists_shards(resource) and not resource.is_grouped:
        return _read_in_steps(target, builder, resource, output)
    terms, where = builder.terms(resource), builder.where(resource)
    page = builder.page(Query.from_(resource.source), resource, where)
    page = page.select(*(terms or _any_column(resource)))
    total = []
    if output.total:
        every = Query.from_(resource.source).select(Expression("count(*)"))
        total = [named(filtered(every, where), "total")]
    query = _one_row(page, terms, output, total)
    return _bound(f"rest.{target.relation.name}.select", query, builder, terms)


def _read_in_steps(
    target: Target, builder: QueryBuilder, resource: Resource, output: Output
) -> BoundStatement:
    """The same for a Citus cluster: the rows of the page first, then what they list."""
    where = builder.where(resource)
    chosen = builder.page(Query.from_(resource.source), resource, where)
    chosen = chosen.select(*_every_column(target.relation, resource.source))
    total = []
    if output.total:
        every = Query.from_(resource.source).select(Expression("count(*)"))
        total = [named(filtered(every, where), "total")]
    resource = builder.top(target.relation, _CHOSEN)
    terms = builder.terms(resource)
    page = Query.from_(_CHOSEN).select(*(terms or _any_column(resource)))
    page = page.orderby(*builder.whole_order(resource))
    query = _one_row(page, terms, output, total).materialized(chosen, _CHOSEN.name)
    return _bound(f"rest.{target.relation.name}.select", query, builder, terms)


def count(target: Target) -> BoundStatement:
    """The rows that a read counts, for the planner to estimate."""
    builder = target.builder()
    resource = builder.top(target.relation, Table(target.relation.name, alias="r"))
    builder.terms(resource)
    builder.order(resource)
    query = Query.from_(resource.source).select(*_any_column(resource))
    query = filtered(query, builder.where(resource))
    return _bound(f"rest.{target.relation.name}.count", query, builder)


def check_writable(
    relation: Relation, names: Iterable[str], *, secrets: bool, changed: Container[str] = ()
) -> None:
    """Check the columns of a body, of which ``changed`` are those that rows already have.

    Raises RestError: PGRST204 for an unknown column, 403 for one that takes the scope ``secrets``.
    """
    for name in names:
        column = relation.columns.get(name)
        if column is None:
            raise RestError(
                400,
                "PGRST204",
                f"Could not find the '{name:.100}' column of '{relation.name}' in the schema cache",
            )
        if not secrets and (column.settled if name in changed else column.guarded):
            raise lacks_secrets(relation, column)


def insert(target: Target, insert: Insert, output: Output) -> BoundStatement:
    """INSERT … VALUES, or of many rows SELECT … FROM unnest.

    Gives ``count``, ``body``, ``inserted`` (how many of the upserted rows are new) and ``key``.
    """
    relation, builder = target.relation, target.builder()
    columns = [relation.columns[name] for name in insert.columns]
    query = Query.into(relation.table).columns(*insert.columns)
    from_parameters = _select_values if insert.single else _unnest
    query = from_parameters(query, columns, insert)
    returned = _every_column(relation, relation.table)
    more = []
    if insert.on_conflict is not None:
        for name in insert.on_conflict:
            builder.column(relation, name)
        query = query.on_conflict(*insert.on_conflict)
        if not insert.merged:
            query = query.do_nothing()
        for name in insert.merged or ():
            query = query.do_update(name)
    if insert.merged is not None:
        # xmax is 0 in a row that no transaction has replaced: it is new
        returned.append(Expression("xmax = 0", alias=_INSERTED))
        inserted = Expression("count(*) FILTER (WHERE {})", _WRITTEN.field(_INSERTED))
        more.append(named(Query.from_(_WRITTEN).select(inserted), "inserted"))
    if insert.key:
        texts = [Expression("min({}::text)", _WRITTEN.field(n)) for n in relation.primary_key]
        key = Expression(f"ARRAY[{', '.join(['{}'] * len(texts))}]", *texts)
        more.append(named(Query.from_(_WRITTEN).select(key), "key"))
    query = query.returning(*returned)
    return _written("insert", target, builder, query, output, more)


def _select_values(query: Any, columns: Sequence[Column], insert: Insert) -> Any:
    return query.insert(
        *(
            _default(column)
            if column.name in insert.defaulted
            else Parameter(f"c_{column.name}", column.type)
            for column in columns
        )
    )


def _unnest(query: Any, columns: Sequence[Column], insert: Insert) -> Any:
    # an array of arrays cannot be taken apart by one dimension: these come as texts
    arrays = {
        column.name: Parameter(
            f"c_{column.name}", "text[]" if column.type == "text[]" else f"{column.type}[]"
        )
        for column in columns
    }
    flags = {f"{name}.": Parameter(f"d_{name}", "boolean[]") for name in insert.defaulted}
    rows = Rows(_BODY, arrays | flags)

    def value(column: Column) -> Term:
        field = rows.field(column.name)
        given = Expression("{}::text[]", field) if column.type == "text[]" else field
        if column.name not in insert.defaulted:
            return given
        flag = rows.field(f"{column.name}.")
        return Expression("CASE WHEN {} THEN {} ELSE {} END", flag, _default(column), given)

    return query.from_(rows).select(*map(value, columns))


def _default(column: Column) -> Term:
    if column.default is None:
        return Expression("NULL")
    return Expression(column.default.replace("{", "{{").replace("}", "}}"))


def update(target: Target, columns: tuple[str, ...], output: Output) -> BoundStatement:
    """UPDATE of columns that passed check_writable. Gives ``count`` and ``body``."""
    relation, builder = target.relation, target.builder()
    table = Table(relation.name, alias="r")
    affected = _affected(relation, table, builder)
    query = Query.update(table).where(affected.condition)
    for name in columns:
        query = query.set(Field(name), Parameter(f"c_{name}", relation.columns[name].type))
    query = query.returning(*_every_column(relation, table))
    return _written("update", target, builder, query, output, chosen=affected.chosen)


def delete(target: Target, output: Output) -> BoundStatement:
    """DELETE. Gives ``count`` and ``body``."""
    relation, builder = target.relation, target.builder()
    table = Table(relation.name, alias="r")
    affected = _affected(relation, table, builder)
    query = Query.from_(table).delete().where(affected.condition)
    query = query.returning(*_every_column(relation, table))
    return _written("delete", target, builder, query, output, chosen=affected.chosen)


class _Affected(NamedTuple):
    """Which rows an UPDATE or DELETE changes."""

    condition: Term
    chosen: Any = None
    """The WITH query that the condition refers to."""


def _affected(relation: Relation, table: Table, builder: QueryBuilder) -> _Affected:
    """The rows of the table's own filters, or of the first page of them.

    Embedded relations do not count here; they shape what is returned.
    """
    level = builder.tree.level()
    source = Table(relation.name, alias="p") if level.is_limited else table
    resource = builder.top(relation, source).without_items()
    where = builder.where(resource)
    if not where:
        raise RestError(
            400,
            "21000",
            "UPDATE and DELETE need a filter",
            None,
            f"To mean every row, say so: {relation.primary_key[0]}=not.is.null",
        )
    if not level.is_limited:
        return _Affected(all_of(where))
    key = relation.primary_key
    page = builder.page(Query.from_(source), resource, where)
    page = page.select(*(source.field(name) for name in key))
    if relation.shard_key is None:  # Citus locks no rows by a subquery
        page = page.for_update()
    # The page is chosen once, by an ARRAY or a WITH query. A subquery after IN may be run again
    # for each row: as the rows before are gone by then, the limit would let the next ones through.
    if len(key) == 1:
        return _Affected(Expression("{} = ANY (ARRAY({}))", table.field(key[0]), page))
    chosen = Query.from_(_CHOSEN).select(*(_CHOSEN.field(name) for name in key))
    columns = [table.field(name) for name in key]
    row = ", ".join(["{}"] * len(key))
    return _Affected(Expression(f"({row}) IN ({{}})", *columns, chosen), page)


def _any_column(resource: Resource) -> list[Term]:
    """What a query selects whose rows are only counted."""
    return [resource.source.field(resource.relation.primary_key[0])]


def _every_column(relation: Relation, table: Selectable) -> list[Term]:
    return [table.field(name) for name in relation.columns]


def _written(
    kind: str,
    target: Target,
    builder: QueryBuilder,
    query: Any,
    output: Output,
    more: Sequence[Term] = (),
    chosen: Any = None,
) -> BoundStatement:
    """A writing statement, and what the request selects of the rows it wrote."""
    resource = builder.top(target.relation, _WRITTEN)
    if resource.is_grouped:  # the number of its rows would be taken for how many were written
        raise not_implemented("An aggregate function of the rows that were written")
    terms = builder.terms(resource)
    rows = Query.from_(_WRITTEN).select(*(terms or _any_column(resource)))
    # the limit has chosen the rows already; only their order is left
    rows = rows.orderby(*builder.order(resource))
    one = _one_row(rows, terms, output, [*more, _first_keys(target.relation)])
    if chosen is not None:
        one = one.with_(chosen, _CHOSEN.name)
    one = one.with_(query, _WRITTEN.name)
    return _bound(f"rest.{target.relation.name}.{kind}", one, builder, terms)


def _first_keys(relation: Relation) -> Term:
    """The primary keys of the first rows written, as texts, for the log."""
    texts = ", ".join(["{}::text"] * len(relation.primary_key))
    first = f"SELECT concat_ws(',', {texts}) FROM {_WRITTEN.name} LIMIT {_LOGGED_KEYS}"  # noqa: S608
    return Expression(
        f"ARRAY({first})",
        *(_WRITTEN.field(name) for name in relation.primary_key),
        alias="ids",
    )


def _one_row(page: Any, terms: Sequence[Term], output: Output, more: Sequence[Term]) -> Any:
    """The page as one row: its length, its JSON made by the server, and what else is wanted."""
    rows = Subquery(_PAGE, page)
    if output.as_text and terms:
        labels = [term.alias or "" for term in terms]
        printed = [Expression(_PRINTED, rows.field(label), alias=label) for label in labels]
        rows = Subquery(_PAGE, Query.from_(rows).select(*printed))
    body = json_array(Field(_PAGE) if terms else Expression("json_build_object()"))
    if output.strip_nulls:
        body = Expression("json_strip_nulls({})", body)
    selected: list[Term] = [Expression("count(*)", alias="count")]
    if output.body:
        # without a column the aggregate would be of the inner query, and rows of {} are short
        selected.append(_bounded(body) if terms else Expression("{}::text", body, alias="body"))
    return Query.from_(rows).select(*selected, *more)


def _bounded(body: Term) -> Term:
    """The JSON as text. One that is too long is an error in the server, which undoes a write.

    OFFSET keeps the inner query apart: without it the text is made twice, a fifth of a page's time.
    """
    return Expression(
        f"(SELECT CASE WHEN octet_length(body) <= {MAX_RESPONSE} THEN body"  # noqa: S608
        f" ELSE current_setting('{RESPONSE_TOO_LONG}') END"
        " FROM (SELECT {}::text AS body OFFSET 0) AS bounded)",
        body,
        alias="body",
    )


def _bound(
    name: str, query: Any, builder: QueryBuilder, terms: Sequence[Term] = ()
) -> BoundStatement:
    builder.check_levels()
    for each, rows in builder.gathered:
        query = query.materialized(rows, each)
    labels = tuple(term.alias or "" for term in terms)
    return BoundStatement(statement(name, query), builder.bindings, labels)
