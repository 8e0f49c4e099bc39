"""A condition on a column as SQL, and what its value is bound as."""

import operator
from collections.abc import Callable
from typing import Any, Final

from ..errors import RestError
from ..relation import Column
from ..sql import Expression, Parameter, Term
from .binding import Binding
from .errors import unknown_operator
from .query_tree import Condition

_OPERATORS: Final[dict[str, Callable[[Any, Any], Term]]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "like": Term.like,
    "ilike": Term.ilike,
    "match": lambda column, value: Expression("{} ~ {}", column, value),
    "imatch": lambda column, value: Expression("{} ~* {}", column, value),
    "isdistinct": lambda column, value: Expression("{} IS DISTINCT FROM {}", column, value),
}
_QUANTIFIED: Final = {
    "eq": "=",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "like": "LIKE",
    "ilike": "ILIKE",
    "match": "~",
    "imatch": "~*",
}
_PATTERNS: Final = {"like": "~~", "ilike": "~~*", "match": "~", "imatch": "~*"}


def binding(column: Column, part: Condition) -> Binding:
    """Raises RestError 42883 for an operator that the column's type does not have."""
    if part.operator in _PATTERNS and column.type != "text":
        raise unknown_operator(_PATTERNS[part.operator], column.type)
    is_list = part.operator == "in" or part.quantifier is not None
    if is_list and column.type == "text[]":
        raise unknown_operator(_QUANTIFIED.get(part.operator, "="), column.type)
    return Binding(column.type, is_list, part.operator in ("like", "ilike"))


def comparison(column: Column, field: Any, part: Condition) -> Term:
    """``part`` without its negation. The parameter of the value with index 7 is ``v7``."""
    if part.value is None:
        return _is(column, field, part.test)
    is_list = part.operator == "in" or part.quantifier is not None
    value = Parameter(f"v{part.value}", column.type + ("[]" if is_list else ""))
    if part.operator == "in":
        return Expression("{} = ANY ({})", field, value)
    if part.quantifier:
        sign = _QUANTIFIED[part.operator]
        return Expression(f"{{}} {sign} {part.quantifier.upper()} ({{}})", field, value)
    return _OPERATORS[part.operator](field, value)


def _is(column: Column, field: Any, test: str) -> Term:
    if test == "null":
        return field.isnull()
    if test == "not_null":
        return field.notnull()
    if column.type != "boolean":
        raise RestError(
            400,
            "42804",
            f"argument of IS {test.upper()} must be type boolean, not type {column.type}",
        )
    return Expression(f"{{}} IS {test.upper()}", field)
