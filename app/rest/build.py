"""From a parsed request to one statement.

A level of the request is one query; an embedded relation is a correlated subquery in its list of
columns, so that PostgreSQL evaluates it for the rows of the page and no others, and an inner join
is an EXISTS in its WHERE. Every column is named and looked up in app/schema.py; nothing of the
request becomes text but aliases, which are quoted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from app.rest.errors import (
    RestError,
    not_permitted,
    too_much,
    unknown_column,
    unknown_operator,
)
from app.rest.grammar import (
    ColumnItem,
    Condition,
    EmbedItem,
    Level,
    Logic,
    Order,
    Tree,
    Value,
)
from app.rest.values import from_text
from app.schema import RELATIONS, Column, ColumnType, Relation
from app.sql import (
    AliasedQuery,
    Expression,
    Field,
    Parameter,
    Query,
    Rows,
    Selectable,
    Statement,
    Subquery,
    Table,
    Term,
    named,
    statement,
)

_COMPARISONS: Final = {
    "eq": "=",
    "neq": "<>",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "like": "LIKE",
    "ilike": "ILIKE",
    "match": "~",
    "imatch": "~*",
    "isdistinct": "IS DISTINCT FROM",
}
_PATTERNS: Final = {"like": "~~", "ilike": "~~*", "match": "~", "imatch": "~*"}
_IS: Final = {
    "null": "NULL",
    "not_null": "NOT NULL",
    "true": "TRUE",
    "false": "FALSE",
    "unknown": "UNKNOWN",
}
_CASTS: Final = frozenset(
    (
        *("text", "varchar", "character varying", "uuid", "bool", "boolean", "json", "jsonb"),
        *("int", "integer", "int2", "smallint", "int4", "int8", "bigint", "numeric", "decimal"),
        *("real", "float4", "float8", "double precision", "date", "time", "timetz"),
        *("timestamp", "timestamptz", "timestamp with time zone", "timestamp without time zone"),
    )
)
# what psql shows and not what a cast to text gives: t and f
_PRINTED: Final = "CASE WHEN {0} IS NOT NULL THEN format('%s', {0}) END"
_MAX_OFFSET: Final = 2**63 - 1
_SHAPES: Final = 1000
_MAX_JOINS: Final = 60

# No alias of a request ends in a dot, so these names never stand for a selected column.
_PAGE: Final = "page."
_EMBED: Final = "embed."
_BODY: Final = "body."
_SOURCE: Final = "source"


@dataclass(frozen=True, slots=True)
class Slot:
    """What a value of the request becomes before it is bound."""

    type: ColumnType | Literal["limit", "offset"]
    many: bool = False
    pattern: bool = False

    def convert(self, value: Value, max_rows: int) -> Any:
        """Raises RestError: 22P02 when the value is not of the type, PGRST103 below zero."""
        if isinstance(value, list):
            return [None if item is None else self._one(item, max_rows) for item in value]
        return self._one(value, max_rows)

    def _one(self, text: str, max_rows: int) -> Any:
        if self.type == "limit" or self.type == "offset":
            number = int(text)
            if number < 0:
                raise RestError(
                    416,
                    "PGRST103",
                    "Requested range not satisfiable",
                    f"{self.type.capitalize()} should be greater than or equal to zero.",
                )
            return min(number, max_rows if self.type == "limit" else _MAX_OFFSET)
        if self.pattern:
            text = text.replace("*", "%")
        return from_text(self.type, text)


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement, what its values become, and the labels of its columns."""

    statement: Statement
    slots: tuple[tuple[int, Slot], ...]
    labels: tuple[str, ...]

    def arguments(
        self, values: Sequence[Value], max_rows: int, others: dict[str, Any] | None = None
    ) -> tuple[Any, ...]:
        named = {f"v{at}": slot.convert(values[at], max_rows) for at, slot in self.slots}
        named["max_rows"] = max_rows
        return self.statement.arguments(named | (others or {}))


