"""Lint each migration's way up with squawk; its rules are in .squawk.toml."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from app.operations.migrate import MIGRATIONS

SQUAWK = [
    Path(sys.executable).with_name("squawk"),
    "--config",
    MIGRATIONS.parents[1] / ".squawk.toml",
]
SECTION = re.compile(r"^-- migrate:(?:up|down)(.*)$", re.MULTILINE)


def lint(migration: Path, folder: Path) -> bool:
    """Whether squawk finds nothing in what comes between ``migrate:up`` and ``migrate:down``."""
    before, options, up, *_ = SECTION.split(migration.read_text())
    part = folder / migration.name
    part.write_text("\n" * before.count("\n") + up)  # so that line numbers are the file's
    # dbmate runs a file in one transaction unless it is told not to
    alone = "transaction:false" in options
    mode = "--no-assume-in-transaction" if alone else "--assume-in-transaction"
    return subprocess.run([*SQUAWK, mode, part], check=False).returncode == 0


with tempfile.TemporaryDirectory() as folder:
    clean = [lint(migration, Path(folder)) for migration in sorted(MIGRATIONS.glob("*.sql"))]
sys.exit(0 if all(clean) else 1)
