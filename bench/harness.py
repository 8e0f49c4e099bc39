"""Shared by the benchmarks: servers as processes, load by wrk, and what both cost."""

import json
import os
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

LUA: Final = Path(__file__).with_name("wrk.lua")
CONNECTIONS: Final = 32
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_START: Final = 60.0  # seconds

Request = tuple[str, str, Mapping[str, str], bytes]
"""Method, path, headers, body."""


def wrk() -> str:
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is not installed: apt-get install wrk")
    return program


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has used, with those of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def memory(pid: int) -> float:
    """Resident megabytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@dataclass(frozen=True)
class Round:
    """The results of one round of load."""

    rate: float
    """Requests per second."""
    p99: float
    """Microseconds."""
    cpu: float
    """Seconds of CPU per request, of the service."""
    database: float
    """Seconds of CPU per request, of the database."""
    statements: float
    """Statements of the database per request."""
    errors: int


@dataclass
class Contestant:
    """A running server, and the requests it gets."""

    name: str
    pid: int
    port: int
    requests: Path
    """As bench/wrk.lua reads them."""
    refresh: Callable[[], None] | None = None
    """Called before each round."""
    rounds: list[Round] = field(default_factory=list)

    def ratios(self, base: "Contestant", value: Callable[[Round], float]) -> list[float]:
        """Each round divided by the neighbouring round of the base."""
        pairs = zip(self.rounds, base.rounds, strict=True)
        return [value(mine) / value(other) for mine, other in pairs if value(other)]


class Database:
    """The PostgreSQL server, observed from outside."""

    def __init__(self, postmaster: int, psql: Path, url: str) -> None:
        self._postmaster, self._psql, self._url = postmaster, psql, url

    def cpu(self) -> float:
        return cpu(self._postmaster) + sum(map(cpu, children(self._postmaster)))

    def statements(self) -> int:
        """Executed since the start in all databases, with BEGIN and the like."""
        return int(self.sql("SELECT sum(calls) FROM pg_stat_statements"))

    def sql(self, text: str) -> str:
        command = [self._psql, "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self._url, "-c", text]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
        return done.stdout.strip()


@contextmanager
def server(
    command: Sequence[str | Path], environment: Mapping[str, str], port: int, log: Path, cwd: Path
) -> Iterator[int]:
    """A server as a process; yields its id once it listens."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + _START
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command}: did not start\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def write(path: Path, requests: Sequence[Request]) -> Path:
    """Requests as bench/wrk.lua reads them."""
    lines = []
    for method, target, headers, body in requests:
        fields = [method, target, *(f"{name}: {value}" for name, value in headers.items())]
        lines.append("\t".join([*fields, *(["", body.decode()] if body else [])]))
    path.write_text("\n".join(lines) + "\n")
    return path


def send(port: int, request: Request) -> httpx.Response:
    method, path, headers, body = request
    url = f"http://127.0.0.1:{port}{path}"
    return httpx.request(method, url, headers=dict(headers), content=body, timeout=30)


def load(port: int, requests: Path, seconds: int, connections: int = CONNECTIONS) -> dict[str, Any]:
    """One run of wrk; its last line."""
    command = [
        *(wrk(), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"),
        *("-s", str(LUA), f"http://127.0.0.1:{port}", "--", str(requests)),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(contestant: Contestant, database: Database, seconds: int) -> Round:
    if contestant.refresh is not None:
        contestant.refresh()
    load(contestant.port, contestant.requests, 1)  # connections, plans and caches
    before = cpu(contestant.pid), database.cpu(), database.statements()
    result = load(contestant.port, contestant.requests, seconds)
    used = cpu(contestant.pid) - before[0], database.cpu() - before[1]
    count = result["requests"]
    return Round(
        rate=count / result["duration_us"] * 1e6,
        p99=result["p99"],
        cpu=used[0] / count,
        database=used[1] / count,
        statements=(database.statements() - before[2]) / count,
        errors=result["status_errors"] + result["socket_errors"],
    )


def alternate(
    contestants: Sequence[Contestant], database: Database, rounds: int, seconds: int
) -> None:
    """Alternating rounds, every second one in reverse order, so that drift affects all alike."""
    for number in range(rounds):
        for contestant in contestants if number % 2 == 0 else reversed(contestants):
            contestant.rounds.append(measure(contestant, database, seconds))


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, with the range."""
    if not values:
        return "–"
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
