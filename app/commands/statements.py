"""``gatepost statements``."""

import asyncio
import os

from ..database import connect
from ..explain import explain
from ..migrations import runner
from ..settings import Settings
from ..statements import every_statement
from .development import development_database, load_settings
from .help import command_line, epilog

cli = command_line()


@cli.command("statements", epilog=epilog("gatepost statements"))
def statements_command() -> None:
    """Print every fixed statement: name, text and plan."""
    load_settings()
    with development_database() as data:
        asyncio.run(_print_statements(Settings.from_environment(os.environ), data is not None))


async def _print_statements(settings: Settings, migrate: bool) -> None:
    if migrate:
        await runner.migrate(settings.direct_url(), own=settings.migrations)
    async with connect(settings.database_url) as connection:
        plans = await explain(connection, every_statement(settings.schema))
    for statement, plan in plans.items():
        print(f"{statement.name}\n\n{statement.text}\n\n{plan}\n\n")
