-- migrate:up

-- Reads every row once, in a transaction of its own: no read and no write waits for it.
ALTER TABLE sessions VALIDATE CONSTRAINT sessions_impersonated_by_fkey;

-- migrate:down

-- Lost: nothing; the key is NOT VALID again.
DO $$
BEGIN
    ALTER TABLE sessions DROP CONSTRAINT sessions_impersonated_by_fkey;
    ALTER TABLE sessions ADD CONSTRAINT sessions_impersonated_by_fkey
        FOREIGN KEY (impersonated_by) REFERENCES users (id) ON DELETE CASCADE NOT VALID;
    COMMENT ON CONSTRAINT sessions_impersonated_by_fkey ON sessions IS
        'Deleting an administrator ends the sessions in which they act as somebody else.';
END
$$;
