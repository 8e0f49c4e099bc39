-- Takes the tables of Gatepost back onto the coordinator (docs/CITUS.md): the way back of distribute.sql.
-- On the coordinator, as the owner of the tables; nothing may write meanwhile:
--     psql "$DATABASE_DIRECT_URL" -v ON_ERROR_STOP=1 -f deploy/citus/undistribute.sql

-- Without these it would refuse the keys and triggers that distribute.sql allowed.
SET citus.allow_unsafe_constraints = on;
SET citus.enable_unsafe_triggers = on;

BEGIN;
SET LOCAL citus.multi_shard_modify_mode = 'sequential';
SET LOCAL search_path = public, pg_catalog;
SET LOCAL client_min_messages = warning;

DO $$
DECLARE
    spread constant oid[] := ARRAY(
        SELECT c.oid FROM pg_class c JOIN pg_dist_partition ON logicalrelid = c.oid
        WHERE relnamespace = 'public'::regnamespace ORDER BY c.oid);
    names constant text[] := ARRAY(SELECT t::regclass::text FROM unnest(spread) t);
    -- Citus makes the tables anew: without their foreign keys here, and without their comments.
    removals constant text[] := ARRAY(
        SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
        FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY (spread));
    additions constant text[] := ARRAY(
        SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s',
                      conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY (spread));
    comments constant text[] := ARRAY(
        SELECT CASE WHEN objsubid = 0 THEN format('COMMENT ON TABLE %s IS %L', t::regclass, description)
               ELSE format('COMMENT ON COLUMN %s.%I IS %L', t::regclass, attname, description) END
        FROM unnest(spread) t
        JOIN pg_description ON classoid = 'pg_class'::regclass AND objoid = t
        LEFT JOIN pg_attribute ON attrelid = t AND attnum = objsubid
        UNION ALL
        SELECT format('COMMENT ON CONSTRAINT %I ON %s IS %L', conname, conrelid::regclass, description)
        FROM pg_constraint c
        JOIN pg_description ON classoid = 'pg_constraint'::regclass AND objoid = c.oid
        WHERE conrelid = ANY (spread)
        UNION ALL
        SELECT format('COMMENT ON INDEX %s IS %L', indexrelid::regclass, description)
        FROM pg_index
        JOIN pg_description ON classoid = 'pg_class'::regclass AND objoid = indexrelid
        WHERE indrelid = ANY (spread)
        UNION ALL
        SELECT format('COMMENT ON TRIGGER %I ON %s IS %L', tgname, tgrelid::regclass, description)
        FROM pg_trigger g
        JOIN pg_description ON classoid = 'pg_trigger'::regclass AND objoid = g.oid
        WHERE tgrelid = ANY (spread));
    step text;
BEGIN
    FOREACH step IN ARRAY removals LOOP EXECUTE step; END LOOP;
    FOREACH step IN ARRAY names LOOP PERFORM undistribute_table(step::regclass); END LOOP;
    FOREACH step IN ARRAY additions || comments LOOP EXECUTE step; END LOOP;
END
$$;

-- What distribute.sql took away, as the migrations make it.
-- begin of the triggers
CREATE TRIGGER users_record_event
    AFTER INSERT OR UPDATE OR DELETE ON users
    FOR EACH ROW EXECUTE FUNCTION record_event(
        'user',
        '{name,email,email_verified,role,banned,ban_reason,ban_expires,two_factor_enabled,username,display_username}',
        '{updated_at}');
COMMENT ON TRIGGER users_record_event ON users IS
    'Every user that comes, changes or goes is in events.';

CREATE TRIGGER users_record_truncation
    AFTER TRUNCATE ON users
    FOR EACH STATEMENT EXECUTE FUNCTION record_event('user');
COMMENT ON TRIGGER users_record_truncation ON users IS
    'TRUNCATE fires no trigger of rows.';

CREATE TRIGGER sessions_record_begin
    AFTER INSERT ON sessions
    FOR EACH ROW EXECUTE FUNCTION record_event(
        'session', '{expires_at,ip_address,user_agent,impersonated_by}');
COMMENT ON TRIGGER sessions_record_begin ON sessions IS
    'Every session that begins is in events.';

