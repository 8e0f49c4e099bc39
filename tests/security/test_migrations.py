"""``gatepost migrate`` drops no index but the one that its own statement left behind."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.errors import MigrationError
from app.migrations import dbmate, files
from tests.migrations.conftest import EXTRA, empty, folder, later, migrate
from tests.support import Server, wait_until

pytestmark = pytest.mark.every_server

__all__ = ["empty", "folder", "later"]  # fixtures

DUPLICATES = "INSERT INTO users (name, email) VALUES ('a', 'a@a.te'), ('a', 'b@a.te')"
UNIQUE = """\
-- migrate:up transaction:false
CREATE UNIQUE INDEX CONCURRENTLY users_name_key ON users (name);
-- migrate:down transaction:false
DROP INDEX CONCURRENTLY users_name_key;
"""


def invalid(postgres: Server, database: str) -> list[str]:
    query = "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid ORDER BY 1"
    return postgres.sql(query, database).split()


@contextmanager
def psql(postgres: Server, database: str, *statements: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another session, which has been sent these statements; it ends with its input."""
    process = subprocess.Popen(
        [postgres.psql, "-XqAt", "-d", postgres.url(database)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write("".join(f"{text};\n" for text in statements).encode())
        process.stdin.flush()
        yield process
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


@pytest.mark.parametrize("name", ["somebody_elses", "users_name_key"])
def test_index_that_another_session_builds_is_left(
    postgres: Server, empty: str, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun while the migration runs; also when it has the name of the migration's own."""
    run = dbmate.run

    async def run_beside_a_build(*arguments: Any, **more: Any) -> None:
        if arguments[1] == "migrate":
            assert builder.stdin
            builder.stdin.write(f"{build};\n".encode())
            builder.stdin.flush()
            wait_until(lambda: invalid(postgres, empty) == [name], "a build under way")
        await run(*arguments, **more)

    (folder / "20990101000000_unique_users_name.sql").write_text(UNIQUE)
    files.write_lock_file(folder)
    url = postgres.url(empty)
    migrate(url, folder=folder, to=files.versions()[-1])
    postgres.sql(DUPLICATES, empty)
    build = f"CREATE INDEX CONCURRENTLY {name} ON sessions (user_agent)"
    # the build waits for the writer, its index being invalid, until the migration has failed
    with psql(postgres, empty, "BEGIN", "UPDATE sessions SET user_agent = 'x'") as writer:
        holds = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        wait_until(lambda: postgres.sql(f"{holds} AND datname = '{empty}'") == "1", "a writer")
        monkeypatch.setattr(dbmate, "run", run_beside_a_build)
        with (
            psql(postgres, empty) as builder,
            pytest.raises(MigrationError),
            ending_soon(writer, 3),
        ):
            migrate(url, folder=folder)
        assert writer.wait(60) == 0
    valid = f"SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('{name}')"
    assert postgres.sql(valid, empty) == "t"
    assert invalid(postgres, empty) == []


@contextmanager
def ending_soon(writer: subprocess.Popen[bytes], seconds: int) -> Iterator[None]:
    """The transaction ends while the block runs."""
    assert writer.stdin
    writer.stdin.write(f"SELECT pg_sleep({seconds});\n".encode())
    writer.stdin.close()
    yield


def test_own_index_is_dropped_and_an_old_invalid_one_is_left(
    postgres: Server, empty: str, folder: Path
) -> None:
    (folder / "20990101000000_unique_users_name.sql").write_text(UNIQUE)
    files.write_lock_file(folder)
    url = postgres.url(empty)
    migrate(url, folder=folder, to=files.versions()[-1])
    postgres.sql(DUPLICATES, empty)
    with pytest.raises(AssertionError, match="could not create unique index"):
        postgres.sql("CREATE UNIQUE INDEX CONCURRENTLY old ON users (name)", empty)
    with pytest.raises(MigrationError, match="could not create unique index"):
        migrate(url, folder=folder)
    assert invalid(postgres, empty) == ["old"]


@pytest.mark.parametrize(
    ("text", "up", "down"),
    [
        (EXTRA["20990101000100_index_users_nickname.sql"], "users_nickname_idx", None),
        (UNIQUE, "users_name_key", None),
        ("-- migrate:up\nCREATE INDEX i ON t (a);\n-- migrate:down\n", None, None),
        ("-- migrate:up\n-- CREATE INDEX CONCURRENTLY i ON t (a);\n", None, None),
        ("-- migrate:up\nCREATE INDEX CONCURRENTLY ON t (a);\n", None, None),
        (
            "-- migrate:up\nDROP INDEX CONCURRENTLY i;\n-- migrate:down\n"
            'create index concurrently if not exists\n  public."I" on t (a);\n',
            None,
            'public."I"',
        ),
    ],
)
def test_index_of_a_file_is_named_by_its_statement(
    text: str, up: str | None, down: str | None
) -> None:
    migration = files.Migration("x.sql", "1", text.encode())
    assert migration.concurrent_index(down=False) == up
    assert migration.concurrent_index(down=True) == down
