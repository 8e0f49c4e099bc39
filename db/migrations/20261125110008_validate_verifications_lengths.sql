-- migrate:up

-- Reads every row once, in a transaction of its own: no read and no write waits for it.
ALTER TABLE verifications
    VALIDATE CONSTRAINT verifications_identifier_length,
    VALIDATE CONSTRAINT verifications_value_length;

-- migrate:down

-- Lost: nothing; the checks are NOT VALID again.
ALTER TABLE verifications
    DROP CONSTRAINT verifications_identifier_length,
    ADD CONSTRAINT verifications_identifier_length CHECK (length(identifier) <= 1000) NOT VALID,
    DROP CONSTRAINT verifications_value_length,
    ADD CONSTRAINT verifications_value_length CHECK (length(value) <= 65536) NOT VALID;
COMMENT ON CONSTRAINT verifications_identifier_length ON verifications IS
    'A prefix, and a token or an address; what is far longer no index holds.';
COMMENT ON CONSTRAINT verifications_value_length ON verifications IS
    'A user''s id, a code, or what an OAuth state carries, in JSON.';
