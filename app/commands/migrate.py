"""``gatepost migrate``."""

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ..migrations import files, runner
from ..migrations.runner import LockOptions, Status
from ..process import exit_on_signals
from ..settings import Settings
from .help import PENDING, command_line, epilog

cli = command_line()


@cli.command(
    "migrate",
    epilog=epilog(
        "gatepost migrate",
        "gatepost migrate --status",
        "gatepost migrate --down --dry-run",
        codes=range(PENDING + 1),
    ),
)
def migrate_command(
    to: Annotated[str | None, typer.Option(help="Stop at this version; it stays.")] = None,
    down: Annotated[bool, typer.Option("--down", help="Take back the newest instead.")] = False,
    status: Annotated[bool, typer.Option("--status", help="List them; 6 when pending.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the steps.")] = False,
    wait: Annotated[
        float, typer.Option(help="Seconds for another migration to end.")
    ] = LockOptions.wait,
    lock_timeout: Annotated[
        float, typer.Option(help="Seconds for a table lock, per attempt.")
    ] = LockOptions.lock_timeout,
    attempts: Annotated[
        int, typer.Option(help="Attempts to get a table lock.", min=1)
    ] = LockOptions.attempts,
    folder: Annotated[
        Path, typer.Option(help="Where Gatepost's files are.", show_default="Gatepost's own")
    ] = files.MIGRATIONS,
) -> None:
    """Apply the pending migrations. The database is DATABASE_DIRECT_URL, or else DATABASE_URL."""
    exit_on_signals(128)
    settings = Settings.from_environment(os.environ)
    url, own = settings.direct_url(), settings.migrations
    if to is not None and to not in [m.version for m in files.load_verified(folder, own)]:
        raise typer.BadParameter(f"{to} is not the version of a migration", param_hint="--to")
    if status or dry_run:
        state = asyncio.run(runner.status(url, folder=folder, own=own))
        if dry_run:
            for migration in runner.plan(state, to=to, down=down):
                print(f"Would {'take back' if down else 'apply'} {migration.name}")
        else:
            _print_status(state)
            raise typer.Exit(PENDING if state.pending else 0)
        return
    options = LockOptions(wait=wait, lock_timeout=lock_timeout, attempts=attempts)
    report = partial(print, flush=True)
    asyncio.run(
        runner.migrate(
            url, folder=folder, own=own, to=to, down=down, options=options, report=report
        )
    )


def _print_status(state: Status) -> None:
    for migration in state.migrations:
        print(f"[{'X' if migration.version in state.applied else ' '}] {migration.name}")
    for version in state.ahead:
        print(f"[X] {version}, of a newer release")
    print(f"{len(state.applied)} applied, {len(state.pending)} pending")
