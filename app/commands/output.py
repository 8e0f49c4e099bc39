"""What commands print: tables and JSON on standard output, what they are at on standard error.

Names and user agents are what strangers sent, so nothing of them commands a terminal.
"""

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from shutil import get_terminal_size
from types import TracebackType
from typing import Annotated, Any, Final, Self

import msgspec
import typer

from ..redaction import one_line

JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of lines.")]
UserArgument = Annotated[
    str, typer.Argument(metavar="USER", help="An id or an address.", show_default=False)
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

_LEVEL_COLOURS: Final = {"ok": "green", "warn": "yellow", "fail": "red"}


def say(text: str) -> None:
    """Say what a command is at, or what to do next."""
    print(text, file=sys.stderr, flush=True)


def check_can_ask(*, yes: bool) -> None:
    """Raises typer.BadParameter when there is nobody to ask, and no --yes."""
    if not yes and not sys.stdin.isatty():
        raise typer.BadParameter("there is no terminal to ask on: add --yes")


def print_json(value: Any) -> None:
    """One line of JSON."""
    print(one_line(msgspec.json.encode(value).decode()))


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns under their names; nothing when there is no row."""
    if not rows:
        return
    lines = [head, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def printable(text: str) -> str:
    """``text`` on one line, with what is not printable as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def moment(time: datetime) -> str:
    """A time in UTC, to the second."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def level(name: str) -> str:
    """The level of a finding, four wide, in colour on a terminal."""
    text = f"{name:<4}"
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return typer.style(text, fg=_LEVEL_COLOURS.get(name)) if coloured else text


class Progress:
    """A line on a terminal that says how far a command is; nowhere else is there a word of it."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()

    def __call__(self, text: str) -> None:
        """Replace the line."""
        if self._shown:
            # cut, for \r does not go back over a line that was wrapped
            line = text.strip()[: get_terminal_size().columns - 1]
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self("")
