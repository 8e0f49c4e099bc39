"""What a database needs for this version to run on it, checked one by one."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import msgspec

from app.database import DatabaseError, DatabaseUnavailableError, Direct
from app.operations import catalogue
from app.operations.dbmate import place, without_password
from app.operations.migrate import Status, status
from app.operations.migrations import RefusedError
from app.schema import TABLES
from app.settings import Settings

Clock = Callable[[], datetime]

TESTED: Final = range(15, 19)
"""Major versions of PostgreSQL that the tests run on, and those between."""

SKEW_NOTED: Final = timedelta(seconds=1)
SKEW_WRONG: Final = timedelta(seconds=10)


class Finding(msgspec.Struct, frozen=True):
    """The outcome of one check. ``fail`` is what the service cannot run with."""

    check: str
    level: Literal["ok", "warn", "fail"]
    text: str


def examine(settings: Settings, *, clock: Clock = lambda: datetime.now(UTC)) -> Iterator[Finding]:
    """Every check on the database of the settings; one that cannot be made is a failure."""
    url, direct_url = settings.database_url, settings.database_direct_url
    try:
        with Direct(url) as service:
            yield Finding("connection", "ok", f"{place(url)} answers")
            yield from _each(
                ("server version", lambda: server_version(service.value(_VERSION))),
                ("pooler", lambda: pooler(settings, service)),
                ("time zone", lambda: time_zone(service, direct_url)),
                ("clock", lambda: clock_skew(service, clock)),
                ("privileges", lambda: privileges(service)),
            )
        yield from _each(
            ("migrations", lambda: applied_migrations(direct_url)),
            ("schema", lambda: schema(direct_url)),
            ("indexes", lambda: indexes(direct_url)),
        )
    except DatabaseUnavailableError as error:
        reason = without_password(without_password(str(error), url), direct_url)
        yield Finding("connection", "fail", f"{place(url)}: {reason}")


def _each(*checks: tuple[str, Callable[[], tuple[str, str]]]) -> Iterator[Finding]:
    for name, check in checks:
        try:
            level, text = check()
        except (DatabaseError, RefusedError) as error:
            level, text = "fail", str(error).replace("\n", "; ")
        yield msgspec.convert({"check": name, "level": level, "text": text}, Finding)


_VERSION: Final = "SELECT current_setting('server_version_num')::int / 10000"


def server_version(major: int) -> tuple[str, str]:
    """Older ones lack what the statements use; newer ones are not tested."""
    span = f"{TESTED[0]} to {TESTED[-1]}"
    if major in TESTED:
        return "ok", f"PostgreSQL {major}"
    return ("fail" if major < TESTED[0] else "warn"), f"PostgreSQL {major}: tested are {span}"


def pooler(settings: Settings, service: Direct) -> tuple[str, str]:
    """Migrations need the server itself, and the service has to know of a pooler."""
    if service.is_server:
        text = "none before DATABASE_URL"
        if settings.behind_pooler:
            text += "; without DATABASE_DIRECT_URL prepared statements would be kept"
        return "ok", text
    if not settings.behind_pooler:
        return "fail", "before DATABASE_URL: give the server's own address in DATABASE_DIRECT_URL"
    with Direct(settings.database_direct_url) as direct:
        if not direct.is_server:
            return "fail", "before DATABASE_DIRECT_URL too: migrations need the server itself"
    return "ok", "before DATABASE_URL; DATABASE_DIRECT_URL leads to the server"


def time_zone(service: Direct, direct_url: str) -> tuple[str, str]:
    """The service's sessions are in UTC; those of psql and dbmate have the database's zone."""
    ours = service.value("SHOW timezone")
    if ours != "UTC":
        return "fail", f"the service's sessions are in {ours} and not in UTC"
    with Direct(direct_url, timezone="") as direct:
        default = direct.value("SHOW timezone")
    if default in ("UTC", "Etc/UTC", "GMT"):
        return "ok", f"{ours}, and {default} by default"
    return "warn", f"{ours} for the service, but {default} by default: psql shows times in it"


def clock_skew(service: Direct, clock: Clock) -> tuple[str, str]:
    """The difference to the server's clock; what the way takes is no difference."""
    before = clock()
    server = service.value("SELECT clock_timestamp()")
    after = clock()
    skew = max(before - server, server - after, timedelta(0))
    level = "ok" if skew <= SKEW_NOTED else "warn" if skew <= SKEW_WRONG else "fail"
    return level, f"{skew.total_seconds():.1f} s from the server's"


