"""Statements: PyPika trees rendered once to PostgreSQL text with ``$1 … $n``.

The only module that renders PyPika. Its own parameter collectors turn datetimes and UUIDs into
strings and inline LIMIT; here a parameter is a name in the tree, numbered when the text is made,
and its value goes to the driver as the Python object it is. A tree that holds a value is refused.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeAlias, TypeVar, overload

from pypika import Case, Field, Order, PostgreSQLQuery, Table
from pypika.dialects import PostgreSQLQueryBuilder
from pypika.queries import AliasedQuery, JoinOn, Schema, Selectable
from pypika.terms import (
    BasicCriterion,
    ComplexCriterion,
    Criterion,
    ExistsCriterion,
    Node,
    Not,
    NotNullCriterion,
    NullCriterion,
    Star,
    Term,
)

from .errors import InlinedValueError
from .schema import RECORDED

__all__ = [
    "AliasedQuery",
    "Case",
    "ExistsCriterion",
    "Expression",
    "Field",
    "Order",
    "Parameter",
    "Query",
    "Record",
    "Rows",
    "Selectable",
    "Statement",
    "Subquery",
    "Table",
    "Term",
    "explained",
    "named",
    "raw_statement",
    "statement",
]

Row = TypeVar("Row")
Record: TypeAlias = Mapping[str, Any]
"""A row as the driver gives it."""

_NAME: Final = re.compile("[a-z_][a-z0-9_]*")
_MARK: Final = re.compile(f"\0({_NAME.pattern})\0")


class Parameter(Term):
    """A value given at run time: ``Parameter("token", "text")``.

    ``type`` is the PostgreSQL type the value is bound as; it is written into the text as a cast,
    so that a plan never depends on what the server would infer.
    """

    def __init__(self, name: str, type: str) -> None:  # noqa: A002 - PostgreSQL's word
        super().__init__()
        if not _NAME.fullmatch(name):
            raise InlinedValueError(f"{name!r} is no name for a parameter")
        self.name = name
        self.type = type

    def get_sql(self, **_: Any) -> str:
        return f"\x00{self.name}\x00::{self.type}"


class Expression(Criterion):
    """SQL that PyPika has no word for: ``Expression("{} IS DISTINCT FROM {}", a, b)``.

    The template is a constant of the code; each ``{}`` takes the text of one term.
    """

    def __init__(self, template: str, *terms: Any, alias: str | None = None) -> None:
        super().__init__(alias)
        self.template = template
        self.terms = terms

    def nodes_(self) -> Iterator[Any]:
        yield self
        for term in self.terms:
            yield from term.nodes_()

    def get_sql(self, with_alias: bool = False, **kwargs: Any) -> str:
        kwargs.pop("subquery", None)
        kwargs.pop("subcriterion", None)
        text = self.template.format(*(term.get_sql(**kwargs) for term in self.terms))
        return f"{text} {_quote(self.alias or '')}" if with_alias and self.alias else text


_ACTOR: Final = Expression(
    "set_config('gatepost.actor', {}, true)", Parameter("gatepost_actor", "text"), alias="actor."
)
"""Tells the triggers who writes, until the end of the transaction; an alias that no column has."""


class Rows(Selectable):
    """Arrays as a table: ``unnest($1::uuid[], $2::text[]) AS alias (id, email)``."""

    def __init__(self, alias: str, columns: Mapping[str, Parameter]) -> None:
        super().__init__(alias)
        self.columns = dict(columns)

    def get_sql(self, **kwargs: Any) -> str:
        arrays = ", ".join(parameter.get_sql(**kwargs) for parameter in self.columns.values())
        names = ", ".join(_quote(name) for name in self.columns)
        return f"unnest({arrays}) AS {_quote(self.alias or '')} ({names})"


class Subquery(Selectable):
    """A query in FROM under a name."""

    def __init__(self, alias: str, query: Any) -> None:
        super().__init__(alias)
        self.query = query

    def get_sql(self, **kwargs: Any) -> str:
        return f"({self.query.get_sql()}) AS {_quote(self.alias or '')}"


class _Materialized(AliasedQuery):
    """A WITH query that PostgreSQL does not merge into the one around it."""


class _Builder(PostgreSQLQueryBuilder):
    """PyPika's builder, with LIMIT and OFFSET as parameters, and WITH … AS MATERIALIZED."""

    def _limit_sql(self) -> str:
        return f" LIMIT {_parameter(self._limit).get_sql()}"

    def materialized(self, query: Any, name: str) -> Any:
        """Add a WITH query that is run once and by itself."""
        result = self.with_(query, name)
        result._with[-1] = _Materialized(name, query)
        return result

    def _with_sql(self, **kwargs: Any) -> str:
        kwargs |= {"subquery": False, "with_alias": False}
        return "WITH " + ",".join(
            f"{each.name} AS {'MATERIALIZED ' if isinstance(each, _Materialized) else ''}"
            f"({each.get_sql(**kwargs)}) "
            for each in self._with
        )

    def _offset_sql(self) -> str:
        return f" OFFSET {_parameter(self._offset).get_sql()}"

    def writes(self) -> bool:
        """Whether it, or a WITH query of it, changes a table whose triggers write events."""
        table = self._insert_table or self._update_table or (self._delete_from and self._from[0])
        # without its alias a table gives its name
        return (bool(table) and named(table, "").get_table_name() in RECORDED) or any(
            isinstance(each.query, _Builder) and each.query.writes() for each in self._with
        )

    def with_actor(self) -> Any:
        """The same query, which says who writes beside what it gives."""
        is_select = not (self._insert_table or self._update_table or self._delete_from)
        return self.select(_ACTOR) if is_select else self.returning(_ACTOR)

    def do_update(self, update_field: Any, update_value: Any = None) -> Any:
        # PyPika would wrap the term as if it were a value
        if update_value is not None and not isinstance(update_value, Term):
            raise InlinedValueError("DO UPDATE SET takes terms")
        query = super().do_update(update_field)
        if update_value is not None:
            query._on_conflict_do_updates[-1] = (
                query._on_conflict_do_updates[-1][0],
                update_value,
            )
        return query


