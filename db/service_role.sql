-- A role with the privileges that the service needs: it reads and writes rows, and cannot change the
-- schema.
-- Run once on a migrated database, by the role that owns the tables and migrates:
--     psql "$DATABASE_DIRECT_URL" -f db/service_role.sql
--     psql "$DATABASE_DIRECT_URL" -c '\password gatepost_service'

BEGIN;

CREATE ROLE gatepost_service LOGIN;

REVOKE CREATE ON SCHEMA public FROM PUBLIC; -- still granted where the database is older than 15
GRANT USAGE ON SCHEMA public TO gatepost_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO gatepost_service;
REVOKE INSERT, UPDATE, DELETE ON schema_migrations FROM gatepost_service;

-- also on the tables that later migrations create
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO gatepost_service;

COMMIT;
