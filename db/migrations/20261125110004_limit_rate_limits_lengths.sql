-- migrate:up

-- NOT VALID, so that the table is not read under this lock; a later file validates.
ALTER TABLE rate_limits
    ADD CONSTRAINT rate_limits_key_length CHECK (length(key) <= 16384) NOT VALID;
COMMENT ON CONSTRAINT rate_limits_key_length ON rate_limits IS
    'What Node lets into the head of a request: Better Auth counts a path as long as it came.';

-- migrate:down

-- Lost: nothing; a text of any length is stored again.
ALTER TABLE rate_limits
    DROP CONSTRAINT rate_limits_key_length;
