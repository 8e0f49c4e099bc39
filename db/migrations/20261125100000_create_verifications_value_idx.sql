-- migrate:up transaction:false

-- Partial: the values of other kinds can be longer than an entry of a btree. IF NOT EXISTS is left out:
-- an invalid index of an interrupted run would pass for it; gatepost migrate clears that up.
CREATE INDEX CONCURRENTLY verifications_value_idx ON verifications (value) WHERE length(value) = 36;

-- migrate:down transaction:false

-- Lost: nothing; a new password or address then reads all verifications to end the links of its user.
DROP INDEX CONCURRENTLY IF EXISTS verifications_value_idx;
