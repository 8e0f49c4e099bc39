"""A statement and what is needed to run it: what the request's values become, what comes back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from app.rest.errors import RestError
from app.rest.tree import Value
from app.rest.values import from_text
from app.schema import ColumnType
from app.sql import Statement

_MAX_OFFSET: Final = 2**63 - 1


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
    slots: tuple[tuple[str, int, Slot], ...]
    """The parameter of each value, and the value's place in the request."""
    labels: tuple[str, ...]

    def arguments(
        self, values: Sequence[Value], max_rows: int, others: dict[str, Any] | None = None
    ) -> tuple[Any, ...]:
        named = {name: slot.convert(values[at], max_rows) for name, at, slot in self.slots}
        named["max_rows"] = max_rows
        if others:
            named.update(others)
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
