"""Gatepost compared with the same work by hand, Better Auth on Node and others.

    make bench                              # or: python bench/compare.py --help

All of them use one embedded PostgreSQL with 100,000 users and 500,000 sessions. Each contestant is
one process; wrk sends requests over 32 connections, in alternating rounds. The report has ratios of
neighbouring rounds: the median, and the range.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # instead of the folder of the script

from app.auth.passwords import hashed  # noqa: E402
from app.devserver.postgres import EmbeddedPostgres  # noqa: E402
from app.devserver.system_user import SYSTEM_USER  # noqa: E402
from app.migrations.runner import migrate  # noqa: E402
from bench import rivals  # noqa: E402
from bench.by_hand import STATEMENTS  # noqa: E402
from bench.harness import (  # noqa: E402
    CONNECTIONS,
    Contestant,
    Database,
    Request,
    Round,
    alternate,
    free_port,
    load,
    memory,
    send,
    server,
    spread,
    table,
    write,
)

KEY: Final = "a service key of the bench"
LOOKED_UP: Final = 20_000
"""Sessions that are looked up, from all over the table."""
SIGNING_IN: Final = 2_000
ALONE: Final = 1_000
"""Requests of a lone client to each contestant behind a pooler."""
LIMIT_B: Final = "by hand (LIMIT-B)"

OPTIONS: Final = {"shared_buffers": "1GB", "shared_preload_libraries": "pg_stat_statements"}

KEEP_HEAP: Final = ("MALLOC_TRIM_THRESHOLD_", str(32 << 20))
"""For PostgreSQL on glibc: without it a backend may return the top of its heap to the system after
each statement and request it again for the next, depending on how its heap is laid out. The same
statement would then cost one contestant three system calls and a page fault more than another."""

SEED: Final = """
INSERT INTO users (name, email, email_verified)
SELECT 'User ' || n, 'user' || n || '@example.com', true FROM generate_series(1, {users}) n;

INSERT INTO sessions (user_id, token, expires_at, ip_address, user_agent)
SELECT u.id, md5('session ' || n), now() + interval '6 days 12 hours', '192.0.2.1',
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0'
FROM generate_series(1, {sessions}) n
JOIN (SELECT id, row_number() OVER (ORDER BY id) AS at FROM users) u
    ON u.at = 1 + n % {users};

INSERT INTO accounts (user_id, account_id, provider_id, password)
SELECT id, id::text, 'credential', '{password}' FROM users ORDER BY email LIMIT {accounts};

