"""The image of the Dockerfile, built by .ci/image: read-only, without root, each command of it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.migrations.test_doctor import between, same
from tests.support import KEYS, Server, answers, environment, free_port, wait_until

NAME: Final = os.environ.get("IMAGE", "")

pytestmark = [
    pytest.mark.skipif(not NAME, reason="no IMAGE: run .ci/image"),
]

# What a container has of its own: its mounts, no way to become root, and nothing of the caller.
ENTER: Final = """
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount --rbind /dev "$1/dev"
mount -t tmpfs tmpfs "$1/dev/shm"
mount -t proc proc "$1/proc"
root=$1 user=$2 folder=$3
shift 3
exec chroot --userspec="$user" --groups= "$root" \
    sh -c 'cd "$1" && shift && exec "$@"' sh "$folder" "$@"
"""


@dataclass(frozen=True)
class Image:
    """The image's files, mounted, and what it says of itself."""

    root: Path
    config: dict[str, Any]

    def command(self, *arguments: str) -> list[str]:
        """The command that runs another one in a container."""
        config = self.config
        return [
            "unshare", "--mount", "--propagation", "private", "bash", "-euc", ENTER, "-",
            str(self.root), config["User"], config["WorkingDir"], *arguments,
        ]  # fmt: skip

    def environment(self, **settings: str) -> dict[str, str]:
        given = dict(variable.split("=", 1) for variable in self.config["Env"])
        return given | settings


def buildah(*arguments: str) -> str:
    done = subprocess.run(
        ["buildah", *arguments], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    container = buildah("from", "--pull-never", NAME)
    try:
        described = json.loads(buildah("inspect", "--type", "image", NAME))
        yield Image(Path(buildah("mount", container)), described["Docker"]["config"])
    finally:
        buildah("rm", container)


@pytest.fixture
def empty(postgres: Server) -> Iterator[str]:
    """A database by TCP, for the folder of the server's socket is its user's alone."""
    with postgres.database() as name, between(postgres.url(name), same, same) as url:
        yield url


def run(image: Image, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        image.command(*arguments), env=image.environment(DATABASE_URL=url),
        check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_container_is_nobody_and_can_write_nothing_but_memory(image: Image, empty: str) -> None:
    written = "id -u; for f in /x /srv/gatepost/x /opt/gatepost/x /tmp/x /dev/shm/x; do"
    done = run(image, empty, "sh", "-c", f"{written} (: >$f) 2>/dev/null && echo $f; done; exit 0")
    assert done.stdout.split() == ["10001", "/dev/shm/x"]  # noqa: S108


def test_release_step_is_migrate_or_dbmate_alone(image: Image, empty: str) -> None:
    assert run(image, empty, "gatepost", "migrate", "--status").returncode == 6
    done = run(image, empty, "dbmate", "up")
    assert (done.returncode, done.stderr) == (0, "")
    down = run(image, empty, "gatepost", "migrate", "--down")
    assert down.returncode == 0, down.stderr
    up = run(image, empty, "gatepost", "migrate")
    assert up.returncode == 0, up.stderr
    assert run(image, empty, "gatepost", "doctor").returncode == 0


@contextmanager
def serving(image: Image, url: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The container as it starts without a command, and its address."""
    port = str(free_port())
    settings = {"GATEPOST_SERVICE_KEYS": environment(url)["GATEPOST_SERVICE_KEYS"], "PORT": port}
    process = subprocess.Popen(
        image.command(*image.config["Cmd"]),
        env=image.environment(DATABASE_URL=url, **settings), stdin=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_service_answers_is_healthy_and_stops(image: Image, empty: str) -> None:
    assert run(image, empty, "gatepost", "migrate").returncode == 0
    kind, *check = image.config["Healthcheck"]["Test"]
    assert kind == "CMD"
    with serving(image, empty) as (process, url):
        wait_until(lambda: process.poll() is not None or answers(f"{url}/readyz"), "ready")
        user = {"name": "Ann", "email": "ann@example.com"}
        key = {"apikey": KEYS["all"]}
        assert httpx.post(f"{url}/rest/v1/users", json=user, headers=key).status_code == 201

        def healthy() -> bool:
            port = image.environment(PORT=url.rpartition(":")[2])
            command = image.command(*check)
            done = subprocess.run(command, env=port, check=False, capture_output=True, timeout=60)
            return done.returncode == 0

        assert healthy()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not healthy()
