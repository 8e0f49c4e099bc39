"""Servers with a sessions table of any size, and pgbench on them: the tools of at_size.py."""

import asyncio
import os
import re
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

import asyncpg

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # instead of the folder of the script

from app.devserver.postgres import EmbeddedPostgres  # noqa: E402
from app.migrations.runner import migrate  # noqa: E402
from app.sql import Statement  # noqa: E402
from app.statements import sessions  # noqa: E402

PER_USER: Final = 5  # sessions
DAYS: Final = 10  # of churn: by then most rows of the load are gone
RETURNS: Final = 0.15  # share of the sessions that are refreshed in a day

# Everything else is PostgreSQL's default: fsync, full page images and commits that wait included.
SETTINGS: Final = {
    "max_wal_size": "16GB",  # no checkpoint falls into one variant's round and not into another's
    "checkpoint_timeout": "1h",
    "maintenance_work_mem": "1GB",
    "autovacuum_naptime": "1s",
}

NOW: Final = datetime.now(UTC).replace(microsecond=0)

Database: TypeAlias = "asyncpg.Connection[Any]"


@dataclass(frozen=True)
class Variant:
    """What is compared: the index on expires_at, and the fillfactor of the table."""

    index: str
    fillfactor: int


INDEXES: Final = {
    "none": "",
    "BRIN": "CREATE INDEX sessions_expires_at_idx ON sessions USING brin (expires_at)",
    "btree": "CREATE INDEX sessions_expires_at_idx ON sessions (expires_at)",
}


# --- the servers ----------------------------------------------------------------------------------


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gatepost-bench-") as made:
        Path(made).chmod(0o711)  # for the user the server runs as; the data in it is private
        yield Path(made)


@asynccontextmanager
async def server(
    memory: Mapping[str, str], binaries: Path | None = None
) -> AsyncIterator[EmbeddedPostgres]:
    """A server with an empty, migrated database, removed at the end."""
    with folder() as home:
        options = SETTINGS | dict(memory)
        with EmbeddedPostgres(home / "pg", binaries=binaries, options=options) as running:
            await migrate(running.url())
            yield running


@asynccontextmanager
async def connected(postgres: EmbeddedPostgres, database: str) -> AsyncIterator[Database]:
    connection = await asyncpg.connect(postgres.url(database), command_timeout=900)
    try:
        yield connection
    finally:
        await connection.close()


async def clone(postgres: EmbeddedPostgres, database: str, template: str = "gatepost") -> None:
    async with connected(postgres, "postgres") as admin:
        await admin.execute(
            f'CREATE DATABASE "{database}" TEMPLATE "{template}" STRATEGY file_copy'
        )


async def drop(postgres: EmbeddedPostgres, *databases: str) -> None:
    async with connected(postgres, "postgres") as admin:
        for database in databases:
            await admin.execute(f'DROP DATABASE "{database}" WITH (FORCE)')


# --- the rows -------------------------------------------------------------------------------------

_USERS: Final = """
INSERT INTO users (id, name, email)
SELECT md5('user' || n)::uuid, 'User ' || n, 'user' || n || '@example.com'
FROM generate_series(0, $1::bigint - 1) n
"""

# Tokens and ids in random order, as real ones; a token follows from its number, so pgbench can look
# it up. The user agent has 100 letters. {created} and {expires} are expressions of n; $1 is the
# first n.
_SESSIONS: Final = """
INSERT INTO sessions (id, user_id, token, expires_at, ip_address, user_agent, created_at)
SELECT md5('id' || n)::uuid, md5('user' || n % $3::bigint)::uuid, md5(n::text), {expires},
    '203.0.113.' || n % 256,
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/'
    || 100 + n % 40 || '.0.0.0 Safari/537.36', {created}
FROM generate_series($1::bigint, $2::bigint - 1) n
"""

# In the order of creation: a week of sign-ins without a refresh.
WEEK: Final = {
    "created": "'{now}'::timestamptz - interval '7 days' * (1 - n::float8 / {rows})",
    "expires": "'{now}'::timestamptz + interval '7 days' * (n::float8 / {rows})",
}
# Four tenths of them expire, a tenth in each of four minutes, everywhere in the table.
TENTHS: Final = {
    "created": "'{now}'::timestamptz - interval '29 days' * (2 - n::float8 / {rows})",
    "expires": "'{now}'::timestamptz + CASE WHEN n % 10 < 4 THEN interval '1 minute' * (n % 10)"
    " ELSE interval '7 days' END",
}
EXPIRING: Final = 4

