"""Migrations of an application's own, in folders beside Gatepost's."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from app.errors import MigrationFilesError
from app.migrations import files
from tests.migrations.conftest import INDEX
from tests.support import ROOT, Server, running_service, wait_until

# the order of files and the table of versions: which server is of no account

FIRST, BETWEEN = "20261122090050", "20990101000050"
GATEPOSTS = files.versions()


def write(folder: Path, version: str, name: str) -> None:
    """A migration of the application's that makes a table, and its line in the lock file."""
    folder.mkdir(exist_ok=True)
    (folder / f"{version}_create_{name}.sql").write_text(
        f"-- migrate:up\nCREATE TABLE {name} (a int);\n-- migrate:down\nDROP TABLE {name};\n"
    )
    files.write_lock_file(folder)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with two migrations: one older than Gatepost's newest, one newer."""
    folder = tmp_path / "own"
    write(folder, FIRST, "teams")
    write(folder, BETWEEN, "invoices")
    return folder


def gatepost(url: str, own: Path | None, *arguments: object) -> subprocess.CompletedProcess[str]:
    setting = {} if own is None else {"GATEPOST_MIGRATIONS": str(own)}
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *map(str, arguments)],
        cwd=ROOT, env=os.environ | {"DATABASE_URL": url} | setting,
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def applied(postgres: Server, url: str) -> list[str]:
    text = "SELECT version FROM schema_migrations ORDER BY version"
    return postgres.sql(text, urlsplit(url).path[1:]).split()


def test_empty_database_gets_all_in_one_order(postgres: Server, empty: str, own: Path) -> None:
    url = postgres.url(empty)
    done = gatepost(url, own, "migrate")
    assert done.returncode == 0, done.stderr
    order = [line.split()[2][:14] for line in done.stdout.splitlines() if "Applying" in line]
    assert order == sorted([*GATEPOSTS, FIRST, BETWEEN])
    assert order == applied(postgres, url)
    assert gatepost(url, own, "migrate").stdout == "Nothing to do\n"


def test_migrated_database_gets_older_ones_of_another_folder(
    postgres: Server, database_url: str, own: Path
) -> None:
    status = gatepost(database_url, own, "migrate", "--status")
    assert status.returncode == 6
    assert f"[ ] {FIRST}_create_teams.sql" in status.stdout
    done = gatepost(database_url, own, "migrate")
    assert done.returncode == 0, done.stderr
    assert applied(postgres, database_url) == sorted([*GATEPOSTS, FIRST, BETWEEN])
    assert gatepost(database_url, own, "migrate", "--status").returncode == 0


def test_next_release_brings_what_is_older_than_the_newest_of_ones_own(
    postgres: Server, database_url: str, later: Path, own: Path
) -> None:
    assert gatepost(database_url, own, "migrate").returncode == 0
    done = gatepost(database_url, own, "migrate", "--folder", later)
    assert done.returncode == 0, done.stderr
    assert applied(postgres, database_url)[-3:] == ["20990101000000", BETWEEN, INDEX]


def test_way_down_goes_across_the_folders(
    postgres: Server, database_url: str, later: Path, own: Path
) -> None:
    assert gatepost(database_url, own, "migrate", "--folder", later).returncode == 0
    order = applied(postgres, database_url)
    for expected in (order[:-1], order[:-2]):
        done = gatepost(database_url, own, "migrate", "--folder", later, "--down")
        assert done.returncode == 0, done.stderr
        assert applied(postgres, database_url) == expected
    done = gatepost(database_url, own, "migrate", "--folder", later, "--down", "--to", order[-4])
    assert done.returncode == 0, done.stderr
    assert applied(postgres, database_url) == order[:-3]


def test_older_file_of_the_same_folder_is_out_of_order(database_url: str, own: Path) -> None:
    assert gatepost(database_url, own, "migrate").returncode == 0
    write(own, "20980101000000", "late")
    done = gatepost(database_url, own, "migrate")
    assert done.returncode == 3
    assert f"20980101000000_create_late.sql: out of order, {BETWEEN} is already" in done.stderr


def test_own_migrations_are_not_of_a_newer_release(database_url: str, own: Path) -> None:
    assert gatepost(database_url, own, "migrate").returncode == 0
    status = gatepost(database_url, own, "migrate", "--status")
    assert "of a newer release" not in status.stdout
    without = gatepost(database_url, None, "migrate")
    assert without.returncode == 3
    assert f"{FIRST}: applied, but its file is missing (GATEPOST_MIGRATIONS names" in without.stderr


def test_release_of_before_finds_the_database_ahead(
    database_url: str, later: Path, own: Path
) -> None:
    (own / f"{BETWEEN}_create_invoices.sql").unlink()
    files.write_lock_file(own)
    assert gatepost(database_url, own, "migrate", "--folder", later).returncode == 0
    done = gatepost(database_url, own, "migrate")
    assert done.returncode == 0, done.stderr
    assert f"ahead of this code by 20990101000000, {INDEX}" in done.stdout


def test_edited_file_and_version_of_two_folders_are_refused(
    database_url: str, own: Path, tmp_path: Path
) -> None:
    path = own / f"{FIRST}_create_teams.sql"
    path.write_text(path.read_text() + "-- edited")
    done = gatepost(database_url, own, "migrate")
    assert done.returncode == 3
    assert f"{path.name}: edited since own.lock was written" in done.stderr
    other = tmp_path / "other"
    write(other, GATEPOSTS[0], "other")
    with pytest.raises(MigrationFilesError, match="of another folder has the version too"):
        files.load_verified(own=[other])


def test_folder_that_is_not_there_is_a_wrong_setting(database_url: str, tmp_path: Path) -> None:
    done = gatepost(database_url, tmp_path / "none", "migrate")
    assert done.returncode == 2
    assert "GATEPOST_MIGRATIONS: " in done.stderr
    assert "/none is no folder" in done.stderr


def test_service_is_ready_when_own_migrations_are_applied(
    database_url: str, own: Path, tmp_path: Path
) -> None:
    assert gatepost(database_url, own, "migrate").returncode == 0
    with running_service(database_url, tmp_path / "log", GATEPOST_MIGRATIONS=str(own)) as service:
        assert gatepost(database_url, own, "migrate", "--down").returncode == 0
        wait_until(lambda: httpx.get(f"{service.url}/readyz").status_code == 503, "not ready")
        assert httpx.get(f"{service.url}/readyz").text == f"migrations are pending: {BETWEEN}"


def test_dbmate_alone_applies_both_folders(postgres: Server, empty: str, own: Path) -> None:
    url = postgres.url(empty)
    folders = ["--migrations-dir", files.MIGRATIONS, "--migrations-dir", own]
    done = subprocess.run(
        [Path(sys.executable).with_name("dbmate"), *folders, "--no-dump-schema", "up"],
        env=os.environ | {"DATABASE_URL": url},
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert applied(postgres, url) == sorted([*GATEPOSTS, FIRST, BETWEEN])
    assert gatepost(url, own, "migrate", "--status").returncode == 0
