"""docs/BACKUP.md: its commands are run as they stand there."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from app.devserver.system_user import SystemUser
from app.migrations import dbmate
from tests.conftest import DEBIAN
from tests.support import IN_CI, ROOT, SECRET, end, environment, running_service

PAGE: Final = (ROOT / "docs/BACKUP.md").read_text()
AUTH: Final = {
    "GATEPOST_SECRET": SECRET,
    "GATEPOST_BASE_URL": "http://127.0.0.1:8000",
    "GATEPOST_RATE_LIMIT": "off",
}
PASSWORD: Final = "correct horse battery"


def commands(heading: str, language: str = "sh") -> list[str]:
    """The blocks of commands below a heading of the page; "" is its beginning."""
    sections = re.split(r"^## (.+)\n", "## \n" + PAGE, flags=re.MULTILINE)
    text = PAGE.partition("\n## ")[0] if not heading else sections[sections.index(heading) + 1]
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found


class Cluster:
    """A server of Debian's in a folder of its own, and a shell of the user that owns it."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.folder = folder
        self._user = SystemUser.owning(folder / "data")
        self._user.own(folder)
        self.environment = {
            "PATH": f"{binaries}:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "PGDATA": str(folder / "data"),
            "PGHOST": str(folder),
            "PGUSER": "postgres",
            "PGBACKREST_CONFIG": str(folder / "pgbackrest.conf"),
            "PGBACKREST_LOCK_PATH": str(folder / "lock"),
            "PGBACKREST_SPOOL_PATH": str(folder / "spool"),
            "PGBACKREST_LOG_LEVEL_FILE": "off",
            "BACKUPS": str(folder / "backups"),
            "REHEARSAL": str(folder / "rehearsal"),
        }
        self.url = f"postgres://postgres@/gatepost?host={folder}&sslmode=disable"

    def run(self, script: str, **variables: str) -> str:
        """Run commands, after those at the beginning of the page; gives what they print."""
        output = self.folder / "output"
        with output.open("w+") as out:
            user: dict[str, Any] = {}
            if os.geteuid() == 0:
                user = {"user": self._user.uid, "group": self._user.gid, "extra_groups": []}
            # a file, as a pipe would stay open as long as the server that pg_ctl starts
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", commands("")[0] + script],
                cwd=self.folder, env=self.environment | variables, check=False,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=120, **user,
            )  # fmt: skip
        printed = output.read_text()
        assert done.returncode == 0, f"{script}\n{printed}"
        return printed


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    if shutil.which("pgbackrest") is None or "pg15" not in DEBIAN:
        missing = "no pgBackRest or PostgreSQL 15: apt-get install pgbackrest postgresql-15"
        pytest.fail(missing) if IN_CI else pytest.skip(missing)
    folder = Path(tempfile.mkdtemp(prefix="gatepost-"))
    cluster = Cluster(folder, DEBIAN["pg15"])
    try:
        cluster.run(
            "initdb --auth=trust --username=postgres --encoding=UTF8\n"
            f"""printf "%s\\n" "listen_addresses = ''" "unix_socket_directories = '{folder}'" """
            f'"fsync = off" >> "$PGDATA/postgresql.conf"\n'
            "pg_ctl start\n"
            "createdb gatepost\n"
        )
        yield cluster
    finally:
        cluster.run("pg_ctl status > /dev/null && pg_ctl --mode=immediate stop || true")
        shutil.rmtree(folder)


def signed_in(url: str, name: str, path: str = "sign-up/email") -> dict[str, str]:
    """The cookies of somebody who signed up, or in."""
    person = {"name": name, "email": f"{name}@example.com", "password": PASSWORD}
    answer = httpx.post(f"{url}/api/auth/{path}", json=person)
    assert answer.status_code == 200, answer.text
    return dict(answer.cookies)


def who(url: str, cookies: Mapping[str, str]) -> str | None:
    header = {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    session = httpx.get(f"{url}/api/auth/get-session", headers=header).json()
    return session["user"]["name"] if session else None


def test_commands_of_the_page_bring_back_a_point_in_time(cluster: Cluster, tmp_path: Path) -> None:
    asyncio.run(dbmate.up(cluster.url))
    with running_service(cluster.url, tmp_path / "before.log", **AUTH) as service:
        (set_up,) = commands("Set up")
        cluster.run(set_up)
        assert (cluster.folder / "pgbackrest.conf").stat().st_mode & 0o077 == 0
        before = signed_in(service.url, "before")
        back_up, watch = commands("Back up")
        assert "full backup" in cluster.run(back_up)
        cluster.run(watch)
        (rehearse,) = commands("Rehearse")
        assert re.search(r"^ +1 \| 20", cluster.run(rehearse), re.MULTILINE)

        revoked = signed_in(service.url, "revoked")
        time.sleep(1.1)
        target = cluster.run("psql -XAt -d postgres -c 'SELECT now()'").strip()
        after = signed_in(service.url, "after")
        headers = {"origin": AUTH["GATEPOST_BASE_URL"]}
        httpx.post(f"{service.url}/api/auth/sign-out", cookies=revoked, headers=headers)
        assert [who(service.url, c) for c in (before, revoked, after)] == ["before", None, "after"]
        end(service.process)

    restore, next_backup = commands("Restore to a point in time")
    cluster.run(restore, TARGET=target)

    with running_service(cluster.url, tmp_path / "after.log", **AUTH) as service:
        found = [who(service.url, cookies) for cookies in (before, revoked, after)]
        assert found == ["before", "revoked", None]
        (end_sessions,) = commands("Sessions after a restore")
        cluster.run(end_sessions)
        assert [who(service.url, cookies) for cookies in (before, revoked, after)] == [None] * 3
        again = signed_in(service.url, "before", "sign-in/email")
        assert who(service.url, again) == "before"
    cluster.run(next_backup)

    (doctor,) = commands("Restore to a point in time", "shell")
    program = tmp_path / "gatepost"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m app.cli "$@"\n')
    program.chmod(0o755)
    settings = environment(cluster.url) | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euc", doctor],
        cwd=ROOT, env=settings, check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
