"""A level of a request: the table itself, or an embedded relation."""

from dataclasses import dataclass, replace

from ..relation import Relation
from ..sql import Field, Selectable
from .query_tree import EmbedItem, Level, SelectItem
from .selected import counts


@dataclass(frozen=True, slots=True)
class Resource:
    """A relation under its name in the statement, and what the request says about its level."""

    relation: Relation
    source: Selectable
    level: Level
    items: tuple[SelectItem, ...] = ()
    path: tuple[str, ...] = ()
    nested_lists: int = 0
    """Relations on the path of which a row can have many."""

    def embed(self, label: str) -> EmbedItem | None:
        """The embedded relation of that name."""
        return next((item for item in self.embeds if item.label == label), None)

    @property
    def embeds(self) -> list[EmbedItem]:
        return [item for item in self.items if isinstance(item, EmbedItem)]

    @property
    def is_grouped(self) -> bool:
        """Whether its rows are counted, by what else is selected."""
        return any(counts(self.relation, item) for item in self.items)

    def without_items(self) -> "Resource":
        return replace(self, items=())

    @property
    def ties(self) -> list[Field]:
        """The primary key, as far as the order can have ties without it."""
        relation = self.relation
        ordered = {term.column for term in self.level.order if term.relation is None}
        for key in relation.keys:
            nullable = any(relation.columns[name].nullable for name in key)
            if ordered.issuperset(key) and not nullable:
                return []
        return [self.source.field(name) for name in relation.primary_key if name not in ordered]
