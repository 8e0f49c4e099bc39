"""The command line: each command is a module of app/commands, imported when it is asked for.

Exit codes: app/commands/help.py. docs/COMMANDS.md has the help text of every command.
"""

from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from . import __version__
from .commands.help import EXIT_CODES, command_line, epilog
from .errors import GatepostError
from .process import exit_with

COMMANDS: Final = (
    "dev",
    "serve",
    "check",
    "migrate",
    "migration",
    "grant",
    "purge",
    "doctor",
    "users",
    "sessions",
    "events",
    "admin",
    "keys",
    "jwks",
    "webhooks",
    "types",
    "statements",
)


class Commands(TyperGroup):
    """The commands by their names."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = dict.fromkeys(COMMANDS, self)  # for "Did you mean …?"

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"{__package__}.commands.{cmd_name}")
        return typer.main.get_command(module.cli)


cli = command_line(
    "gatepost", description="Users and sessions on PostgreSQL.", cls=Commands, add_completion=True
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"gatepost {__version__}")
        raise typer.Exit


@cli.callback(
    epilog=epilog(
        "gatepost dev", "gatepost migrate --help", "gatepost --show-completion", codes=EXIT_CODES
    )
    + "\n  128 and more: migrate and purge were ended by a signal"
)
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """What comes before a command."""


def main() -> None:
    """Run a command; an error outside of the program is one line, not a traceback."""
    try:
        cli(prog_name="gatepost")
    except GatepostError as error:
        exit_with(error)


if __name__ == "__main__":
    main()
