"""The migration files and ``db/migrations.lock``, the lock file with their checksums.

The lock file has a line for each file, ``sha256  migrations/name``, as ``sha256sum --check`` reads
it. dbmate knows a migration by its version alone: it does not notice that a file was edited or
deleted after it was applied, nor that two files have the same version.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ..errors import MigrationFilesError

_PACKAGE: Final = Path(__file__).resolve().parents[1]
INSTALLED: Final = (_PACKAGE / "db").is_dir()
"""Whether the files are in the package, as in the wheel, or next to it, as in a checkout."""
MIGRATIONS: Final = (_PACKAGE if INSTALLED else _PACKAGE.parent) / "db" / "migrations"
SERVICE_ROLE: Final = MIGRATIONS.with_name("service_role.sql")
"""The script that makes the service's role; whoever may create roles runs it."""
SERVICE_ROLE_NAME: Final = "gatepost_service"
SERVICE_GRANTS: Final = MIGRATIONS.with_name("service_grants.sql")
"""The script that grants the role what the service needs; the owner of the tables runs it."""

_NAME: Final = re.compile(r"(\d{14})_[a-z0-9_]+\.sql")
_UP: Final = re.compile(rb"^-- migrate:up(.*)$", re.MULTILINE)
_DOWN: Final = re.compile(rb"^-- migrate:down", re.MULTILINE)
_INDEX: Final = re.compile(
    r"^CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    r'((?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))?)\s+ON\b',
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Migration:
    """A migration file; ``version`` is the 14 digits that its name begins with."""

    name: str
    version: str
    content: bytes
    folder: Path = MIGRATIONS

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def in_transaction(self) -> bool:
        """Whether dbmate runs it in a transaction, which a concurrent index build cannot be in."""
        options = _UP.search(self.content)
        return options is None or b"transaction:false" not in options[1]

    def concurrent_index(self, *, down: bool) -> str | None:
        """The index that the way up or down builds concurrently, named as in the file."""
        up, *rest = _DOWN.split(self.content, maxsplit=1)
        found = _INDEX.search((rest[0] if down and rest else b"" if down else up).decode())
        return found and found[1]


def versions(folder: Path = MIGRATIONS) -> list[str]:
    """The versions of the migrations in a folder, which must exist, in ascending order."""
    return [path.name[:14] for path in _paths(folder)]


def load(folder: Path = MIGRATIONS) -> list[Migration]:
    """The migrations in a folder, which must exist, ordered by version."""
    return [
        Migration(path.name, path.name[:14], path.read_bytes(), folder) for path in _paths(folder)
    ]


def load_verified(folder: Path = MIGRATIONS, own: Iterable[Path] = ()) -> list[Migration]:
    """Like ``load``, but raises MigrationFilesError unless the files match the lock file.

    ``own`` are the folders of the application, each with a lock file; all are one order by version.
    """
    migrations = [each for one in (folder, *own) for each in _load_verified(one)]
    names: dict[str, str] = {}
    for migration in migrations:
        other = names.setdefault(migration.version, migration.name)
        if other != migration.name:
            raise MigrationFilesError(
                f"{migration.name}: {other} of another folder has the version too"
            )
    return sorted(migrations, key=lambda migration: migration.version)


def _load_verified(folder: Path) -> list[Migration]:
    migrations = load(folder) if folder.is_dir() else []
    problems = [
        f"{path.name}: not named VERSION_what_it_does.sql, so dbmate would ignore it"
        for path in sorted(folder.glob("*.sql"))
        if not _NAME.fullmatch(path.name)
    ]
    counts = Counter(migration.version for migration in migrations)
    problems += [
        f"{migration.name}: another file has the version {migration.version} too"
        for migration in migrations
        if counts[migration.version] > 1
    ]
    lock_name = lock_file(folder).name
    expected = _locked_checksums(folder)
    actual = {migration.name: migration.sha256 for migration in migrations}
    problems += [f"{name}: missing, but listed in {lock_name}" for name in expected.keys() - actual]
    for name, sha256 in actual.items():
        if name not in expected:
            problems.append(f"{name}: not in {lock_name}: run 'gatepost migration lock'")
        elif expected[name] != sha256:
            problems.append(
                f"{name}: edited since {lock_name} was written. If it was applied anywhere, undo "
                "the edit and write a new migration; if not, run 'gatepost migration lock'"
            )
    if not actual:
        problems.append(f"{folder}: no migrations")
    if problems:
        raise MigrationFilesError("\n".join(sorted(problems)))
    return migrations


def check_applied(migrations: Sequence[Migration], applied: Iterable[str]) -> None:
    """Raise MigrationFilesError if the versions applied to a database do not fit the files.

    Versions newer than every file of a folder are fine: the code was rolled back and the schema
    stays. Each folder has an order of its own: a release of Gatepost's can bring a migration that
    is older than the application's newest.
    """
    applied = set(applied)
    folders: dict[Path, set[str]] = {}
    for migration in migrations:
        folders.setdefault(migration.folder, set()).add(migration.version)
    unknown = applied.difference(*folders.values())
    problems = [
        f"{version}: applied, but its file is missing"
        " (GATEPOST_MIGRATIONS names the folders of your own)"
        for version in unknown
        if version < min(map(max, folders.values()))
    ]
    for migration in migrations:
        same = applied & folders[migration.folder]
        newest = max(same if len(folders) > 1 else applied, default="")
        if migration.version not in applied and migration.version < newest:
            problems.append(
                f"{migration.name}: out of order, {newest} is already applied: "
                "give it a newer version ('gatepost migration new' makes one)"
            )
    if problems:
        raise MigrationFilesError("\n".join(sorted(problems)))


def lock_file(folder: Path = MIGRATIONS) -> Path:
    """The lock file of a folder, next to it."""
    return folder.with_name(f"{folder.name}.lock")


def lock_file_text(folder: Path = MIGRATIONS) -> str:
    """The text of the lock file that matches the files."""
    return "".join(f"{m.sha256}  {folder.name}/{m.name}\n" for m in load(folder))


def write_lock_file(folder: Path = MIGRATIONS) -> None:
    """Write the lock file from the files as they are."""
    lock_file(folder).write_text(lock_file_text(folder))


def create(name: str, folder: Path = MIGRATIONS) -> Path:
    """Create a file for a new migration, add it to the lock file, and return its path."""
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if not slug:
        raise ValueError("the name of a migration needs letters or digits")
    now = f"{datetime.now(UTC):%Y%m%d%H%M%S}"
    newest = max(versions(folder), default="")
    version = now if now > newest else str(int(newest) + 1)
    path = folder / f"{version}_{slug}.sql"
    path.write_text(_TEMPLATE)
    write_lock_file(folder)
    return path


def _paths(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def _locked_checksums(folder: Path) -> dict[str, str]:
    try:
        text = lock_file(folder).read_text()
    except FileNotFoundError:
        return {}
    lines = [line.partition("  ") for line in text.splitlines()]
    return {path.removeprefix(f"{folder.name}/"): sha256 for sha256, _, path in lines}


_TEMPLATE: Final = """\
-- migrate:up

-- Why, and what it costs on a large table. The rules: timestamptz and text; a name for every
-- constraint, an index for every foreign key, and a COMMENT ON each new table and column that says
-- who writes it. The code in production must keep working. An index on a table with rows needs a
-- file of its own, with 'migrate:up transaction:false' and the single statement
-- CREATE INDEX CONCURRENTLY.

-- migrate:down

-- Exactly the way back: the schema is then what it was, byte for byte. Complete this line:
-- Lost:
"""
