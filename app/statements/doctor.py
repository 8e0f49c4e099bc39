"""The statements of ``gatepost doctor``."""

from typing import Final

from app.sql import raw_statement

major_version: Final = raw_statement(
    "doctor.major_version", "SELECT current_setting('server_version_num')::int / 10000 AS major"
)

time_zone: Final = raw_statement(
    "doctor.time_zone", "SELECT current_setting('TimeZone') AS time_zone"
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
          UNION ALL VALUES ('schema_migrations', 'SELECT')) needed
    WHERE NOT has_table_privilege('public.' || quote_ident(name), privilege)
    """,
    [("tables", "text[]")],
)
"""What the role needs on the named tables and does not have."""

excess_privileges: Final = raw_statement(
    "doctor.excess_privileges",
    """
    SELECT 'is a superuser' AS excess FROM pg_roles WHERE rolname = current_user AND rolsuper
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
    """,
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
