-- migrate:up transaction:false

-- Nothing looks by it, and before PostgreSQL 16 it keeps every refresh from being a HOT update.
-- IF EXISTS: a run that was interrupted may have come as far as this, and gatepost migrate clears up.
DROP INDEX CONCURRENTLY IF EXISTS sessions_expires_at_idx;

-- migrate:down transaction:false

CREATE INDEX CONCURRENTLY sessions_expires_at_idx ON sessions USING brin (expires_at);
