"""Write docs/SCHEMA.md (the part between its marks) and docs/schema.svg from the live catalogue."""

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from app.database import Direct
from app.operations import catalogue, dbmate
from app.operations.catalogue import Entry
from app.operations.embedded import scratch
from scripts.generated import grid, with_part

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, PICTURE = DOCS / "SCHEMA.md", DOCS / "schema.svg"
BEGIN = "<!-- from here to the next mark: written by 'make docs' from the catalogue -->\n"


class Table:
    """What belongs to one table, by kind."""

    def __init__(self, name: str, entries: Sequence[Entry]) -> None:
        mine = [entry for entry in entries if entry.table == name]
        self.name = name
        self.comment = mine[0].comment
        self.storage = mine[0].definition
        self.columns = [entry for entry in mine if entry.kind == "column"]
        self.constraints = [entry for entry in mine if entry.kind == "constraint"]
        self.indexes = [entry for entry in mine if entry.kind == "index"]
        self.triggers = [entry for entry in mine if entry.kind == "trigger"]
        self.references = [entry for entry in self.constraints if entry.target]

    def marks(self, column: str) -> list[str]:
        """PK, UK and FK, as diagrams have them."""
        words = {"PRIMARY": "PK", "UNIQUE": "UK", "FOREIGN": "FK"}
        return [
            words[word]
            for entry in self.constraints
            if (word := entry.definition.split()[0]) in words and list(entry.columns) == [column]
        ]


def tables(entries: Sequence[Entry]) -> list[Table]:
    return [Table(entry.table, entries) for entry in entries if entry.kind == "table"]


def short(type_: str) -> str:
    return re.sub(r"timestamp(\(\d\))? with time zone", r"timestamptz\1", type_)


def type_of(column: Entry) -> str:
    """The type with its collation."""
    words = re.split(r" (?:NOT NULL|DEFAULT)", column.definition)[0]
    return code(words.replace(column.type, short(column.type)))


def code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|") if text else ""


def page(entries: Sequence[Entry]) -> str:
    """The generated part of the page."""
    parts = ["## The tables\n\n![The tables and their columns](schema.svg)\n\n", diagram(entries)]
    parts += [section(table) for table in tables(entries)]
    functions = [entry for entry in entries if entry.kind == "function"]
    rows = [[code(entry.name), entry.comment] for entry in functions]
    parts += ["\n## Functions\n\n", grid(["function", "what it does"], rows)]
    return "".join(parts)


def diagram(entries: Sequence[Entry]) -> str:
    lines = ["erDiagram"]
    for table in tables(entries):
        lines += [
            f"    {reference.target} ||--o{{ {table.name} : {reference.columns[0]}"
            for reference in table.references
        ]
        lines.append(f"    {table.name} {{")
        for column in table.columns:
            type_, marks = short(column.type).partition("(")[0], ", ".join(table.marks(column.name))
            lines.append(f"        {type_} {column.name} {marks}".rstrip())
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


# The picture: one box a table, those that refer to others right of them.
CHAR, ROW, PAD, GAP = 7.9, 22, 12, 110  # pixels; a letter of 13 px monospace is some 7.8 wide


def picture(entries: Sequence[Entry]) -> str:
    """An SVG of the tables; every foreign key is a line between the two columns."""
    found = {table.name: table for table in tables(entries)}
    depth = {name: level(found, name) for name in found}
    places: dict[str, tuple[float, float, float]] = {}  # left, top, width
    left, bottom = float(PAD), 0.0
    for column in sorted(set(depth.values())):
        members = [table for name, table in found.items() if depth[name] == column]
        width = max(width_of(table) for table in members)
        top = float(PAD)
        for table in members:
            places[table.name] = left, top, width
            top += ROW * (len(table.columns) + 1) + 2 * PAD
        left, bottom = left + width + GAP, max(bottom, top)
    right = left - GAP + PAD
    body = [box(table, *places[table.name]) for table in found.values()]
    body += [
        edge(found, places, table, key) for table in found.values() for key in table.references
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right:.0f} {bottom:.0f}"'
        f' width="{right:.0f}" height="{bottom:.0f}" font-size="13"'
        ' font-family="DejaVu Sans Mono, Menlo, Consolas, monospace">\n'
        f"<title>{escape(', '.join(found))}</title>\n"
        f'<rect width="{right:.0f}" height="{bottom:.0f}" fill="#ffffff"/>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )


def level(found: dict[str, Table], name: str) -> int:
    """How far right a table stands: one more than what it refers to."""
    targets = {key.target for key in found[name].references} - {name}
    return 1 + max((level(found, target) for target in targets), default=-1)


def label(column: Entry) -> str:
    return short(column.type) + ("" if column.required else ", null")


def width_of(table: Table) -> float:
    name = max(len(column.name) for column in table.columns)
    type_ = max(len(label(column)) for column in table.columns)
    return CHAR * (max(name + type_ + 9, len(table.name) + 4)) + 2 * PAD


def box(table: Table, left: float, top: float, width: float) -> str:
    height = ROW * (len(table.columns) + 1)
    lines = [
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height}" rx="4"'
        ' fill="#f6f8fa" stroke="#57606a"/>',
        f'<path d="M{left:.0f} {top + ROW:.0f}h{width:.0f}" stroke="#57606a"/>',
        text(left + PAD, top + 15, table.name, ' font-weight="bold"'),
    ]
    for number, column in enumerate(table.columns, 1):
        y, marks = top + number * ROW + 15, " ".join(table.marks(column.name))
        lines.append(text(left + PAD, y, column.name))
        lines.append(text(left + width - PAD - 6 * CHAR, y, label(column), GREY + ANCHOR_END))
        lines.append(text(left + width - PAD, y, marks, ' fill="#8250df"' + ANCHOR_END))
    return "\n".join(lines)


GREY, ANCHOR_END = ' fill="#57606a"', ' text-anchor="end"'


def text(x: float, y: float, content: str, more: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}"{more}>{escape(content)}</text>' if content else ""


def edge(
    found: dict[str, Table],
    places: dict[str, tuple[float, float, float]],
    table: Table,
    key: Entry,
) -> str:
    """From the column that refers, with a crow's foot for many, to the key it refers to."""

    def middle(name: str, column: str) -> float:
        names = [entry.name for entry in found[name].columns]
        return places[name][1] + ROW * (names.index(column) + 1.5)

    start_x, start_y = places[table.name][0], middle(table.name, key.columns[0])
    target_x, target_y = places[key.target][0] + places[key.target][2], middle(key.target, "id")
    bend = target_x + GAP / 2
    path = f"M{start_x:.0f} {start_y:.0f}H{bend:.0f}V{target_y:.0f}H{target_x:.0f}"
    foot = f"M{start_x:.0f} {start_y - 6:.0f}l-12 6l12 6M{target_x + 8:.0f} {target_y - 6:.0f}v12"
    return f'<path d="{path}{foot}" fill="none" stroke="#0969da" stroke-width="1.5"/>'


def documents(entries: Sequence[Entry]) -> dict[Path, str]:
    """The files as they should be."""
    return {PAGE: with_part(PAGE, BEGIN, page(entries)), PICTURE: picture(entries)}


if __name__ == "__main__":
    with scratch() as server:
        dbmate.up(server.url())
        with Direct(server.url(), search_path="public") as database:
            for file, content in documents(catalogue.read(database)).items():
                file.write_text(content)
