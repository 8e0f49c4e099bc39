"""``gatepost doctor``."""

import asyncio
import os
from collections.abc import Sequence
from typing import Annotated

import typer

from .. import doctor
from ..doctor import Finding
from ..settings import Settings
from .help import FAULT, command_line, epilog
from .output import level, print_json

cli = command_line()


@cli.command(
    "doctor",
    epilog=epilog(
        "gatepost doctor",
        "gatepost doctor --json",
        json='[{"check": "server version", "level": "ok", "text": "PostgreSQL 18", "next": null}]\n'
        "level: ok, warn or fail; next: what to do",
        codes=(0, 2, FAULT),
    ),
)
def doctor_command(
    json: Annotated[bool, typer.Option("--json", help="A JSON array instead of lines.")] = False,
) -> None:
    """Check the database against what this version needs."""
    findings = asyncio.run(doctor.examine(Settings.from_environment(os.environ)))
    print_findings(findings, json=json)
    raise typer.Exit(FAULT if any(finding.level == "fail" for finding in findings) else 0)


def print_findings(findings: Sequence[Finding], *, json: bool) -> None:
    """A line for each, or a JSON array of all."""
    if json:
        print_json(findings)
        return
    for finding in findings:
        print(f"{level(finding.level)}  {finding.check:<14}  {finding.text}")
