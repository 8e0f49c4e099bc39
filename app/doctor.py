"""``gatepost doctor``: checks what this version needs of its database."""

import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from .database import Connection, connect
from .database.connector import prefer_standby
from .errors import (
    DatabaseUnavailableError,
    DbmateError,
    MigrationError,
    MigrationFilesError,
    PoolerError,
    StatementError,
)
from .migrations import catalogue, dbmate, files
from .migrations.runner import status
from .redaction import redacted_url, without_password
from .schema import TABLES, Schema
from .settings import Settings
from .statements import doctor as statements
from .statements.catalogue import SchemaObject

Clock = Callable[[], datetime]
Level = Literal["ok", "warn", "fail"]
Outcome = tuple[Level, str, str]
"""Of a check: level, text, and what to do next ("" when it is ok)."""

TESTED_VERSIONS: Final = range(15, 19)
"""Major versions of PostgreSQL: the tests run on the first and the last."""

EVENTS_DELAY: Final = timedelta(minutes=1)
"""What a transaction that is still open may keep readers of events waiting."""

NOT_ON_CITUS: Final = (
    "EXECUTE FUNCTION record_event(",
    "constraint session_activity.session_activity_session_id_fkey:",
)
"""What deploy/citus/distribute.sql takes away, by the texts of its lines in the catalogue."""

SKEW_WARNING: Final = timedelta(seconds=1)
SKEW_FAILURE: Final = timedelta(seconds=10)


class Finding(msgspec.Struct, frozen=True):
    """The outcome of a check. The service cannot work properly with a ``fail``."""

    check: str
    level: Level
    text: str
    """What was found, and what to do next."""
    next: str | None = None
    """What to do next by itself; None with ``ok``."""


def finding(check: str, level: Level, text: str, step: str = "") -> Finding:
    return Finding(check, level, f"{text}; {step}" if step else text, step or None)


def ok(text: str) -> Outcome:
    return "ok", text, ""


async def examine(settings: Settings, *, clock: Clock = lambda: datetime.now(UTC)) -> list[Finding]:
    """Run every check. One that raises has failed; without a connection the rest are skipped."""
    url, direct_url = settings.database_url, settings.database_direct_url
    findings: list[Finding] = []

    async def check(name: str, outcome: Awaitable[Outcome]) -> None:
        try:
            found = await outcome
        except (StatementError, MigrationError) as error:
            found = "fail", str(error).replace("\n", "; "), _step(error)
        findings.append(finding(name, *found))

    address = url
    try:
        async with connect(url) as service:
            findings.append(finding("connection", *ok(f"{redacted_url(url)} answers")))
            address = direct_url  # the checks connect to it, too
            await check("server version", server_version(service))
            await check("primary", primary(service))
            await check("pooler", pooler(settings, service))
            await check("time zone", time_zone(service, direct_url))
            await check("clock", clock_skew(service, clock))
            await check("privileges", privileges(settings.schema, service))
            has_citus = await service.fetchval(statements.has_citus)
            if has_citus or settings.citus:
                await check("citus", cluster(settings, service, has_citus=has_citus))
            await check("events", events(settings, service))
            await check("idle limit", idle_limit(service))
        if settings.replica_url is not None:
            await check("replicas", replicas(settings.replica_url))
        await check("dbmate", plain_dbmate(direct_url))
        await check("migrations", migrations(settings, direct_url))
        await check("schema", schema(settings, direct_url))
        if settings.schema.fields or settings.schema.own:
            await check("own schema", own_schema(settings.schema, direct_url))
        await check("indexes", indexes(direct_url))
    except DatabaseUnavailableError as error:
        reason = without_password(without_password(str(error), url), direct_url)
        text = f"{redacted_url(address)}: {reason}"
        findings.append(finding("connection", "fail", text, error.advice or NETWORK))
    return findings


NETWORK: Final = "see whether the server runs, and what its log says"


