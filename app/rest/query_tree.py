"""What a query string says, as a tree.

The tree holds no value: it has the index of each in ``ParsedQuery.values``, so that two requests
that differ in their values alone have equal trees and share one plan.
"""

from dataclasses import dataclass
from typing import Literal

Value = str | list[str | None]
ValueIndex = int


@dataclass(frozen=True, slots=True)
class Condition:
    """``column operator value``; after ``is`` there is no value but the word in ``test``."""

    column: str
    operator: str
    negated: bool
    value: ValueIndex | None = None
    quantifier: Literal["any", "all"] | None = None
    test: str = ""


@dataclass(frozen=True, slots=True)
class Logic:
    """``and(…)`` or ``or(…)``, maybe negated."""

    operator: Literal["and", "or"]
    negated: bool
    children: "tuple[Condition | Logic, ...]"


@dataclass(frozen=True, slots=True)
class Order:
    """One term of ``order``; ``relation`` is set for a column of an embedded row."""

    column: str
    relation: str | None
    descending: bool
    nulls: Literal["first", "last"] | None


@dataclass(frozen=True, slots=True)
class ColumnItem:
    """A selected column; ``name`` is ``*`` for all of them."""

    name: str
    alias: str | None = None
    cast: str | None = None


@dataclass(frozen=True, slots=True)
class CountItem:
    """``count()``, the rows, or ``column.count()``, those in which the column is not null."""

    column: str | None = None
    alias: str | None = None
    cast: str | None = None


@dataclass(frozen=True, slots=True)
class EmbedItem:
    """A selected relation; ``hint`` names the foreign key."""

    target: str
    alias: str | None
    hint: str | None
    join: Literal["inner", "left"]
    spread: bool
    items: "tuple[SelectItem, ...]"

    @property
    def label(self) -> str:
        """Its name in the response, in filters and in orders."""
        return self.alias or self.target


SelectItem = ColumnItem | CountItem | EmbedItem


@dataclass(frozen=True, slots=True)
class Level:
    """The filters, order and limits of one level: the table itself or an embedded relation."""

    conditions: tuple[Condition | Logic, ...] = ()
    order: tuple[Order, ...] = ()
    limit: ValueIndex | None = None
    offset: ValueIndex | None = None

    @property
    def is_limited(self) -> bool:
        return self.limit is not None or self.offset is not None


@dataclass(frozen=True, slots=True)
class QueryTree:
    """Everything in a query string that decides the text of a statement."""

    select: tuple[SelectItem, ...]
    levels: tuple[tuple[tuple[str, ...], Level], ...]
    columns: tuple[str, ...] | None = None
    on_conflict: tuple[str, ...] | None = None

    def level(self, path: tuple[str, ...] = ()) -> Level:
        return next((level for other, level in self.levels if other == path), Level())


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A query string: its tree and its values."""

    tree: QueryTree
    values: list[Value]
