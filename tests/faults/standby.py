"""A primary and a standby that follows it, each a real server."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.devserver.postgres import EmbeddedPostgres, scratch
from app.devserver.system_user import SystemUser


@contextmanager
def standby_of(primary: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """A standby, made by pg_basebackup, for as long as the block lasts."""
    home = Path(tempfile.mkdtemp(prefix="gatepost-"))
    home.chmod(0o711)
    user = SystemUser.owning(primary.data)
    user.own(home)
    standby = EmbeddedPostgres(home, binaries=primary.binaries, options=primary.options)
    copied = user.run(
        [
            str(primary.binaries / "pg_basebackup"), "--pgdata", str(home / "data"),
            "--host", str(primary.sockets), "--username", "postgres",
            "--write-recovery-conf", "--checkpoint", "fast", "--wal-method", "stream",
        ], 60,
    )  # fmt: skip
    assert copied.returncode == 0, copied.stderr
    try:
        with standby:
            yield standby
    finally:
        shutil.rmtree(home)


@contextmanager
def primary_and_standby() -> Iterator[tuple[EmbeddedPostgres, EmbeddedPostgres]]:
    with scratch() as primary, standby_of(primary) as standby:
        yield primary, standby
