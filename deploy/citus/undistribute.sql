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
