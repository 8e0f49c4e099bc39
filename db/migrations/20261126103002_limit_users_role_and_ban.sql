-- migrate:up

-- NOT VALID, so that the table is not read under this lock; a later file validates.
DO $$
BEGIN
    ALTER TABLE users ADD CONSTRAINT users_role_length CHECK (length(role) <= 4096) NOT VALID;
    ALTER TABLE users ADD CONSTRAINT users_ban_reason_length CHECK (length(ban_reason) <= 32768) NOT VALID;
    ALTER TABLE users ADD CONSTRAINT users_ban_expires_finite CHECK (isfinite(ban_expires)) NOT VALID;

    COMMENT ON CONSTRAINT users_role_length ON users IS
        'More than the 1,000 that the auth API takes, for a writer beside it.';
    COMMENT ON CONSTRAINT users_ban_reason_length ON users IS
        'More than the 4,096 that the auth API takes, for a writer beside it.';
    COMMENT ON CONSTRAINT users_ban_expires_finite ON users IS
        'infinity is no time in JSON or in most languages; a ban without an end has none.';
END
$$;

-- migrate:down

-- Lost: nothing; a text of any length is stored again.
DO $$
BEGIN
    ALTER TABLE users DROP CONSTRAINT users_role_length;
    ALTER TABLE users DROP CONSTRAINT users_ban_reason_length;
    ALTER TABLE users DROP CONSTRAINT users_ban_expires_finite;
END
$$;