VACUUM (ANALYZE) users, sessions, accounts;
CHECKPOINT;
"""


class Bench:
    """The database, the servers under test, and where their files are."""

    def __init__(self, postgres: EmbeddedPostgres, folder: Path, options: Any) -> None:
        self.options, self.folder, self.url = options, folder, postgres.url()
        self.binaries = postgres.binaries
        postmaster = int((postgres.data / "postmaster.pid").read_text().split()[0])
        self.database = Database(postmaster, postgres.binaries / "psql", self.url)

    def seed(self) -> None:
        asyncio.run(migrate(self.url))
        self.database.sql("CREATE EXTENSION pg_stat_statements")
        password = hashed(rivals.PASSWORD, "0" * 32)
        text = SEED.format(
            users=self.options.users,
            sessions=self.options.sessions,
            accounts=SIGNING_IN,
            password=password,
        )
        for statement in text.split(";\n"):
            if statement.strip():
                self.database.sql(statement)

    def environment(self, port: int) -> dict[str, str]:
        digest = sha256(KEY.encode()).hexdigest()
        return os.environ | {
            "DATABASE_URL": self.url,
            "GATEPOST_SECRET": rivals.SECRET,
            "GATEPOST_BASE_URL": f"http://127.0.0.1:{port}",
            "GATEPOST_SERVICE_KEYS": f"bench:{digest}:read+write",
            "GATEPOST_PURGE_EVERY": "0",
            "GATEPOST_TRUSTED_PROXIES": "127.0.0.1/32",
            "PORT": str(port),
            "PYTHONPATH": str(ROOT),
        }

    @contextmanager
    def running(
        self, name: str, requests: list[Request], *, workers: int = 1, **settings: str
    ) -> Iterator[Contestant]:
        """Gatepost as it is deployed (log, metrics and limits on), or the same by hand."""
        port = free_port()
        command = [sys.executable, "-m", "app.cli", "serve"]
        if name == LIMIT_B or workers > 1:
            application = "bench.by_hand:app" if name == LIMIT_B else "app.main:app"
            command = [
                *(sys.executable, "-m", "uvicorn", application, "--port", str(port)),
                *("--loop", "uvloop", "--http", "httptools", "--log-level", "warning"),
                *("--no-access-log", "--no-proxy-headers", "--workers", str(workers)),
            ]
        path, log = write(self.folder / f"{name}.requests", requests), self.folder / f"{name}.log"
        environment = self.environment(port) | settings
        with server(command, environment, port, log, ROOT) as process:
            yield Contestant(name, process, port, path)

    @contextmanager
    def rival(self, rival: rivals.Rival) -> Iterator[Contestant]:
        own = not isinstance(rival, rivals.BetterAuth)
        url = self.url
        if own:
            name = rival.name.replace("-", "_")
            self.database.sql(f"CREATE DATABASE {name}")
            url = url.replace("/gatepost?", f"/{name}?")
            rival.prepare(url, users=self.options.users, sessions=self.options.sessions)
        port = free_port()
        command, environment = rival.start(url, port)
        path = self.folder / f"{rival.name}.requests"

        def prepare() -> None:
            found = rival.requests(2_000)
            write(path, [("GET", target, headers, b"") for target, headers in found])
            for target, headers in found[:3]:
                response = send(port, ("GET", target, headers, b""))
                if not rival.check(response.content, headers):
                    raise SystemExit(f"{rival.name}: {response.status_code} {response.text}")

        with server(command, environment, port, self.folder / f"{rival.name}.log", ROOT) as pid:
            prepare()
            yield Contestant(
                rival.name, pid, port, path, prepare if "cache" in rival.name else None
            )

    def rounds(self, contestants: list[Contestant]) -> None:
        alternate(contestants, self.database, self.options.rounds, self.options.seconds)
        for contestant in contestants:
            errors = sum(one.errors for one in contestant.rounds)
            if errors:
                print(f"{contestant.name}: {errors} requests failed", file=sys.stderr)


# --- requests -------------------------------------------------------------------------------------


def _from(number: int) -> dict[str, str]:
    return {"X-Forwarded-For": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}


def lookups(bench: Bench) -> list[Request]:
    """Each from another client address, so that no rate limit applies."""
    node = rivals.BetterAuth("")
    node.start(bench.url, 0)
    cookies = [headers["Cookie"] for _, headers in node.requests(bench.options.lookups)]
    path = rivals.BetterAuth.path
    return [("GET", path, {"Cookie": c} | _from(n), b"") for n, c in enumerate(cookies)]


def rest(bench: Bench) -> dict[str, list[Request]]:
    """The requests of the REST API by kind."""
    headers = {"apikey": KEY, "Content-Type": "application/json"}
    count = headers | {"Prefer": "count=exact"}
    minimal = headers | {"Prefer": "return=minimal"}
    ids = bench.database.sql("SELECT id FROM users ORDER BY hashtext(email) LIMIT 5000").split()
    person = json.dumps([{"name": "New", "email": "{new}@example.org"}]).encode()
    users = "/rest/v1/users"
    sessions = "/rest/v1/sessions?select=id&limit=1&user_id=eq."
    return {
        "one row by id": [("GET", f"{users}?id=eq.{id_}", headers, b"") for id_ in ids],
        "a page of 50": [("GET", f"{users}?order=created_at,id&limit=50", headers, b"")],
        "count": [("GET", sessions + id_, count, b"") for id_ in ids],
        "insert": [("POST", users, minimal, person)],
    }


# --- measurements ---------------------------------------------------------------------------------


def _rate(one: Round) -> float:
    return one.rate


def _p99(one: Round) -> float:
    return one.p99


def _cpu(one: Round) -> float:
    return one.cpu


def _all_cpu(one: Round) -> float:
    return one.cpu + one.database


def session(bench: Bench) -> None:
    """The session lookup of every contestant, and the limit of the database itself."""
    requests = lookups(bench)
    with ExitStack() as stack:
        base = stack.enter_context(bench.running(LIMIT_B, requests))
        ours = stack.enter_context(bench.running("Gatepost", requests))
        expected = send(base.port, requests[0])
        response = send(ours.port, requests[0])
        if response.content != expected.content or response.json()["user"] is None:
            raise SystemExit(f"different responses: {response.text} {expected.text}")
        compared = () if bench.options.no_others else rivals.RIVALS
        others = [stack.enter_context(bench.rival(one)) for one in compared]
        everyone = [base, ours, *others]
        bench.rounds(everyone)
        rows = [
            [
                one.name,
                spread(one.ratios(base, _rate)),
                spread(one.ratios(base, _p99)),
                spread(one.ratios(base, _cpu)),
                spread(one.ratios(base, _all_cpu)),
                spread([each.statements for each in one.rounds]),
                f"{memory(one.pid):.0f} MB",
            ]
            for one in everyone
        ]
        print(f"\n## get-session, {CONNECTIONS} connections, one process\n")
        print("Multiples of LIMIT-B, but for the last two columns.\n")
        head = ("requests/s", "p99", "CPU of the service", "… and the database")
        print(table(("", *head, "statements per request", "memory"), rows))
        if others:
            print("\nGatepost's requests per second, as a multiple of the others':\n")
            print(table(("", "×"), [[o.name, spread(ours.ratios(o, _rate), 1)] for o in others]))
        absolute(everyone[:2])
    print(
        "\npgbench with the statement of LIMIT-B, as a multiple of LIMIT-B's requests/s: ", end=""
    )
    print(spread([rate / one.rate for rate, one in zip(pgbench(bench), base.rounds, strict=True)]))


def absolute(contestants: list[Contestant]) -> None:
    """What the ratios are of, for comparison with another machine."""
    print("\nFor scale, medians of this machine:\n")
    rows = [
        [
            one.name,
            f"{statistics.median(map(_rate, one.rounds)):,.0f}",
            f"{statistics.median(map(_p99, one.rounds)) / 1000:.1f} ms",
            f"{statistics.median(map(_cpu, one.rounds)) * 1e6:.0f} µs",
        ]
        for one in contestants
    ]
    print(table(("", "requests/s", "p99", "CPU of the service per request"), rows))


def pgbench(bench: Bench) -> list[float]:
    """Statements per second, with a client for each connection of LIMIT-B."""
    script = bench.folder / "lookup.sql"
    text = STATEMENTS["session"].replace("$1", "md5('session ' || :n)")
    one_line = " ".join(text.split())
    script.write_text(f"\\set n random(1, {bench.options.sessions})\n{one_line};\n")
    script.chmod(0o644)
    command = [
        *(bench.binaries / "pgbench", "-n", "-M", "prepared", "-c", "10", "-j", "1"),
        *("-T", f"{bench.options.seconds}", "-f", script, bench.url),
    ]
    rates = []
    for _ in range(bench.options.rounds):
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        line = next(line for line in done.stdout.splitlines() if line.startswith("tps"))
        rates.append(float(line.split()[2]))
    return rates


def rest_api(bench: Bench) -> None:
    """Four requests of the REST API compared with the same by hand."""
    rows, both = [], []
    kinds = rest(bench)
    for kind, requests in kinds.items():
        with (
            bench.running(LIMIT_B, requests) as base,
            bench.running("Gatepost", requests) as ours,
        ):
            bench.rounds([base, ours])
            both += [replace(one, name=f"{kind}, {one.name}") for one in (base, ours)]
            rows.append(
                [
                    kind,
                    *(spread(ours.ratios(base, value)) for value in (_rate, _p99, _cpu, _all_cpu)),
                ]
            )
    print("\n## The REST API, as multiples of the same by hand\n")
    head = ("requests/s", "p99", "CPU of the service", "… and the database")
    print(table(("", *head), rows))
    absolute(both)


def sign_in(bench: Bench) -> None:
    """Sign-ins by two clients without pause, and the session lookups during them."""
    requests, node = lookups(bench), rivals.RIVALS[0]
    assert isinstance(node, rivals.BetterAuth)
    with bench.running("Gatepost", requests) as ours, bench.rival(node) as theirs:
        wanted = node.sign_in(SIGNING_IN)
        ratios: list[float] = []
        waits: dict[str, list[float]] = {ours.name: [], theirs.name: []}
        meanwhile: dict[str, list[float]] = {ours.name: [], theirs.name: []}
        for _ in range(bench.options.rounds):
            rates = {}
            for one in (ours, theirs):
                own = {"Origin": f"http://127.0.0.1:{one.port}"}
                posts = [("POST", p, headers | own, body) for p, headers, body in wanted]
                path = write(bench.folder / f"{one.name}.sign-ins", posts)
                if send(one.port, posts[0]).status_code != 200:
                    raise SystemExit(f"{one.name} refuses sign-ins")
                rates[one.name] = _signed_in(one, path, bench.options.seconds)
                idle = load(one.port, one.requests, bench.options.seconds)["p99"]
                thread = threading.Thread(
                    target=_signed_in, args=(one, path, bench.options.seconds + 2)
                )
                thread.start()
                busy = load(one.port, one.requests, bench.options.seconds)["p99"]
                thread.join()
                waits[one.name].append(busy / idle)
                meanwhile[one.name].append(busy)
            ratios.append(rates[ours.name] / rates[theirs.name])
    print("\n## Signing in\n")
    print(f"Gatepost's sign-ins per second over better-auth's, two clients: {spread(ratios)}\n")
    rows = [[name, spread(values, 1)] for name, values in waits.items()]
    print(table(("p99 of get-session while two clients sign in, over its idle p99", "×"), rows))
    pairs = zip(meanwhile[theirs.name], meanwhile[ours.name], strict=True)
    print("\nbetter-auth's p99 meanwhile, over Gatepost's: ", end="")
    print(spread([x / y for x, y in pairs], 1))


def _signed_in(one: Contestant, path: Path, seconds: int) -> float:
    result = load(one.port, path, seconds, connections=2)
    if result["status_errors"]:
        print(f"{one.name}: {result['status_errors']} sign-ins refused", file=sys.stderr)
    return result["requests"] / result["duration_us"] * 1e6


def growth(bench: Bench) -> None:
    """The session lookup with more and fewer processes, pooled connections and clients."""
    requests = lookups(bench)
    with ExitStack() as stack:
        base = stack.enter_context(bench.running("default: a pool of 10", requests))
        others = [
            stack.enter_context(
                bench.running(f"a pool of {size}", requests, GATEPOST_POOL_SIZE=str(size))
            )
            for size in (1, 3, 30)
        ]
        others.append(stack.enter_context(bench.running("two processes", requests, workers=2)))
        bench.rounds([base, *others])
        rows = [
            [one.name, spread(one.ratios(base, _rate)), spread(one.ratios(base, _p99))]
            for one in (base, *others)
        ]
        clients = (1, 8, 32, 128)
        rates: dict[int, list[float]] = {count: [] for count in clients}
        for _ in range(bench.options.rounds):
            for count in clients:
                result = load(base.port, base.requests, bench.options.seconds, count)
                rates[count].append(result["requests"] / result["duration_us"])
    print("\n## How the session lookup grows\n")
    print(table(("", "requests/s", "p99"), rows))
    print(f"\nRequests per second by clients, as multiples of those of {CONNECTIONS}:\n")
    least = [
        [str(count), spread([x / y for x, y in zip(rates[count], rates[32], strict=True)])]
        for count in clients
    ]
    print(table(("clients", "×"), least))


@contextmanager
def pgbouncer(bench: Bench, program: str, **options: str) -> Iterator[str]:
    """PgBouncer in transaction mode in front of the database; yields its address."""
    port, parts = free_port(), urlsplit(bench.url)
    folder = bench.folder / f"pgbouncer-{port}"
    folder.mkdir()
    configuration = folder / "pgbouncer.ini"
    lines = [
        "[databases]",
        f"* = host='{parse_qs(parts.query)['host'][0]}' user=postgres",
        "[pgbouncer]",
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =",
        "auth_type = any\npool_mode = transaction",
        *(f"{name} = {value}" for name, value in options.items()),
    ]
    configuration.write_text("\n".join(lines))
    user = ("-u", SYSTEM_USER) if os.geteuid() == 0 else ()
    command = [program, "-q", *user, str(configuration)]
    with server(command, os.environ, port, folder / "log", folder):
        yield f"postgres://postgres@127.0.0.1:{port}{parts.path}?sslmode=disable"


def behind_pooler(bench: Bench) -> None:
    """Gatepost behind PgBouncer, beside the same on the server's own address."""
    one = rest(bench)["one row by id"]
    for kind, requests in (("get-session", lookups(bench)), ("one row by id", one)):
        with ExitStack() as stack:
            base = stack.enter_context(bench.running("direct", requests))
            others = []
            for program in bench.options.pgbouncer:
                said = subprocess.run([program, "--version"], check=True, capture_output=True)
                version = said.stdout.split()[1].decode()
                able = tuple(map(int, version.split(".")[:2])) >= (1, 21)
                for mode in ("transaction", "prepared") if able else ("transaction",):
                    kept = {"max_prepared_statements": "200"} if mode == "prepared" else {}
                    url = stack.enter_context(pgbouncer(bench, program, **kept))
                    running = bench.running(
                        f"PgBouncer {version}, {mode}",
                        requests,
                        DATABASE_URL=url,
                        GATEPOST_POOLER=mode,
                    )
                    others.append(stack.enter_context(running))
            everyone = [base, *others]
            alone = one_client(everyone, requests[:ALONE])
            bench.rounds(everyone)
            rows = [
                [
                    each.name,
                    f"{waited / alone[0]:.2f}",
                    *(spread(each.ratios(base, value)) for value in (_rate, _p99, _cpu)),
                ]
                for each, waited in zip(everyone, alone, strict=True)
            ]
            print(f"\n## Behind a pooler: {kind}, as multiples of the direct way\n")
            head = ("requests/s", "p99", "CPU of the service")
            print(table(("", "time of a lone request", *head), rows))


