-- A role with the privileges that the service needs: it reads and writes the rows of the tables below,
-- and cannot change the schema.
-- Run after the migrations, by the role that owns the tables and migrates; again with every release:
--     psql "$DATABASE_DIRECT_URL" -v ON_ERROR_STOP=1 -f db/service_role.sql
--     psql "$DATABASE_DIRECT_URL" -c '\password gatepost_service'        (once)

BEGIN;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gatepost_service') THEN
        CREATE ROLE gatepost_service LOGIN;
    END IF;
END
$$;

-- A service that hangs, or that the network lost, does not keep its locks and its connections. On the
-- role, because a pooler refuses such settings at the start of a connection.
DO $$
BEGIN
    ALTER ROLE gatepost_service SET idle_in_transaction_session_timeout = '10s';
    -- also between the parts of a statement; longer than GATEPOST_QUERY_TIMEOUT
    IF current_setting('server_version_num')::int >= 170000 THEN
        ALTER ROLE gatepost_service SET transaction_timeout = '30s';
    END IF;
    ALTER ROLE gatepost_service SET tcp_user_timeout = '30s';
    ALTER ROLE gatepost_service SET tcp_keepalives_idle = '60s';
    ALTER ROLE gatepost_service SET tcp_keepalives_interval = '10s';
    ALTER ROLE gatepost_service SET tcp_keepalives_count = 3;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE WARNING 'the settings of gatepost_service are left to who may alter the role';
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC; -- still granted where the database is older than 15
GRANT USAGE ON SCHEMA public TO gatepost_service;

-- also what this file granted before it named the tables
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM gatepost_service;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM gatepost_service;

-- 'make schema' writes the names from app/schema.py
GRANT SELECT, INSERT, UPDATE, DELETE ON
    users, sessions, accounts, verifications, rate_limits, purges
    TO gatepost_service;
GRANT SELECT ON schema_migrations TO gatepost_service;

COMMIT;
