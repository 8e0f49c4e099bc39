"""The sessions table at size: what its indexes, its fillfactor and its purge cost.

    python bench/at_size.py [--rows 10000000] [A B C D E]

A  a refresh, by the index on expires_at and by fillfactor
B  a purge, by how it finds the expired rows
C  lookups, lists, pages and refreshes on --rows sessions, against 50,000
D  the purge of a tenth of --rows while lookups go on, and the vacuum after it
E  a sign-in, by the indexes it has to fill

Runs on embedded servers of its own; A also on PostgreSQL 15 where Debian's is installed. pgbench
drives the statements of app/statements. A, B and E compare tables of half a million rows in a
sixteenth of the memory, so that as much of their indexes is in shared_buffers as at ten million.
Where rates are compared the rounds alternate; a figure is the median of the rounds with its range.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any, Final

from filled import (
    DAYS,
    NOW,
    PER_USER,
    TENTHS,
    TOKEN,
    WEEK,
    Database,
    Drive,
    Variant,
    churn,
    clone,
    connected,
    drive,
    drop,
    living,
    load,
    many,
    of_user,
    one,
    p99,
    page,
    refresh,
    server,
    set_index,
    sizes,
    spelled,
)

from app.devserver.postgres import EmbeddedPostgres
from app.purge import CHUNK_PAGES
from app.statements import sessions

SMALL: Final = 500_000  # rows of A, B and E, unless --rows says fewer
# Rows of the table that C compares with. On one of 10,000 a lookup has another plan: it reads
# all of the 2,000 users, which the planner takes for cheaper than ten steps into their index.
REFERENCE: Final = 50_000
ROUNDS: Final = 3
TENTH_MORE: Final = 0.01 * ROUNDS + 0.1  # share of a table that B has purged at its end
PAUSE: Final = 4  # the background purge rests so many times as long as a chunk took
LOOKUPS: Final = 1000  # a second, while D purges
WINDOW: Final = 3.0  # seconds
WINDOWS: Final = 5
VACUUM_DEADLINE: Final = 120.0  # seconds
DEBIAN_15: Final = Path("/usr/lib/postgresql/15/bin")

LARGE_MEMORY: Final = {"shared_buffers": "1GB"}
SMALL_MEMORY: Final = {"shared_buffers": "64MB", "autovacuum": "off"}

BTREE: Final = Variant("btree", 100)  # what A compares with
CHOSEN: Final = Variant("none", 90)  # what B, C, D and E are run on


# --- the report -----------------------------------------------------------------------------------


def table(title: str, run: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print(f"\n### {title}\n\n{run}\n")
    print("| " + " | ".join(header) + " |")
    print("| " + " | ".join("---" for _ in header) + " |")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)


def ranged(values: Sequence[float], digits: int = 2) -> str:
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def alternating(names: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Each name once per round, every second round in reverse."""
    for number in range(ROUNDS):
        for name in names if number % 2 == 0 else reversed(names):
            yield number, name


# --- A: a refresh ---------------------------------------------------------------------------------

_NO_WAIT: Final = "-c synchronous_commit=off"
"""A flush of this disk takes the same time for every variant, and would hide the differences."""

_PICK: Final = """
DROP TABLE IF EXISTS picks;
CREATE TABLE picks AS SELECT row_number() OVER () AS n, token FROM (
    SELECT token FROM sessions ORDER BY random() LIMIT 200000) s;
ALTER TABLE picks ADD PRIMARY KEY (n);
ANALYZE picks;
"""


@dataclass
class Refreshes:
    """Of some refreshes: the mean time in ms, the share that was HOT, WAL bytes each."""

    time: float
    hot: float
    wal: float


async def refreshed(postgres: EmbeddedPostgres, database: str, seconds: float) -> Refreshes:
    """Refresh sessions of ``picks`` in one client."""
    query = (
        "SELECT n_tup_upd, n_tup_hot_upd, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"
        " FROM pg_stat_user_tables WHERE relname = 'sessions'"
    )
    async with connected(postgres, database) as connection:
        picks = await connection.fetchval("SELECT count(*) FROM picks")
        before = await connection.fetchrow(query)
    row = "picks JOIN sessions USING (token) WHERE n = :n"
    script = f"\\set n random(1, {picks})\n" + refresh(row)
    got = await drive(postgres, database, script, seconds=seconds, clients=1, options=_NO_WAIT)
    await asyncio.sleep(0.3)  # its counters arrive after it
    async with connected(postgres, database) as connection:
        after = await connection.fetchrow(query)
    assert before
    assert after
    updates, hot, wal = (int(b) - int(a) for a, b in zip(before, after, strict=True))
    return Refreshes(got.last, hot / updates, wal / updates)


