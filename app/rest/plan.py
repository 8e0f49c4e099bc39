"""A statement and what is needed to run it: what the request's values become, what comes back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from app.rest.errors import RestError
from app.rest.tree import Value
from app.rest.values import READERS
from app.schema import ColumnType
from app.sql import Statement, explained

_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Slot:
    """What a value of the request becomes before it is bound."""

    type: ColumnType | Literal["limit", "offset"]
    many: bool = False
    pattern: bool = False

    def reader(self) -> Callable[[Any], Any]:
        """From a Value. What it gives raises RestError: 22P02 when the value is not of the type,
        PGRST103 when it is below zero."""
        if self.type == "limit" or self.type == "offset":
            return partial(_number, self.type)
        read = READERS[self.type]
        if self.pattern:
            return lambda value: _each(lambda text: read(text.replace("*", "%")), value)
        return partial(_each, read) if self.many else read


def _each(read: Callable[[str], Any], value: Value) -> Any:
    if isinstance(value, list):
        return [None if item is None else read(item) for item in value]
    return read(value)


def _number(what: str, text: str) -> int:
    number = int(text)
    if number < 0:
        raise RestError(
            416,
            "PGRST103",
            "Requested range not satisfiable",
            f"{what.capitalize()} should be greater than or equal to zero.",
        )
    return min(number, _MAX)


class Plan:
    """A statement, what the request's values become, and the labels of its columns."""

    def __init__(
        self, statement: Statement, slots: Mapping[int, Slot], labels: tuple[str, ...]
    ) -> None:
        """``slots`` by the value's place in the request; its parameter is ``v`` and the place."""
        self.statement = statement
        self.labels = labels
        self._slots = slots
        self._readers = [(f"v{at}", at, slot.reader()) for at, slot in sorted(slots.items())]
        self._limits = [f"v{at}" for at, slot in slots.items() if slot.type == "limit"]

    def explained(self) -> "Plan":
        """The plan that gives the server's plan for this one."""
        return Plan(explained(self.statement), self._slots, self.labels)

    def arguments(
        self, values: Sequence[Value], max_rows: int, others: Mapping[str, Any] | None = None
    ) -> tuple[Any, ...]:
        named = dict(others) if others else {}
        named["max_rows"] = max_rows
        for name, at, read in self._readers:
            named[name] = read(values[at])
        for name in self._limits:
            named[name] = min(named[name], max_rows)
        return self.statement.arguments(named)


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
