"""What a query string says, as a tree.

The tree holds no value: each stands in ``Request.values`` and the tree has its place there, so that
two requests that differ in their values alone have equal trees and share one statement.
"""

from dataclasses import dataclass
from typing import Literal

Value = str | list[str | None]


@dataclass(frozen=True, slots=True)
class Condition:
    """``column operator value``; ``slot`` is the value's place, ``test`` the word after ``is``."""

    column: str
    operator: str
    negated: bool
    slot: int = -1
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
    """One term of ``order``; ``relation`` when it is an embedded row's column."""

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
class EmbedItem:
    """A selected relation. ``hint`` names the foreign key, ``join`` is inner or left."""

    target: str
    alias: str | None
    hint: str | None
    join: Literal["inner", "left"]
    spread: bool
    items: "tuple[ColumnItem | EmbedItem, ...]"


@dataclass(frozen=True, slots=True)
class Level:
    """What filters, orders and cuts one level: the table itself or an embedded relation."""

    conditions: tuple[Condition | Logic, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int = -1
    """The place of the limit among the values, or -1."""
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Tree:
    """All that decides the shape of a statement: equal trees, equal SQL."""

    select: tuple[ColumnItem | EmbedItem, ...]
    levels: tuple[tuple[tuple[str, ...], Level], ...]
    columns: tuple[str, ...] | None = None
    on_conflict: tuple[str, ...] | None = None

    def level(self, path: tuple[str, ...]) -> Level:
        return next((level for at, level in self.levels if at == path), Level())


@dataclass(slots=True)
class Request:
    """A parsed query string: the tree and its values."""

    tree: Tree
    values: list[Value]
