"""``gatepost check``."""

import asyncio
import os
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from .. import check
from ..doctor import Finding
from .development import development_settings
from .doctor import print_findings
from .help import FAULT, command_line, epilog

_EXIT_CODES: Final = {"settings": 2, "connection": 1}

cli = command_line()


@cli.command(
    "check",
    epilog=epilog(
        "gatepost check",
        "gatepost check --json",
        json='[{"check": "settings", "level": "ok", "text": "every one is right", "next": null}]',
        codes=(0, 1, 2, FAULT),
    ),
)
def check_command(
    json: Annotated[bool, typer.Option("--json", help="A JSON array instead of lines.")] = False,
) -> None:
    """Say what keeps a start from serving: settings, database, providers. Changes nothing.

    Without DATABASE_URL, and where 'gatepost dev' has run, it looks at its database and settings.
    """
    with development_settings():
        findings = asyncio.run(check.examine(os.environ))
    print_findings(findings, json=json)
    raise typer.Exit(exit_code(findings))


def exit_code(findings: Sequence[Finding]) -> int:
    """2 a setting is wrong, 1 the database is not available, 7 the doctor found a fault, or 0."""
    failed = {found.check for found in findings if found.level == "fail"}
    known = (code for check, code in _EXIT_CODES.items() if check in failed)
    return next(known, FAULT) if failed else 0
