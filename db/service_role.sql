-- The role of the service, and the limits of its sessions. Once, by a role that may create roles; before
-- the migrations or after them, and again when this file has changed:
--     psql "$ADMIN_URL" -v ON_ERROR_STOP=1 -f db/service_role.sql
--     psql "$ADMIN_URL" -c '\password gatepost_service'
-- What it may do in the database is granted by db/service_grants.sql, which the owner of the tables runs.

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
ALTER ROLE gatepost_service SET idle_in_transaction_session_timeout = '10s';
ALTER ROLE gatepost_service SET tcp_user_timeout = '30s';
ALTER ROLE gatepost_service SET tcp_keepalives_idle = '60s';
ALTER ROLE gatepost_service SET tcp_keepalives_interval = '10s';
ALTER ROLE gatepost_service SET tcp_keepalives_count = 3;
DO $$
BEGIN
    -- a statement that nobody waits for any more ends, also where it waits for a lock
    ALTER ROLE gatepost_service SET client_connection_check_interval = '2s';
EXCEPTION
    WHEN invalid_parameter_value THEN NULL; -- a server on a system that cannot tell
END
$$;
DO $$
BEGIN
    -- also between the parts of a statement; longer than GATEPOST_QUERY_TIMEOUT
    IF current_setting('server_version_num')::int >= 170000 THEN
        ALTER ROLE gatepost_service SET transaction_timeout = '30s';
    END IF;
END
$$;

COMMIT;
