"""The migration files, and the lock file that vouches for them.

``db/migrations.lock`` has a line for each file, ``sha256  migrations/name``, as ``sha256sum
--check`` reads it. dbmate knows a migration by its version alone: it does not notice that a file
was edited or deleted after it was applied, nor that two files have one version.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

MIGRATIONS: Final = Path(__file__).resolve().parents[2] / "db" / "migrations"

_NAME: Final = re.compile(r"(\d{14})_[a-z0-9_]+\.sql")
_UP: Final = re.compile(rb"^-- migrate:up(.*)$", re.MULTILINE)


class RefusedError(Exception):
    """The files are not to be trusted. Each line of the text names a file and what is wrong."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A migration as it was read; ``version`` is the 14 digits that its name begins with."""

    name: str
    version: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def in_transaction(self) -> bool:
        """Whether dbmate runs it in a transaction, which a concurrent index build cannot be in."""
        options = _UP.search(self.content)
        return options is None or b"transaction:false" not in options[1]


def read(folder: Path = MIGRATIONS) -> list[Migration]:
    """The migrations of a folder, which must be there, in the order of their versions."""
    return [
        Migration(path.name, path.name[:14], path.read_bytes())
        for path in sorted(folder.iterdir())
        if _NAME.fullmatch(path.name)
    ]


def versions(folder: Path = MIGRATIONS) -> list[str]:
    """The versions of the migrations that this code comes with, in order."""
    return [migration.version for migration in read(folder)]


def trusted(folder: Path = MIGRATIONS) -> list[Migration]:
    """The migrations of a folder; raises RefusedError unless all are what the lock file says."""
    migrations = read(folder) if folder.is_dir() else []
    wrong = [
        f"{path.name}: not named VERSION_what_it_does.sql, so it would be passed over"
        for path in sorted(folder.glob("*.sql"))
        if not _NAME.fullmatch(path.name)
    ]
    times = Counter(migration.version for migration in migrations)
    wrong += [
        f"{migration.name}: another file has the version {migration.version} too"
        for migration in migrations
        if times[migration.version] > 1
    ]
    locked = _locked(folder)
    there = {migration.name: migration.sha256 for migration in migrations}
    wrong += [f"{name}: missing, {lock_file(folder).name} has it" for name in locked.keys() - there]
    for name, sha256 in there.items():
        if name not in locked:
            wrong.append(f"{name}: not in {lock_file(folder).name}: run 'gatepost migration lock'")
        elif locked[name] != sha256:
            wrong.append(
                f"{name}: edited since {lock_file(folder).name} was written. Applied somewhere: "
                "undo the edit and write a new migration. Never applied: 'gatepost migration lock'"
            )
    if not there:
        wrong.append(f"{folder}: no migrations")
    if wrong:
        raise RefusedError("\n".join(sorted(wrong)))
    return migrations


def check_applied(migrations: Sequence[Migration], applied: Iterable[str]) -> None:
    """Raise RefusedError when what a database has does not fit the files.

    Versions newer than every file are fine: the code was rolled back, the schema stays.
    """
    applied = set(applied)
    files = {migration.version for migration in migrations}
    wrong = [
        f"{version}: applied, but its file is missing"
        for version in applied - files
        if version < max(files)
    ]
    wrong += [
        f"{migration.name}: out of order, {max(applied)} is applied already: "
        "give it a newer version ('gatepost migration new' makes one)"
        for migration in migrations
        if migration.version not in applied and migration.version < max(applied, default="")
    ]
    if wrong:
        raise RefusedError("\n".join(sorted(wrong)))


def lock_file(folder: Path = MIGRATIONS) -> Path:
    """The lock file of a folder, beside it."""
    return folder.with_name(f"{folder.name}.lock")


def lock_text(folder: Path = MIGRATIONS) -> str:
    """What the lock file says when it is right."""
    return "".join(f"{m.sha256}  {folder.name}/{m.name}\n" for m in read(folder))


def lock(folder: Path = MIGRATIONS) -> None:
    """Write the lock file from the files as they are."""
    lock_file(folder).write_text(lock_text(folder))


def new(name: str, folder: Path = MIGRATIONS) -> Path:
    """Make a file for a new migration, enter it in the lock file, and give its path."""
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if not slug:
        raise ValueError("a migration's name has letters or digits")
    now = f"{datetime.now(UTC):%Y%m%d%H%M%S}"
    newest = max(versions(folder), default="")
    version = now if now > newest else str(int(newest) + 1)
    path = folder / f"{version}_{slug}.sql"
    path.write_text(_TEMPLATE)
    lock(folder)
    return path


def _locked(folder: Path) -> dict[str, str]:
    try:
        text = lock_file(folder).read_text()
    except FileNotFoundError:
        return {}
    lines = [line.partition("  ") for line in text.splitlines()]
    return {path.removeprefix(f"{folder.name}/"): sha256 for sha256, _, path in lines}


_TEMPLATE: Final = """\
-- migrate:up

-- Why, and what it costs on a large table. docs/MIGRATIONS.md has the workflow, 'make lint' the
-- rules: timestamptz and text; a name for every constraint, an index for every foreign key, and a
-- COMMENT ON each new table and column that says who writes it. What runs now must still work.
-- An index on a table with rows: a file of its own with 'migrate:up transaction:false' and the one
-- statement CREATE INDEX CONCURRENTLY.

-- migrate:down

-- Exactly the way back: the schema is then what it was, to the byte.
"""
