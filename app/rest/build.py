"""From a parsed request to one statement, kept by the request's shape."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from app.rest.errors import RestError
from app.rest.levels import Levels, all_of, array, check_secret, filtered
from app.rest.plan import Output, Plan
from app.rest.tree import Tree
from app.schema import Column, Relation
from app.sql import (
    AliasedQuery,
    Expression,
    Field,
    Parameter,
    Query,
    Rows,
    Subquery,
    Table,
    Term,
    named,
    statement,
)

_SHAPES: Final = 1000
# what psql shows and not what a cast to text gives: t and f
_PRINTED: Final = "CASE WHEN {0} IS NOT NULL THEN format('%s', {0}) END"
# No alias of a request ends in a dot, so these names never stand for a selected column.
_PAGE: Final = "page."
_BODY: Final = "body."
_SOURCE: Final = AliasedQuery("source")


@lru_cache(maxsize=_SHAPES)
def read(relation: Relation, tree: Tree, output: Output, *, secrets: bool) -> Plan:
    """SELECT. Gives one row: ``body``, ``count`` and ``total``."""
    levels = Levels(tree, secrets=secrets)
    scope = levels.top(relation, Table(relation.name, alias="r"))
    terms, where = levels.terms(scope), levels.where(scope)
    page = levels.page(Query.from_(scope.source), scope, where)
    page = page.select(*(terms or [scope.source.field("id")]))
    total = []
    if output.total:
        every = Query.from_(scope.source).select(Expression("count(*)"))
        total = [named(filtered(every, where), "total")]
    query = _as_one_row(page, terms, output, total)
    return _plan(f"rest.{relation.name}.select", query, levels, terms)


@lru_cache(maxsize=_SHAPES)
def counted(relation: Relation, tree: Tree, *, secrets: bool) -> Plan:
    """The rows a read would count, for the planner to estimate."""
    levels = Levels(tree, secrets=secrets)
    scope = levels.top(relation, Table(relation.name, alias="r"))
    levels.terms(scope)
    levels.orders(scope)
    query = filtered(
        Query.from_(scope.source).select(scope.source.field("id")), levels.where(scope)
    )
    return _plan(f"rest.{relation.name}.count", query, levels)


def check_written(relation: Relation, names: Iterable[str], *, secrets: bool) -> None:
    """Raises RestError: PGRST204 for a column that is not there, 403 for a secret one."""
    for name in names:
        column = relation.columns.get(name)
        if column is None:
            raise RestError(
                400,
                "PGRST204",
                f"Could not find the '{name:.100}' column of '{relation.name}' in the schema cache",
            )
        check_secret(relation, column, secrets)


@dataclass(frozen=True, slots=True)
class Insert:
    """What an INSERT is made of: columns that passed check_written, an array of values each."""

    columns: tuple[str, ...]
    defaulted: tuple[str, ...] = ()
    """Columns that come with a second array: whether the row takes the default."""
    on_conflict: tuple[str, ...] | None = None
    merged: tuple[str, ...] | None = None
    """Columns that a conflict overwrites; None leaves the old row as it is."""
    single: bool = False
    """One row: a value of each column, and no array."""


@lru_cache(maxsize=_SHAPES)
def insert(
    relation: Relation, tree: Tree, insert: Insert, output: Output, *, secrets: bool
) -> Plan:
    """INSERT … SELECT, of many rows FROM unnest.

    Gives ``body``, ``count``, ``inserted`` and ``id``.
    """
    levels = Levels(tree, secrets=secrets)
    columns = [relation.columns[name] for name in insert.columns]
    query = Query.into(relation.table).columns(*insert.columns)
    query = _one_row(query, columns, insert) if insert.single else _rows(query, columns, insert)
    if insert.on_conflict is not None:
        for name in insert.on_conflict:
            levels.known(relation, name)
        query = query.on_conflict(*insert.on_conflict)
        if insert.merged is None:
            query = query.do_nothing()
        for name in insert.merged or ():
            query = query.do_update(name)
    query = query.returning(
        *_every_column(relation, relation.table), Expression("xmax = 0", alias="inserted.")
    )
    inserted = Expression("count(*) FILTER (WHERE {})", _SOURCE.field("inserted."))
    first = Expression("min({}::text)", _SOURCE.field("id"))
    more = [
        named(Query.from_(_SOURCE).select(inserted), "inserted"),
        named(Query.from_(_SOURCE).select(first), "id"),
    ]
    return _written(f"rest.{relation.name}.insert", relation, query, output, levels, more)


def _one_row(query: Any, columns: list[Column], insert: Insert) -> Any:
    return query.select(
        *(
            Expression(f"{column.default}")
            if column.name in insert.defaulted
            else Parameter(f"c_{column.name}", column.type)
            for column in columns
        )
    )


def _rows(query: Any, columns: list[Column], insert: Insert) -> Any:
    arrays = {c.name: Parameter(f"c_{c.name}", f"{c.type}[]") for c in columns}
    flags = {f"{n}.": Parameter(f"d_{n}", "boolean[]") for n in insert.defaulted}
    rows = Rows(_BODY, arrays | flags)
    return query.from_(rows).select(
        *(
            Expression(
                f"CASE WHEN {{}} THEN {column.default} ELSE {{}} END",
                rows.field(f"{column.name}."),
                rows.field(column.name),
            )
            if column.name in insert.defaulted
            else rows.field(column.name)
            for column in columns
        )
    )


@lru_cache(maxsize=_SHAPES)
def update(
    relation: Relation, tree: Tree, columns: tuple[str, ...], output: Output, *, secrets: bool
) -> Plan:
    """UPDATE of columns that passed check_written. Gives one row: ``body`` and ``count``."""
    levels = Levels(tree, secrets=secrets)
    target = Table(relation.name, alias="r")
    query = Query.update(target).where(_affected(relation, target, levels))
    for name in columns:
        query = query.set(Field(name), Parameter(f"c_{name}", relation.columns[name].type))
    query = query.returning(*_every_column(relation, target))
    return _written(f"rest.{relation.name}.update", relation, query, output, levels)


@lru_cache(maxsize=_SHAPES)
def delete(relation: Relation, tree: Tree, output: Output, *, secrets: bool) -> Plan:
    """DELETE. Gives one row: ``body`` and ``count``."""
    levels = Levels(tree, secrets=secrets)
    target = Table(relation.name, alias="r")
    query = Query.from_(target).delete().where(_affected(relation, target, levels))
    query = query.returning(*_every_column(relation, target))
    return _written(f"rest.{relation.name}.delete", relation, query, output, levels)


def _affected(relation: Relation, target: Table, levels: Levels) -> Term:
    """Which rows an UPDATE or DELETE touches: those of the filter, or of its first page.

    The table's own filters alone; embedded relations shape what is returned.
    """
    top = levels.tree.level(())
    is_cut = top.limit >= 0 or top.offset >= 0
    source = Table(relation.name, alias="p") if is_cut else target
    scope = levels.top(relation, source).without_items()
    where = levels.where(scope)
    if not where:
        raise RestError(
            400,
            "21000",
            "UPDATE and DELETE need a filter",
            None,
            "To mean every row, say so: id=not.is.null",
        )
    if not is_cut:
        return all_of(where)
    page = levels.page(Query.from_(source), scope, where).select(source.field("id"))
    # ARRAY: chosen once. An IN the planner may run again for each row, and as the rows before
    # are deleted by then, the limit would let the next through.
    return Expression("{} = ANY (ARRAY({} FOR UPDATE))", target.field("id"), page)


def _every_column(relation: Relation, target: Table) -> list[Term]:
    return [target.field(name) for name in relation.columns]


def _written(
    name: str,
    relation: Relation,
    query: Any,
    output: Output,
    levels: Levels,
    more: Sequence[Term] = (),
) -> Plan:
    """A writing statement, and what the request selects of the rows it wrote."""
    scope = levels.top(relation, _SOURCE)
    terms = levels.terms(scope)
    rows = Query.from_(_SOURCE).select(*(terms or [_SOURCE.field("id")]))
    # the limit has chosen the rows already; here the order alone is left to do
    rows = rows.orderby(*levels.orders(scope))
    whole = _as_one_row(rows, terms, output, more).with_(query, _SOURCE.name)
    return _plan(name, whole, levels, terms)


def _as_one_row(page: Any, terms: Sequence[Term], output: Output, more: Sequence[Term]) -> Any:
    """The page as one row: its length, its JSON made by the server, and what else is asked."""
    rows = Subquery(_PAGE, page)
    if output.text:
        labels = [term.alias or "" for term in terms]
        printed = [Expression(_PRINTED, rows.field(label), alias=label) for label in labels]
        rows = Subquery(_PAGE, Query.from_(rows).select(*printed))
    body = array(Field(_PAGE) if terms else Expression("json_build_object()"))
    if output.stripped:
        body = Expression("json_strip_nulls({})", body)
    selected: list[Term] = [Expression("count(*)", alias="count")]
    if output.body:
        selected.append(Expression("{}::text", body, alias="body"))
    return Query.from_(rows).select(*selected, *more)


def _plan(name: str, query: Any, levels: Levels, terms: Sequence[Term] = ()) -> Plan:
    levels.check_used()
    labels = tuple(term.alias or "" for term in terms)
    return Plan(statement(name, query), levels.slots, labels)
