"""``gatepost migration``: the files and their lock file."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from ..migrations import files
from .help import command_line, epilog

cli = command_line("migration", description="Migration files and their lock file.")


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise typer.BadParameter(
            f"there is no folder {folder}: make it (mkdir -p {folder}), "
            "or name the one that has your migrations"
        )
    return folder


FolderOption = Annotated[Path, typer.Option(help="Where the files are.", callback=_existing)]
# the same folder as dbmate's; never the one that came with an installation
_FOLDER: Final = Path("db/migrations")


@cli.command("new", epilog=epilog("gatepost migration new add_users_locale", codes=(0, 2)))
def new_command(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What it does, such as add_users_locale.")
    ],
    folder: FolderOption = _FOLDER,
) -> None:
    """Create a file with both directions. It is added to the lock file beside the folder."""
    try:
        print(os.path.relpath(files.create(name, folder)))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="NAME") from None


@cli.command("lock", epilog=epilog("gatepost migration lock", codes=(0, 2)))
def lock_command(folder: FolderOption = _FOLDER) -> None:
    """Write the lock file beside the folder from the files as they are."""
    files.write_lock_file(folder)
    print(os.path.relpath(files.lock_file(folder)))
