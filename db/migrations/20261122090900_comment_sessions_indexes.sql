-- migrate:up

-- What was measured of each index. The one on expires_at goes in the next file, which holds one
-- statement and so could not bring its comment back: it loses that here, and gets it back here.
COMMENT ON COLUMN sessions.expires_at IS
    'From when the session counts as signed out, UTC, in milliseconds. Written at sign-in and by each refresh. Without an index: with a btree no refresh is a HOT update and each writes 810 bytes of WAL, not 371; with a BRIN none is before PostgreSQL 16, and after ten days of purges it finds nothing. The purge reads all pages in turn, and a session is found by its token.';
COMMENT ON INDEX sessions_user_id_idx IS
    'Serves the sessions of one user (WHERE user_id =) and the cascade when a user is deleted. Costs a sign-in 73 bytes of WAL.';
COMMENT ON INDEX sessions_created_at_id_idx IS
    'Serves the page of newest sessions: ORDER BY created_at, id, an order without ties. Costs a sign-in 85 bytes of WAL.';
COMMENT ON INDEX sessions_expires_at_idx IS NULL;

-- migrate:down

COMMENT ON COLUMN sessions.expires_at IS
    'From when the session counts as signed out, UTC, in milliseconds. Written at sign-in and by each refresh.';
COMMENT ON INDEX sessions_user_id_idx IS
    'Serves the sessions of one user (WHERE user_id =) and the cascade when a user is deleted.';
COMMENT ON INDEX sessions_created_at_id_idx IS
    'Serves the page of newest sessions: ORDER BY created_at, id, an order without ties.';
COMMENT ON INDEX sessions_expires_at_idx IS
    'Serves the search for expired rows (WHERE expires_at <). BRIN, so that a refresh stays a HOT update.';
