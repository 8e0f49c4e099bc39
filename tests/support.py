"""What the tests share: the server's helpers, the service as a process, its environment."""

import hashlib
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from app.settings.environment import BOOLEAN, declared
from tests import POOLER

ROOT: Final = Path(__file__).resolve().parents[1]

IN_CI: Final = bool(os.environ.get("CI"))
"""In CI what is missing fails the run; elsewhere it is skipped."""

SCOPES: Final = {
    "all": "read+write+secrets",
    "backend": "read+write",
    "reader": "read",
    "writer": "write",
}
KEYS: Final = {name: secrets.token_urlsafe(32) for name in SCOPES}
"""Service keys by name, in plain."""

SECRET: Final = "Zq3vR8mT1xY6bN4kW9sL2pH7cJ5dF0gA"
"""A secret of the auth API, as good as one has to be."""

LOCAL_PROXY: Final = {"GATEPOST_TRUSTED_PROXIES": "127.0.0.1/32"}
"""The setting of a service whose visitors say their address in X-Forwarded-For."""

_PATIENCE: Final = 60.0  # seconds: a bound for what hangs, not a measure


def environment(url: str) -> dict[str, str]:
    """The environment of a service on the database at ``url``, with every key in ``KEYS``.

    Its background purge is off: what a test lets expire is deleted by what the test is about.
    """
    keys = (
        f"{name}:{hashlib.sha256(KEYS[name].encode()).hexdigest()}:{SCOPES[name]}" for name in KEYS
    )
    return os.environ | {
        "DATABASE_URL": url,
        "GATEPOST_SERVICE_KEYS": ",".join(keys),
        "GATEPOST_PURGE_EVERY": "0",
    }


def setting_samples(cls: Any) -> list[tuple[str, str, str, object]]:
    """For each flag and number among a class's settings its variable, a text, field and value.

    The value is not the default.
    """
    samples: list[tuple[str, str, str, object]] = []
    for field in fields(cls):
        if (setting := declared(cls).get(field.name)) is None:
            continue
        match field.default:
            case bool(default) if setting.parser is BOOLEAN:
                samples.append((setting.name, str(not default).lower(), field.name, not default))
            case int() if not isinstance(field.default, bool):
                bound = re.search(r" to ([0-9]+)(d?)\b", setting.parser.form)
                assert bound, setting
                value = int(bound[1]) * (86_400 if bound[2] else 1)
                samples.append((setting.name, bound[1] + bound[2], field.name, value))
            case float():
                samples.append((setting.name, "0.25", field.name, 0.25))
    return samples


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens now."""
    (port,) = free_ports(1)
    return port


def free_ports(number: int) -> list[int]:
    """Different ones."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll until ``condition`` holds; fail when it never does."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {_PATIENCE:.0f} seconds: {what}")
        time.sleep(0.02)


class Server:
    """A PostgreSQL server with databases for tests; every name is made up by the caller."""

    def __init__(self, url: str, psql: Path) -> None:
        self._url = url
        self.psql = psql
        self.version = int(self.sql("SHOW server_version_num")) // 10_000

    def url(self, database: str) -> str:
        """The address of a database on this server."""
        return urlsplit(self._url)._replace(path=f"/{database}").geturl()

    def sql(self, text: str, database: str | None = None) -> str:
        """Run SQL with psql, outside of any event loop, and give its rows unaligned."""
        url = self._url if database is None else self.url(database)
        done = subprocess.run(
            [self.psql, "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", text],
            check=False, capture_output=True, text=True, timeout=_PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def create(self, database: str, template: str | None = None) -> None:
        # FILE_COPY: a small template is copied in a quarter of the time
        clone = f' TEMPLATE "{template}" STRATEGY FILE_COPY' if template else ""
        self.sql(f'CREATE DATABASE "{database}"{clone}')

    def drop(self, database: str) -> None:
        self.sql(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """A database for as long as the block lasts; gives its name."""
        name = f"gatepost_{secrets.token_hex(8)}"
        self.create(name, template)
        try:
            yield name
        finally:
            self.drop(name)


@dataclass(frozen=True)
class Service:
    """A running ``gatepost serve``."""

    url: str
    database_url: str
    process: subprocess.Popen[bytes]
    log: Path
    metrics: str
    """The address of its metrics."""

    @property
    def rest(self) -> str:
        return f"{self.url}/rest/v1"

    @property
    def keys(self) -> dict[str, str]:
        return KEYS


@contextmanager
def running_service(
    database_url: str, log: Path, root: Path = ROOT, /, **settings: str
) -> Iterator[Service]:
    """The service as a process, ready to answer; ``settings`` are added to its environment.

    ``root`` is the folder of another copy of the project. With GATEPOST_TEST_POOLER its database
    is behind that PgBouncer. Its port is a free one, or the one in PORT.
    """
    port, metrics_port = free_ports(2)
    port = int(settings.get("PORT", port))
    address = {"HOST": "127.0.0.1", "PORT": str(port), "GATEPOST_METRICS_PORT": str(metrics_port)}
    given = environment(database_url) | address
    with ExitStack() as stack:
        if POOLER and "GATEPOST_POOLER" not in settings:
            from tests.pooler import pgbouncer

            given |= stack.enter_context(pgbouncer(database_url)).settings
        output = stack.enter_context(log.open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve"],
            cwd=root, env=given | settings,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        stack.callback(end, process)
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is not None or answers(f"{url}/readyz"), "ready")
        assert process.poll() is None, log.read_text()
        metrics = f"http://127.0.0.1:{metrics_port}/metrics"
        yield Service(url, database_url, process, log, metrics)


@contextmanager
def running_process(
    command: Sequence[str | Path],
    url: str,
    *,
    folder: Path = ROOT,
    log: Path | None = None,
    **environment: str,
) -> Iterator[None]:
    """A process that is ready when ``url`` answers; ``environment`` is added to this one's."""
    with ExitStack() as stack:
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | environment, stdin=subprocess.DEVNULL,
            stdout=stack.enter_context(log.open("wb")) if log else None, stderr=subprocess.STDOUT,
        )  # fmt: skip
        stack.callback(end, process)
        wait_until(lambda: process.poll() is not None or answers(url), f"{url} answers")
        assert process.poll() is None, log.read_text() if log else command
        yield


def answers(url: str) -> bool:
    """Whether ``url`` answers with success."""
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False


def end(process: subprocess.Popen[bytes], patience: float = 15) -> int:
    """SIGTERM, and SIGKILL for one that does not listen; gives the exit code."""
    if process.poll() is None:
        process.terminate()
    try:
        return process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
