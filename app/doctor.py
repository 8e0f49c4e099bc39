"""``gatepost doctor``: checks what this version needs of its database."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from app.database import Connection, connect
from app.database.connector import prefer_standby
from app.errors import DatabaseUnavailableError, MigrationError, PoolerError, StatementError
from app.migrations import catalogue
from app.migrations.runner import status
from app.redaction import redacted_url, without_password
from app.schema import TABLES
from app.settings import Settings
from app.statements import doctor as statements

Clock = Callable[[], datetime]
Level = Literal["ok", "warn", "fail"]
Outcome = tuple[Level, str]

TESTED_VERSIONS: Final = range(15, 19)
"""Major versions of PostgreSQL: the tests run on the first and the last."""

SKEW_WARNING: Final = timedelta(seconds=1)
SKEW_FAILURE: Final = timedelta(seconds=10)


class Finding(msgspec.Struct, frozen=True):
    """The outcome of a check. The service cannot work properly with a ``fail``."""

    check: str
    level: Level
    text: str


async def examine(settings: Settings, *, clock: Clock = lambda: datetime.now(UTC)) -> list[Finding]:
    """Run every check. One that raises has failed; without a connection the rest are skipped."""
    url, direct_url = settings.database_url, settings.database_direct_url
    findings: list[Finding] = []

    async def check(name: str, outcome: Awaitable[Outcome]) -> None:
        try:
            level, text = await outcome
        except (StatementError, MigrationError) as error:
            level, text = "fail", str(error).replace("\n", "; ")
        findings.append(Finding(name, level, text))

    try:
        async with connect(url) as service:
            findings.append(Finding("connection", "ok", f"{redacted_url(url)} answers"))
            await check("server version", server_version(service))
            await check("primary", primary(service))
            await check("pooler", pooler(settings, service))
            await check("time zone", time_zone(service, direct_url))
            await check("clock", clock_skew(service, clock))
            await check("privileges", privileges(service))
            has_citus = await service.fetchval(statements.has_citus)
            if has_citus or settings.citus:
                await check("citus", cluster(settings, service, has_citus=has_citus))
            await check("idle limit", idle_limit(service))
        if settings.replica_url is not None:
            await check("replicas", replicas(settings.replica_url))
        await check("migrations", migrations(direct_url))
        await check("schema", schema(direct_url))
        await check("indexes", indexes(direct_url))
    except DatabaseUnavailableError as error:
        reason = without_password(without_password(str(error), url), direct_url)
        findings.append(Finding("connection", "fail", f"{redacted_url(url)}: {reason}"))
    return findings


async def server_version(service: Connection) -> Outcome:
    return judge_version(await service.fetchval(statements.major_version))


def judge_version(major: int) -> Outcome:
    """Older versions lack what the statements use; newer ones are untested."""
    if major in TESTED_VERSIONS:
        return "ok", f"PostgreSQL {major}"
    level = "fail" if major < TESTED_VERSIONS[0] else "warn"
    return level, f"PostgreSQL {major}: tested are {TESTED_VERSIONS[0]} to {TESTED_VERSIONS[-1]}"


async def primary(service: Connection) -> Outcome:
    """What a standby says of a session may be out of date."""
    if await service.fetchval(statements.read_only):
        return "fail", "DATABASE_URL leads to a standby: target_session_attrs=read-write avoids it"
    return "ok", "takes writes"


async def pooler(settings: Settings, service: Connection) -> Outcome:
    """Migrations need the server itself, and the service has to know about a pooler."""
    if await service.is_direct():
        text = "none before DATABASE_URL"
        if settings.pooler == "transaction":
            text += "; without GATEPOST_POOLER prepared statements would be kept"
        return "ok", text
    async with connect(settings.database_direct_url) as direct:
        reaches_server = await direct.is_direct()
    missing = "the server's own address is missing in DATABASE_DIRECT_URL"
    try:
        await service.check_pooler(settings.pooler)
    except PoolerError as error:
        return "fail", str(error) if reaches_server else f"{error}; {missing}"
    if not reaches_server:
        return "fail", f"before DATABASE_URL, and {missing}: migrations need it"
    return "ok", f"before DATABASE_URL ({settings.pooler}); DATABASE_DIRECT_URL leads to the server"


async def time_zone(service: Connection, direct_url: str) -> Outcome:
    """The service's sessions are in UTC; those of psql and dbmate use the database's zone."""
    zone = await service.fetchval(statements.time_zone)
    if zone != "UTC":
        return "fail", f"the service's sessions are in {zone} and not in UTC"
    async with connect(direct_url, timezone="") as direct:
        default = await direct.fetchval(statements.time_zone)
    if default in ("UTC", "Etc/UTC", "GMT"):
        return "ok", f"{zone}, and {default} by default"
    return "warn", f"{zone} for the service, but {default} by default: psql shows times in it"


async def clock_skew(service: Connection, clock: Clock) -> Outcome:
    """The difference to the server's clock; the time of the round trip does not count."""
    before = clock()
    server = await service.fetchval(statements.clock)
    after = clock()
    skew = max(before - server, server - after, timedelta(0))
    level = "ok" if skew <= SKEW_WARNING else "warn" if skew <= SKEW_FAILURE else "fail"
    return level, f"{skew.total_seconds():.1f} s from the server's"