def one_client(contestants: list[Contestant], requests: list[Request]) -> list[float]:
    """Seconds of a request, asked by turns: the lowest tenth, which a busy machine moves least."""
    seconds: list[list[float]] = [[] for _ in contestants]
    with ExitStack() as stack:
        clients = [
            stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{each.port}"))
            for each in contestants
        ]
        for method, path, headers, _ in requests:
            for client, times in zip(clients, seconds, strict=True):
                started = time.perf_counter()
                client.request(method, path, headers=dict(headers)).raise_for_status()
                times.append(time.perf_counter() - started)
    return [statistics.quantiles(times, n=10)[0] for times in seconds]


SECTIONS: Final = {
    "session": session,
    "rest": rest_api,
    "sign-in": sign_in,
    "growth": growth,
    "pooler": behind_pooler,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; default all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5, help="of each round")
    parser.add_argument("--users", type=int, default=rivals.USERS)
    parser.add_argument("--sessions", type=int, default=rivals.SESSIONS)
    parser.add_argument(
        "--pgbouncer", action="append", metavar="PROGRAM", help="may be given several times"
    )
    parser.add_argument(
        "--no-others",
        action="store_true",
        help="compare with the work by hand alone, which takes neither Node nor npm",
    )
    options = parser.parse_args()
    options.pgbouncer = options.pgbouncer or ["pgbouncer"]
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"no section {', '.join(sorted(unknown))}")
    sections = options.sections or list(SECTIONS)
    if options.no_others and "sign-in" in sections:
        parser.error("sign-in compares with better-auth on Node: name the other sections")
    options.lookups = min(LOOKED_UP, options.sessions)
    if {"session", "sign-in"}.intersection(sections) and not options.no_others:
        rivals.install()
    with tempfile.TemporaryDirectory(prefix="gatepost-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # for the user the server runs as; the data in it is private
        os.environ[KEEP_HEAP[0]] = KEEP_HEAP[1]
        with EmbeddedPostgres(folder / "postgres", options=OPTIONS) as postgres:
            del os.environ[KEEP_HEAP[0]]
            bench = Bench(postgres, folder, options)
            bench.seed()
            for section in sections:
                SECTIONS[section](bench)


if __name__ == "__main__":
    main()
