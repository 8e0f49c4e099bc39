"""The schema as PostgreSQL's catalogue describes it, as text that is the same on every version.

``db/catalogue.txt`` has a line for each object; a live database is compared with it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from app.database import connect
from app.migrations.files import MIGRATIONS
from app.statements import catalogue
from app.statements.catalogue import SchemaObject

EXPECTED: Final = MIGRATIONS.with_name("catalogue.txt")


async def read(url: str) -> list[SchemaObject]:
    """Everything in the schema ``public`` except dbmate's table, in a fixed order."""
    async with connect(url, search_path="public") as connection:
        return await connection.fetch(catalogue.objects)


def render(objects: Iterable[SchemaObject]) -> str:
    """The text of ``db/catalogue.txt``."""
    return "".join(f"{line(each)}\n" for each in objects)


def line(item: SchemaObject) -> str:
    """An object on one line."""
    name = ".".join(part for part in (item.table, item.name) if part)
    text = " ".join(f"{item.kind} {name}: {item.definition}".split())
    return f"{text} -- {item.comment}" if item.comment else text


def differences(objects: Iterable[SchemaObject], expected: Path = EXPECTED) -> list[str]:
    """The lines that a database has in addition (``+``) and those that it lacks (``-``)."""
    live, wanted = render(objects).splitlines(), expected.read_text().splitlines()
    return [f"- {line}" for line in wanted if line not in live] + [
        f"+ {line}" for line in live if line not in wanted
    ]