def _step(error: StatementError | MigrationError) -> str:
    match error:
        case StatementError(is_undefined_table=True):
            return "run 'gatepost migrate'"
        case StatementError(sqlstate="42501"):
            return "give DATABASE_DIRECT_URL the role that owns the tables"
        case MigrationFilesError():
            return "install the release again, or see docs/MIGRATIONS.md"
    return "see docs/MIGRATIONS.md"


def _where(file: os.PathLike[str]) -> str:
    """How somebody finds a file of ours: by its place in a checkout, or where it is installed."""
    return os.fspath(file) if files.INSTALLED else os.path.relpath(file)


async def server_version(service: Connection) -> Outcome:
    return judge_version(await service.fetchval(statements.major_version))


def judge_version(major: int) -> Outcome:
    """Older versions lack what the statements use; newer ones are untested."""
    if major in TESTED_VERSIONS:
        return ok(f"PostgreSQL {major}")
    first, last = TESTED_VERSIONS[0], TESTED_VERSIONS[-1]
    if major < first:
        return "fail", f"PostgreSQL {major}", f"upgrade it to one of {first} to {last}"
    return "warn", f"PostgreSQL {major}: tested are {first} to {last}", "upgrade Gatepost"


async def primary(service: Connection) -> Outcome:
    """What a standby says of a session may be out of date."""
    if await service.fetchval(statements.read_only):
        return (
            "fail",
            "DATABASE_URL leads to a server that takes no writes",
            "name the primary, or several hosts with target_session_attrs=read-write",
        )
    return ok("takes writes")


async def pooler(settings: Settings, service: Connection) -> Outcome:
    """Migrations need the server itself, and the service has to know about a pooler."""
    if await service.is_direct():
        text = "none before DATABASE_URL"
        if settings.pooler == "transaction":
            text += "; without GATEPOST_POOLER prepared statements would be kept"
        return ok(text)
    async with connect(settings.database_direct_url) as direct:
        reaches_server = await direct.is_direct()
    give = "" if reaches_server else "give the server's own address in DATABASE_DIRECT_URL"
    try:
        await service.check_pooler(settings.pooler)
    except PoolerError as error:
        found, _, change = str(error).partition(": ")
        return "fail", found, f"{change}; {give}" if give else change
    if give:
        return "fail", "before DATABASE_URL, and migrations need the server itself", give
    return ok(f"before DATABASE_URL ({settings.pooler}); DATABASE_DIRECT_URL leads to the server")


async def time_zone(service: Connection, direct_url: str) -> Outcome:
    """The service's sessions are in UTC; those of psql and dbmate use the database's zone."""
    zone = await service.fetchval(statements.time_zone)
    if zone != "UTC":
        return (
            "fail",
            f"the service's sessions are in {zone} and not in UTC",
            "let the pooler pass the client's TimeZone on",
        )
    async with connect(direct_url, timezone="") as direct:
        default = await direct.fetchval(statements.time_zone)
    if default in ("UTC", "Etc/UTC", "GMT"):
        return ok(f"{zone}, and {default} by default")
    return (
        "warn",
        f"{zone} for the service, but {default} by default: psql shows times in it",
        "ALTER DATABASE … SET timezone = 'UTC'",
    )


async def clock_skew(service: Connection, clock: Clock) -> Outcome:
    """The difference to the server's clock; the time of the round trip does not count."""
    before = clock()
    server = await service.fetchval(statements.clock)
    after = clock()
    skew = max(before - server, server - after, timedelta(0))
    text = f"{skew.total_seconds():.1f} s from the server's"
    if skew <= SKEW_WARNING:
        return ok(text)
    step = "let NTP set the clocks of both machines: timedatectl set-ntp true"
    return "warn" if skew <= SKEW_FAILURE else "fail", text, step


