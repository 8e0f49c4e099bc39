"""A name is looked up once, its checked address is connected to, and TLS verifies the name.

In a network namespace, where public addresses are the machine's own.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import IN_CI, ROOT
from tests.unit.social.public_network import NAMES

ADDRESS, SILENT = "11.22.33.44", "11.22.33.55"
HOSTS = f"""\
127.0.0.1 localhost
{ADDRESS} id.example.com other.example.com mixed.example.com
127.0.0.1 mixed.example.com
{SILENT} second.example.com
{ADDRESS} second.example.com
"""
SETUP = f"""
ip link set lo up && ip addr add {ADDRESS}/32 dev lo && ip addr add {SILENT}/32 dev lo &&
mount --bind "$1" /etc/hosts && shift && exec "$@"
"""


def test_provider_at_a_public_address_is_the_one_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(HOSTS)
    # root needs no namespace of users, and in a chroot the kernel gives nobody one
    users = [] if os.geteuid() == 0 else ["--map-root-user"]
    alone = ["unshare", *users, "--net", "--mount", "sh", "-c", SETUP, "sh"]
    able = shutil.which("unshare") and shutil.which("ip")
    if not able or subprocess.run([*alone, tmp_path / "hosts", "true"], check=False).returncode:
        (pytest.fail if IN_CI else pytest.skip)("no network namespaces: apt-get install iproute2")
    program = [sys.executable, "-m", "tests.unit.social.public_network", ADDRESS]
    done = subprocess.run(
        [*alone, tmp_path / "hosts", *program],
        cwd=ROOT, check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert said["found"] == {
        "id.example.com": "id.example.com",
        "other.example.com": "its certificate is not trusted",
        "mixed.example.com": "the host is in a private network",
        "second.example.com": "second.example.com",
    }
    assert said["looked_up"] == list(NAMES)