async def full_page_writes(postgres: EmbeddedPostgres, state: str) -> None:
    async with connected(postgres, "postgres") as admin:
        await admin.execute(f"ALTER SYSTEM SET full_page_writes = {state}")
        await admin.execute("SELECT pg_reload_conf()")
        await admin.execute("CHECKPOINT")


async def refresh_costs(
    postgres: EmbeddedPostgres, rows: int, variants: Sequence[Variant], reference: Variant
) -> list[list[object]]:
    """A row of the report for each variant."""
    names = {f"{v.index}_{v.fillfactor}": v for v in variants}
    fresh: dict[str, Refreshes] = {}
    during_churn: dict[str, float] = {}
    turns = asyncio.Semaphore(2)

    async def prepare(name: str, variant: Variant) -> None:
        async with turns:
            await load(postgres, name, rows, variant, WEEK)
            async with connected(postgres, name) as connection:
                await connection.execute(_PICK)
                fresh[name] = await refreshed(postgres, name, 2)
                during_churn[name] = await churn(connection, rows)
                await connection.execute(_PICK)

    for name in names:
        await clone(postgres, name)
    await asyncio.gather(*(prepare(name, variant) for name, variant in names.items()))
    size = {}
    for name in names:
        async with connected(postgres, name) as connection:
            size[name] = await sizes(connection, rows)
    await full_page_writes(postgres, "off")
    got: dict[str, list[Refreshes]] = {name: [] for name in names}
    for _, name in alternating(list(names)):
        got[name].append(await refreshed(postgres, name, 2))
    await full_page_writes(postgres, "on")
    after_checkpoint = {name: await refreshed(postgres, name, 2) for name in names}
    base = got[f"{reference.index}_{reference.fillfactor}"]
    lines: list[list[object]] = []
    for name, variant in names.items():
        ratios = [b.time / g.time for b, g in zip(base, got[name], strict=True)]
        indexes = sum(bytes_ for of, bytes_ in size[name].items() if of != "sessions")
        lines.append([
            variant.index, variant.fillfactor, ranged(ratios), f"{fresh[name].hot:.0%}",
            f"{during_churn[name]:.0%}",
            f"{statistics.median(g.wal for g in got[name]):.0f}",
            f"{after_checkpoint[name].wal:.0f}",
            f"{size[name]['sessions']:.0f}", f"{indexes:.0f}",
        ])  # fmt: skip
    await drop(postgres, *names)
    return lines


async def experiment_a(rows: int) -> None:
    header = [
        "index on expires_at", "fillfactor", "refreshes a second, × btree/100", "HOT, new table",
        "HOT in days 6 to 10", "WAL bytes", "… after a checkpoint", "table, MB a million",
        "indexes, MB a million",
    ]  # fmt: skip
    run = (
        f"{rows:,} rows, after {DAYS} days of churn; one client, the UPDATE's own time (median of "
        f"{ROUNDS} alternating rounds), synchronous_commit off. HOT of a new table: as loaded, "
        "nothing ever refreshed. WAL without page images, and with them right after a checkpoint."
    )
    variants = [
        Variant(index, fill) for fill in (100, 90, 80) for index in ("btree", "BRIN", "none")
    ]
    async with server(SMALL_MEMORY) as postgres:
        lines = await refresh_costs(postgres, rows, variants, BTREE)
    table("A. What a refresh costs, PostgreSQL 18", run, header, lines)
    if not DEBIAN_15.exists():
        print("\nPostgreSQL 15 is not installed here: not run on it.")
        return
    variants = [Variant(index, 90) for index in ("btree", "BRIN", "none")]
    async with server(SMALL_MEMORY, DEBIAN_15) as postgres:
        lines = await refresh_costs(postgres, rows, variants, variants[0])
    header[2] = "refreshes a second, × btree/90"
    table("A. The same on PostgreSQL 15", run, header, lines)