@dataclass(frozen=True, slots=True)
class Output:
    """What a statement gives beside the number of rows."""

    body: bool
    """The rows as JSON."""
    total: bool = False
    """How many rows there are without the limit (reads alone)."""
    stripped: bool = False
    """Keys whose value is null are left out."""
    text: bool = False
    """Values are texts as PostgreSQL prints them, for CSV."""


@lru_cache(maxsize=_SHAPES)
def read(relation: Relation, tree: Tree, output: Output, *, secrets: bool) -> Plan:
    """SELECT. Gives one row: ``body``, ``count`` and ``total``."""
    build = _Build(tree, secrets)
    source = Table(relation.name, alias="r")
    level = tree.level(())
    terms = build.terms(relation, source, tree.select, ())
    where = build.where(relation, source, level, tree.select, ())
    page = build.page(Query.from_(source), relation, source, level, where, tree.select, ())
    page = page.select(*(terms or [source.field("id")]))
    total = None
    if output.total:
        every = Query.from_(source).select(Expression("count(*)"))
        total = _filtered(every, where)
    return build.plan(f"rest.{relation.name}.select", page, terms, output, total=total)


@lru_cache(maxsize=_SHAPES)
def counted(relation: Relation, tree: Tree, *, secrets: bool) -> Plan:
    """The rows a read would count, for the planner to estimate."""
    build = _Build(tree, secrets)
    source = Table(relation.name, alias="r")
    build.terms(relation, source, tree.select, ())
    where = build.where(relation, source, tree.level(()), tree.select, ())
    build.orders(relation, source, tree.level(()), tree.select, ())
    query = Query.from_(source).select(source.field("id"))
    return build.finish(f"rest.{relation.name}.count", _filtered(query, where), ())


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
        _check_secret(relation, column, secrets)


@dataclass(frozen=True, slots=True)
class Insert:
    """What an INSERT is made of: columns that passed check_written, an array of values each."""

    columns: tuple[str, ...]
    defaulted: tuple[str, ...] = ()
    """Columns that come with a second array: whether the row takes the default."""
    on_conflict: tuple[str, ...] | None = None
    merged: tuple[str, ...] | None = None
    """Columns that a conflict overwrites; None leaves the old row as it is."""


