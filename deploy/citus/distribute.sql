-- Spreads the tables of Gatepost over the workers of a Citus cluster (docs/CITUS.md).
-- On the coordinator, as the owner of the tables, after every migration; nothing may write meanwhile:
--     psql "$DATABASE_DIRECT_URL" -v ON_ERROR_STOP=1 -f deploy/citus/distribute.sql
-- It can be run again after a migration that made a table.

-- Primary keys without the column that a table is spread by, and triggers: allowed here, and on every
-- later connection, or later migrations are refused.
DO $$
DECLARE
    setting text;
BEGIN
    FOREACH setting IN ARRAY ARRAY['citus.allow_unsafe_constraints', 'citus.enable_unsafe_triggers'] LOOP
        PERFORM set_config(setting, 'on', false);
        EXECUTE format('ALTER DATABASE %I SET %s = on', current_database(), setting);
    END LOOP;
END
$$;

BEGIN;
SET LOCAL citus.multi_shard_modify_mode = 'sequential';
SET LOCAL search_path = public, pg_catalog;
SET LOCAL client_min_messages = warning;

DO $$
DECLARE
    keys constant jsonb := '{"sessions": "token", "verifications": "identifier", "rate_limits": "key"}';
    -- From a table that every node has to one that is spread there is no key; undistribute.sql makes it again.
    lost constant text := 'session_activity_session_id_fkey';
    -- The tables that it spreads by a key come last: they refer to the others.
    names constant text[] := ARRAY(
        SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
          AND relname NOT IN ('events', 'webhooks', 'webhook_deliveries', 'schema_migrations')
          -- a table that refers to a reference table is known to Citus, but not spread
          AND oid NOT IN (SELECT logicalrelid FROM pg_dist_partition WHERE repmodel = 't' OR partmethod = 'h')
        ORDER BY keys ? relname, oid);
    -- Citus keeps comments and storage parameters only of a table without foreign keys.
    removals constant text[] := ARRAY(
        SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname)
        FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text = ANY (names));
    additions constant text[] := ARRAY(
        SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s',
                      conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text = ANY (names)
          AND conname <> lost);
    comments constant text[] := ARRAY(
        SELECT format('COMMENT ON CONSTRAINT %I ON %s IS %L',
                      conname, conrelid::regclass, obj_description(oid, 'pg_constraint'))
        FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text = ANY (names)
          AND conname <> lost);
    -- They would run on the workers, where there is no table of events. undistribute.sql makes them again.
    records constant text[] := ARRAY(
        SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass)
        FROM pg_trigger WHERE tgfoid = to_regproc('record_event') AND NOT tgisinternal);
    step text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('public.sessions')) THEN
        RAISE 'there is no table of sessions: run ''gatepost migrate'' first';
    END IF;
    FOREACH step IN ARRAY records LOOP EXECUTE step; END LOOP;
    FOREACH step IN ARRAY removals LOOP EXECUTE step; END LOOP;
    FOREACH step IN ARRAY names LOOP
        IF keys ? step THEN
            PERFORM create_distributed_table(step::regclass, keys ->> step);
        ELSE
            PERFORM create_reference_table(step::regclass);
        END IF;
    END LOOP;
    FOREACH step IN ARRAY additions || comments LOOP EXECUTE step; END LOOP;
END
$$;

COMMIT;

-- The rows are on the workers now; what the coordinator's own tables still hold is freed.
SET client_min_messages = warning;
SELECT count(truncate_local_data_after_distributing_table(logicalrelid)) AS tables_spread
FROM pg_dist_partition
WHERE logicalrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace);
