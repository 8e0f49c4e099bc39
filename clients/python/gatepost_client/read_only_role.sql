-- A role for DatabaseClient: it may read what makes a session, and nothing else: no password hash,
-- no account, no verification. Run it as the owner of the tables, who may create roles:
--
--     python -m gatepost_client.database | psql "$DATABASE_URL" --set ON_ERROR_STOP=1
--     psql "$DATABASE_URL" -c '\password gatepost_reader'

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gatepost_reader') THEN
        CREATE ROLE gatepost_reader LOGIN;
    END IF;
END $$;

ALTER ROLE gatepost_reader SET default_transaction_read_only = on;
ALTER ROLE gatepost_reader SET statement_timeout = '5s';

GRANT SELECT (id, user_id, token, expires_at, created_at, ip_address, user_agent)
    ON sessions TO gatepost_reader;
GRANT SELECT (id, email, name, email_verified, image, created_at, updated_at)
    ON users TO gatepost_reader;
