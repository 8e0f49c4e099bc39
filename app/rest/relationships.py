"""Which foreign key an embedded relation follows, and in which direction."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..errors import RestError
from ..relation import Relation
from .query_tree import EmbedItem


@dataclass(frozen=True, slots=True)
class Relationship:
    """Rows whose ``column`` has the value of ``target_column`` belong together."""

    name: str
    column: str
    target: Relation
    target_column: str
    to_one: bool


def find_relationship(
    relations: Mapping[str, Relation], relation: Relation, item: EmbedItem
) -> Relationship:
    """Raises RestError: PGRST200 when there is none, PGRST201 when there are several."""
    found = [
        *_to_one(relations, relation, item.target, item.hint),
        *_from_target(relations, relation, item.target, item.hint),
    ]
    if not found:
        raise _not_found(relation, item)
    if len(found) > 1:
        raise _ambiguous(relation, item, found)
    return found[0]


def _to_one(
    relations: Mapping[str, Relation], relation: Relation, target: str, hint: str | None
) -> Iterator[Relationship]:
    """Along the relation's own foreign keys; ``target`` is the other table or the column."""
    for key in relation.foreign_keys:
        # of a table that refers to itself the name stands for the other direction
        by_column = key.target == relation.name or (key.by_hint and hint is None)
        names = (key.column,) if by_column else (key.column, key.target)
        other = relations.get(key.target)
        if other and target in names and hint in (None, key.name, key.column):
            yield Relationship(key.name, key.column, other, other.primary_key[0], True)


def _from_target(
    relations: Mapping[str, Relation], relation: Relation, target: str, hint: str | None
) -> Iterator[Relationship]:
    """Along foreign keys that refer to the relation: one row when the column is unique."""
    other = relations.get(target)
    for key in other.foreign_keys if other else ():
        hints = (key.name, key.column) if key.by_hint else (None, key.name, key.column)
        if other and key.target == relation.name and hint in hints:
            unique = (key.column,) in other.keys
            yield Relationship(key.name, relation.primary_key[0], other, key.column, unique)


def _not_found(relation: Relation, item: EmbedItem) -> RestError:
    between = f"'{relation.name}' and '{item.target:.100}'"
    hint = f" using the hint '{item.hint:.100}'" if item.hint else ""
    return RestError(
        400,
        "PGRST200",
        f"Could not find a relationship between {between} in the schema cache",
        f"Searched for a foreign key relationship between {between}{hint}"
        " in the schema 'public', but no matches were found.",
    )


def _ambiguous(relation: Relation, item: EmbedItem, found: list[Relationship]) -> RestError:
    choices = ", ".join(f"'{item.target}!{each.name}'" for each in found)
    return RestError(
        300,
        "PGRST201",
        "Could not embed because more than one relationship was found for "
        f"'{relation.name}' and '{item.target}'",
        None,
        f"Try changing '{item.target}' to one of the following: {choices}.",
    )
