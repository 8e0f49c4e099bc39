"""What the scripts that write files share: Markdown tables, and the parts that are written."""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

END = "<!-- end -->\n"


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def with_part(page: Path, begin: str, part: str) -> str:
    """The page's text with ``part`` between the mark ``begin`` and the end mark."""
    before, found, rest = page.read_text().partition(begin)
    _, end, after = rest.partition(END)
    if not found or not end:
        sys.exit(f"{page.name} has lost a mark of the generated part")
    return f"{before}{begin}\n{part}\n{end}{after}"


def with_granted_tables(script: str, tables: Iterable[str]) -> str:
    """The text of db/service_grants.sql with these tables."""
    named = (
        r"((?:GRANT SELECT, INSERT, UPDATE, DELETE|REVOKE ALL) ON\n    )[^;]*?(\n    (?:TO|FROM) )"
    )
    return re.sub(named, rf"\g<1>{', '.join(tables)}\g<2>", script)
