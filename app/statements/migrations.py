"""The statements of ``gatepost migrate`` and of /readyz."""

from typing import Any, Final

from ..sql import Query, Statement, Table, raw_statement, statement

_migrations = Table("schema_migrations")

applied: Final = statement(
    "migrations.applied",
    Query.from_(_migrations).select(_migrations.version).orderby(_migrations.version),
)
"""The versions that dbmate has recorded."""

try_lock: Final = raw_statement(
    "migrations.try_lock", "SELECT pg_try_advisory_lock($1::bigint)", [("key", "bigint")]
)
"""The lock belongs to the session and ends with it."""

table_users: Final = raw_statement(
    "migrations.table_users",
    """
    SELECT string_agg(DISTINCT relation::regclass::text, ', ') AS tables,
           format('pid %s (%s, %s, transaction of %s s)', a.pid,
                  coalesce(nullif(application_name, ''), 'no application_name'), state,
                  round(extract(epoch FROM clock_timestamp() - xact_start))) AS session
    FROM pg_locks l
    JOIN pg_stat_activity a USING (pid)
    JOIN pg_class c ON c.oid = relation AND c.relkind IN ('r', 'p')
    WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND granted AND relation >= 16384 AND clock_timestamp() - xact_start > '1 second'
    GROUP BY a.pid, application_name, state, xact_start
    ORDER BY xact_start
    LIMIT 3
    """,
)
"""Sessions whose transaction has used tables of this database for more than a second."""

relation_exists: Final = raw_statement(
    "migrations.relation_exists",
    "SELECT to_regclass(nullif($1::text, '')) IS NOT NULL",
    [("name", "text")],
)

abandoned_index: Final = raw_statement(
    "migrations.abandoned_index",
    """
    SELECT indexrelid::regclass::text AS name FROM pg_index
    WHERE indexrelid = to_regclass(nullif($1::text, '')) AND NOT indisvalid AND NOT EXISTS (
        SELECT FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
        WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND relation = indrelid AND granted AND pid <> pg_backend_pid()
          AND mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock',
                       'ExclusiveLock', 'AccessExclusiveLock')
          AND backend_type IS DISTINCT FROM 'autovacuum worker'
    )
    """,
    [("name", "text")],
)
"""The index of that name, if it is invalid and no session holds a lock as for building one.

pg_stat_progress_create_index shows builds of other roles to few; the locks are there for all.
"""


def drop_index(name: str) -> Statement[Any]:
    """``name`` is quoted by the server, as ``abandoned_index`` gives it."""
    return raw_statement("migrations.drop_index", f"DROP INDEX CONCURRENTLY {name}")
