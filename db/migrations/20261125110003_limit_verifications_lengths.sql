-- migrate:up

-- NOT VALID, so that the table is not read under this lock; a later file validates.
ALTER TABLE verifications
    ADD CONSTRAINT verifications_identifier_length CHECK (length(identifier) <= 1000) NOT VALID,
    ADD CONSTRAINT verifications_value_length CHECK (length(value) <= 65536) NOT VALID;
COMMENT ON CONSTRAINT verifications_identifier_length ON verifications IS
    'A prefix, and a token or an address; what is far longer no index holds.';
COMMENT ON CONSTRAINT verifications_value_length ON verifications IS
    'A user''s id, a code, or what an OAuth state carries, in JSON.';

-- migrate:down

-- Lost: nothing; a text of any length is stored again.
ALTER TABLE verifications
    DROP CONSTRAINT verifications_identifier_length,
    DROP CONSTRAINT verifications_value_length;
