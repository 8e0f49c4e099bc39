-- migrate:up

CREATE TABLE sessions (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL,
    -- Byte order: the hottest look-up compares bytes and survives a change of the server's locale.
    token text COLLATE "C" NOT NULL,
    expires_at timestamptz(3) NOT NULL,
    -- '' and not null when unknown: that is what Better Auth writes.
    ip_address text NOT NULL DEFAULT '',
    user_agent text NOT NULL DEFAULT '',
    created_at timestamptz(3) NOT NULL DEFAULT now(),
    updated_at timestamptz(3) NOT NULL DEFAULT now(),
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_token_key UNIQUE (token),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_token_shape CHECK (token ~ '^[A-Za-z0-9_-]{32,255}$'),
    CONSTRAINT sessions_expires_after_created CHECK (expires_at > created_at),
    CONSTRAINT sessions_ip_address_length CHECK (length(ip_address) <= 45),
    CONSTRAINT sessions_times_finite CHECK (
        isfinite(expires_at) AND isfinite(created_at) AND isfinite(updated_at)
    )
);

CREATE INDEX sessions_user_id_idx ON sessions (user_id);
CREATE INDEX sessions_created_at_id_idx ON sessions (created_at, id);
-- BRIN and not btree: a refresh moves expires_at, and a btree on it would
-- cost every refresh a new entry in all indexes (no HOT update).
CREATE INDEX sessions_expires_at_idx ON sessions USING brin (expires_at);

CREATE TRIGGER sessions_set_row_times
    BEFORE UPDATE ON sessions
    FOR EACH ROW EXECUTE FUNCTION set_row_times();

COMMENT ON TABLE sessions IS
    'Who is signed in where. Written by the auth door, by Better Auth and by trusted backends; deleting a user deletes its sessions.';
COMMENT ON COLUMN sessions.id IS
    'Primary key. Made by the database; a trusted backend may give its own when it inserts.';
COMMENT ON COLUMN sessions.user_id IS
    'The user who is signed in. Written once, at sign-in.';
COMMENT ON COLUMN sessions.token IS
    'Secret: what the cookie carries, signed. Written once, at sign-in, from a cryptographic random source.';
COMMENT ON COLUMN sessions.expires_at IS
    'From when the session counts as signed out, UTC, in milliseconds. Written at sign-in and by each refresh.';
COMMENT ON COLUMN sessions.ip_address IS
    'Client address at sign-in as text, empty when unknown. Written once, at sign-in.';
COMMENT ON COLUMN sessions.user_agent IS
    'User-Agent header at sign-in, empty when unknown. Written once, at sign-in.';
COMMENT ON COLUMN sessions.created_at IS
    'When the user signed in, UTC, in milliseconds. Written once; the trigger keeps it.';
COMMENT ON COLUMN sessions.updated_at IS
    'When the row last changed, UTC, in milliseconds. Written by the trigger.';
COMMENT ON CONSTRAINT sessions_pkey ON sessions IS
    'A name for a session that opens nothing, unlike its token.';
COMMENT ON CONSTRAINT sessions_token_key ON sessions IS
    'A token opens one session; finds the session of a cookie in every request.';
COMMENT ON CONSTRAINT sessions_user_id_fkey ON sessions IS
    'Deleting a user ends its sessions in the same statement.';
COMMENT ON CONSTRAINT sessions_token_shape ON sessions IS
    'Long enough not to be guessed, and of letters that need no escape in a cookie or an address.';
COMMENT ON CONSTRAINT sessions_expires_after_created ON sessions IS
    'A session that was never valid is a mistake of the writer.';
COMMENT ON CONSTRAINT sessions_ip_address_length ON sessions IS
    'The longest form of an IPv6 address; a forged header is longer.';
COMMENT ON CONSTRAINT sessions_times_finite ON sessions IS
    'infinity is no time in JSON or in most languages, and would be a session without an end.';
COMMENT ON INDEX sessions_user_id_idx IS
    'Serves the sessions of one user (WHERE user_id =) and the cascade when a user is deleted.';
COMMENT ON INDEX sessions_created_at_id_idx IS
    'Serves the page of newest sessions: ORDER BY created_at, id, an order without ties.';
COMMENT ON INDEX sessions_expires_at_idx IS
    'Serves the search for expired rows (WHERE expires_at <). BRIN, so that a refresh stays a HOT update.';

-- migrate:down

DROP TABLE sessions;