CREATE TRIGGER sessions_record_end
    AFTER DELETE ON sessions
    FOR EACH ROW WHEN (OLD.expires_at > now())
    EXECUTE FUNCTION record_event(
        'session', '{expires_at,ip_address,user_agent,impersonated_by}');
COMMENT ON TRIGGER sessions_record_end ON sessions IS
    'Every session that is ended before its time is in events; nobody ended one that expired.';

-- A refresh, the most frequent write, is sorted out by this condition. It is short, because the
-- server reads its text for each statement: one with all columns took a refresh 8 µs more.
CREATE TRIGGER sessions_record_change
    AFTER UPDATE ON sessions
    FOR EACH ROW WHEN (NEW.expires_at <= OLD.expires_at)
    EXECUTE FUNCTION record_event(
        'session', '{user_id,expires_at,ip_address,user_agent,impersonated_by}', '{updated_at}');
COMMENT ON TRIGGER sessions_record_change ON sessions IS
    'Every change of a session that does not prolong it is in events.';

CREATE TRIGGER sessions_record_change_and_refresh
    AFTER UPDATE OF id, user_id, token, ip_address, user_agent ON sessions
    FOR EACH ROW WHEN (NEW.expires_at > OLD.expires_at)
    EXECUTE FUNCTION record_event(
        'session', '{user_id,expires_at,ip_address,user_agent,impersonated_by}',
        '{expires_at,updated_at}');
COMMENT ON TRIGGER sessions_record_change_and_refresh ON sessions IS
    'So is one that prolongs it and names more than its times.';

CREATE TRIGGER sessions_record_truncation
    AFTER TRUNCATE ON sessions
    FOR EACH STATEMENT EXECUTE FUNCTION record_event('session');
COMMENT ON TRIGGER sessions_record_truncation ON sessions IS
    'TRUNCATE fires no trigger of rows.';

CREATE TRIGGER accounts_record_event
    AFTER INSERT OR UPDATE OR DELETE ON accounts
    FOR EACH ROW EXECUTE FUNCTION record_event(
        'account', '{user_id,provider_id,account_id,scope}',
        '{updated_at,access_token,refresh_token,id_token,access_token_expires_at,refresh_token_expires_at}');
COMMENT ON TRIGGER accounts_record_event ON accounts IS
    'Every way to sign in that comes, changes or goes is in events; new tokens of a provider, which every sign-in by it brings, are not.';

CREATE TRIGGER accounts_record_truncation
    AFTER TRUNCATE ON accounts
    FOR EACH STATEMENT EXECUTE FUNCTION record_event('account');
COMMENT ON TRIGGER accounts_record_truncation ON accounts IS
    'TRUNCATE fires no trigger of rows.';

CREATE TRIGGER session_policies_record_event
    AFTER INSERT OR UPDATE OR DELETE ON session_policies
    FOR EACH ROW EXECUTE FUNCTION record_event(
        'session_policy', '{lifetime,idle_lifetime,max_sessions}', '{updated_at}');
COMMENT ON TRIGGER session_policies_record_event ON session_policies IS
    'Every change of what limits a user''s sessions is in events.';

CREATE TRIGGER session_policies_record_truncation
    AFTER TRUNCATE ON session_policies
    FOR EACH STATEMENT EXECUTE FUNCTION record_event('session_policy');
COMMENT ON TRIGGER session_policies_record_truncation ON session_policies IS
    'TRUNCATE fires no trigger of rows.';
-- end of the triggers

-- Nothing writes it on a cluster, so no row is in the way.
ALTER TABLE session_activity ADD CONSTRAINT session_activity_session_id_fkey
    FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE;
COMMENT ON CONSTRAINT session_activity_session_id_fkey ON session_activity IS
    'Whatever ends a session, or deletes it, takes this along.';

COMMIT;

DO $$
DECLARE
    setting text;
BEGIN
    FOREACH setting IN ARRAY ARRAY['citus.allow_unsafe_constraints', 'citus.enable_unsafe_triggers'] LOOP
        EXECUTE format('ALTER DATABASE %I RESET %s', current_database(), setting);
    END LOOP;
END
$$;