_SET_ASIDE: Final = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', c.conrelid::regclass, c.conname),
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.conrelid::regclass, c.conname,
           pg_get_constraintdef(c.oid)), c.contype = 'f'
FROM pg_constraint c WHERE c.conrelid = $1::text::regclass AND c.contype IN ('p', 'u', 'f')
AND NOT EXISTS (
    SELECT FROM pg_constraint f WHERE f.contype = 'f' AND f.oid <> c.oid AND f.conindid = c.conindid
)
UNION ALL
SELECT format('DROP INDEX %s', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid), false
FROM pg_index i WHERE i.indrelid = $1::text::regclass
AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
ORDER BY 3, 2
"""


async def load(
    postgres: EmbeddedPostgres,
    database: str,
    rows: int,
    variant: Variant,
    times: Mapping[str, str],
    *,
    halves: bool = False,
) -> None:
    """Fill a migrated database; keys and indexes are dropped before and made again after.

    With ``halves`` two connections write at a time: faster, and the order of time is lost a bit.
    """
    connections = connected(postgres, database), connected(postgres, database)
    async with connections[0] as one, connections[1] as two:
        await set_index(one, variant.index)
        await one.execute(f"ALTER TABLE sessions SET (fillfactor = {variant.fillfactor})")
        aside = [await one.fetch(_SET_ASIDE, table) for table in ("sessions", "users")]
        for drop_it, _, _ in (*aside[0], *aside[1]):
            await one.execute(drop_it)
        users = max(rows // PER_USER, 1)
        given = {"now": NOW.isoformat(), "rows": rows}
        fill = _SESSIONS.format(**{name: text.format(**given) for name, text in times.items()})
        half = rows // 2 if halves else rows

        async def rest() -> None:
            await two.execute(_USERS, users)
            await two.execute(fill, half, rows, users)

        await asyncio.gather(one.execute(fill, 0, half, users), rest())
        for _, make_it, _ in (*aside[1], *aside[0]):
            await one.execute(make_it)
        await one.execute("VACUUM (ANALYZE) users, sessions")


async def set_index(database: Database, index: str) -> None:
    await database.execute("DROP INDEX IF EXISTS sessions_expires_at_idx")
    if make_it := INDEXES[index]:
        await database.execute(make_it)


async def churn(database: Database, rows: int) -> float:
    """DAYS in each of which what has expired is purged, and while some sessions are refreshed as
    many new ones come: they fill the room of the purged, and the table loses its order of time.

    Gives the share of the refreshes of the second half that were HOT.
    """
    parts = 5  # of a day, each a transaction of either kind: the next cleans up what one leaves
    created = "$4::timestamptz + interval '1 day' * ((n - $1::bigint)::float8 / ($2 - $1) / 5)"
    fill = _SESSIONS.format(created=created, expires=f"{created} + interval '7 days'")
    number = rows
    updated = []
    for day in range(DAYS + 1):
        if day >= DAYS / 2:
            updated.append(await hot_updates(database))
        if day == DAYS:
            break
        now = NOW + timedelta(days=day, hours=12)
        gone = await database.execute("DELETE FROM sessions WHERE expires_at < $1", now)
        come = int(gone.split()[-1]) // parts
        await database.execute("VACUUM (ANALYZE) sessions")
        for part in range(parts):
            moment = now + timedelta(days=part / parts)
            await database.execute(
                "UPDATE sessions"
                " SET expires_at = $1::timestamptz + interval '7 days' * (1 - random() / 35)"
                " WHERE expires_at > $1 AND random() < $2::float8",
                moment, RETURNS / parts,
            )  # fmt: skip
            await database.execute("SET session_replication_role = replica")  # no foreign keys
            users = max(rows // PER_USER, 1)
            await database.execute(fill, number, number + come, users, moment)
            await database.execute("RESET session_replication_role")
            number += come
    updates, hot = (after - before for before, after in zip(updated[0], updated[-1], strict=True))
    return hot / updates


async def hot_updates(database: Database) -> tuple[int, int]:
    """Updates of sessions so far, and how many of them were HOT."""
    await database.execute("SELECT pg_stat_force_next_flush()")
    found = await database.fetchrow(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'sessions'"
    )
    assert found
    return found[0], found[1]


async def sizes(database: Database, rows: int) -> dict[str, float]:
    """Bytes a row of the table and of each of its indexes."""
    found = await database.fetch(
        "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relname = 'sessions'"
        " OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'sessions'::regclass)"
        " ORDER BY relkind DESC, 2 DESC"
    )
    return {name: size / rows for name, size in found}


# --- pgbench --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drive:
    """What pgbench saw: transactions a second, their times in ms, and the last statement's mean."""

    rate: float
    times: list[float]
    last: float

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    @property
    def p99(self) -> float:
        return p99(self.times)