def privileges(service: Direct) -> tuple[str, str]:
    """The service reads and writes rows; with more, a flaw in it would reach further."""
    missing = service.column(_MISSING, [table.name for table in TABLES])
    if missing:
        return "fail", f"the service's role lacks {', '.join(missing)}"
    excess = service.column(_EXCESS)
    role = service.value("SELECT current_user")
    if excess:
        return "warn", f"{role} {', '.join(excess)}: see db/service_role.sql"
    return "ok", f"{role} reads and writes rows, nothing more"


_MISSING: Final = """
    SELECT privilege || ' on ' || name
    FROM (SELECT name, privilege
          FROM unnest($1::text[]) name,
               unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) privilege
          UNION ALL VALUES ('schema_migrations', 'SELECT')) needed
    WHERE NOT has_table_privilege('public.' || quote_ident(name), privilege)
"""
_EXCESS: Final = """
    SELECT 'is a superuser' FROM pg_roles WHERE rolname = current_user AND rolsuper
    UNION ALL
    SELECT 'may create roles' FROM pg_roles
    WHERE rolname = current_user AND rolcreaterole AND NOT rolsuper
    UNION ALL
    SELECT 'may create databases' FROM pg_roles
    WHERE rolname = current_user AND rolcreatedb AND NOT rolsuper
    UNION ALL
    SELECT 'may create tables' WHERE has_schema_privilege('public', 'CREATE')
    UNION ALL
    SELECT 'may create schemas' WHERE has_database_privilege(current_database(), 'CREATE')
    UNION ALL
    SELECT 'owns ' || string_agg(relname, ', ' ORDER BY relname) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
      AND pg_has_role(relowner, 'USAGE')
    HAVING count(*) > 0
    UNION ALL
    SELECT 'may write schema_migrations'
    WHERE has_table_privilege('public.schema_migrations', 'INSERT, UPDATE, DELETE, TRUNCATE')
"""


def applied_migrations(direct_url: str) -> tuple[str, str]:
    """Every migration of this version is there, and its files are what they were."""
    state: Status = status(direct_url)
    if state.pending:
        names = ", ".join(migration.name for migration in state.pending)
        return "fail", f"pending: {names}: run 'gatepost migrate'"
    if state.ahead:
        return "warn", f"of a newer release: {', '.join(state.ahead)}"
    return "ok", f"{len(state.applied)} applied, none pending"


def schema(direct_url: str) -> tuple[str, str]:
    """The catalogue is the one that the migrations make; db/catalogue.txt has it."""
    with Direct(direct_url, search_path="public") as direct:
        changed = catalogue.differences(catalogue.read(direct))
    if not changed:
        return "ok", "as in db/schema.sql"
    newer = bool(status(direct_url).ahead) and all(line.startswith("+") for line in changed)
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return ("warn" if newer else "fail"), f"not as in db/schema.sql: {'; '.join(changed[:3])}{more}"


def indexes(direct_url: str) -> tuple[str, str]:
    """A concurrent build that was interrupted leaves an index that is kept up but never used."""
    with Direct(direct_url) as direct:
        names = direct.column(_INVALID)
    if names:
        drops = "; ".join(f"DROP INDEX CONCURRENTLY {name}" for name in names)
        return "fail", f"invalid, or still being built: {drops}"
    return "ok", "all valid"


_INVALID: Final = """
    SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON oid = indexrelid
    WHERE NOT indisvalid AND relnamespace = 'public'::regnamespace ORDER BY 1
"""
