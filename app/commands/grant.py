"""``gatepost grant``: what the service's own role may do in the database."""

import asyncio
import os

from ..database import connect
from ..doctor import grant
from ..migrations import files
from ..process import exit_on_signals
from ..settings import Settings
from .help import command_line, epilog

cli = command_line()


@cli.command("grant", epilog=epilog("gatepost grant", codes=(0, 1, 2)))
def grant_command() -> None:
    """Grant the role gatepost_service what the service needs, on tables of your own too.

    As the owner of the tables, after the migrations of each release.
    """
    exit_on_signals(128)
    settings = Settings.from_environment(os.environ)
    asyncio.run(run_script(settings.direct_url(), grants(settings)))
    print(f"{files.SERVICE_ROLE_NAME} reads and writes the rows of the service's tables")


def grants(settings: Settings) -> str:
    """The statements for Gatepost's tables, and for those of the file of GATEPOST_SCHEMA."""
    own = [table.name for table in settings.schema.own]
    more = f"{grant(own, files.SERVICE_ROLE_NAME)};\n" if own else ""
    return files.SERVICE_GRANTS.read_text() + more


async def run_script(url: str, script: str) -> None:
    async with connect(url) as connection:
        await connection.run_script(script)