def p99(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


async def drive(
    postgres: EmbeddedPostgres,
    database: str,
    script: str,
    *,
    seconds: float = 3.0,
    transactions: int = 0,
    clients: int = 4,
    rate: int = 0,
    options: str = "",
) -> Drive:
    """Run a script with prepared statements for ``seconds``, or so many times in each client.

    With ``rate`` (a second) a time counts from when the transaction was due.
    """
    length = f"--transactions={transactions}" if transactions else f"--time={seconds:.0f}"
    limit = [f"--rate={rate}"] if rate else []
    environment = {
        **os.environ, "PGHOST": str(postgres.sockets), "PGUSER": "postgres",
        "PGDATABASE": database, "PGOPTIONS": options,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "script.sql"
        file.write_text(script)
        process = await asyncio.create_subprocess_exec(
            str(postgres.binaries / "pgbench"), "--no-vacuum", "--protocol=prepared",
            f"--client={clients}", length, f"--file={file}",
            "--report-per-command", "--log", f"--log-prefix={folder}/log", *limit,
            env=environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            out, problems = await asyncio.wait_for(process.communicate(), seconds + 120)
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode:
            raise SystemExit(f"pgbench: {problems.decode()[-1000:]}")
        times = _logged(Path(folder))
    said = out.decode()
    found = re.search(r"tps = ([\d.]+)", said)
    if not found or len(times) < 2:
        raise SystemExit(f"pgbench: {said}")
    return Drive(float(found[1]), times, float(said.strip().splitlines()[-1].split()[0]))


def _logged(folder: Path) -> list[float]:
    """Each transaction's time in ms: the third word, in µs, of the lines of pgbench's logs."""
    lines = [line for log in folder.glob("log*") for line in log.read_text().splitlines()]
    return [int(line.split()[2]) / 1000 for line in lines]


def _text(statement: Statement) -> str:
    return statement.text.partition(" */ ")[2]  # a colon begins a variable, in a comment too


def spelled(statement: Statement, **values: str) -> str:
    """A statement with an expression of pgbench instead of each parameter."""
    text = _text(statement)
    for number, (name, _) in enumerate(statement.parameters, 1):
        text = re.sub(rf"\${number}\b", lambda _, name=name: f"({values[name]})", text)
    return text + ";\n"


TOKEN: Final = "md5(:n::text)"


def living(rows: int) -> str:
    """The number of a session that D does not purge, as pgbench's expression."""
    return f"random(0, {rows // 10 - 1}) * 10 + random({EXPIRING}, 9)"


def many(numbers: str, count: int = 1) -> str:
    """A batch of lookups, as the service makes them: one statement."""
    sets = "".join(f"\\set n{i} {numbers}\n" for i in range(count))
    tokens = ",".join(f"md5(:n{i}::text)" for i in range(count))
    return sets + spelled(sessions.find, tokens=f"ARRAY[{tokens}]")


def one(numbers: str) -> str:
    """A lookup by one token."""
    columns, _, _ = _text(sessions.find).partition(" WHERE ")
    return f"\\set n {numbers}\n{columns} WHERE s.token = {TOKEN};\n"


def of_user(rows: int) -> str:
    user = "md5('user' || :n::text)::uuid"
    values = {"user_id": user, "now": f"'{NOW.isoformat()}'", "limit": "100"}
    return f"\\set n random(0, {rows // PER_USER - 1})\n" + spelled(sessions.of_user, **values)


def page(rows: int) -> str:
    """A page of 50 that begins anywhere, as the REST API reads it."""
    columns = ", ".join(sessions.sessions.columns)
    moment = f"(SELECT created_at FROM sessions WHERE token = {TOKEN})"
    return (
        f"\\set n random(0, {rows - 1})\nSELECT {columns} FROM sessions"
        f" WHERE created_at >= {moment} ORDER BY created_at, id LIMIT 50;"
    )


def refresh(row: str) -> str:
    """Read a session, as the service does before every refresh, and refresh it."""
    values = {"expires_at": "now() + interval '30 days'", "token": ":token", "old": ":old"}
    values |= {"updated_at": ":updated_at"}
    return f"SELECT token, expires_at AS old, updated_at FROM {row} \\gset\n" + spelled(
        sessions.refresh, **values
    )
