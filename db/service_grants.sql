-- What the service needs: it reads and writes the rows of the tables below, and cannot change the schema.
-- Run after the migrations of each release, by the role that migrates and so owns the tables. It need
-- not be allowed to create roles: gatepost_service is there already, from db/service_role.sql.
--     gatepost grant
--     psql "$DATABASE_DIRECT_URL" -v ON_ERROR_STOP=1 -f db/service_grants.sql      (the same)

BEGIN;

-- Otherwise GRANT has nothing to name, or is no more than a warning.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gatepost_service') THEN
        RAISE undefined_object USING
            MESSAGE = 'there is no role gatepost_service: who may create roles runs db/service_role.sql';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_class
                   WHERE oid = to_regclass('public.users') AND pg_has_role(relowner, 'USAGE')) THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('%s does not own the tables: run the migrations, and then this, by one role',
                             current_user);
    END IF;
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC; -- still granted where the database is older than 15
GRANT USAGE ON SCHEMA public TO gatepost_service;

-- also what this file granted before it named the tables; what you grant on tables of your own stays
REVOKE ALL ON
    users, sessions, accounts, verifications, session_policies, rate_limits, purges, jwks, webhooks, webhook_deliveries, session_activity, daily_counts, event_readers
    FROM gatepost_service;
REVOKE ALL ON events, erasures, schema_migrations FROM gatepost_service;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM gatepost_service;

-- 'make schema' writes the names from app/schema.py
GRANT SELECT, INSERT, UPDATE, DELETE ON
    users, sessions, accounts, verifications, session_policies, rate_limits, purges, jwks, webhooks, webhook_deliveries, session_activity, daily_counts, event_readers
    TO gatepost_service;
GRANT SELECT ON schema_migrations TO gatepost_service;

-- Triggers write the events, as the owner of the tables; of these the service deletes
-- the oldest alone, and takes the values out of those of a user who is gone.
GRANT SELECT ON events TO gatepost_service;
GRANT EXECUTE ON FUNCTION purge_events(interval, integer), redact_events(uuid) TO gatepost_service;
-- A receipt stays as it was written.
GRANT SELECT, INSERT ON erasures TO gatepost_service;

COMMIT;
