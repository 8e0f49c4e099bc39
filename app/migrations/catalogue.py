"""The schema as PostgreSQL's catalogue describes it, as text that is the same on every version.

``db/catalogue.txt`` has a line for each object; a live database is compared with it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ..database import connect
from ..statements import catalogue
from ..statements.catalogue import SchemaObject
from .files import MIGRATIONS

EXPECTED: Final = MIGRATIONS.with_name("catalogue.txt")


async def read(url: str) -> list[SchemaObject]:
    """Everything in the schema ``public`` except dbmate's table, in a fixed order."""
    async with connect(url, search_path="public") as connection:
        return await connection.fetch(catalogue.objects)


def render(objects: Iterable[SchemaObject]) -> str:
    """The text of ``db/catalogue.txt``."""
    return "".join(f"{line(each)}\n" for each in objects)


def name(item: SchemaObject) -> str:
    """An object's kind and name."""
    return f"{item.kind} {'.'.join(part for part in (item.table, item.name) if part)}"


def line(item: SchemaObject) -> str:
    """An object on one line."""
    text = " ".join(f"{name(item)}: {item.definition}".split())
    return f"{text} -- {item.comment}" if item.comment else text


def compared(
    objects: Iterable[SchemaObject], expected: Path = EXPECTED
) -> tuple[list[str], list[SchemaObject]]:
    """What is not as expected, and what a database has beside that.

    The first are lines that it lacks (``-``), and what it has in their place (``+``).
    """
    wanted = expected.read_text().splitlines()
    live = {line(each): each for each in objects}
    missing = [text for text in wanted if text not in live]
    lost = {text.partition(": ")[0] for text in missing}
    others = {text: each for text, each in live.items() if text not in set(wanted)}
    replaced = [text for text, each in others.items() if name(each) in lost]
    additions = [each for text, each in others.items() if text not in replaced]
    return [*(f"- {text}" for text in missing), *(f"+ {text}" for text in replaced)], additions
