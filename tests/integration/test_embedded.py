"""The embedded PostgreSQL: real servers, real kills."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from app.devserver import system_user
from app.devserver.postgres import THROWAWAY, EmbeddedPostgres, wheel_binaries
from app.errors import EmbeddedPostgresError
from tests.support import ROOT, Server, wait_until

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="about running as root")

HOLD = """
import sys
from pathlib import Path
from app.devserver.postgres import THROWAWAY, EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), options=THROWAWAY)
server.start()
print((server.data / "postmaster.pid").read_text().split()[0], flush=True)
sys.stdin.read()
server.stop()
"""


def throwaway(home: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(home, options=THROWAWAY)


def sql(server: EmbeddedPostgres, text: str) -> str:
    return Server(server.url("postgres"), server.binaries / "psql").sql(text)


def postmaster(server: EmbeddedPostgres) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def holder(home: Path, script: str = HOLD) -> subprocess.Popen[str]:
    """Another process that starts the server, prints its pid and holds it until stdin ends."""
    return subprocess.Popen(
        [sys.executable, "-c", script, str(home)],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


@contextmanager
def held(home: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    with holder(home) as process:
        try:
            assert process.stdout
            yield process, int(process.stdout.readline())
        finally:
            if process.poll() is None:
                process.kill()


def test_data_persist_after_the_server_stops(open_tmp_path: Path) -> None:
    with throwaway(open_tmp_path / "home") as server:
        sql(server, "CREATE TABLE kept AS SELECT 42 AS answer")
        first = postmaster(server)
    assert not alive(first)
    assert not (server.data / "postmaster.pid").exists()
    with server:
        assert sql(server, "SELECT answer FROM kept") == "42"
        assert server.data == open_tmp_path / "home" / "data"


def test_server_listens_only_on_a_private_socket(open_tmp_path: Path) -> None:
    with throwaway(open_tmp_path) as server:
        assert sql(server, "SHOW listen_addresses") == ""
        assert sql(server, "SELECT count(*) FROM pg_hba_file_rules WHERE type <> 'local'"
                           " AND auth_method <> 'reject'") == "0"  # fmt: skip
        folder = server.sockets.stat()
        assert stat.S_IMODE(folder.st_mode) == 0o700
        assert folder.st_uid == server.data.stat().st_uid != 0
        assert len(os.fsencode(server.sockets / ".s.PGSQL.5432")) < 104
        sockets = server.sockets
    assert not sockets.exists()


def test_new_databases_use_utf8_and_sort_by_bytes(open_tmp_path: Path) -> None:
    with throwaway(open_tmp_path) as server:
        assert sql(server, "SHOW server_encoding") == "UTF8"
        order = "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{a,B,ä,C}'::text[]) x"
        assert sql(server, order) == "BCaä"


async def test_any_database_name_can_be_addressed(open_tmp_path: Path) -> None:
    with throwaway(open_tmp_path) as server:
        sql(server, 'CREATE DATABASE "a b/c?d%e&f"')
        connection = await asyncpg.connect(server.url("a b/c?d%e&f"))
        try:
            assert await connection.fetchval("SELECT current_database()") == "a b/c?d%e&f"
        finally:
            await connection.close()


def test_last_user_stops_the_server(open_tmp_path: Path) -> None:
    first, second = throwaway(open_tmp_path), throwaway(open_tmp_path)
    with first:
        with second, held(open_tmp_path) as (_, pid):
            assert pid == postmaster(first) == postmaster(second)
        assert sql(first, "SELECT 1") == "1"
    assert not alive(pid)


def test_concurrent_starts_start_one_server(open_tmp_path: Path) -> None:
    processes = [holder(open_tmp_path) for _ in range(4)]
    pids = {int(process.stdout.readline()) for process in processes if process.stdout}
    for process in processes:
        process.communicate()
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert len(pids) == 1
    assert not alive(pids.pop())


def test_killed_user_does_not_keep_the_server(open_tmp_path: Path) -> None:
    with held(open_tmp_path) as (owner, pid):
        owner.kill()
        owner.wait()
    assert alive(pid)
    with throwaway(open_tmp_path) as server:
        assert postmaster(server) == pid
    assert not alive(pid)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT])
def test_killed_server_is_started_again(open_tmp_path: Path, number: int) -> None:
    with held(open_tmp_path) as (owner, pid):
        with throwaway(open_tmp_path) as server:
            # on its way to the disk when psql returns, unlike what a throwaway server does
            sql(server, "SET synchronous_commit = on; CREATE TABLE kept AS SELECT 42 AS answer")
        os.kill(pid, number)
        owner.kill()
        wait_until(lambda: not alive(pid), "the postmaster is gone")
    with throwaway(open_tmp_path) as server:
        assert postmaster(server) != pid
        assert sql(server, "SELECT answer FROM kept") == "42"
    assert not alive(pid)


def test_stop_succeeds_after_the_server_was_killed(open_tmp_path: Path) -> None:
    server = throwaway(open_tmp_path)
    server.start()
    os.kill(postmaster(server), signal.SIGKILL)
    server.stop()
    with server:
        assert sql(server, "SELECT 1") == "1"


def test_reused_pid_is_not_mistaken_for_the_server(open_tmp_path: Path) -> None:
    with held(open_tmp_path) as (owner, pid):
        owner.kill()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not alive(pid), "the postmaster is gone")
    file = open_tmp_path / "data" / "postmaster.pid"
    user = file.stat().st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "600"], user=user) as other:
        try:
            _, *rest = file.read_text().splitlines()
            file.write_text("\n".join([str(other.pid), *rest, ""]))
            with throwaway(open_tmp_path) as server:
                assert sql(server, "SELECT 1") == "1"
            assert other.poll() is None
        finally:
            other.kill()


def test_kill_during_initdb_leaves_no_partial_data(open_tmp_path: Path) -> None:
    home = open_tmp_path / "home"
    with holder(home) as process:
        wait_until(lambda: any(home.glob("new-*")) or (home / "data").exists(), "initdb began")
        process.kill()
    for _ in range(2):  # the killed one's initdb may outlive it, but not the first round
        with throwaway(home) as server:
            assert sql(server, "SELECT 1") == "1"
    assert not list(home.glob("new-*"))


def test_error_contains_the_log_of_the_server(open_tmp_path: Path) -> None:
    with throwaway(open_tmp_path) as server:
        data = server.data
    (data / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(EmbeddedPostgresError, match=r"^pg_ctl failed: ") as raised:
        server.start()
    assert "not compatible with this version" in str(raised.value)
    assert str(server.log) in str(raised.value)


def test_bad_option_is_an_error(open_tmp_path: Path) -> None:
    server = EmbeddedPostgres(open_tmp_path, options={"shared_buffers": "a lot; touch x"})
    with pytest.raises(EmbeddedPostgresError, match='invalid value for parameter "shared_buffers"'):
        server.start()


def test_missing_binaries_are_an_error(open_tmp_path: Path) -> None:
    server = EmbeddedPostgres(open_tmp_path / "home", binaries=open_tmp_path / "nothing here")
    with pytest.raises(EmbeddedPostgresError, match="nothing here"):
        server.start()


def test_home_that_cannot_be_created_is_an_error(open_tmp_path: Path) -> None:
    (open_tmp_path / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match="file"):
        throwaway(open_tmp_path / "file" / "home").start()


@needs_root
def test_socket_folder_of_another_user_is_refused(open_tmp_path: Path) -> None:
    with throwaway(open_tmp_path) as server:
        sockets = server.sockets
    sockets.mkdir(mode=0o700)
    os.chown(sockets, 65534, 65534)
    try:
        with pytest.raises(EmbeddedPostgresError, match="belongs to somebody else"):
            server.start()
    finally:
        sockets.rmdir()


@needs_root
def test_data_keep_their_owner(open_tmp_path: Path) -> None:
    """As when root starts what a developer made without sudo."""
    with throwaway(open_tmp_path) as server:
        pass
    for path in (server.data, *server.data.rglob("*")):
        os.chown(path, 12345, 12345, follow_symlinks=False)
    with server:
        assert sql(server, "SELECT 1") == "1"
        assert Path(f"/proc/{postmaster(server)}").stat().st_uid == 12345


@needs_root
def test_private_folder_stays_private(open_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_user, "SYSTEM_HOME", open_tmp_path / "system")
    closed = open_tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with throwaway(closed / "home") as server:
        sql(server, "CREATE TABLE kept AS SELECT 42 AS answer")
        assert server.data.is_relative_to(open_tmp_path / "system")
    with throwaway(closed / "home") as server:
        assert sql(server, "SELECT answer FROM kept") == "42"
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@needs_root
def test_wheel_in_a_private_folder_is_copied(
    open_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = wheel_binaries().parents[1]
    closed = open_tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, closed / folder.name)
    monkeypatch.setattr(system_user, "SYSTEM_HOME", open_tmp_path / "system")
    monkeypatch.syspath_prepend(str(closed))
    with throwaway(open_tmp_path / "home") as server:
        assert sql(server, "SELECT 1") == "1"  # its psql is the copy's, and finds libpq
        assert server.binaries.is_relative_to(open_tmp_path / "system")
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def test_killed_process_leaves_no_scratch_server_behind() -> None:
    script = (
        "import sys, time\n"
        "from app.devserver.postgres import scratch\n"
        "with scratch() as server:\n"
        "    print(server.home, (server.data / 'postmaster.pid').read_text().split()[0])\n"
        "    sys.stdout.flush()\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        home, pid = process.stdout.readline().split()
        assert Path("/proc", pid).exists()
        process.kill()
    wait_until(lambda: not Path(home).exists(), "removed")
    wait_until(lambda: not Path("/proc", pid).exists(), "ended")
