"""Builds the SQL of a request's levels: what is selected, which rows, in what order.

A level is the table itself or an embedded relation. An embedded relation is a correlated subquery
in the list of columns, so that PostgreSQL evaluates it for the rows of the page only; an inner
join is an EXISTS in WHERE. Columns are looked up in app/schema.py. Nothing in a request becomes
SQL text but aliases, which are quoted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ..errors import RestError
from ..relation import Column, Relation
from ..sql import (
    AliasedQuery,
    Expression,
    Field,
    Parameter,
    Query,
    Selectable,
    Subquery,
    Table,
    Term,
    named,
)
from .binding import Binding
from .comparisons import binding, comparison
from .errors import (
    not_implemented,
    not_permitted,
    too_much,
    unknown_column,
)
from .query_tree import (
    ColumnItem,
    Condition,
    CountItem,
    EmbedItem,
    Level,
    Logic,
    Order,
    QueryTree,
    ValueIndex,
)
from .relationships import Relationship, find_relationship
from .resource import Resource
from .selected import counts, term

_MAX_JOINS: Final = 60
_MAX_NESTED_LISTS: Final = 2
"""Each list in a list multiplies the rows by the limit of a page."""
# An alias in a request cannot end in a dot, so this name is never that of a selected column.
_EMBED: Final = "embed."


class QueryBuilder:
    """Builds the parts of one statement, and collects how its values are bound."""

    def __init__(
        self, relations: Mapping[str, Relation], tree: QueryTree, *, secrets: bool
    ) -> None:
        self.tree = tree
        self.bindings: dict[ValueIndex, Binding] = {}
        self._relations = relations
        self._secrets = secrets
        self.gathered: list[tuple[str, Any]] = []
        """WITH queries that the statement needs, by name, in their order."""
        self._used: set[tuple[str, ...]] = {()}
        self._joins = 0

    def top(self, relation: Relation, source: Selectable) -> Resource:
        return Resource(relation, source, self.tree.level(), self.tree.select)

    def column(self, relation: Relation, name: str) -> Column:
        """A column that the caller may name. Raises RestError: 42703, or 403."""
        column = relation.columns.get(name)
        if column is None:
            raise unknown_column(relation.name, name)
        if column.secret and not self._secrets:
            raise lacks_secrets(relation, column)
        return column

    def lists_shards(self, resource: Resource) -> bool:
        """Whether rows of a sharded table are listed in those of the resource."""
        found = (find_relationship(self._relations, resource.relation, i) for i in resource.embeds)
        return any(_is_sharded_list(relationship) for relationship in found)

    def check_levels(self) -> None:
        """Raises RestError PGRST108 for a filter on a relation that is not selected."""
        for path, _ in self.tree.levels:
            if path not in self._used:
                raise _not_embedded(".".join(path))

    # what is selected

    def terms(self, resource: Resource) -> list[Term]:
        terms: list[Term] = []
        for item in resource.items:
            if isinstance(item, EmbedItem):
                embedded = self._embedded(resource, item)
                if embedded and resource.is_grouped:
                    raise not_implemented("A relation beside an aggregate function")
                terms += embedded
            elif counts(resource.relation, item):
                terms.append(self._count(resource, item))
            elif isinstance(item, ColumnItem):
                terms += [
                    term(field, item.cast, item.alias or field.name)
                    for field in self._columns(resource, item)
                ]
        return terms

    def _columns(self, resource: Resource, item: ColumnItem) -> list[Field]:
        if item.name != "*":
            return [resource.source.field(self.column(resource.relation, item.name).name)]
        return [
            resource.source.field(column.name)
            for column in resource.relation.columns.values()
            if self._secrets or not column.secret
        ]

    def _count(self, resource: Resource, item: ColumnItem | CountItem) -> Term:
        count = Expression("count(*)")
        if isinstance(item, CountItem) and item.column is not None:
            column = self.column(resource.relation, item.column)
            count = Expression("count({})", resource.source.field(column.name))
        return term(count, item.cast, item.alias or "count")

    def _groups(self, resource: Resource) -> list[Field]:
        """The columns by which the rows of a grouped level are counted."""
        fields = [
            field
            for item in resource.items
            if isinstance(item, ColumnItem) and not counts(resource.relation, item)
            for field in self._columns(resource, item)
        ]
        return list({field.name: field for field in fields}.values())

    def _embedded(self, resource: Resource, item: EmbedItem) -> list[Term]:
        inner, join, relationship = self._join(resource, item)
        if _is_sharded_list(relationship):
            inner, join = self._gather(resource, inner, relationship)
        if item.spread and inner.is_grouped:
            raise not_implemented("An aggregate function in a spread relation")
        terms = self.terms(inner)
        query = self.page(Query.from_(inner.source), inner, self.where(inner, join))
        if not terms:
            return []
        labels = [term.alias or "" for term in terms]
        if item.spread and relationship.to_one:
            return [named(query.select(t), n) for t, n in zip(terms, labels, strict=True)]
        rows = Subquery(_EMBED, query.select(*terms))
        if item.spread:
            return [named(Query.from_(rows).select(json_array(rows.field(n))), n) for n in labels]
        row = Field(_EMBED)
        json = Expression("row_to_json({})", row) if relationship.to_one else json_array(row)
        return [named(Query.from_(rows).select(json), item.label)]

    def _gather(
        self, resource: Resource, inner: Resource, relationship: Relationship
    ) -> tuple[Resource, Term]:
        """The embedded rows as a WITH query: the shards cannot be asked once for each row."""
        if not isinstance(resource.source, AliasedQuery):
            raise not_implemented(f"A list of {inner.relation.name} in another relation's rows")
        column, rows = relationship.target_column, AliasedQuery(f"gathered_{self._joins}")
        keys = Query.from_(resource.source).select(resource.source.field(relationship.column))
        query = Query.from_(inner.source).select(*map(inner.source.field, inner.relation.columns))
        query = query.where(Expression("{} IN ({})", inner.source.field(column), keys))
        self.gathered.append((rows.name, query))
        join = rows.field(column) == resource.source.field(relationship.column)
        return replace(inner, source=rows), join

    def _join(self, resource: Resource, item: EmbedItem) -> tuple[Resource, Term, Relationship]:
        """The embedded relation and the condition that joins it."""
        relationship = find_relationship(self._relations, resource.relation, item)
        self._joins += 1
        if self._joins > _MAX_JOINS:
            # each test of an embedded relation repeats those below it
            raise too_much("joins", _MAX_JOINS)
        nested_lists = resource.nested_lists + (not relationship.to_one)
        if nested_lists > _MAX_NESTED_LISTS:
            raise too_much("lists of rows nested in each other", _MAX_NESTED_LISTS)
        table = Table(relationship.target.name, alias=f"r{self._joins}")
        join = table.field(relationship.target_column) == resource.source.field(relationship.column)
        path = (*resource.path, item.label)
        self._used.add(path)
        level = self.tree.level(path)
        inner = Resource(relationship.target, table, level, item.items, path, nested_lists)
        return inner, join, relationship

    # which rows

    def where(self, resource: Resource, *joins: Term) -> list[Term]:
        """Conditions, all of which hold for the level's rows."""
        parts = list(joins)
        if (horizon := resource.relation.served_below) is not None:
            key = resource.source.field(resource.relation.primary_key[0])
            parts.append(Expression(f"{{}} < {horizon}", key))
        parts += [self._condition(resource, part) for part in resource.level.conditions]
        parts += [self._exists(resource, item) for item in resource.embeds if item.join == "inner"]
        return parts

    def _exists(self, resource: Resource, item: EmbedItem) -> Term:
        inner, join, relationship = self._join(resource, item)
        if _is_sharded_list(relationship):
            return self._in_shards(resource, inner, relationship)
        query = Query.from_(inner.source).select(inner.source.field(inner.relation.primary_key[0]))
        return Expression("EXISTS ({})", self._unordered(query, inner, join))

    def _in_shards(self, resource: Resource, inner: Resource, relationship: Relationship) -> Term:
        """The same as a question that is asked once."""
        if inner.level.is_limited:
            raise not_implemented(f"A limit on {inner.relation.name} that decides about rows")
        query = Query.from_(inner.source).select(inner.source.field(relationship.target_column))
        query = filtered(query, self.where(inner))
        return Expression("{} IN ({})", resource.source.field(relationship.column), query)

    def _condition(self, resource: Resource, part: Condition | Logic) -> Term:
        if isinstance(part, Logic):
            children = [self._condition(resource, child) for child in part.children]
            term = _joined(part.operator.upper(), children)
        else:
            term = self._embed_test(resource, part) or self._comparison(resource, part)
        return _negated(term) if part.negated else term

    def _embed_test(self, resource: Resource, part: Condition) -> Term | None:
        """``sessions=is.null``: whether a row has embedded rows."""
        item = resource.embed(part.column)
        if item is None or part.column in resource.relation.columns:
            return None
        if part.test not in ("null", "not_null"):
            raise RestError(
                400,
                "PGRST120",
                f"Bad operator on the '{part.column}' embedded resource",
                "Only is null or not is null filters are allowed on embedded resources",
            )
        exists = self._exists(resource, item)
        return exists if part.test == "not_null" else _negated(exists)

    def _comparison(self, resource: Resource, part: Condition) -> Term:
        column = self.column(resource.relation, part.column)
        if part.value is not None:
            self.bindings[part.value] = binding(column, part)
        return comparison(column, resource.source.field(column.name), part)

    # in what order, and how many

    def page(self, query: Any, resource: Resource, where: Sequence[Term]) -> Any:
        """The level's rows in their order, between its offset and its limit."""
        query = filtered(query, where)
        if resource.is_grouped:
            query = query.groupby(*self._groups(resource))
        return self._limited(query.orderby(*self.whole_order(resource)), resource.level)

    def whole_order(self, resource: Resource) -> list[Term]:
        """The terms of ORDER BY, without ties."""
        if not resource.is_grouped:
            return [*self.order(resource), *resource.ties]
        groups = {field.name: field for field in self._groups(resource)}
        ordered = [order.column for order in resource.level.order]
        for order in resource.level.order:
            if order.relation or order.column not in groups:
                raise _not_grouped(resource.relation, order)
        ties = [field for name, field in groups.items() if name not in ordered]
        return [*self.order(resource), *ties]

    def order(self, resource: Resource) -> list[Term]:
        """The terms of ORDER BY that the request gives."""
        return [self._order_term(resource, order) for order in resource.level.order]

    def _order_term(self, resource: Resource, order: Order) -> Term:
        if order.relation is None:
            column = self.column(resource.relation, order.column)
            field: Term = resource.source.field(column.name)
            nullable = column.nullable
        else:
            field, nullable = self._related_column(resource, order, order.relation), True
        template = "{} DESC" if order.descending else "{}"
        if order.nulls and nullable:
            # on a column without nulls the words would only keep an index from being used
            template += f" NULLS {order.nulls.upper()}"
        return Expression(template, field)

    def _related_column(self, resource: Resource, order: Order, label: str) -> Term:
        """A column of an embedded row, to order by."""
        item = resource.embed(label)
        if item is None:
            raise _not_embedded(label)
        inner, join, relationship = self._join(resource, item)
        if not relationship.to_one:
            raise RestError(
                400,
                "PGRST118",
                f"A related order on '{label}' is not possible",
                f"'{resource.relation.name}' and '{label}' do not form a many-to-one "
                "or one-to-one relationship",
            )
        column = inner.source.field(self.column(inner.relation, order.column).name)
        query = Query.from_(inner.source).select(column)
        return Expression("({})", self._unordered(query, inner, join))

    def _unordered(self, query: Any, resource: Resource, join: Term) -> Any:
        """The embedded rows within their limit and offset, in no order."""
        query = filtered(query, self.where(resource, join))
        return self._limited(query, resource.level) if resource.level.is_limited else query

    def _limited(self, query: Any, level: Level) -> Any:
        if level.limit is None:
            query = query.limit(Parameter("max_rows", "bigint"))
        else:
            self.bindings[level.limit] = Binding("limit")
            query = query.limit(Parameter(f"v{level.limit}", "bigint"))
        if level.offset is not None:
            self.bindings[level.offset] = Binding("offset")
            query = query.offset(Parameter(f"v{level.offset}", "bigint"))
        return query