async def privileges(service: Connection) -> Outcome:
    """The service reads and writes rows. Every further privilege gives an intruder more."""
    tables = [table.name for table in TABLES]
    missing = await service.fetchcol(statements.missing_privileges, tables)
    if missing:
        return "fail", f"the service's role lacks {', '.join(missing)}"
    excess = await service.fetchcol(statements.excess_privileges, tables)
    role = await service.fetchval(statements.role)
    if excess:
        return "warn", f"{role} {', '.join(excess)}: see db/service_role.sql"
    return "ok", f"{role} reads and writes rows, nothing more"


async def cluster(settings: Settings, service: Connection, *, has_citus: bool) -> Outcome:
    """The service knows about the cluster, the tables are spread over it, and all of it answers."""
    from app.citus import layout_faults
    from app.statements import citus

    if not has_citus:
        return "fail", "GATEPOST_CITUS is set, but the extension is not in the database"
    rows = await service.fetch(citus.layout, [table.name for table in TABLES])
    found = {row["name"]: row["key"] for row in rows}
    if not settings.citus:
        if any(key is not None for key in found.values()):
            return "fail", "tables are spread over the cluster: set GATEPOST_CITUS=true"
        return "ok", "the extension is there, and every table is on this server"
    if faults := layout_faults(found):
        return "fail", f"{', '.join(faults)}: run deploy/citus/distribute.sql"
    if nodes := await service.fetchcol(citus.away):
        return "fail", f"these workers do not answer: {', '.join(nodes)}"
    return "ok", "the tables are spread over the cluster, and every worker answers"


async def idle_limit(service: Connection) -> Outcome:
    """A service that hangs, or that the network lost, would keep its locks for hours."""
    limit = await service.fetchval(statements.idle_timeout)
    if limit == "0":
        return "warn", "idle_in_transaction_session_timeout is off: see db/service_role.sql"
    return "ok", f"ended after {limit}"


async def replicas(url: str) -> Outcome:
    """One answers; without any, reads that ask for one are the primary's."""
    try:
        async with connect(prefer_standby(url)) as replica:
            if await replica.fetchval(statements.read_only):
                return "ok", f"{redacted_url(url)} answers"
    except DatabaseUnavailableError as error:
        return "warn", f"{redacted_url(url)}: {without_password(str(error), url)}"
    return "warn", "GATEPOST_REPLICA_URL leads to the primary alone"


async def migrations(direct_url: str) -> Outcome:
    """Every migration of this version is applied, and the files match the lock file."""
    state = await status(direct_url)
    if state.pending:
        names = ", ".join(migration.name for migration in state.pending)
        return "fail", f"pending: {names}: run 'gatepost migrate'"
    if state.ahead:
        return "warn", f"of a newer release: {', '.join(state.ahead)}"
    return "ok", f"{len(state.applied)} applied, none pending"


async def schema(direct_url: str) -> Outcome:
    """The catalogue is the one that the migrations make, as in db/catalogue.txt."""
    changed = catalogue.differences(await catalogue.read(direct_url))
    if not changed:
        return "ok", "as in db/schema.sql"
    only_additions = all(line.startswith("+") for line in changed)
    newer = only_additions and bool((await status(direct_url)).ahead)
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return ("warn" if newer else "fail"), f"not as in db/schema.sql: {'; '.join(changed[:3])}{more}"


async def indexes(direct_url: str) -> Outcome:
    """An interrupted concurrent build leaves an index that is maintained but never used."""
    async with connect(direct_url) as direct:
        names = await direct.fetchcol(statements.invalid_indexes)
    if names:
        drops = "; ".join(f"DROP INDEX CONCURRENTLY {name}" for name in names)
        return "fail", f"invalid, or still being built (then leave it): {drops}"
    return "ok", "all valid"
