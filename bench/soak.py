"""An hour of mixed load: memory, descriptors, backends and latency have to stay flat.

    make soak                               # or: python bench/soak.py --seconds 3600

One service as it is deployed, on an embedded PostgreSQL: session lookups of which many refresh,
REST reads and inserts, changes of users, lists and sign-ins, and the purge each minute. The load is
measured in windows; of those after the first, which fills caches and pools, the last quarter is
compared with the first: the highest of what can leak, and the best of what another process or the
disk, which PostgreSQL does not wait for here, can only make worse. The exit code is 1 if something
grew, or a request failed.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # instead of the folder of the script

from app.devserver.postgres import EmbeddedPostgres  # noqa: E402
from bench import rivals  # noqa: E402
from bench.compare import OPTIONS, SIGNING_IN, Bench, lookups, rest  # noqa: E402
from bench.harness import Contestant, Request, cpu, load, memory, spread, table, write  # noqa: E402

CONNECTIONS: Final = 8
UPDATE_AGE: Final = 60
"""Seconds after which a session is refreshed; the refreshes are spread over them."""
ORIGIN: Final = "https://soak.test"


@dataclass(frozen=True)
class Window:
    """What was measured in one window of load, and at its end."""

    p50: float
    """Milliseconds, as the next."""
    p99: float
    requests: float
    """A second."""
    memory: float
    """Resident megabytes of the service."""
    descriptors: float
    """Open files and sockets of the service."""
    backends: float
    """Connections to PostgreSQL that clients have."""
    cpu: float
    """Milliseconds of CPU for a request, of the service and of PostgreSQL."""
    errors: int


@dataclass(frozen=True)
class Measure:
    """What has to stay flat: the last quarter may be ``factor`` times the first and ``more``."""

    name: str
    value: Callable[[Window], float]
    of: Callable[[Iterable[float]], float]
    """Makes one number of a quarter's."""
    factor: float
    more: float


# The pool opens its connections as they are needed, ten at most.
MEASURES: Final = (
    Measure("memory, MB", lambda one: one.memory, max, 1.05, 2),
    Measure("descriptors", lambda one: one.descriptors, max, 1.0, 4),
    Measure("backends", lambda one: one.backends, max, 1.0, 3),
    Measure("p50, ms", lambda one: one.p50, min, 1.25, 0.5),
    Measure("p99, ms", lambda one: one.p99, min, 1.5, 5),
    Measure("CPU, ms a request", lambda one: one.cpu, min, 1.25, 0.1),
)


@dataclass(frozen=True)
class Verdict:
    """A measure in the first and the last quarter, and what the last may be."""

    name: str
    first: float
    last: float
    allowed: float

    @property
    def is_flat(self) -> bool:
        return self.last <= self.allowed


def verdicts(windows: Sequence[Window]) -> list[Verdict]:
    """Each measure by its quarters. Raises ValueError for fewer than five windows."""
    warm = windows[1:]
    if len(warm) < 4:
        raise ValueError(f"{len(windows)} windows are too few to compare quarters")
    quarter = len(warm) // 4
    found = []
    for one in MEASURES:
        first = one.of(map(one.value, warm[:quarter]))
        last = one.of(map(one.value, warm[-quarter:]))
        found.append(Verdict(one.name, first, last, first * one.factor + one.more))
    return found


