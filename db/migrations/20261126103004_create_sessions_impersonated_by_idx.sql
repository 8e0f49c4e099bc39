-- migrate:up transaction:false

-- Partial: next to no session has one. IF NOT EXISTS is left out: an invalid index of an interrupted
-- run would pass for it; gatepost migrate clears that up.
CREATE INDEX CONCURRENTLY sessions_impersonated_by_idx ON sessions (impersonated_by) WHERE impersonated_by IS NOT NULL;

-- migrate:down transaction:false

-- Lost: nothing; deleting or banning a user then reads all sessions.
DROP INDEX CONCURRENTLY IF EXISTS sessions_impersonated_by_idx;
