"""Write the generated part of docs/SCHEMA.md from the live catalogue."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from app.devserver.postgres import scratch
from app.migrations import catalogue, dbmate
from app.statements.catalogue import SchemaObject
from scripts.generated import grid, with_part

PAGE = Path(__file__).resolve().parents[1] / "docs" / "SCHEMA.md"
BEGIN = "<!-- from here to the next mark: written by 'make docs' from the catalogue -->\n"


class Table:
    """The objects of one table, by kind."""

    def __init__(self, name: str, objects: Sequence[SchemaObject]) -> None:
        own = [item for item in objects if item.table == name]
        self.name = name
        self.comment = own[0].comment
        self.storage = own[0].definition
        self.columns = [item for item in own if item.kind == "column"]
        self.constraints = [item for item in own if item.kind == "constraint"]
        self.indexes = [item for item in own if item.kind == "index"]
        self.triggers = [item for item in own if item.kind == "trigger"]
        self.references = [item for item in self.constraints if item.target]

    def keys(self, column: str) -> list[str]:
        """PK, UK and FK, in Mermaid's notation."""
        words = {"PRIMARY": "PK", "UNIQUE": "UK", "FOREIGN": "FK"}
        return [
            words[word]
            for item in self.constraints
            if (word := item.definition.split()[0]) in words and item.columns == [column]
        ]


def tables(objects: Sequence[SchemaObject]) -> list[Table]:
    return [Table(item.table, objects) for item in objects if item.kind == "table"]


def short(type_: str) -> str:
    return re.sub(r"timestamp(\(\d\))? with time zone", r"timestamptz\1", type_)


def type_of(column: SchemaObject) -> str:
    """The type with its collation."""
    words = re.split(r" (?:NOT NULL|DEFAULT)", column.definition)[0]
    return code(words.replace(column.type, short(column.type)))


def code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|") if text else ""


def page(objects: Sequence[SchemaObject]) -> str:
    """The generated part of the page."""
    parts = ["## The tables\n\n", diagram(objects)]
    parts += [section(table) for table in tables(objects)]
    functions = [item for item in objects if item.kind == "function"]
    rows = [[code(item.name), item.comment] for item in functions]
    parts += ["\n## Functions\n\n", grid(["function", "what it does"], rows)]
    return "".join(parts)


def diagram(objects: Sequence[SchemaObject]) -> str:
    lines = ["erDiagram"]
    for table in tables(objects):
        lines += [
            f"    {reference.target} ||--o{{ {table.name} : {reference.columns[0]}"
            for reference in table.references
        ]
        lines.append(f"    {table.name} {{")
        for column in table.columns:
            type_, keys = short(column.type).partition("(")[0], ", ".join(table.keys(column.name))
            lines.append(f"        {type_} {column.name} {keys}".rstrip())
        lines.append("    }")
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def section(table: Table) -> str:
    columns = [
        [code(c.name), type_of(c), "" if c.required else "yes", code(c.default), c.comment]
        for c in table.columns
    ]
    constraints = [[code(c.name), code(c.definition), c.comment] for c in table.constraints]
    indexes = [
        [
            code(i.name),
            code(re.sub(r"^CREATE (?:UNIQUE )?INDEX \S+ ON \S+ USING ", "", i.definition)),
            i.comment,
        ]
        for i in table.indexes
    ]
    triggers = [
        [
            code(t.name),
            code(re.sub(rf"^CREATE TRIGGER {t.name} | ON public.{table.name}", "", t.definition)),
        ]
        for t in table.triggers
    ]
    storage = f"Storage: {code(table.storage)}\n\n" if table.storage else ""
    return (
        f"\n## {table.name}\n\n{table.comment}\n\n{storage}"
        + grid(["column", "type", "null", "default", "what it is, and who writes it"], columns)
        + "\n" + grid(["constraint", "definition", "why"], constraints)
        + "\n" + grid(["index", "on", "what it serves"], indexes)
        + "\n" + grid(["trigger", "when and what"], triggers)
    )  # fmt: skip


def document(objects: Sequence[SchemaObject]) -> str:
    """The page as it should be."""
    return with_part(PAGE, BEGIN, page(objects))


async def main() -> None:
    with scratch() as server:
        await dbmate.up(server.url())
        PAGE.write_text(document(await catalogue.read(server.url())))


if __name__ == "__main__":
    asyncio.run(main())