def mixed(bench: Bench) -> list[Request]:
    """Lookups, with one in ten something else."""
    looked_up, by_kind = lookups(bench), rest(bench)
    json_post = {"Content-Type": "application/json", "Origin": ORIGIN}
    others: list[Request] = []
    for number, (_, _, headers, _) in enumerate(looked_up[: len(looked_up) // 10]):
        name = json.dumps({"name": f"Name {number}"}).encode()
        reads, pages = by_kind["one row by id"], by_kind["a page of 50"]
        others += [
            reads[number % len(reads)],
            ("POST", "/api/auth/update-user", {**headers, **json_post}, name),
            ("GET", "/api/auth/list-sessions", headers, b""),
            by_kind["insert"][0] if number % 2 else pages[0],
        ]
    wanted: list[Request] = []
    for number, lookup in enumerate(looked_up):
        wanted.append(lookup)
        if number % 10 == 9:
            wanted.append(others[number // 10 % len(others)])
    return wanted


def window(bench: Bench, service: Contestant, sign_ins: Path, seconds: int) -> Window:
    """One window of load. In the fifth of it that is not timed, somebody signs in without pause."""
    beside = max(1, seconds // 5)
    with ThreadPoolExecutor() as pool:
        signed_in = pool.submit(load, service.port, sign_ins, beside, 1)
        busy = load(service.port, service.requests, beside, CONNECTIONS)
    before = cpu(service.pid) + bench.database.cpu()
    result = load(service.port, service.requests, seconds - beside, CONNECTIONS)
    used = cpu(service.pid) + bench.database.cpu() - before
    time.sleep(0.5)  # the service sees that the clients have gone
    results = (signed_in.result(), busy, result)
    return Window(
        p50=result["p50"] / 1e3,
        p99=result["p99"] / 1e3,
        requests=result["requests"] / result["duration_us"] * 1e6,
        memory=memory(service.pid),
        descriptors=sum(1 for _ in Path(f"/proc/{service.pid}/fd").iterdir()),
        backends=int(
            bench.database.sql(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        ),
        cpu=1000 * used / result["requests"],
        errors=sum(one["status_errors"] + one["socket_errors"] for one in results),
    )


def soak(bench: Bench, seconds: int, each: int) -> list[Window]:
    """The windows of ``each`` seconds that make up ``seconds``."""
    windows: list[Window] = []
    bench.database.sql(
        "UPDATE sessions SET expires_at = now() + interval '7 days'"
        f" - random() * interval '{UPDATE_AGE} s'"
    )
    bench.database.sql("VACUUM (ANALYZE) sessions")
    with bench.running(
        "Gatepost",
        mixed(bench),
        GATEPOST_PURGE_EVERY="60",
        GATEPOST_SESSION_UPDATE_AGE=str(UPDATE_AGE),
        GATEPOST_TRUSTED_ORIGINS=ORIGIN,
        # each address asks again within ten seconds, so its count would never begin anew
        GATEPOST_RATE_LIMIT="off",
    ) as service:
        node = rivals.BetterAuth("")
        node.start(bench.url, 0)
        posts: list[Request] = [
            ("POST", path, headers | {"Origin": ORIGIN}, body)
            for path, headers, body in node.sign_in(SIGNING_IN)
        ]
        sign_ins = write(bench.folder / "sign-ins", posts)
        for _ in range(max(5, seconds // each)):
            found = window(bench, service, sign_ins, each)
            windows.append(found)
            print(
                f"{len(windows) * each:5} s  {found.requests:6.0f} requests/s"
                f"  p50 {found.p50:.2f} ms  p99 {found.p99:.1f} ms  {found.memory:.1f} MB"
                f"  {found.descriptors:.0f} descriptors  {found.backends:.0f} backends"
                f"  {found.cpu:.2f} ms of CPU"
                f"  {found.errors} errors",
                flush=True,
            )
    return windows


def report(windows: Sequence[Window]) -> bool:
    """Print the comparison; gives whether all is well."""
    found = verdicts(windows)
    errors = sum(one.errors for one in windows)
    rows = [
        [
            one.name,
            f"{one.first:.2f}",
            f"{one.last:.2f}",
            f"{one.allowed:.2f}",
            "flat" if one.is_flat else "GREW",
        ]
        for one in found
    ]
    print()
    print(table(("", "first quarter", "last quarter", "allowed", ""), rows))
    print("\nAll windows but the first, p50 and p99 in ms: ", end="")
    warm = windows[1:]
    print(spread([one.p50 for one in warm]), "and", spread([one.p99 for one in warm], 1))
    count = sum(one.requests for one in windows) / len(windows)
    print(f"\n{len(windows)} windows, {count:.0f} requests/s, {errors} errors")
    return errors == 0 and all(one.is_flat for one in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--window", type=int, help="seconds; default a sixtieth of all, 5 to 60")
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--sessions", type=int, default=100_000)
    options = parser.parse_args()
    options.lookups = min(2_000, options.sessions)
    each = options.window or min(60, max(5, options.seconds // 60))
    with tempfile.TemporaryDirectory(prefix="gatepost-soak-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # for the user the server runs as; the data in it is private
        with EmbeddedPostgres(folder / "postgres", options={**OPTIONS, "fsync": "off"}) as postgres:
            bench = Bench(postgres, folder, options)
            bench.seed()
            windows = soak(bench, options.seconds, each)
    raise SystemExit(0 if report(windows) else 1)


if __name__ == "__main__":
    main()
