-- migrate:up

-- NOT VALID, so that the table is not read under this lock; a later file validates.
DO $$
BEGIN
    ALTER TABLE sessions ADD CONSTRAINT sessions_impersonated_by_fkey
        FOREIGN KEY (impersonated_by) REFERENCES users (id) ON DELETE CASCADE NOT VALID;

    COMMENT ON CONSTRAINT sessions_impersonated_by_fkey ON sessions IS
        'Deleting an administrator ends the sessions in which they act as somebody else.';
    COMMENT ON INDEX sessions_impersonated_by_idx IS
        'Serves the sessions in which an administrator acts as others (WHERE impersonated_by =), and the cascade when one is deleted.';
END
$$;

-- migrate:down

-- Lost: nothing; the sessions of a deleted administrator stay until they expire.
DO $$
BEGIN
    ALTER TABLE sessions DROP CONSTRAINT sessions_impersonated_by_fkey;
    COMMENT ON INDEX sessions_impersonated_by_idx IS NULL;
END
$$;
