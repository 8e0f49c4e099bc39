-- migrate:up

-- The next file replaces this check, and its way back can add the old one only as NOT VALID, lest it
-- hold the table while it reads every row. The way back of this file then validates it, in a
-- transaction of its own, for which nobody waits. New rows are checked all the time.
-- squawk-ignore ban-drop-constraint
ALTER TABLE sessions DROP CONSTRAINT sessions_token_shape,
    ADD CONSTRAINT sessions_token_shape CHECK (token ~ '^[A-Za-z0-9_-]{32,255}$') NOT VALID;
COMMENT ON CONSTRAINT sessions_token_shape ON sessions IS
    'Long enough not to be guessed, and of letters that need no escape in a cookie or an address.';

-- migrate:down

ALTER TABLE sessions VALIDATE CONSTRAINT sessions_token_shape;
