"""Write docs/COMMANDS.md (the part between its marks) from the help texts of the commands."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from app.cli import cli
from scripts.generated import with_part

PAGE = Path(__file__).resolve().parents[1] / "docs" / "COMMANDS.md"
BEGIN = "<!-- from here to the next mark: written by 'make docs' from app/commands -->\n"
_WIDTH = 80


def help_texts() -> Iterator[tuple[str, Any, str]]:
    """Each command: its name, the command, and its help text as it is without a terminal."""
    yield from _help_texts("gatepost", typer.main.get_command(cli), None)


def _help_texts(name: str, command: Any, parent: Any) -> Iterator[tuple[str, Any, str]]:
    command.rich_markup_mode = None
    info = name.rpartition(" ")[2]
    with command.context_class(
        command, info_name=info, parent=parent, terminal_width=_WIDTH
    ) as context:
        yield name, command, command.get_help(context)
        if hasattr(command, "list_commands"):
            for each in command.list_commands(context):
                child = command.get_command(context, each)
                yield from _help_texts(f"{name} {each}", child, context)


def section(name: str, text: str) -> str:
    return f"## {name}\n\n```text\n{text}\n```\n"


def document() -> str:
    """The page as it should be."""
    return with_part(PAGE, BEGIN, "\n".join(section(name, text) for name, _, text in help_texts()))


if __name__ == "__main__":
    PAGE.write_text(document())
