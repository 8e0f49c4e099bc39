-- migrate:up

-- Reads every row once, in a transaction of its own: no read and no write waits for it.
ALTER TABLE rate_limits
    VALIDATE CONSTRAINT rate_limits_key_length;

-- migrate:down

-- Lost: nothing; the checks are NOT VALID again.
ALTER TABLE rate_limits
    DROP CONSTRAINT rate_limits_key_length,
    ADD CONSTRAINT rate_limits_key_length CHECK (length(key) <= 16384) NOT VALID;
COMMENT ON CONSTRAINT rate_limits_key_length ON rate_limits IS
    'What Node lets into the head of a request: Better Auth counts a path as long as it came.';
