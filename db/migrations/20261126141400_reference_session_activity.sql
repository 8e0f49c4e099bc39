-- migrate:up

-- Not where sessions are spread over a Citus cluster: a key from a table that is not spread the same way
-- is refused there, and nothing is written into this one (deploy/citus/distribute.sql made the setting).
DO $$
BEGIN
    IF current_setting('citus.allow_unsafe_constraints', true) IS DISTINCT FROM 'on' THEN
        -- sessions that ended since the table was made and a service began to write it
        LOCK TABLE session_activity IN SHARE ROW EXCLUSIVE MODE;
        DELETE FROM session_activity a
            WHERE NOT EXISTS (SELECT FROM sessions s WHERE s.id = a.session_id);
        ALTER TABLE session_activity ADD CONSTRAINT session_activity_session_id_fkey
            FOREIGN KEY (session_id) REFERENCES sessions (id) ON DELETE CASCADE;
        COMMENT ON CONSTRAINT session_activity_session_id_fkey ON session_activity IS
            'Whatever ends a session, or deletes it, takes this along.';
    END IF;
END
$$;

-- migrate:down

-- Lost: what deletes a row when its session ends.
ALTER TABLE session_activity DROP CONSTRAINT IF EXISTS session_activity_session_id_fkey;