@lru_cache(maxsize=_SHAPES)
def insert(
    relation: Relation, tree: Tree, insert: Insert, output: Output, *, secrets: bool
) -> Plan:
    """INSERT … SELECT FROM unnest. Gives ``body``, ``count``, ``inserted`` and ``id``."""
    build = _Build(tree, secrets)
    columns = [relation.columns[name] for name in insert.columns]
    arrays = {c.name: Parameter(f"c_{c.name}", f"{c.type}[]") for c in columns}
    flags = {f"{n}.": Parameter(f"d_{n}", "boolean[]") for n in insert.defaulted}
    rows = Rows(_BODY, arrays | flags)
    query = Query.into(relation.table).columns(*insert.columns).from_(rows)
    query = query.select(
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
    if insert.on_conflict is not None:
        for name in insert.on_conflict:
            build.known(relation, name)
        query = query.on_conflict(*insert.on_conflict)
        if insert.merged is None:
            query = query.do_nothing()
        for name in insert.merged or ():
            query = query.do_update(name)
    query = query.returning(
        *build.returned(relation, relation.table), Expression("xmax = 0", alias="inserted.")
    )
    return build.written(f"rest.{relation.name}.insert", relation, query, output, inserted=True)


@lru_cache(maxsize=_SHAPES)
def update(
    relation: Relation, tree: Tree, columns: tuple[str, ...], output: Output, *, secrets: bool
) -> Plan:
    """UPDATE of columns that passed check_written. Gives one row: ``body`` and ``count``."""
    build = _Build(tree, secrets)
    target = Table(relation.name, alias="r")
    query = Query.update(target).where(build.affected(relation, target))
    for name in columns:
        query = query.set(Field(name), Parameter(f"c_{name}", relation.columns[name].type))
    query = query.returning(*build.returned(relation, target))
    return build.written(f"rest.{relation.name}.update", relation, query, output)


@lru_cache(maxsize=_SHAPES)
def delete(relation: Relation, tree: Tree, output: Output, *, secrets: bool) -> Plan:
    """DELETE. Gives one row: ``body`` and ``count``."""
    build = _Build(tree, secrets)
    target = Table(relation.name, alias="r")
    query = Query.from_(target).delete().where(build.affected(relation, target))
    query = query.returning(*build.returned(relation, target))
    return build.written(f"rest.{relation.name}.delete", relation, query, output)


class _Build:
    """One statement in the making: its slots and the names in use."""

    def __init__(self, tree: Tree, secrets: bool) -> None:
        self.tree = tree
        self.secrets = secrets
        self.slots: dict[int, Slot] = {}
        self.used: set[tuple[str, ...]] = {()}
        self.aliases = 0

    def known(self, relation: Relation, name: str) -> Column:
        column = relation.columns.get(name)
        if column is None:
            raise unknown_column(relation.name, name)
        _check_secret(relation, column, self.secrets)
        return column

    # what is selected

    def terms(
        self,
        relation: Relation,
        source: Selectable,
        items: tuple[ColumnItem | EmbedItem, ...],
        path: tuple[str, ...],
    ) -> list[Term]:
        terms: list[Term] = []
        for item in items:
            if isinstance(item, EmbedItem):
                terms += self.embedded(relation, source, item, path)
            elif item.name == "*":
                terms += [
                    named(source.field(column.name), column.name)
                    for column in relation.columns.values()
                    if self.secrets or not column.secret
                ]
            else:
                field = source.field(self.known(relation, item.name).name)
                label = item.alias or item.name
                terms.append(_cast(field, item.cast, label) if item.cast else named(field, label))
        return terms

    def embedded(
        self, relation: Relation, source: Selectable, item: EmbedItem, path: tuple[str, ...]
    ) -> list[Term]:
        target, table, join, to_one = self.joined(relation, source, item)
        at, level = self.level(item, path)
        terms = self.terms(target, table, item.items, at)
        where = self.where(target, table, level, item.items, at, join)
        query = self.page(Query.from_(table), target, table, level, where, item.items, at)
        if not terms:
            return []
        if item.spread and to_one:
            return [named(query.select(term), term.alias or "") for term in terms]
        rows = Subquery(_EMBED, query.select(*terms))
        if item.spread:
            labels = [term.alias or "" for term in terms]
            return [named(Query.from_(rows).select(_array(rows.field(n))), n) for n in labels]
        row = Field(_EMBED)
        whole = Expression("row_to_json({})", row) if to_one else _array(row)
        return [named(Query.from_(rows).select(whole), _label(item))]

    def joined(
        self, relation: Relation, source: Selectable, item: EmbedItem
    ) -> tuple[Relation, Table, Term, bool]:
        """The embedded relation, its table, what joins it, and whether it gives one row."""
        found = []
        for key in relation.foreign_keys:
            names = (key.target, key.column)
            if item.target in names and item.hint in (None, key.name, key.column):
                found.append((RELATIONS[key.target], key.column, True))
        other = RELATIONS.get(item.target)
        found += [
            (RELATIONS[item.target], key.column, False)
            for key in (other.foreign_keys if other else ())
            if key.target == relation.name and item.hint in (None, key.name, key.column)
        ]
        if not found:
            raise RestError(
                400,
                "PGRST200",
                f"Could not find a relationship between '{relation.name}' and "
                f"'{item.target:.100}' in the schema cache",
                f"Searched for a foreign key relationship between '{relation.name}' and "
                f"'{item.target:.100}'"
                + (f" using the hint '{item.hint:.100}'" if item.hint else "")
                + " in the schema 'public', but no matches were found.",
            )
        target, column, to_one = found[0]
        self.aliases += 1
        if self.aliases > _MAX_JOINS:
            # each test of an embedded relation repeats those below it
            raise too_much("joins", _MAX_JOINS)
        table = Table(target.name, alias=f"r{self.aliases}")
        if to_one:
            join = Expression("{} = {}", table.field("id"), source.field(column))
        else:
            join = Expression("{} = {}", table.field(column), source.field("id"))
        return target, table, join, to_one

    def level(self, item: EmbedItem, path: tuple[str, ...]) -> tuple[tuple[str, ...], Level]:
        at = (*path, _label(item))
        self.used.add(at)
        return at, self.tree.level(at)

    # which rows, and in what order

    def where(
        self,
        relation: Relation,
        source: Selectable,
        level: Level,
        items: tuple[ColumnItem | EmbedItem, ...],
        path: tuple[str, ...],
        *joins: Term,
    ) -> list[Term]:
        """The criteria, all of which hold for the level's rows."""
        parts = list(joins)
        parts += [self.criterion(relation, source, part, items, path) for part in level.conditions]
        parts += [
            self.exists(relation, source, item, path)
            for item in items
            if isinstance(item, EmbedItem) and item.join == "inner"
        ]
        return parts

    def exists(
        self, relation: Relation, source: Selectable, item: EmbedItem, path: tuple[str, ...]
    ) -> Term:
        target, table, join, _ = self.joined(relation, source, item)
        at, level = self.level(item, path)
        where = self.where(target, table, level, item.items, at, join)
        query = self.narrowed(Query.from_(table).select(table.field("id")), where, level)
        return Expression("EXISTS ({})", query)

    def criterion(
        self,
        relation: Relation,
        source: Selectable,
        part: Condition | Logic,
        items: tuple[ColumnItem | EmbedItem, ...],
        path: tuple[str, ...],
    ) -> Term:
        if isinstance(part, Logic):
            children = [self.criterion(relation, source, c, items, path) for c in part.children]
            term = _all(children) if part.operator == "and" else _any(children)
        else:
            term = self.embed_test(relation, source, part, items, path) or self.comparison(
                relation, source, part
            )
        return Expression("(NOT {})", term) if part.negated else term

    def embed_test(
        self,
        relation: Relation,
        source: Selectable,
        part: Condition,
        items: tuple[ColumnItem | EmbedItem, ...],
        path: tuple[str, ...],
    ) -> Term | None:
        """``sessions=is.null``: whether a row has embedded rows."""
        if part.column in relation.columns:
            return None
        for item in items:
            if isinstance(item, EmbedItem) and part.column == _label(item):
                if part.test not in ("null", "not_null"):
                    raise RestError(
                        400,
                        "PGRST120",
                        f"Bad operator on the '{_label(item)}' embedded resource",
                        "Only is null or not is null filters are allowed on embedded resources",
                    )
                exists = self.exists(relation, source, item, path)
                return exists if part.test == "not_null" else Expression("(NOT {})", exists)
        return None

    def comparison(self, relation: Relation, source: Selectable, part: Condition) -> Term:
        column = self.known(relation, part.column)
        field = source.field(column.name)
        if part.operator == "is":
            if part.test not in ("null", "not_null") and column.type != "boolean":
                raise RestError(
                    400,
                    "42804",
                    f"argument of IS {_IS[part.test]} must be type boolean, not type {column.type}",
                )
            return Expression(f"({{}} IS {_IS[part.test]})", field)
        if part.operator in _PATTERNS and column.type != "text":
            raise unknown_operator(_PATTERNS[part.operator], column.type)
        many = part.operator == "in" or part.quantifier is not None
        pattern = part.operator in ("like", "ilike")
        self.slots[part.slot] = Slot(column.type, many, pattern)
        value = Parameter(f"v{part.slot}", column.type + ("[]" if many else ""))
        if part.operator == "in":
            return Expression("({} = ANY ({}))", field, value)
        sign = _COMPARISONS[part.operator]
        if part.quantifier:
            return Expression(f"({{}} {sign} {part.quantifier.upper()} ({{}}))", field, value)
        return Expression(f"({{}} {sign} {{}})", field, value)

    def orders(
        self,
        relation: Relation,
        source: Selectable,
        level: Level,
        items: tuple[ColumnItem | EmbedItem, ...],
        path: tuple[str, ...],
    ) -> list[Term]:
        """The terms of ORDER BY, with the id at the end unless the order has no ties already."""
        terms = [self.order(relation, source, order, items, path) for order in level.order]
        own = {order.column for order in level.order if order.relation is None}
        if not any(own.issuperset(key) for key in relation.unique):
            terms.append(source.field("id"))
        return terms

    def order(
        self,
        relation: Relation,
        source: Selectable,
        order: Order,
        items: tuple[ColumnItem | EmbedItem, ...],
        path: tuple[str, ...],
    ) -> Term:
        if order.relation is None:
            column = self.known(relation, order.column)
            field: Term = source.field(column.name)
            nullable = column.nullable
        else:
            field, nullable = self.related(relation, source, order, items, path), True
        text = "{} DESC" if order.descending else "{}"
        if order.nulls and nullable:
            # on a column without nulls the words would only keep an index from being used
            text += f" NULLS {order.nulls.upper()}"
        return Expression(text, field)

    def related(
        self,
        relation: Relation,
        source: Selectable,
        order: Order,
        items: tuple[ColumnItem | EmbedItem, ...],
        path: tuple[str, ...],
    ) -> Term:
        """An embedded row's column, to order by."""
        for item in items:
            if isinstance(item, EmbedItem) and order.relation == _label(item):
                target, table, join, to_one = self.joined(relation, source, item)
                if not to_one:
                    raise RestError(
                        400,
                        "PGRST118",
                        f"A related order on '{order.relation}' is not possible",
                        f"'{relation.name}' and '{order.relation}' do not form a many-to-one "
                        "or one-to-one relationship",
                    )
                at, level = self.level(item, path)
                where = self.where(target, table, level, item.items, at, join)
                column = table.field(self.known(target, order.column).name)
                query = self.narrowed(Query.from_(table).select(column), where, level)
                return Expression("({})", query)
        raise _not_embedded(order.relation or "")

    def page(
        self,
        query: Any,
        relation: Relation,
        source: Selectable,
        level: Level,
        where: list[Term],
        items: tuple[ColumnItem | EmbedItem, ...],
        path: tuple[str, ...],
    ) -> Any:
        query = _filtered(query, where).orderby(*self.orders(relation, source, level, items, path))
        return self.cut(query, level)

    def narrowed(self, query: Any, where: list[Term], level: Level) -> Any:
        """What is left of embedded rows after their limit and offset, in no order."""
        query = _filtered(query, where)
        return self.cut(query, level) if level.limit >= 0 or level.offset >= 0 else query

    def cut(self, query: Any, level: Level) -> Any:
        if level.limit >= 0:
            self.slots[level.limit] = Slot("limit")
            query = query.limit(Parameter(f"v{level.limit}", "bigint"))
        else:
            query = query.limit(Parameter("max_rows", "bigint"))
        if level.offset >= 0:
            self.slots[level.offset] = Slot("offset")
            query = query.offset(Parameter(f"v{level.offset}", "bigint"))
        return query

    # what is written

    def affected(self, relation: Relation, target: Table) -> Term:
        """Which rows an UPDATE or DELETE touches: those of the filter, or of its first page.

        The table's own filters alone; embedded relations shape what is returned.
        """
        level = self.tree.level(())
        if level.limit < 0 and level.offset < 0:
            where = self.where(relation, target, level, (), ())
            return _all(self.needed(where))
        inner = Table(relation.name, alias="p")
        where = self.where(relation, inner, level, (), ())
        page = self.page(
            Query.from_(inner), relation, inner, level, self.needed(where), (), ()
        ).select(inner.field("id"))
        # ARRAY: chosen once. An IN the planner may run again for each row, and as the rows before
        # are deleted by then, the limit would let the next through.
        return Expression("{} = ANY (ARRAY({} FOR UPDATE))", target.field("id"), page)

    def needed(self, where: list[Term]) -> list[Term]:
        if not where:
            raise RestError(
                400,
                "21000",
                "UPDATE and DELETE need a filter",
                None,
                "To mean every row, say so: id=not.is.null",
            )
        return where

    def returned(self, relation: Relation, target: Table) -> list[Term]:
        return [target.field(name) for name in relation.columns]

    def written(
        self, name: str, relation: Relation, query: Any, output: Output, inserted: bool = False
    ) -> Plan:
        source = AliasedQuery(_SOURCE)
        terms = self.terms(relation, source, self.tree.select, ())
        rows = Query.from_(source).select(*(terms or [source.field("id")]))
        # the limit has chosen the rows already; here the order alone is left to do
        level = self.tree.level(())
        rows = rows.orderby(
            *(self.order(relation, source, o, self.tree.select, ()) for o in level.order)
        )
        more: list[Term] = []
        if inserted:
            flag = source.field("inserted.")
            more = [
                named(
                    Query.from_(source).select(Expression("count(*) FILTER (WHERE {})", flag)),
                    "inserted",
                ),
                named(
                    Query.from_(source).select(Expression("min({}::text)", source.field("id"))),
                    "id",
                ),
            ]
        return self.plan(name, rows, terms, output, more=more, source=query)

    # the whole

    def plan(
        self,
        name: str,
        page: Any,
        terms: Sequence[Term],
        output: Output,
        *,
        total: Any = None,
        more: Sequence[Term] = (),
        source: Any = None,
    ) -> Plan:
        """The page as one row: its JSON made by the server, its length, and the total."""
        rows = Subquery(_PAGE, page)
        if output.text:
            printed = [
                Expression(_PRINTED, rows.field(n), alias=n)
                for n in (term.alias or "" for term in terms)
            ]
            rows = Subquery(_PAGE, Query.from_(rows).select(*printed))
        row = Field(_PAGE) if terms else Expression("json_build_object()")
        body: Term = _array(row)
        if output.stripped:
            body = Expression("json_strip_nulls({})", body)
        selected: list[Term] = [Expression("count(*)", alias="count")]
        if output.body:
            selected.append(Expression("{}::text", body, alias="body"))
        if total is not None:
            selected.append(named(total, "total"))
        query = Query.from_(rows).select(*selected, *more)
        if source is not None:
            query = query.with_(source, _SOURCE)
        return self.finish(name, query, tuple(term.alias or "" for term in terms))

    def finish(self, name: str, query: Any, labels: tuple[str, ...]) -> Plan:
        for path, _ in self.tree.levels:
            if path not in self.used:
                raise _not_embedded(".".join(path))
        return Plan(statement(name, query), tuple(sorted(self.slots.items())), labels)


def _label(item: EmbedItem) -> str:
    """The name of an embedded relation in the answer, in filters and in orders."""
    return item.alias or item.target


def _check_secret(relation: Relation, column: Column, secrets: bool) -> None:
    if column.secret and not secrets:
        raise not_permitted(
            "column", f"{relation.name}.{column.name}", "The key lacks the scope secrets."
        )


def _cast(field: Term, type_: str, label: str) -> Term:
    if type_.lower() not in _CASTS:
        raise RestError(400, "42704", f'type "{type_:.100}" does not exist')
    return Expression(f"CAST({{}} AS {type_.lower()})", field, alias=label)


def _array(row: Term) -> Term:
    return Expression("COALESCE(json_agg({}), json_build_array())", row)


def _filtered(query: Any, where: Sequence[Term]) -> Any:
    return query.where(_all(where)) if where else query


def _all(parts: Sequence[Term]) -> Term:
    return Expression(f"({' AND '.join(['{}'] * len(parts))})", *parts)


def _any(parts: Sequence[Term]) -> Term:
    return Expression(f"({' OR '.join(['{}'] * len(parts))})", *parts)


def _not_embedded(name: str) -> RestError:
    return RestError(
        400,
        "PGRST108",
        f"'{name:.100}' is not an embedded resource in this request",
        None,
        f"Verify that '{name:.100}' is included in the 'select' query parameter.",
    )