class _Query(PostgreSQLQuery):
    @classmethod
    def _builder(cls, **kwargs: Any) -> _Builder:
        return _Builder(**kwargs)


# Any: PyPika's annotations take a builder's methods for columns.
Query: Final[Any] = _Query
"""Where every query begins: ``Query.from_(table).select(…)``."""


@dataclass(frozen=True)
class Statement(Generic[Row]):
    """Text that never changes, and the order in which its parameters are numbered."""

    name: str
    text: str
    parameters: tuple[tuple[str, str], ...] = ()
    """Each parameter's name and PostgreSQL type, in the order of ``$1 … $n``."""
    row: Callable[..., Row] | None = None
    """Makes a row of its values, in the order of the columns; None leaves the driver's record."""
    recorded: str | None = None
    """The text of a statement that events follow from, with one parameter and one column more, both
    the last: who writes, as Actor.text."""
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(name for name, _ in self.parameters))

    def arguments(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """``values`` by name, in the order the driver wants."""
        return tuple(map(values.__getitem__, self.names))


def named(term: Any, alias: str) -> Any:
    """A selected column or subquery under its name; a copy, for PyPika changes queries in place."""
    term = copy(term)
    term.alias = alias
    return term


@overload
def statement(name: str, query: Any) -> Statement[Record]: ...
@overload
def statement(name: str, query: Any, row: Callable[..., Row]) -> Statement[Row]: ...
def statement(name: str, query: Any, row: Callable[..., Any] | None = None) -> Statement[Any]:
    """Render ``query``; its name stands in the text, so that pg_stat_activity shows it.

    ``row`` is called with the values of a row, such as a Struct of app/schema.py.
    Raises InlinedValueError when any part of the tree is not known to be free of values.
    """
    if not isinstance(query, _Builder):
        raise InlinedValueError("a statement is made by Query")
    recorded = query.writes()
    if recorded:
        query = query.with_actor()
    types: dict[str, str] = {}
    _check(query, types, set())
    order: dict[str, int] = {}

    def numbered(text: str) -> str:
        return _MARK.sub(lambda mark: f"${order.setdefault(mark[1], len(order) + 1)}", text)

    text, actor = query.get_sql(), _ACTOR.get_sql(with_alias=True)
    plain = numbered(text.replace(f",{actor}", "").replace(f" RETURNING {actor}", ""))
    made = raw_statement(name, plain, [(n, types[n]) for n in order], row)
    return replace(made, recorded=f"{_comment(name)} {numbered(text)}") if recorded else made


def raw_statement(
    name: str,
    text: str,
    parameters: Sequence[tuple[str, str]] = (),
    row: Callable[..., Any] | None = None,
) -> Statement[Any]:
    """A constant of the code that PyPika has no words for, such as a query of the catalogue."""
    return Statement(name, f"{_comment(name)} {text}", tuple(parameters), row)


def _comment(name: str) -> str:
    return f"/* gatepost:{name} */"


def explained(statement: Statement[Any]) -> Statement[Record]:
    """The statement that gives the plan of ``statement`` as JSON, without running it."""
    text = f"EXPLAIN (FORMAT JSON) {statement.text}"
    return Statement(f"{statement.name}.plan", text, statement.parameters)


def _parameter(bound: Any) -> Parameter:
    if not isinstance(bound, Parameter):
        raise InlinedValueError("LIMIT and OFFSET take parameters")
    return bound


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# A list of what is allowed, not of what is forbidden: a class PyPika adds tomorrow is refused.
_VALUE_FREE: Final = frozenset(
    (
        AliasedQuery,
        BasicCriterion,
        Case,
        ComplexCriterion,
        ExistsCriterion,
        Expression,
        Field,
        JoinOn,
        Not,
        NotNullCriterion,
        NullCriterion,
        Parameter,
        Rows,
        Subquery,
        Table,
        _Builder,
        _Materialized,
    )
)


def _check(part: Any, types: dict[str, str], seen: set[int]) -> None:
    if isinstance(part, list | tuple | set):
        for item in part:
            _check(item, types, seen)
        return
    if isinstance(part, dict):
        _check(list(part.values()), types, seen)
        return
    if isinstance(part, str | Schema | type) or not (
        isinstance(part, Node) or hasattr(part, "get_sql")
    ):
        return
    if id(part) in seen:
        return
    seen.add(id(part))
    # exactly these classes: Star is a Field, and ValueWrapper has subclasses
    if type(part) not in _VALUE_FREE or isinstance(part, Star):
        raise InlinedValueError(f"{type(part).__name__} in a statement")
    if isinstance(part, Parameter) and types.setdefault(part.name, part.type) != part.type:
        raise InlinedValueError(f"parameter {part.name} has two types")
    if isinstance(part, Expression) and not all(isinstance(term, Node) for term in part.terms):
        raise InlinedValueError("an Expression takes terms")
    # PyPika writes the name of a WITH query as it is
    if isinstance(part, AliasedQuery) and not _NAME.fullmatch(part.name):
        raise InlinedValueError("the name of a WITH query is no plain word")
    for value in vars(part).values():
        if isinstance(value, str) and "\0" in value:
            raise InlinedValueError("a name holds NUL")
    _check(list(vars(part).values()), types, seen)