def _is_sharded_list(relationship: Relationship) -> bool:
    return relationship.target.shard_key is not None and not relationship.to_one


def lacks_secrets(relation: Relation, column: Column) -> RestError:
    return not_permitted(
        "column", f"{relation.name}.{column.name}", "The key lacks the scope secrets."
    )


def json_array(row: Term) -> Term:
    """Rows as a JSON array."""
    return Expression("COALESCE(json_agg({}), json_build_array())", row)


def filtered(query: Any, where: Sequence[Term]) -> Any:
    return query.where(all_of(where)) if where else query


def all_of(parts: Sequence[Term]) -> Term:
    return _joined("AND", parts)


def _joined(word: str, parts: Sequence[Term]) -> Term:
    # in one level, where PyPika's own criteria would nest as deep as there are parts
    return Expression(f"({f' {word} '.join(['{}'] * len(parts))})", *parts)


def _negated(term: Term) -> Term:
    return Expression("(NOT {})", term)


def _not_grouped(relation: Relation, order: Order) -> RestError:
    column = f"{order.relation or relation.name}.{order.column}"
    return RestError(
        400,
        "42803",
        f'column "{column:.200}" must appear in the GROUP BY clause '
        "or be used in an aggregate function",
        None,
        "Rows that are counted can be in the order of the columns that are selected beside it.",
    )


def _not_embedded(name: str) -> RestError:
    return RestError(
        400,
        "PGRST108",
        f"'{name:.100}' is not an embedded resource in this request",
        None,
        f"Verify that '{name:.100}' is included in the 'select' query parameter.",
    )
