"""What the help texts of the commands share: their form, examples and exit codes."""

import os
import sys
from collections.abc import Iterable, Mapping
from textwrap import fill
from types import MappingProxyType
from typing import Any, Final, Literal

import typer
from typer.core import TyperGroup

EXIT_CODES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "done; a service was stopped by SIGINT or SIGTERM",
        1: "the database or the port is not available, or the answer was no",
        2: "a setting, an option or an argument is wrong",
        3: "migration files are refused; nothing was changed",
        4: "a lock was not available in time, or another purge is running",
        5: "a migration failed and was rolled back",
        6: "migrate --status: migrations are pending",
        7: "doctor or check: a fault was found",
        8: "what the command names is not there",
        9: "what the command is to make is there already",
    }
)
"""What each means; those of errors are in app/errors.py. 128 + n: ended by signal n."""

PENDING: Final = 6
FAULT: Final = 7

# colour and boxes for a person, plain text for everything else
_MARKUP: Final[Literal["rich"] | None] = (
    "rich"
    if sys.stdout.isatty() and sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    else None
)


def command_line(
    name: str | None = None,
    *,
    description: str | None = None,
    cls: type[TyperGroup] | None = None,
    add_completion: bool = False,
) -> typer.Typer:
    """What a command, or a group of them with a description, is registered with."""
    return typer.Typer(
        name=name,
        help=description,
        cls=cls,
        add_completion=add_completion,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=_MARKUP,
    )


def epilog(*examples: str, json: str = "", codes: Iterable[int] = (0, 1, 2)) -> str:
    """The end of a help text: examples, the shape of the JSON, exit codes."""
    parts = [
        _block("Examples", examples),
        _block("With --json", json.splitlines()),
        _block("Exit codes", (f"{code}  {EXIT_CODES[code]}" for code in codes)),
    ]
    return "\n\n".join(part for part in parts if part)


def shape(label: str, row: type[Any]) -> str:
    """The fields of a row in JSON."""
    fields = ", ".join(f'"{name}"' for name in row.__struct_fields__)
    indent = " " * (len(label) + 3)
    return fill(f"{label}: {{{fields}}}", 74, subsequent_indent=indent, break_on_hyphens=False)


def _block(title: str, lines: Iterable[str]) -> str:
    text = "".join(f"\n  {line}" for line in lines)
    return f"\b\n{title}:{text}" if text else ""  # \b: lines stay as they are
