"""What the history runs on: PostgreSQL nodes that replicate, services, a pooler."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from app.devserver.postgres import EmbeddedPostgres
from app.devserver.system_user import SystemUser
from tests.support import ROOT, Server, answers, end, environment, free_port, wait_until

DATABASE: Final = "gatepost"
PGBOUNCER: Final = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

_OPTIONS: Final = {
    "fsync": "off",  # a process that is killed loses nothing that it has written
    "max_connections": "60",
    "wal_retrieve_retry_interval": "100ms",  # a commit waits for the standby, which waits for this
}


class Node:
    """A PostgreSQL server with data of its own; it can be killed and started again."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.server = EmbeddedPostgres(home, options=_OPTIONS)
        self._user = SystemUser.owning(self.server.data)

    @classmethod
    def standby(cls, home: Path, primary: "Node") -> "Node":
        """A copy of ``primary`` that follows it; what is acknowledged from now on is on both."""
        node = cls(home)
        node.server.data.mkdir(mode=0o700, parents=True)
        home.chmod(0o711)
        node._user.own(node.server.data)
        node._run(
            "pg_basebackup", "-d", primary.server.url("postgres"), "-D", str(node.server.data),
            "-R", "-X", "stream", "-c", "fast", "--no-sync",
        )  # fmt: skip
        node.start()
        primary.synchronous()
        return node

    def start(self) -> None:
        self.server = EmbeddedPostgres(self.server.home, options=_OPTIONS)
        self.server.start()

    def stop(self) -> None:
        """A fast shutdown, as before a switchover: the standby gets everything first."""
        self.server.stop()

    def kill(self) -> None:
        """SIGKILL to the postmaster and all its children."""
        postmaster = self.postmaster
        for pid in (postmaster, *_children(postmaster)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _listens(self.socket), "the killed server is gone")
        self.server.stop()  # its lock

    def kill_a_backend(self) -> None:
        """SIGKILL to one backend of the service: the others end too, and the server recovers."""
        found = self.sql(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'gatepost'"
            " ORDER BY state_change DESC LIMIT 1"
        )
        if found:
            with suppress(ProcessLookupError):
                os.kill(int(found), signal.SIGKILL)

    def promote(self) -> None:
        self._run("pg_ctl", "promote", "-D", str(self.server.data), "-w")

    def synchronous(self) -> None:
        """Wait for the standby with every commit, from the moment that it follows."""
        streaming = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
        wait_until(lambda: self.sql(streaming) == "1", "the standby follows")
        self.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.sql("SELECT pg_reload_conf()")
        self.wait_for_standby()

    def wait_for_standby(self) -> None:
        """Until it has everything that is committed here.

        After a crash that is more than what was acknowledged: a commit that had not reached the
        standby when the primary ended is visible once it is up again.
        """
        mark = "SELECT pg_logical_emit_message(true, 'gatepost', 'here')"
        has = (
            "SELECT count(*) FROM pg_stat_replication"
            " WHERE sync_state = 'sync' AND flush_lsn >= '{}'::pg_lsn"
        )
        position = ""

        def is_there() -> bool:
            nonlocal position
            position = position or self._answers(mark) or ""
            return bool(position) and self._answers(has.format(position)) == "1"

        wait_until(is_there, "the standby has all")

    def _answers(self, text: str) -> str | None:
        try:
            return self.sql(text)
        except AssertionError:  # it is still recovering
            return None

    def sql(self, text: str, database: str = "postgres") -> str:
        return Server(self.server.url(database), self.server.binaries / "psql").sql(text)

    @property
    def socket(self) -> str:
        return str(self.server.sockets / ".s.PGSQL.5432")

    @property
    def postmaster(self) -> int:
        return int((self.server.data / "postmaster.pid").read_text().split()[0])

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.server.binaries / program), *arguments]
        done = self._user.run(command, timeout=60)
        assert done.returncode == 0, done.stderr


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


class ServiceProcess:
    """A service on a port of its own, which it keeps through restarts.

    ``command`` is what Python runs, in the folder ``root``.
    """

    def __init__(self, database_url: str, log: Path, settings: dict[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = environment(database_url) | settings
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self,
        root: Path = ROOT,
        command: Sequence[str] = ("-m", "app.cli", "serve"),
        **settings: str,
    ) -> None:
        address = {"HOST": "127.0.0.1", "PORT": str(self.port)}
        with self._log.open("ab") as output:
            self._process = process = subprocess.Popen(
                [sys.executable, *command],
                cwd=root, env=self._environment | address | settings,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        wait_until(lambda: process.poll() is not None or self.is_ready(), "the service is ready")
        assert process.poll() is None, self._log.read_text()[-2000:]

    def is_ready(self) -> bool:
        return answers(f"{self.url}/readyz")

    def terminate(self) -> None:
        """SIGTERM: it finishes what is under way."""
        if self._process is not None:
            end(self._process)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class PgBouncer:
    """A pooler in transaction mode before the server at ``database_url``."""

    def __init__(self, database_url: str, folder: Path) -> None:
        parts = urlsplit(database_url)
        self.port = free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}{parts.path}?sslmode=disable"
        host = parts.query.partition("host=")[2].partition("&")[0]
        self._settings = folder / "pgbouncer.ini"
        self._settings.write_text(
            f"[databases]\n* = host={host} user=postgres\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\n"
            "auth_type = any\npool_mode = transaction\ndefault_pool_size = 8\n"
        )
        self._folder = folder
        self._user = SystemUser.owning(folder / "none yet")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert PGBOUNCER
        with (self._folder / "pgbouncer.log").open("ab") as output:
            self._process = subprocess.Popen(
                [PGBOUNCER, str(self._settings)], cwd="/", user=self._user.uid,
                group=self._user.gid, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        wait_until(lambda: _accepts(self.port), "the pooler is up")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def folder_for_servers() -> Iterator[Path]:
    """A folder that the user who PostgreSQL runs as may enter."""
    folder = Path(tempfile.mkdtemp(prefix="gatepost-history-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
