"""The statements of ``gatepost doctor``, and one of /readyz."""

from typing import Final

from ..sql import raw_statement

major_version: Final = raw_statement(
    "doctor.major_version", "SELECT current_setting('server_version_num')::int / 10000 AS major"
)

read_only: Final = raw_statement(
    "doctor.read_only", "SELECT current_setting('transaction_read_only') = 'on' AS read_only"
)

limits_off: Final = raw_statement(
    "doctor.limits_off",
    """
    SELECT name FROM pg_settings WHERE setting = '0' AND name IN
        ('client_connection_check_interval', 'idle_in_transaction_session_timeout')
    ORDER BY 1
    """,
)
"""The settings that would end what a service leaves behind, and are off."""

time_zone: Final = raw_statement(
    "doctor.time_zone", "SELECT current_setting('TimeZone') AS time_zone"
)

has_citus: Final = raw_statement(
    "doctor.has_citus", "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')"
)

clock: Final = raw_statement("doctor.clock", "SELECT clock_timestamp() AS now")

role: Final = raw_statement("doctor.role", "SELECT current_user::text AS role")

missing_privileges: Final = raw_statement(
    "doctor.missing_privileges",
    """
    SELECT privilege || ' on ' || name AS missing
    FROM (SELECT name, privilege
          FROM unnest($1::text[]) name,
               unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) privilege
          UNION ALL
          SELECT name, 'SELECT' FROM unnest($2::text[] || 'schema_migrations'::text) name
          UNION ALL VALUES ('erasures', 'INSERT')) needed
    WHERE NOT has_table_privilege('public.' || quote_ident(name), privilege)
    UNION ALL
    SELECT 'EXECUTE on ' || split_part(name, '(', 1)
    FROM unnest('{"purge_events(interval,integer)",redact_events(uuid)}'::text[]) name
    WHERE NOT has_function_privilege(to_regprocedure('public.' || name), 'EXECUTE')
    """,
    [("written", "text[]"), ("read", "text[]")],
)
"""What the role needs and does not have on the tables that it writes, and on those it reads."""

excess_privileges: Final = raw_statement(
    "doctor.excess_privileges",
    """
    WITH me AS (SELECT * FROM pg_roles WHERE rolname = current_user)
    SELECT 'is a superuser' AS excess FROM me WHERE rolsuper
    UNION ALL
    SELECT 'may create roles' FROM me WHERE rolcreaterole AND NOT rolsuper
    UNION ALL
    SELECT 'may create databases' FROM me WHERE rolcreatedb AND NOT rolsuper
    UNION ALL
    SELECT 'may replicate' FROM me WHERE rolreplication AND NOT rolsuper
    UNION ALL
    SELECT 'bypasses row security' FROM me WHERE rolbypassrls AND NOT rolsuper
    UNION ALL
    SELECT 'may become ' || string_agg(other.rolname, ', ' ORDER BY other.rolname)
    FROM me, pg_roles other
    WHERE NOT me.rolsuper AND other.oid <> me.oid AND pg_has_role(me.oid, other.oid, 'MEMBER')
      AND (other.rolsuper OR other.rolcreaterole OR other.rolreplication OR other.rolbypassrls
           OR other.rolname ~ '^pg_(read|write)_all_data$|^pg_.*_server_(files|program)$'
           OR other.rolname IN ('pg_database_owner', 'pg_maintain'))
    HAVING count(*) > 0
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
    SELECT 'may write ' || string_agg(name, ', ' ORDER BY name)
    FROM unnest('{events,schema_migrations}'::text[]) name
    WHERE has_table_privilege('public.' || name, 'INSERT, UPDATE, DELETE, TRUNCATE')
    HAVING count(*) > 0
    UNION ALL
    SELECT 'may change erasures'
    WHERE has_table_privilege('public.erasures', 'UPDATE, DELETE')
    UNION ALL
    SELECT 'may use ' || string_agg(relname, ', ' ORDER BY relname) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'f')
      AND relname <> 'schema_migrations' AND NOT relname = ANY ($1::text[])
      AND has_table_privilege(oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
    HAVING count(*) > 0
    UNION ALL
    SELECT 'may truncate, refer to or put triggers on '
           || string_agg(relname, ', ' ORDER BY relname) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relname = ANY ($1::text[])
      AND has_table_privilege(oid, 'TRUNCATE, REFERENCES, TRIGGER')
    HAVING count(*) > 0
    UNION ALL
    SELECT 'gets privileges on tables to come' FROM pg_default_acl d, aclexplode(defaclacl) a
    WHERE defaclobjtype = 'r' AND pg_has_role(a.grantee, 'USAGE') AND a.grantee <> d.defaclrole
      AND a.grantee <> 0 AND NOT (SELECT rolsuper FROM me)
    HAVING count(*) > 0
    """,
    [("tables", "text[]")],
)
"""What the role can do although the service never does it."""

invalid_indexes: Final = raw_statement(
    "doctor.invalid_indexes",
    """
    SELECT indexrelid::regclass::text AS name FROM pg_index JOIN pg_class ON oid = indexrelid
    WHERE NOT indisvalid AND relnamespace = 'public'::regnamespace ORDER BY 1
    """,
)
"""Those in ``public``, also while they are being built; see pg_stat_progress_create_index."""

events_ahead: Final = raw_statement(
    "doctor.events_ahead",
    """
    WITH newest AS (
        SELECT replace(id::text, '-', '') AS digits FROM events ORDER BY id DESC LIMIT 1
    ), now AS (
        SELECT replace(events_horizon()::text, '-', '') AS horizon,
               pg_current_snapshot() AS snapshot
    )
    SELECT ('x' || left(digits, 16))::bit(64)::bigint - ('x' || left(horizon, 16))::bit(64)::bigint
           - pg_snapshot_xmax(snapshot)::text::bigint + pg_snapshot_xmin(snapshot)::text::bigint
           + 1 AS ahead
    FROM newest, now
    """,
)
"""By how many transactions the newest event is ahead of this server. More than 0: another server
numbered it."""

webhooks_behind: Final = raw_statement(
    "doctor.webhooks_behind",
    """
    SELECT now() - created_at AS age FROM events
    WHERE id > (SELECT queued_to FROM webhooks ORDER BY queued_to LIMIT 1)
      AND id < events_horizon()
    ORDER BY id LIMIT 1
    """,
)
"""How old the oldest event is that no process has queued for a webhook."""

events_waiting: Final = raw_statement(
    "doctor.events_waiting",
    """
    SELECT now() - created_at AS age FROM events WHERE id >= events_horizon() ORDER BY id LIMIT 1
    """,
)
"""How old the oldest event is that cannot be read yet."""
