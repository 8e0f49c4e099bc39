"""Write the tables of docs/OPERATIONS.md (the part between its marks) from app/settings."""

import inspect
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any

from app.settings import Settings
from app.settings.environment import declared, groups
from scripts.generated import grid, with_part

PAGE = Path(__file__).resolve().parents[1] / "docs" / "OPERATIONS.md"
BEGIN = "<!-- from here to the next mark: written by 'make docs' from app/settings -->\n"


def default(item: Field[Any]) -> str:
    if documented := item.metadata["setting"].documented_default:
        return documented
    match item.default:
        case value if value is MISSING:
            return "required"
        case None | ():
            return "none"
        case bool(value):
            return f"`{str(value).lower()}`"
        case value:
            return f"`{item.metadata['setting'].parser.write(value)}`"


def section(cls: Any) -> str:
    """What the class's docstring says, and a table of its settings."""
    rows = [
        [f"`{setting.name}`", setting.parser.form, default(item), setting.doc]
        for item in fields(cls)
        if (setting := declared(cls).get(item.name))
    ]
    return f"{inspect.getdoc(cls)}\n\n{grid(['setting', 'value', 'default', 'meaning'], rows)}"


def document() -> str:
    """The page as it should be."""
    return with_part(PAGE, BEGIN, "\n".join(section(cls) for cls in groups(Settings)))


if __name__ == "__main__":
    PAGE.write_text(document())