# --- B: a purge -----------------------------------------------------------------------------------

# The service's own, but for the time: the rows expire when an experiment wants them to.
WALK: Final = sessions.purge.text.replace("now()", "$3::timestamptz")
FIRST: Final = """
DELETE FROM sessions WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM sessions WHERE expires_at < $1 {order} LIMIT {limit} FOR UPDATE SKIP LOCKED
)) AND expires_at < $1
"""


@dataclass
class Purged:
    """The sum over the statements of a purge: seconds, rows looked at, 8-kB pages touched."""

    rows: int = 0
    statements: int = 0
    seconds: float = 0.0
    looked_at: int = 0
    touched: int = 0
    plan: str = ""

    def add(self, explained: Mapping[str, Any]) -> int:
        """Count in the plan of a statement: a DELETE over what a subquery of its found."""
        plan = explained["Plan"]
        scans = [
            node for node in _nodes(plan) if "Relation Name" in node and "Scan" in node["Node Type"]
        ]
        deleted = next(int(n["Actual Rows"]) for n in plan["Plans"] if "Subplan Name" not in n)
        self.rows += deleted
        self.statements += 1
        self.seconds += (explained["Planning Time"] + explained["Execution Time"]) / 1000
        removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
        self.looked_at += sum(
            int(scan["Actual Rows"]) + sum(int(scan.get(key, 0)) for key in removed)
            for scan in scans
            if scan["Node Type"] != "Tid Scan"  # it fetches the rows that were found
        )
        self.touched += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        self.plan = " + ".join(scan["Node Type"] for scan in scans)
        return deleted


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


async def pages(database: Database) -> int:
    size = await database.fetchval("SELECT pg_relation_size('sessions') / 8192")
    return int(size)


async def purge_once(database: Database, index: str, limit: int, now: datetime) -> Purged:
    """Purge everything that expired before ``now``, under EXPLAIN ANALYZE."""
    done = Purged()
    explain = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY, FORMAT JSON) "
    if index == "none":
        for first in range(0, await pages(database), limit):
            places = ((first, 0), (first + limit, 0))
            found = await database.fetchval(explain + WALK, *places, now)
            done.add(json.loads(found)[0])
        return done
    order = "ORDER BY expires_at" if index == "btree" else ""
    statement = explain + FIRST.format(order=order, limit=limit)
    while done.add(json.loads(await database.fetchval(statement, now))[0]) == limit:
        pass
    return done


