"""The SQL of a request's levels: what is selected, which rows, in what order.

A level is the table itself or an embedded relation. An embedded relation is a correlated subquery
in the list of columns, so that PostgreSQL evaluates it for the rows of the page and no others; an
inner join is an EXISTS in WHERE. Columns are looked up in app/schema.py; nothing of the request
becomes text but aliases, which are quoted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.rest.errors import RestError, not_permitted, too_much, unknown_column, unknown_operator
from app.rest.plan import Slot
from app.rest.tree import ColumnItem, Condition, EmbedItem, Level, Logic, Order, Tree
from app.schema import RELATIONS, Column, Relation
from app.sql import Expression, Field, Parameter, Query, Selectable, Subquery, Table, Term, named

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
_MAX_JOINS: Final = 60
# No alias of a request ends in a dot, so this name never stands for a selected column.
_EMBED: Final = "embed."


@dataclass(frozen=True, slots=True)
class Scope:
    """One level: the relation, its name in the statement, and what the request says of it."""

    relation: Relation
    source: Selectable
    level: Level
    items: tuple[ColumnItem | EmbedItem, ...] = ()
    path: tuple[str, ...] = ()

    @property
    def embeds(self) -> list[EmbedItem]:
        return [item for item in self.items if isinstance(item, EmbedItem)]

    def without_items(self) -> "Scope":
        """The level by its own filters alone."""
        return replace(self, items=())


class Levels:
    """The levels of one statement in the making."""

    def __init__(self, tree: Tree, *, secrets: bool) -> None:
        self.tree = tree
        self.secrets = secrets
        self.slots: dict[int, Slot] = {}
        """What the request's values are bound as."""
        self._used: set[tuple[str, ...]] = {()}
        self._joins = 0

    def top(self, relation: Relation, source: Selectable) -> Scope:
        return Scope(relation, source, self.tree.level(()), self.tree.select)

    def known(self, relation: Relation, name: str) -> Column:
        """A column that the caller may name. Raises RestError: 42703, or 403."""
        column = relation.columns.get(name)
        if column is None:
            raise unknown_column(relation.name, name)
        check_secret(relation, column, self.secrets)
        return column

    def check_used(self) -> None:
        """Raises RestError PGRST108 for a filter on a relation that is not selected."""
        for path, _ in self.tree.levels:
            if path not in self._used:
                raise _not_embedded(".".join(path))

    # what is selected

    def terms(self, scope: Scope) -> list[Term]:
        terms: list[Term] = []
        for item in scope.items:
            if isinstance(item, EmbedItem):
                terms += self._embedded(scope, item)
            elif item.name == "*":
                terms += [
                    named(scope.source.field(column.name), column.name)
                    for column in scope.relation.columns.values()
                    if self.secrets or not column.secret
                ]
            else:
                field = scope.source.field(self.known(scope.relation, item.name).name)
                label = item.alias or item.name
                terms.append(_cast(field, item.cast, label) if item.cast else named(field, label))
        return terms

    def _embedded(self, scope: Scope, item: EmbedItem) -> list[Term]:
        inner, join, to_one = self._joined(scope, item)
        terms = self.terms(inner)
        query = self.page(Query.from_(inner.source), inner, self.where(inner, join))
        if not terms:
            return []
        labels = [term.alias or "" for term in terms]
        if item.spread and to_one:
            return [named(query.select(t), n) for t, n in zip(terms, labels, strict=True)]
        rows = Subquery(_EMBED, query.select(*terms))
        if item.spread:
            return [named(Query.from_(rows).select(array(rows.field(n))), n) for n in labels]
        row = Field(_EMBED)
        whole = Expression("row_to_json({})", row) if to_one else array(row)
        return [named(Query.from_(rows).select(whole), _label(item))]

    def _joined(self, scope: Scope, item: EmbedItem) -> tuple[Scope, Term, bool]:
        """The embedded level, what joins it, and whether it gives one row."""
        relation, hint = scope.relation, item.hint
        other = RELATIONS.get(item.target)
        found = [
            (RELATIONS[key.target], key.column, True)
            for key in relation.foreign_keys
            if item.target in (key.target, key.column) and hint in (None, key.name, key.column)
        ]
        found += [
            (other, key.column, False)
            for key in (other.foreign_keys if other else ())
            if other and key.target == relation.name and hint in (None, key.name, key.column)
        ]
        if not found:
            raise RestError(
                400,
                "PGRST200",
                f"Could not find a relationship between '{relation.name}' and "
                f"'{item.target:.100}' in the schema cache",
                f"Searched for a foreign key relationship between '{relation.name}' and "
                f"'{item.target:.100}'"
                + (f" using the hint '{hint:.100}'" if hint else "")
                + " in the schema 'public', but no matches were found.",
            )
        target, column, to_one = found[0]
        self._joins += 1
        if self._joins > _MAX_JOINS:
            # each test of an embedded relation repeats those below it
            raise too_much("joins", _MAX_JOINS)
        table = Table(target.name, alias=f"r{self._joins}")
        if to_one:
            join = Expression("{} = {}", table.field("id"), scope.source.field(column))
        else:
            join = Expression("{} = {}", table.field(column), scope.source.field("id"))
        path = (*scope.path, _label(item))
        self._used.add(path)
        return Scope(target, table, self.tree.level(path), item.items, path), join, to_one

    # which rows

    def where(self, scope: Scope, *joins: Term) -> list[Term]:
        """The criteria, all of which hold for the level's rows."""
        parts = list(joins)
        parts += [self._criterion(scope, part) for part in scope.level.conditions]
        parts += [self._exists(scope, item) for item in scope.embeds if item.join == "inner"]
        return parts

    def _exists(self, scope: Scope, item: EmbedItem) -> Term:
        inner, join, _ = self._joined(scope, item)
        query = Query.from_(inner.source).select(inner.source.field("id"))
        return Expression("EXISTS ({})", self._narrowed(query, inner, join))

    def _criterion(self, scope: Scope, part: Condition | Logic) -> Term:
        if isinstance(part, Logic):
            children = [self._criterion(scope, child) for child in part.children]
            word = f" {part.operator.upper()} "
            term: Term = Expression(f"({word.join(['{}'] * len(children))})", *children)
        else:
            term = self._embed_test(scope, part) or self._comparison(scope, part)
        return Expression("(NOT {})", term) if part.negated else term

    def _embed_test(self, scope: Scope, part: Condition) -> Term | None:
        """``sessions=is.null``: whether a row has embedded rows."""
        if part.column in scope.relation.columns:
            return None
        item = next((item for item in scope.embeds if _label(item) == part.column), None)
        if item is None:
            return None
        if part.test not in ("null", "not_null"):
            raise RestError(
                400,
                "PGRST120",
                f"Bad operator on the '{part.column}' embedded resource",
                "Only is null or not is null filters are allowed on embedded resources",
            )
        exists = self._exists(scope, item)
        return exists if part.test == "not_null" else Expression("(NOT {})", exists)

    def _comparison(self, scope: Scope, part: Condition) -> Term:
        column = self.known(scope.relation, part.column)
        field = scope.source.field(column.name)
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
        self.slots[part.slot] = Slot(column.type, many, part.operator in ("like", "ilike"))
        value = Parameter(f"v{part.slot}", column.type + ("[]" if many else ""))
        if part.operator == "in":
            return Expression("({} = ANY ({}))", field, value)
        sign = _COMPARISONS[part.operator]
        if part.quantifier:
            return Expression(f"({{}} {sign} {part.quantifier.upper()} ({{}}))", field, value)
        return Expression(f"({{}} {sign} {{}})", field, value)

    # in what order, and how many

    def page(self, query: Any, scope: Scope, where: Sequence[Term]) -> Any:
        """The level's rows, in their order, between its offset and its limit."""
        order = self.orders(scope)
        own = {term.column for term in scope.level.order if term.relation is None}
        if not any(own.issuperset(key) for key in scope.relation.unique):
            order.append(scope.source.field("id"))  # so that no order has ties
        return self._cut(filtered(query, where).orderby(*order), scope.level)

    def orders(self, scope: Scope) -> list[Term]:
        """The terms of ORDER BY that the request gives."""
        return [self._order(scope, order) for order in scope.level.order]

    def _order(self, scope: Scope, order: Order) -> Term:
        if order.relation is None:
            column = self.known(scope.relation, order.column)
            field: Term = scope.source.field(column.name)
            nullable = column.nullable
        else:
            field, nullable = self._related(scope, order, order.relation), True
        text = "{} DESC" if order.descending else "{}"
        if order.nulls and nullable:
            # on a column without nulls the words would only keep an index from being used
            text += f" NULLS {order.nulls.upper()}"
        return Expression(text, field)

    def _related(self, scope: Scope, order: Order, name: str) -> Term:
        """An embedded row's column, to order by."""
        item = next((item for item in scope.embeds if _label(item) == name), None)
        if item is None:
            raise _not_embedded(name)
        inner, join, to_one = self._joined(scope, item)
        if not to_one:
            raise RestError(
                400,
                "PGRST118",
                f"A related order on '{name}' is not possible",
                f"'{scope.relation.name}' and '{name}' do not form a many-to-one "
                "or one-to-one relationship",
            )
        column = inner.source.field(self.known(inner.relation, order.column).name)
        query = Query.from_(inner.source).select(column)
        return Expression("({})", self._narrowed(query, inner, join))

    def _narrowed(self, query: Any, scope: Scope, join: Term) -> Any:
        """What is left of embedded rows after their limit and offset, in no order."""
        query = filtered(query, self.where(scope, join))
        is_cut = scope.level.limit >= 0 or scope.level.offset >= 0
        return self._cut(query, scope.level) if is_cut else query

    def _cut(self, query: Any, level: Level) -> Any:
        if level.limit >= 0:
            self.slots[level.limit] = Slot("limit")
            query = query.limit(Parameter(f"v{level.limit}", "bigint"))
        else:
            query = query.limit(Parameter("max_rows", "bigint"))
        if level.offset >= 0:
            self.slots[level.offset] = Slot("offset")
            query = query.offset(Parameter(f"v{level.offset}", "bigint"))
        return query


