"""The system user that PostgreSQL runs as is created once, by however many processes."""

import os
import pwd
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.devserver import system_user
from app.devserver.system_user import SystemUser


class Accounts:
    """The user database, with the useradd that looks for a name some time before it writes."""

    def __init__(self) -> None:
        self.ids: list[int] = []

    def getpwnam(self, name: str) -> pwd.struct_passwd:
        if not self.ids:
            raise KeyError(name)
        uid = self.ids[-1]
        return pwd.struct_passwd((name, "x", uid, uid, "", "/nonexistent", "/usr/sbin/nologin"))

    def useradd(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert command[0] == "useradd"
        time.sleep(0.05)
        self.ids.append(999 - len(self.ids))
        return subprocess.CompletedProcess(command, 0)


def test_processes_that_start_together_create_one_system_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    accounts = Accounts()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", accounts.getpwnam)
    monkeypatch.setattr(subprocess, "run", accounts.useradd)
    monkeypatch.setattr(system_user, "SYSTEM_HOME", tmp_path / "home")
    with ThreadPoolExecutor(4) as pool:
        owners = list(pool.map(SystemUser.owning, [tmp_path / "data"] * 4))
    assert accounts.ids == [999]
    assert owners == [SystemUser(999, 999)] * 4