async def experiment_b(rows: int) -> None:
    methods = {
        "walk by TID, 128 pages": ("none", CHUNK_PAGES),
        "BRIN, LIMIT 1000": ("BRIN", 1000),
        "BRIN, LIMIT 5000": ("BRIN", 5000),
        "btree, LIMIT 1000": ("btree", 1000),
        "btree, LIMIT 5000": ("btree", 5000),
    }
    async with server(SMALL_MEMORY) as postgres:
        for state in ("new", "after churn"):
            base = "base"
            await clone(postgres, base)
            await load(postgres, base, rows, Variant("BRIN", CHOSEN.fillfactor), WEEK)
            if state != "new":
                async with connected(postgres, base) as connection:
                    await churn(connection, rows)
            async with connected(postgres, base) as connection:
                shares = [*(0.01 * (number + 1) for number in range(ROUNDS)), TENTH_MORE]
                cuts = await connection.fetchval(
                    "SELECT percentile_disc($1::float8[]) WITHIN GROUP (ORDER BY expires_at)"
                    " FROM sessions", shares,
                )  # fmt: skip
            for name, (index, _) in methods.items():
                await clone(postgres, name, base)
                async with connected(postgres, name) as connection:
                    if index != "BRIN":  # that one has been there all along
                        await set_index(connection, index)
                    await connection.execute("VACUUM (ANALYZE) sessions")
            got: dict[str, list[Purged]] = {name: [] for name in methods}
            for number, name in alternating(list(methods)):
                async with connected(postgres, name) as connection:
                    got[name].append(await purge_once(connection, *methods[name], cuts[number]))
            tenth, idle = {}, {}
            for name in methods:
                async with connected(postgres, name) as connection:
                    tenth[name] = await purge_once(connection, *methods[name], cuts[-1])
                    await connection.execute("VACUUM sessions")
                    idle[name] = await purge_once(connection, *methods[name], cuts[-1])
            await drop(postgres, base, *methods)
            names = list(methods)
            reference = got[names[0]]
            lines: list[list[object]] = []
            for name, purges in got.items():
                ratios = [p.seconds / r.seconds for p, r in zip(purges, reference, strict=True)]
                middle = sorted(purges, key=lambda purged: purged.seconds)[ROUNDS // 2]
                lines.append([
                    name, ranged(ratios), f"{middle.seconds:.2f}", middle.statements,
                    f"{middle.rows:,}", f"{middle.looked_at:,}", f"{middle.touched:,}", middle.plan,
                    f"{idle[name].seconds:.3f}", f"{idle[name].touched:,}",
                    f"{tenth[name].seconds / tenth[names[0]].seconds:.2f}",
                    f"{tenth[name].looked_at:,}",
                ])  # fmt: skip
            table(
                f"B. The purge of 1 % of a table, {state}",
                f"{rows:,} rows, fillfactor {CHOSEN.fillfactor}"
                + (f", {DAYS} days of churn" if state != "new" else ", loaded in order of time")
                + f"; {ROUNDS} purges in a row of 1 % each, alternating, under EXPLAIN (ANALYZE, "
                "BUFFERS, TIMING OFF). Then a tenth of the table at once. Idle: one more after a "
                "VACUUM, with nothing left to find.",
                ["how", "time, × the walk", "s", "statements", "rows purged", "rows looked at",
                 "pages touched", "scan", "idle, s", "idle, pages", "a tenth: time, × the walk",
                 "a tenth: rows looked at"],
                lines,
            )  # fmt: skip


# --- C: at size -----------------------------------------------------------------------------------


async def experiment_c(postgres: EmbeddedPostgres, rows: int) -> None:
    started = time.monotonic()
    await clone(postgres, "large")
    await load(postgres, "large", rows, CHOSEN, TENTHS, halves=True)
    took = time.monotonic() - started
    async with connected(postgres, "large") as connection:
        bytes_ = await sizes(connection, rows)
    table(
        "C. Bytes a session",
        f"{rows:,} rows in {await _pages_of(postgres)} pages, fillfactor {CHOSEN.fillfactor}, "
        f"index on expires_at: {CHOSEN.index}; loaded in {took:.0f} s, indexes after the rows.",
        ["what", "bytes a session", "share"],
        [
            *((name, f"{size:.1f}", f"{size / sum(bytes_.values()):.0%}")
              for name, size in bytes_.items()),
            ("together", f"{sum(bytes_.values()):.1f}", "100%"),
        ],
    )  # fmt: skip
    await clone(postgres, "small")
    await load(postgres, "small", REFERENCE, CHOSEN, TENTHS)
    counts = {"small": REFERENCE, "large": rows}
    scripts: dict[str, Callable[[int], str]] = {
        "lookup, `token =`": lambda count: one(f"random(0, {count - 1})"),
        "lookup as the service's, batch of 1": lambda count: many(f"random(0, {count - 1})"),
        "… batch of 16": lambda count: many(f"random(0, {count - 1})", 16),
        "sessions of a user": of_user,
        "page of 50 by created_at, id": page,
        "read and refresh": lambda count: (
            f"\\set n {living(count)}\n" + refresh(f"sessions WHERE token = {TOKEN}")
        ),
    }
    got: dict[str, dict[str, list[Drive]]] = {}
    for what, script in scripts.items():
        got[what] = {database: [] for database in counts}
        for _, database in alternating(list(counts)):
            found = await drive(postgres, database, script(counts[database]), options=_NO_WAIT)
            got[what][database].append(found)
    lookups = got["lookup, `token =`"]["large"]
    lines: list[list[object]] = []
    for what, found in got.items():
        pairs = list(zip(found["small"], found["large"], lookups, strict=True))
        lines.append([
            what,
            ranged([large.rate / small.rate for small, large, _ in pairs]),
            ranged([large.p99 / small.p99 for small, large, _ in pairs]),
            ranged([large.rate / lookup.rate for _, large, lookup in pairs]),
            ranged([large.p99 / lookup.p99 for _, large, lookup in pairs]),
            f"{statistics.median(large.rate for _, large, _ in pairs):,.0f}",
            f"{statistics.median(large.p99 for _, large, _ in pairs):.2f}",
        ])  # fmt: skip
    table(
        "C. Rates at size",
        f"{rows:,} rows against {REFERENCE:,} on the same server (shared_buffers "
        f"{LARGE_MEMORY['shared_buffers']}); 4 clients, {ROUNDS} alternating rounds of 3 s, "
        "synchronous_commit off. A batch of 16 counts as one.",
        ["what", f"rate, × {REFERENCE:,} rows", "p99, × the same", "rate, × one lookup",
         "p99, × one lookup", "a second", "p99, ms"],
        lines,
    )  # fmt: skip
    await drop(postgres, "small")


async def _pages_of(postgres: EmbeddedPostgres) -> str:
    async with connected(postgres, "large") as connection:
        return f"{await pages(connection):,}"


# --- D: a purge under lookups --------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """A purge of one tenth of the rows, in a part of the table."""

    tenth: int
    part: tuple[float, float]
    chunk: int = CHUNK_PAGES  # pages a statement
    pause: int = 0  # × the time a statement took
    rate: int = LOOKUPS  # lookups a second; 0: as many as 4 clients can
    windows: int = WINDOWS  # at most


# The first covers the whole table; the others share a tenth.
PLANS: Final = (
    Plan(0, (0, 1), windows=1000),
    Plan(1, (0, 1 / 2), chunk=64),
    Plan(1, (1 / 2, 1), chunk=512),
    Plan(2, (0, 1 / 3), chunk=64, pause=PAUSE),
    Plan(2, (1 / 3, 2 / 3), pause=PAUSE),
    Plan(2, (2 / 3, 1), chunk=512, pause=PAUSE),
    Plan(3, (0, 1 / 2), rate=0),
    Plan(3, (1 / 2, 1), rate=0, pause=PAUSE),
)


class Walk:
    """The purge of a plan, a statement at a time."""

    def __init__(self, database: Database, plan: Plan, end: int) -> None:
        self.database, self.plan = database, plan
        self.page, self.end = (int(end * part) for part in plan.part)
        self.first = self.page
        self.now = NOW + timedelta(minutes=plan.tenth, seconds=30)
        self.rows = 0
        self.seconds = 0.0
        self.longest = 0.0

    async def step(self) -> bool:
        """Purge a chunk and pause; False at the end."""
        if self.page >= self.end:
            return False
        started = time.perf_counter()
        following = min(self.page + self.plan.chunk, self.end)
        gone = await self.database.fetchval(WALK, (self.page, 0), (following, 0), self.now)
        took = time.perf_counter() - started
        await asyncio.sleep(self.plan.pause * took)
        self.page = following
        self.rows += gone
        self.longest = max(self.longest, took)
        self.seconds += time.perf_counter() - started
        return True


async def during(
    postgres: EmbeddedPostgres,
    script: str,
    rate: int,
    work: Callable[[], Awaitable[bool]] | None = None,
) -> list[float]:
    """The times of lookups in a window, while ``work`` is called until it gives False."""
    lookups = asyncio.ensure_future(drive(postgres, "large", script, seconds=WINDOW, rate=rate))
    try:
        while work and not lookups.done() and await work():
            pass
        return (await lookups).times
    finally:
        lookups.cancel()


async def experiment_d(postgres: EmbeddedPostgres, rows: int) -> None:
    script = many(living(rows))
    lines: list[list[object]] = []
    notes: list[str] = []
    async with connected(postgres, "large") as database:
        await database.execute("ALTER TABLE sessions SET (autovacuum_enabled = off)")
        await database.execute("VACUUM (ANALYZE) sessions")
        await database.execute("CHECKPOINT")
        end = await pages(database)
        await during(postgres, script, 0)  # warm
        for plan in PLANS:
            walk = Walk(database, plan, end)
            quiet: list[list[float]] = []
            busy: list[list[float]] = []
            while walk.page < walk.end and len(busy) < plan.windows:
                quiet.append(await during(postgres, script, plan.rate))
                busy.append(await during(postgres, script, plan.rate, walk.step))
            if walk.page >= walk.end and len(busy) > 1:
                quiet.pop()
                busy.pop()  # the purge ended within it
            share = (walk.page - walk.first) / end
            before = p99([*chain(*quiet)])
            ratios = [p99(b) / p99(q) for b, q in zip(busy, quiet, strict=True)]
            lines.append([
                f"{plan.rate:,} a second" if plan.rate else "flat out", plan.chunk,
                f"{plan.pause} × its time" if plan.pause else "none", f"{share:.0%}",
                f"{walk.rows:,}", f"{walk.seconds / share:.0f}", f"{1000 * walk.longest:.0f}",
                f"{before:.2f}", f"{p99([*chain(*busy)]) / before:.2f}", ranged(ratios), len(busy),
            ])  # fmt: skip
            if plan is PLANS[0]:
                notes = await vacuum_after(postgres, database, script, rows)
    table(
        "D. The purge of a tenth while lookups go on",
        f"{rows:,} rows in {end:,} pages, {rows // 10:,} expired, everywhere in the table; "
        "lookups of 4 clients, at a fixed rate from when each was due; windows of "
        f"{WINDOW:.0f} s without and with the purge in turn. Commits wait for the disk.",
        ["lookups", "pages a statement", "pause", "walked", "rows purged",
         "whole purge at this pace, s", "longest statement, ms", "p99 without, ms",
         "p99, × without", "… each pair", "pairs"],
        lines,
    )  # fmt: skip
    print()
    for note in notes:
        print(f"- {note}")


async def vacuum_after(
    postgres: EmbeddedPostgres, database: Database, script: str, rows: int
) -> list[str]:
    """How autovacuum follows the purge: with its defaults, and with a lower threshold."""

    async def state() -> tuple[int, bool, bool]:
        """The dead rows, whether autovacuum is running, whether it has run since."""
        await database.execute("SELECT pg_stat_force_next_flush()")
        found = await database.fetchrow(
            "SELECT n_dead_tup, EXISTS (SELECT FROM pg_stat_progress_vacuum p"
            " WHERE p.relid = t.relid), last_autovacuum > $1"
            " FROM pg_stat_user_tables t WHERE relname = 'sessions'",
            since,
        )
        assert found
        return found[0], found[1], bool(found[2])

    since = datetime.now(UTC)
    quiet = await during(postgres, script, LOOKUPS)
    dead, _, _ = await state()
    await database.execute(
        "ALTER TABLE sessions RESET (autovacuum_enabled, autovacuum_vacuum_scale_factor)"
    )
    await asyncio.sleep(5)  # five naptimes
    _, running, done = await state()
    came = "came" if running or done else "did not come"
    notes = [
        f"After the first purge {dead:,} rows are dead; autovacuum with its defaults waits for "
        f"{50 + rows // 5:,} and {came}."
    ]
    await database.execute("ALTER TABLE sessions SET (autovacuum_vacuum_scale_factor = 0.02)")
    started = time.monotonic()
    times: list[float] = []
    while not done and time.monotonic() - started < VACUUM_DEADLINE:
        times += await during(postgres, script, LOOKUPS)
        _, running, done = await state()
    took = time.monotonic() - started
    ended = "ended within" if done else "was still running after" if running else "did not come in"
    notes.append(
        f"With autovacuum_vacuum_scale_factor 0.02 on the table it {ended} {took:.0f} s; p99 of "
        f"the lookups meanwhile {p99(times or quiet) / p99(quiet):.2f} × before."
    )
    await database.execute("ALTER TABLE sessions SET (autovacuum_enabled = off)")
    started = time.monotonic()
    await database.execute("VACUUM sessions")
    notes.append(f"A VACUUM by hand right after it took {time.monotonic() - started:.0f} s.")
    return notes


# --- E: a sign-in ---------------------------------------------------------------------------------


# The check on the token as it was: the engine builds a state for each count anew at every write.
COUNTED: Final = (
    "ALTER TABLE sessions DROP CONSTRAINT sessions_token_shape,"
    " ADD CONSTRAINT sessions_token_shape CHECK (token ~ '^[A-Za-z0-9_-]{32,255}$')"
)


async def experiment_e(rows: int) -> None:
    optional = ("sessions_created_at_id_idx", "sessions_expires_at_idx", "sessions_user_id_idx")
    counted = "all, token_shape with {32,255}"
    variants: dict[str, tuple[str, str | None]] = {
        "all, expires_at as BRIN": ("BRIN", None),
        "all, expires_at as btree": ("btree", None),
        **{f"… BRIN, without {name}": ("BRIN", name) for name in optional},
        "keys alone": ("none", "both"),
        counted: ("BRIN", None),
    }
    values = {
        "user_id": f"md5('user' || (:n % {rows // PER_USER})::text)::uuid",
        "token": "md5(:n::text || random()::text)",
        "expires_at": "now() + interval '7 days'",
        "ip_address": "'203.0.113.' || :n % 256",
        "user_agent": "'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/130.0.0.0 Safari/537.36'",
    }
    script = f"\\set n random(0, {rows - 1})\n" + spelled(sessions.create, **values)
    count = rows // 25
    lsn = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"
    async with server(SMALL_MEMORY) as postgres:
        await clone(postgres, "base")
        await load(postgres, "base", rows, Variant("BRIN", CHOSEN.fillfactor), WEEK)
        for name, (index, without) in variants.items():
            await clone(postgres, name, "base")
            async with connected(postgres, name) as connection:
                if index != "BRIN":
                    await set_index(connection, index)
                if name == counted:
                    await connection.execute(COUNTED)
                for dropped in optional:
                    if without in (dropped, "both"):
                        await connection.execute(f"DROP INDEX IF EXISTS {dropped}")
        async with connected(postgres, "base") as connection:
            size = await sizes(connection, rows)
        await full_page_writes(postgres, "off")
        got: dict[str, list[Drive]] = {name: [] for name in variants}
        wal: dict[str, list[float]] = {name: [] for name in variants}
        async with connected(postgres, "postgres") as admin:
            for _, name in alternating(list(variants)):
                before = await admin.fetchval(lsn)
                found = await drive(
                    postgres, name, script, transactions=count, clients=1, options=_NO_WAIT
                )
                got[name].append(found)
                wal[name].append(float(await admin.fetchval(lsn) - before) / len(found.times))
    first = got["all, expires_at as BRIN"]
    lines: list[list[object]] = []
    for name, drives in got.items():
        ratios = [a.median / b.median for a, b in zip(first, drives, strict=True)]
        without = variants[name][1]
        saved = f"{size[without]:.1f}" if without in size else ""
        lines.append([name, ranged(ratios), f"{statistics.median(wal[name]):.0f}", saved])
    table(
        "E. What the indexes cost a sign-in",
        f"{rows:,} rows before; one client, {count:,} inserts a round with their foreign key, the "
        f"median time, {ROUNDS} alternating rounds; synchronous_commit off, WAL without images.",
        ["indexes", "inserts a second, × all", "WAL bytes", "bytes a session saved"],
        lines,
    )


# --- the run --------------------------------------------------------------------------------------


async def run(rows: int, chosen: Sequence[str]) -> None:
    small = min(rows, SMALL)
    started = time.monotonic()
    if "A" in chosen:
        await experiment_a(small)
    if "B" in chosen:
        await experiment_b(small)
    if "C" in chosen or "D" in chosen:
        async with server(LARGE_MEMORY) as postgres:
            await experiment_c(postgres, rows)
            if "D" in chosen:
                await experiment_d(postgres, rows)
    if "E" in chosen:
        await experiment_e(small)
    print(f"\n{time.monotonic() - started:.0f} s in all.")


def main() -> None:
    arguments = argparse.ArgumentParser(usage="python bench/at_size.py [--rows N] [A B C D E]")
    arguments.add_argument("--rows", type=int, default=10_000_000)
    arguments.add_argument("experiments", nargs="*")
    given = arguments.parse_args()
    chosen = given.experiments or list("ABCDE")
    if unknown := set(chosen) - set("ABCDE"):
        arguments.error(f"no experiment {', '.join(sorted(unknown))}")
    if given.rows < REFERENCE:
        arguments.error(f"--rows is {REFERENCE} or more")
    asyncio.run(run(given.rows, chosen))


if __name__ == "__main__":
    main()
