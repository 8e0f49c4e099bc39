"""A server of Debian's on a port of 127.0.0.1, with TLS or without: the wheel's knows no TLS."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from app.devserver.postgres import _REMOVE
from app.devserver.system_user import SystemUser
from tests.conftest import DEBIAN
from tests.support import IN_CI, ROOT, free_port

PASSWORD: Final = "hunter2"
"""Of the role ``secretive``; everybody else needs none."""


@dataclass(frozen=True)
class TcpServer:
    """A running server; with TLS it takes no connection without."""

    port: int
    folder: Path
    binaries: Path

    @property
    def authority(self) -> Path:
        """The certificate of the authority that signed the server's."""
        return self.folder / "ca.crt"

    def url(self, database: str, *, user: str = "postgres", query: str = "") -> str:
        address = f"postgres://{user}@127.0.0.1:{self.port}/{database}"
        return f"{address}?{query}" if query else address

    def sql(self, text: str, database: str = "postgres") -> str:
        """Run SQL through the socket, and give its rows unaligned."""
        return subprocess.run(
            [self.binaries / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.folder,
             "-p", str(self.port), "-U", "postgres", "-d", database, "-c", text],
            check=True, capture_output=True, text=True, timeout=60,
        ).stdout.strip()  # fmt: skip


@contextmanager
def tcp_server(*, tls: bool) -> Iterator[TcpServer]:
    """A server on new data, removed at the end."""
    if not DEBIAN or shutil.which("openssl") is None:
        missing = "no PostgreSQL of Debian's, or no openssl: apt-get install postgresql openssl"
        (pytest.fail if IN_CI else pytest.skip)(missing)
    binaries, port = list(DEBIAN.values())[-1], free_port()
    folder = Path(tempfile.mkdtemp(prefix="gatepost-"))
    folder.chmod(0o711)
    user = SystemUser.owning(Path("/nowhere"))
    subprocess.run(
        ["sh", ROOT / "deploy" / "patroni" / "certificates.sh", "127.0.0.1"],
        cwd=folder, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    for path in (folder, *folder.iterdir()):
        user.own(path)
    (folder / "ca.crt").chmod(0o644)
    data, kind = folder / "data", "hostssl" if tls else "host"

    def run(program: str, *arguments: str) -> None:
        done = user.run([str(binaries / program), "-D", str(data), *arguments], timeout=120)
        assert done.returncode == 0, done.stderr

    remover = None
    try:
        run("initdb", "--no-sync", "--username=postgres", "--auth=trust", "--encoding=UTF8")
        (data / "pg_hba.conf").write_text(
            "local all all trust\n"
            f"{kind} all secretive 127.0.0.1/32 scram-sha-256\n"
            f"{kind} all postgres 127.0.0.1/32 trust\n"
        )
        options = f"-c unix_socket_directories={folder} -c listen_addresses=127.0.0.1"
        options += f" -c port={port} -c fsync=off"
        if tls:
            key = f"{folder}/127.0.0.1"
            options += f" -c ssl=on -c ssl_cert_file={key}.crt -c ssl_key_file={key}.key"
        run("pg_ctl", "start", "--wait", f"--log={folder}/log", f"--options={options}")
        remover = subprocess.Popen(  # as with scratch: also when this process is killed
            ["/bin/sh", "-c", _REMOVE, "sh", folder],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        server = TcpServer(port, folder, binaries)
        server.sql(f"CREATE ROLE secretive LOGIN PASSWORD '{PASSWORD}'")
        yield server
    finally:
        if remover is None:
            shutil.rmtree(folder)
        else:
            remover.communicate()
