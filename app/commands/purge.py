"""``gatepost purge``."""

import asyncio
import os

from .. import purge
from ..process import exit_on_signals
from ..settings import Settings
from .help import command_line, epilog
from .output import Progress

cli = command_line()


@cli.command("purge", epilog=epilog("gatepost purge", codes=(0, 1, 2, 4)))
def purge_command() -> None:
    """Delete what has expired now. The service does it in the background."""
    exit_on_signals(128)
    settings = Settings.from_environment(os.environ)
    with Progress() as progress:
        deleted = asyncio.run(purge.purge_now(settings, progress))
    for table, count in deleted.items():
        print(f"{table:<13}  {count}")
