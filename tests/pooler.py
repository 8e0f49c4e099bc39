"""PgBouncer as a process, in front of a test's server."""

import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from app.devserver.system_user import SystemUser
from tests import POOLER
from tests.support import IN_CI, end, free_port, wait_until

# with every statement on another server connection than the one before it: the worst there is
CONFIGURATION: Final = """\
[databases]
* = {server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
min_pool_size = 3
server_round_robin = 1
max_client_conn = 500
{options}
"""


@dataclass(frozen=True)
class PgBouncer:
    """A running PgBouncer; ``url`` is the address of the database through it."""

    url: str
    mode: str
    """The value of GATEPOST_POOLER for it."""
    direct_url: str
    process: subprocess.Popen[bytes]

    @property
    def settings(self) -> dict[str, str]:
        """What a service behind it is given."""
        return {
            "DATABASE_URL": self.url,
            "DATABASE_DIRECT_URL": self.direct_url,
            "GATEPOST_POOLER": self.mode,
        }


def program() -> str:
    """The program of PgBouncer, or the test is skipped."""
    found = POOLER or shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if found is None:
        (pytest.fail if IN_CI else pytest.skip)("no pgbouncer: apt-get install pgbouncer")
    return found


def keeps_statements(path: str) -> bool:
    """Whether it knows prepared statements: from 1.21 on."""
    text = subprocess.run([path, "--version"], check=True, capture_output=True, text=True).stdout
    version = re.search(r"PgBouncer (\d+)\.(\d+)", text)
    assert version, text
    return (int(version[1]), int(version[2])) >= (1, 21)


@contextmanager
def pgbouncer(
    database_url: str, *, port: int | None = None, prepared: bool = True, options: str = ""
) -> Iterator[PgBouncer]:
    """PgBouncer in transaction mode; one that can keeps prepared statements if ``prepared``."""
    path, port = program(), port or free_port()
    able = keeps_statements(path)
    if able:
        options += f"\nmax_prepared_statements = {100 if prepared else 0}"
    parts = urlsplit(database_url)
    query = parse_qs(parts.query)
    server = {
        "host": parts.hostname or query["host"][0],
        "port": str(parts.port or 5432),
        "user": unquote(parts.username or "postgres"),
        "password": unquote(parts.password or ""),
    }
    folder = Path(tempfile.mkdtemp(prefix="gatepost-pgbouncer-"))
    folder.chmod(0o755)
    configuration = folder / "pgbouncer.ini"
    said = " ".join(f"{key}='{value}'" for key, value in server.items() if value)
    text = CONFIGURATION.format(server=said, port=port, options=options)
    configuration.write_text(text)
    user = SystemUser.owning(Path("/nowhere"))  # it does not run as root either
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [path, "-q", configuration], stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, user=user.uid, group=user.gid,
            extra_groups=None if user.uid is None else [],
        )  # fmt: skip
    try:
        netloc = f"postgres@127.0.0.1:{port}"
        url = parts._replace(netloc=netloc, query="sslmode=disable").geturl()
        wait_until(lambda: process.poll() is not None or _listens(port), "PgBouncer listens")
        assert process.poll() is None, log.read_text()
        mode = "prepared" if able and prepared else "transaction"
        yield PgBouncer(url, mode, database_url, process)
    finally:
        end(process, 3)
        shutil.rmtree(folder)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
