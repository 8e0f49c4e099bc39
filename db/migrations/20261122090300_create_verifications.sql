-- migrate:up

CREATE TABLE verifications (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    -- Byte order: compared as bytes. Not unique: Better Auth's plugins repeat identifiers.
    identifier text COLLATE "C" NOT NULL,
    value text NOT NULL,
    expires_at timestamptz(3) NOT NULL,
    created_at timestamptz(3) NOT NULL DEFAULT now(),
    updated_at timestamptz(3) NOT NULL DEFAULT now(),
    CONSTRAINT verifications_pkey PRIMARY KEY (id),
    CONSTRAINT verifications_expires_after_created CHECK (expires_at > created_at),
    CONSTRAINT verifications_times_finite CHECK (
        isfinite(expires_at) AND isfinite(created_at) AND isfinite(updated_at)
    )
);

CREATE INDEX verifications_identifier_created_at_idx ON verifications (identifier, created_at);
-- btree and not BRIN: the sweeps free pages that new rows fill, so after a while each of BRIN's ranges
-- holds an old time and it reads the whole table. Rows are inserted and deleted, seldom updated.
CREATE INDEX verifications_expires_at_idx ON verifications (expires_at);

CREATE TRIGGER verifications_set_row_times
    BEFORE UPDATE ON verifications
    FOR EACH ROW EXECUTE FUNCTION set_row_times();

COMMENT ON TABLE verifications IS
    'What was sent out to be brought back once: password resets, OAuth states, codes. Written and used up by the auth door, by Better Auth and by trusted backends.';
COMMENT ON COLUMN verifications.id IS
    'Primary key. Made by the database; a trusted backend may give its own when it inserts.';
COMMENT ON COLUMN verifications.identifier IS
    'Secret: what is verified and mostly the token itself, such as reset-password:TOKEN. Written once, with the row.';
COMMENT ON COLUMN verifications.value IS
    'Secret: what the token stands for, such as the user''s id, or a code to compare. Written with the row; plugins that count attempts change it.';
COMMENT ON COLUMN verifications.expires_at IS
    'From when the row no longer counts, UTC, in milliseconds. Written with the row.';
COMMENT ON COLUMN verifications.created_at IS
    'When the row was inserted, UTC, in milliseconds; the newest of an identifier counts. Written once, by the writer''s clock or the database''s; the trigger keeps it.';
COMMENT ON COLUMN verifications.updated_at IS
    'When the row last changed, UTC, in milliseconds. Written with the row, then by the trigger.';
COMMENT ON CONSTRAINT verifications_pkey ON verifications IS
    'A name for a row that opens nothing, unlike its identifier.';
COMMENT ON CONSTRAINT verifications_expires_after_created ON verifications IS
    'A verification that was never valid is a mistake of the writer.';
COMMENT ON CONSTRAINT verifications_times_finite ON verifications IS
    'infinity is no time in JSON or in most languages, and would be a token that never expires.';
COMMENT ON INDEX verifications_identifier_created_at_idx IS
    'Serves the only look-up, the newest row of an identifier: WHERE identifier = ORDER BY created_at DESC.';
COMMENT ON INDEX verifications_expires_at_idx IS
    'Serves the sweep of expired rows (WHERE expires_at <), which Better Auth does as often as once a minute.';

-- migrate:down

DROP TABLE verifications;
