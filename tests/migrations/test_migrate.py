"""``gatepost migrate`` on real servers: several at once, under load, without a lock, refused."""

import asyncio
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from app.errors import MigrationFilesError, MigrationLockedError
from app.migrations import dbmate, files
from app.migrations.runner import LockOptions, status
from tests.migrations.conftest import EXTRA, INDEX, NICKNAME, dump, gatepost, migrate, start
from tests.support import KEYS, Server, running_service, wait_until

pytestmark = pytest.mark.every_server

COLUMN, BUILD = EXTRA
ALL = [*files.versions(), NICKNAME, INDEX]


def applied(postgres: Server, database: str) -> list[str]:
    return postgres.sql("SELECT version FROM schema_migrations ORDER BY 1", database).split()


def invalid(postgres: Server, database: str) -> str:
    return postgres.sql("SELECT count(*) FROM pg_index WHERE NOT indisvalid", database)


@contextmanager
def session(postgres: Server, database: str, statement: str) -> Iterator[subprocess.Popen[bytes]]:
    """A transaction of another session that has run a statement and stays open for the block."""
    process = subprocess.Popen(
        [postgres.psql, "-XqAt", "-d", postgres.url(database)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(f"BEGIN; {statement}; SELECT 'held';\n".encode())
        process.stdin.flush()
        while process.stdout.readline() != b"held\n":
            assert process.poll() is None
        yield process
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


def test_concurrent_migrate_applies_each_file_once(
    postgres: Server, missing: str, later: Path
) -> None:
    url = postgres.url(missing)
    deployers = [start(url, "migrate", "--folder", later) for _ in range(5)]
    outputs = [deployer.communicate(timeout=120) for deployer in deployers]
    assert [deployer.returncode for deployer in deployers] == [0] * 5, outputs
    for migration in files.load(later):
        assert sum(f"Applying {migration.name}" in out for out, _ in outputs) == 1
    assert sum("Nothing to do" in out for out, _ in outputs) == 4
    assert applied(postgres, missing) == ALL
    assert invalid(postgres, missing) == "0"


def test_migrate_exits_with_4_when_another_migration_does_not_end(
    postgres: Server, empty: str, later: Path
) -> None:
    hold = f"SELECT pg_advisory_lock({int.from_bytes(b'gatepost', 'big')})"
    with session(postgres, empty, hold):
        done = gatepost(postgres.url(empty), "migrate", "--wait", "0.5", "--folder", later)
    assert done.returncode == 4
    assert "another migration has not ended in 0.5 s" in done.stderr
    assert postgres.sql("SELECT to_regclass('schema_migrations') IS NULL", empty) == "t"


def test_migrate_makes_the_same_schema_as_dbmate_up(
    postgres: Server, empty: str, later: Path, tmp_path: Path
) -> None:
    with postgres.database() as other:
        asyncio.run(dbmate.up(postgres.url(other), later))
        migrate(postgres.url(empty), folder=later)
        assert dump(postgres.url(other), tmp_path / "a") == dump(
            postgres.url(empty), tmp_path / "b"
        )
        done = gatepost(postgres.url(other), "migrate", "--folder", later)
    assert (done.returncode, done.stdout) == (0, "Nothing to do\n")


def test_migrate_stops_at_the_given_version_in_both_directions(
    postgres: Server, empty: str, later: Path
) -> None:
    def run(*arguments: str) -> tuple[int, list[str]]:
        done = gatepost(postgres.url(empty), "migrate", "--folder", later, *arguments)
        assert not done.stderr
        return done.returncode, done.stdout.splitlines()

    first = ALL[0]
    assert run("--to", first)[0] == 0
    assert applied(postgres, empty) == [first]
    code, lines = run("--status")
    assert code == 6
    assert [line[:3] for line in lines[:-1]] == ["[X]"] + ["[ ]"] * (len(ALL) - 1)
    assert lines[-1] == f"1 applied, {len(ALL) - 1} pending"
    code, lines = run("--dry-run")
    assert code == 0
    assert [line.split()[-1][:14] for line in lines] == ALL[1:]
    assert applied(postgres, empty) == [first]
    assert run()[0] == 0
    assert run("--status")[0] == 0
    assert run("--down", "--dry-run")[1] == [f"Would take back {BUILD}"]
    assert run("--down")[0] == 0
    assert applied(postgres, empty) == ALL[:-1]
    assert run("--down", "--to", first)[0] == 0
    assert applied(postgres, empty) == [first]


def test_older_release_leaves_a_newer_schema_unchanged(
    postgres: Server, empty: str, later: Path
) -> None:
    url = postgres.url(empty)
    migrate(url, folder=later)
    done = gatepost(url, "migrate")
    assert done.returncode == 0
    assert f"ahead of this code by {NICKNAME}, {INDEX}" in done.stdout
    down = gatepost(url, "migrate", "--down")
    assert down.returncode == 3
    assert INDEX in down.stderr
    assert applied(postgres, empty) == ALL


def test_migrate_changes_nothing_without_a_table_lock(
    postgres: Server, empty: str, later: Path, tmp_path: Path
) -> None:
    url = postgres.url(empty)
    migrate(url, folder=later, to=ALL[-3])
    before = dump(url, tmp_path / "before")
    limits = ("--lock-timeout", "0.2", "--attempts", "2")
    with session(postgres, empty, "LOCK TABLE users IN ACCESS SHARE MODE"):
        time.sleep(1.1)  # a holder is named once it is older than a second
        done = gatepost(url, "migrate", "--folder", later, *limits)
    assert done.returncode == 4, done.stdout
    assert "attempt 1 of 2; users in use by pid" in done.stdout
    assert f"{COLUMN}: no lock in 2 attempts of 0.2 s" in done.stderr
    assert dump(url, tmp_path / "after") == before
    assert gatepost(url, "migrate", "--folder", later).returncode == 0
    assert applied(postgres, empty) == ALL


def test_migrate_succeeds_once_the_table_lock_is_free(
    postgres: Server, empty: str, later: Path
) -> None:
    url = postgres.url(empty)
    migrate(url, folder=later, to=ALL[-3])
    lines: list[str] = []
    with session(postgres, empty, "LOCK TABLE users IN ACCESS SHARE MODE") as other:

        def report(text: str) -> None:
            lines.append(text)
            if "no lock within" in text and other.stdin and not other.stdin.closed:
                other.stdin.close()

        migrate(
            url, folder=later, to=NICKNAME, options=LockOptions(lock_timeout=0.2), report=report
        )
    assert any("attempt 1 of 10" in text for text in lines)
    assert applied(postgres, empty) == ALL[:-1]


def test_index_build_that_times_out_leaves_no_index(
    postgres: Server, empty: str, later: Path
) -> None:
    url = postgres.url(empty)
    migrate(url, folder=later, to=NICKNAME)
    reading = "INSERT INTO users (name, email) VALUES ('a', 'a@example.com')"
    with session(postgres, empty, reading) as other:
        assert other.stdin
        other.stdin.write(b"SELECT pg_sleep(2);\n")  # and then it ends
        other.stdin.close()
        with pytest.raises(MigrationLockedError, match="no lock in 1 attempts"):
            migrate(url, folder=later, options=LockOptions(build_timeout=0.5))
    assert applied(postgres, empty) == ALL[:-1]
    assert postgres.sql("SELECT to_regclass('users_nickname_idx') IS NULL", empty) == "t"
    migrate(url, folder=later)
    assert invalid(postgres, empty) == "0"


def test_index_drop_that_timed_out_succeeds_later(postgres: Server, empty: str) -> None:
    """What is interrupted leaves it invalid, or gone with the migration still to be applied."""
    url, drop = postgres.url(empty), "20261122091000"
    migrate(url, to=before(drop))
    with session(postgres, empty, "LOCK TABLE sessions IN ACCESS SHARE MODE") as other:
        assert other.stdin
        other.stdin.write(b"SELECT pg_sleep(2);\n")  # and then it ends
        other.stdin.close()
        with pytest.raises(MigrationLockedError, match="no lock in 1 attempts"):
            migrate(url, to=drop, options=LockOptions(build_timeout=0.5))
    assert applied(postgres, empty)[-1] == before(drop)
    migrate(url, to=drop)
    assert postgres.sql("SELECT to_regclass('sessions_expires_at_idx') IS NULL", empty) == "t"
    assert invalid(postgres, empty) == "0"


def test_migration_that_reads_the_table_blocks_no_writer(postgres: Server, empty: str) -> None:
    """Validating a check, there and back, and storage: all beside a write that has not ended."""
    url, one_attempt = postgres.url(empty), LockOptions(lock_timeout=0.2, attempts=1)
    unvalidate, validate, storage = "20261122090600", "20261122090800", "20261122091100"
    for version, down in ((unvalidate, True), (validate, False), (storage, False), (storage, True)):
        migrate(url, to=version if down else before(version))
        with session(postgres, empty, "UPDATE sessions SET user_agent = ''"):
            migrate(url, to=before(version) if down else version, down=down, options=one_attempt)


def before(version: str) -> str:
    return ALL[ALL.index(version) - 1]


def test_failed_migration_is_named_and_rolled_back(
    postgres: Server, empty: str, folder: Path, tmp_path: Path
) -> None:
    url = postgres.url(empty)
    migrate(url, folder=folder)
    before = dump(url, tmp_path / "before")
    bad = folder / "20990101000000_break.sql"
    bad.write_text("-- migrate:up\nCREATE TABLE half (a int);\nSELECT 1/0;\n-- migrate:down\n")
    files.write_lock_file(folder)
    done = gatepost(url, "migrate", "--folder", folder)
    assert done.returncode == 5
    assert f"{bad.name}: pq: division by zero" in done.stderr
    assert dump(url, tmp_path / "after") == before


def test_migrate_exits_with_1_when_the_server_is_unreachable(tmp_path: Path) -> None:
    url = f"postgres://postgres:s3cret@/x?host={tmp_path}&sslmode=disable"
    for arguments in ([], ["--status"], ["--down"]):
        done = gatepost(url, "migrate", *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith(f"gatepost: the database at {tmp_path}")
        assert "s3cret" not in done.stderr


def edited(folder: Path) -> str:
    path = min(folder.glob("*.sql"))
    path.write_text(path.read_text() + "\n")
    return f"{path.name}: edited"


def removed(folder: Path) -> str:
    path = min(folder.glob("*.sql"))
    path.unlink()
    return f"{path.name}: missing"


def removed_and_locked(folder: Path) -> str:
    version = removed(folder)[:14]
    files.write_lock_file(folder)
    return f"{version}: applied, but its file is missing"


def unlocked(folder: Path) -> str:
    (folder / "20990101000000_new.sql").write_text("-- migrate:up\n-- migrate:down\n")
    return "20990101000000_new.sql: not in migrations.lock"


def duplicate(folder: Path) -> str:
    version = min(folder.glob("*.sql")).name[:14]
    (folder / f"{version}_again.sql").write_text("-- migrate:up\n-- migrate:down\n")
    files.write_lock_file(folder)
    return f"{version}_again.sql: another file has the version"


def out_of_order(folder: Path) -> str:
    (folder / "20200101000000_late.sql").write_text("-- migrate:up\n-- migrate:down\n")
    files.write_lock_file(folder)
    return "20200101000000_late.sql: out of order"


def misnamed(folder: Path) -> str:
    (folder / "add-a-table.sql").write_text("-- migrate:up\n-- migrate:down\n")
    return "add-a-table.sql: not named"


@pytest.mark.parametrize(
    "spoil",
    [edited, removed, removed_and_locked, unlocked, duplicate, out_of_order, misnamed],
    ids=lambda spoil: spoil.__name__,
)
def test_changed_files_are_refused(
    spoil: Callable[[Path], str], postgres: Server, template: str, later: Path
) -> None:
    with postgres.database(template) as name:
        url = postgres.url(name)
        expected = re.escape(spoil(later))
        for command in (
            partial(migrate, url),
            partial(migrate, url, down=True),
            lambda folder: asyncio.run(status(url, folder=folder)),
        ):
            with pytest.raises(MigrationFilesError, match=expected):
                command(folder=later)
        assert applied(postgres, name) == ALL[:-2]


def test_migrate_exits_with_3_when_files_are_refused(
    postgres: Server, template: str, later: Path
) -> None:
    expected = edited(later)
    for arguments in ([], ["--status"]):
        done = gatepost(postgres.url(template), "migrate", "--folder", later, *arguments)
        assert done.returncode == 3
        assert done.stderr.startswith(f"gatepost: {expected}")


def test_created_file_is_the_newest_and_applies(postgres: Server, empty: str, later: Path) -> None:
    path = files.create("Add users' nickname!", later)
    assert path.name == "20990101000101_add_users_nickname.sql"  # newer than the newest
    migrate(postgres.url(empty), folder=later)
    migrate(postgres.url(empty), folder=later, down=True)
    assert applied(postgres, empty) == ALL
    with pytest.raises(ValueError, match="letters or digits"):
        files.create("!!!", later)


async def test_service_answers_every_request_during_migrations(
    postgres: Server, template: str, later: Path, tmp_path: Path
) -> None:
    """Some 200 requests a second, reads and writes, while two migrations come and go."""
    with (
        postgres.database(template) as name,
        running_service(postgres.url(name), tmp_path / "log") as service,
    ):
        postgres.sql(
            "INSERT INTO users (name, email)"
            " SELECT 'n', n || '@example.com' FROM generate_series(1, 20000) n",
            name,
        )
        answers: list[tuple[int, str]] = []
        async with httpx.AsyncClient(
            base_url=service.rest, headers={"apikey": KEYS["all"]}, timeout=30
        ) as http:

            async def request(number: int) -> None:
                if number % 5:
                    answer = await http.get(f"/users?email=eq.{number}@example.com")
                else:
                    user = {"name": "new", "email": f"new{number}@example.com"}
                    answer = await http.post("/users", json=user)
                answers.append((answer.status_code, answer.text))

            async def load(ended: asyncio.Event) -> None:
                async with asyncio.TaskGroup() as requests:
                    for number in range(1, 10_000):
                        requests.create_task(request(number))
                        await asyncio.sleep(1 / 200)
                        if ended.is_set():
                            return

            async def deploy(ended: asyncio.Event) -> None:
                await asyncio.sleep(0.5)
                for arguments in ([], ["--down", "--to", ALL[-3]], []):
                    done = await asyncio.to_thread(
                        gatepost, service.database_url, "migrate", "--folder", later, *arguments
                    )
                    assert done.returncode == 0, done.stderr
                await asyncio.sleep(0.5)
                ended.set()

            ended = asyncio.Event()
            await asyncio.gather(load(ended), deploy(ended))
        assert len(answers) > 200
        assert [answer for answer in answers if answer[0] not in (200, 201)] == []
        assert applied(postgres, name) == ALL


def test_terminated_migrate_is_rolled_back(
    postgres: Server, empty: str, later: Path, tmp_path: Path
) -> None:
    url = postgres.url(empty)
    migrate(url, folder=later, to=ALL[-3])
    before = dump(url, tmp_path / "before")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with session(postgres, empty, "LOCK TABLE users IN ACCESS SHARE MODE"):
        process = start(url, "migrate", "--folder", later, "--lock-timeout", "60")
        wait_until(lambda: postgres.sql(waiting, empty) == "1", "the migration waits")
        process.terminate()
        process.communicate(timeout=30)
        assert process.returncode == 128 + 15
        wait_until(lambda: postgres.sql(waiting, empty) == "0", "its session has ended")
    assert dump(url, tmp_path / "after") == before
