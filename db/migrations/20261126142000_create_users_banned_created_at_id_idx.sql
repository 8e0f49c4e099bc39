-- migrate:up transaction:false

-- Partial: whoever is not banned costs it nothing. IF NOT EXISTS is left out: an invalid index of an
-- interrupted run would pass for it; gatepost migrate clears that up.
CREATE INDEX CONCURRENTLY users_banned_created_at_id_idx ON users (created_at, id) WHERE banned;

-- migrate:down transaction:false

-- Lost: nothing; finding the banned users then reads all users.
DROP INDEX CONCURRENTLY IF EXISTS users_banned_created_at_id_idx;