def check_secret(relation: Relation, column: Column, secrets: bool) -> None:
    """Raises RestError 403 for a secret column without the scope."""
    if column.secret and not secrets:
        raise not_permitted(
            "column", f"{relation.name}.{column.name}", "The key lacks the scope secrets."
        )


def array(row: Term) -> Term:
    """Rows as a JSON array."""
    return Expression("COALESCE(json_agg({}), json_build_array())", row)


def filtered(query: Any, where: Sequence[Term]) -> Any:
    return query.where(all_of(where)) if where else query


def all_of(parts: Sequence[Term]) -> Term:
    return Expression(f"({' AND '.join(['{}'] * len(parts))})", *parts)


def _label(item: EmbedItem) -> str:
    """The name of an embedded relation in the answer, in filters and in orders."""
    return item.alias or item.target


def _cast(field: Term, type_: str, label: str) -> Term:
    if type_.lower() not in _CASTS:
        raise RestError(400, "42704", f'type "{type_:.100}" does not exist')
    return Expression(f"CAST({{}} AS {type_.lower()})", field, alias=label)


def _not_embedded(name: str) -> RestError:
    return RestError(
        400,
        "PGRST108",
        f"'{name:.100}' is not an embedded resource in this request",
        None,
        f"Verify that '{name:.100}' is included in the 'select' query parameter.",
    )
