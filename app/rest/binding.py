"""A statement and how the values of a request become its arguments."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from ..relation import ColumnType
from ..sql import Record, Statement, explained
from .errors import unsatisfiable_range
from .query_tree import Value, ValueIndex
from .values import FROM_TEXT

_MAX_BIGINT: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Binding:
    """What a value is bound as."""

    type: ColumnType | Literal["limit", "offset"]
    is_list: bool = False
    is_pattern: bool = False

    def converter(self) -> Callable[[Any], Any]:
        """From a Value to what the driver takes.

        It raises RestError: 22P02 when the value is not of the type, PGRST103 when a limit is
        negative.
        """
        if self.type == "limit" or self.type == "offset":
            return partial(_limit, self.type)
        convert = FROM_TEXT[self.type]
        if self.is_pattern:
            convert = partial(_pattern, convert)
        return partial(_list, convert) if self.is_list else convert


def _limit(name: str, text: str) -> int:
    number = int(text)
    if number < 0:
        raise unsatisfiable_range(f"{name.capitalize()} should be greater than or equal to zero.")
    return min(number, _MAX_BIGINT)


def _pattern(convert: Callable[[str], Any], text: str) -> Any:
    return convert(text.replace("*", "%"))


def _list(convert: Callable[[str], Any], values: list[str | None]) -> list[Any]:
    return [None if value is None else convert(value) for value in values]


class BoundStatement:
    """A statement of the REST API. It gives one row, and takes values of a request as arguments."""

    def __init__(
        self,
        statement: Statement[Record],
        bindings: Mapping[ValueIndex, Binding],
        labels: tuple[str, ...] = (),
    ) -> None:
        """The parameter of the value with index 7 is ``v7``; ``labels`` are the columns of CSV."""
        self.statement = statement
        self.labels = labels
        self._bindings = bindings
        self._converters = [
            (f"v{index}", index, binding.converter()) for index, binding in sorted(bindings.items())
        ]
        self._limits = [f"v{index}" for index, b in bindings.items() if b.type == "limit"]

    def explained(self) -> "BoundStatement":
        """The statement that gives the server's plan of this one."""
        return BoundStatement(explained(self.statement), self._bindings)

    def arguments(
        self,
        values: Sequence[Value],
        max_rows: int,
        columns: Mapping[str, Any] | None = None,
    ) -> tuple[Any, ...]:
        """``columns``: the parameters for what is written. Raises RestError for a bad value."""
        named: dict[str, Any] = {"max_rows": max_rows}
        if columns:
            named.update(columns)
        for name, index, convert in self._converters:
            named[name] = convert(values[index])
        for name in self._limits:
            named[name] = min(named[name], max_rows)
        return self.statement.arguments(named)


@dataclass(frozen=True, slots=True)
class Output:
    """What a statement gives besides the number of rows."""

    body: bool
    """The rows as JSON."""
    total: bool = False
    """How many rows there are without the limit; for reads only."""
    strip_nulls: bool = False
    as_text: bool = False
    """Values are texts as PostgreSQL prints them, for CSV."""
