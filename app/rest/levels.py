"""The filters, orders and limits of a query string, by the relation that they are of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import RestError
from .query_tree import (
    Condition,
    EmbedItem,
    Level,
    Logic,
    Order,
    SelectItem,
    ValueIndex,
)


@dataclass(slots=True)
class OpenLevel:
    """A Level while its parameters are being read."""

    conditions: list[Condition | Logic] = field(default_factory=list)
    order: tuple[Order, ...] = ()
    limit: ValueIndex | None = None
    offset: ValueIndex | None = None

    def add(self, other: "OpenLevel", path: tuple[str, ...]) -> None:
        """Raises RestError PGRST100 for an order or a limit of both."""
        self.conditions += other.conditions
        for name in ("order", "limit", "offset"):
            if (given := getattr(other, name)) in (None, ()):
                continue
            if getattr(self, name) not in (None, ()):
                raise RestError(400, "PGRST100", f'"{".".join((*path, name))}" is given twice')
            setattr(self, name, given)

    def done(self) -> Level:
        return Level(tuple(self.conditions), self.order, self.limit, self.offset)


def labelled(
    levels: Mapping[tuple[str, ...], OpenLevel], select: tuple[SelectItem, ...]
) -> Iterable[tuple[tuple[str, ...], OpenLevel]]:
    """The levels by the names that their relations have in the response.

    One with an alias may be called by its table as well, unless that is the name of another.
    Raises RestError PGRST100 for an order or a limit under both names.
    """
    found: dict[tuple[str, ...], OpenLevel] = {}
    for path, level in levels.items():
        labels = _labels(select, path)
        if labels in found:
            found[labels].add(level, labels)
        else:
            found[labels] = level
    return found.items()


def _labels(items: tuple[SelectItem, ...], path: tuple[str, ...]) -> tuple[str, ...]:
    """A path through embedded relations by their labels, as far as they are found."""
    labels: list[str] = []
    for name in path:
        embeds = [item for item in items if isinstance(item, EmbedItem)]
        named = [item for item in embeds if item.label == name]
        found = named or [item for item in embeds if item.target == name]
        labels.append(found[0].label if found else name)
        items = found[0].items if found else ()
    return tuple(labels)