async def privileges(schema: Schema, service: Connection) -> Outcome:
    """The service reads and writes rows. Every further privilege gives an intruder more."""
    tables = [table.name for table in schema.tables]
    read = [table.name for table in schema.tables if table.restricted]
    written = [name for name in tables if name not in read]
    missing = await service.fetchcol(statements.missing_privileges, written, read)
    role = await service.fetchval(statements.role)
    if missing:
        lacking = f"the service's role lacks {', '.join(missing)}"
        if role == files.SERVICE_ROLE_NAME:
            return "fail", lacking, "run 'gatepost grant'"
        without = [name for name in written if any(each.endswith(f" {name}") for each in missing)]
        return "fail", lacking, f"run {grant(without, role)}"
    excess = await service.fetchcol(statements.excess_privileges, tables)
    if excess:
        step = f"give DATABASE_URL the role that {_where(files.SERVICE_ROLE)} makes"
        return "warn", f"{role} {', '.join(excess)}", step
    return ok(f"{role} reads and writes rows, nothing more")


def grant(tables: Iterable[str], role: str) -> str:
    """The statement that lets the service's role use tables of the application's own."""
    return f'GRANT SELECT, INSERT, UPDATE, DELETE ON {", ".join(tables)} TO "{role}"'


async def cluster(settings: Settings, service: Connection, *, has_citus: bool) -> Outcome:
    """The service knows about the cluster, the tables are spread over it, and all of it answers."""
    from .citus import layout_faults
    from .statements import citus

    if not has_citus:
        return (
            "fail",
            "GATEPOST_CITUS is set, but the extension is not in the database",
            "unset it, or see docs/CITUS.md",
        )
    rows = await service.fetch(citus.layout, [table.name for table in TABLES])
    found = {row["name"]: row["key"] for row in rows}
    if not settings.citus:
        if any(key is not None for key in found.values()):
            return "fail", "tables are spread over the cluster", "set GATEPOST_CITUS=true"
        return ok("the extension is there, and every table is on this server")
    if faults := layout_faults(found):
        step = "run deploy/citus/distribute.sql (docs/CITUS.md)"
        return "fail", ", ".join(faults), step
    if nodes := await service.fetchcol(citus.away):
        step = "start them, or see docs/CITUS.md"
        return "fail", f"these workers do not answer: {', '.join(nodes)}", step
    return ok("the tables are spread over the cluster, and every worker answers")


async def events(settings: Settings, service: Connection) -> Outcome:
    """Readers get every event, and soon."""
    if settings.citus:
        return ok("none are recorded on a cluster")
    ahead = await service.fetchval(statements.events_ahead)
    if ahead is not None and ahead > 0:
        return (
            "fail",
            f"the newest was numbered by another server, {ahead} transactions ahead of this one",
            "see docs/EVENTS.md, After a restore",
        )
    age = await service.fetchval(statements.events_waiting)
    if age is not None and age > EVENTS_DELAY:
        return (
            "warn",
            f"nobody can read those of the last {age.total_seconds():.0f} s yet",
            "end the transaction that has been open for so long (pg_stat_activity)",
        )
    return ok("in order, and they can be read")


async def idle_limit(service: Connection) -> Outcome:
    """A service that hangs, or that the network lost, would keep its locks for hours."""
    off = await service.fetchcol(statements.limits_off)
    if off:
        return (
            "warn",
            f"{' and '.join(off)} {'is' if len(off) == 1 else 'are'} off",
            f"run {_where(files.SERVICE_ROLE)} again, or set what it sets for the role",
        )
    return ok("what it leaves behind is ended by the server")


async def replicas(url: str) -> Outcome:
    """One answers; without any, reads that ask for one are the primary's."""
    try:
        async with connect(prefer_standby(url)) as replica:
            if await replica.fetchval(statements.read_only):
                return ok(f"{redacted_url(url)} answers")
    except DatabaseUnavailableError as error:
        reason = without_password(str(error), url)
        return "warn", f"{redacted_url(url)}: {reason}", error.advice or NETWORK
    return "warn", "GATEPOST_REPLICA_URL leads to the primary alone", "name a standby, or unset it"


async def plain_dbmate(direct_url: str) -> Outcome:
    """A pipeline that runs dbmate itself gets TLS or nothing unless its address says otherwise."""
    try:
        await dbmate.try_plain(direct_url)
    except DbmateError as error:
        if "SSL is not enabled" not in str(error):
            step = "mend the address of what runs dbmate, or let it run 'gatepost migrate'"
            return "warn", f"'dbmate up' fails: {' '.join(str(error).split())}", step
        option = f"{'&' if '?' in direct_url else '?'}sslmode=disable"
        return (
            "warn",
            "'dbmate up' wants TLS, which the server does not have",
            f"add {option} to the address that dbmate gets; 'gatepost migrate' needs none",
        )
    return ok("'dbmate up' connects")


async def migrations(settings: Settings, direct_url: str) -> Outcome:
    """Every migration of this version, and of the application, is applied, and the files match."""
    state = await status(direct_url, own=settings.migrations)
    if state.pending:
        names = ", ".join(migration.name for migration in state.pending)
        return "fail", f"pending: {names}", "run 'gatepost migrate'"
    if state.ahead:
        return "warn", f"of a newer release: {', '.join(state.ahead)}", "upgrade Gatepost to it"
    return ok(f"{len(state.applied)} applied, none pending")


async def schema(settings: Settings, direct_url: str) -> Outcome:
    """Gatepost's part of the catalogue is the one that its migrations make (db/catalogue.txt)."""
    found = await catalogue.read(direct_url)
    changed, additions = catalogue.compared(found)
    if settings.citus:
        changed = [each for each in changed if not any(text in each for text in NOT_ON_CITUS)]
    if not changed and (names := required_additions(settings.schema, additions)):
        text = f"nobody writes {', '.join(names)}: NOT NULL without a default"
        return "fail", text, "give it a default, or declare it in the file of GATEPOST_SCHEMA"
    if not changed:
        beside = f", and beside it {_some([catalogue.name(each) for each in additions])}"
        return ok("as in db/schema.sql" + (beside if additions else ""))
    text = f"not as in db/schema.sql: {_some(changed, '; ')}"
    if (await status(direct_url, own=settings.migrations)).pending:
        return "fail", text, "run 'gatepost migrate'"
    return "fail", text, "undo by hand what no migration did (docs/MIGRATIONS.md)"


def _some(names: Sequence[str], separator: str = ", ") -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{separator.join(names[:3])}{more}"


def required_additions(schema: Schema, additions: Iterable[SchemaObject]) -> list[str]:
    """The columns of others in Gatepost's tables without which no row can be written."""
    written = {
        (relation.name, field.column)
        for relation in (schema.users, schema.sessions)
        for field in relation.fields
        if field.default is not None or (field.in_new_rows and field.required)
    }
    tables = {table.name for table in TABLES}
    return [
        f"{each.table}.{each.name}"
        for each in additions
        if each.kind == "column" and each.table in tables and each.required and not each.default
        if (each.table, each.name) not in written
    ]


async def own_schema(schema: Schema, direct_url: str) -> Outcome:
    """What GATEPOST_SCHEMA declares is in the database, of types that fit."""
    from .declared import differences

    faults, warnings = differences(schema, await catalogue.read(direct_url))
    if faults:
        return "fail", _some(faults, "; "), "write a migration, or change that file"
    if warnings:
        return "warn", _some(warnings, "; "), "see docs/how-to/own-fields.md"
    return ok("as in the file of GATEPOST_SCHEMA")


async def indexes(direct_url: str) -> Outcome:
    """An interrupted concurrent build leaves an index that is maintained but never used."""
    async with connect(direct_url) as direct:
        names = await direct.fetchcol(statements.invalid_indexes)
    if names:
        drops = "; ".join(f"DROP INDEX CONCURRENTLY {name}" for name in names)
        return "fail", f"invalid, or still being built (then leave it): {', '.join(names)}", drops
    return ok("all valid")
