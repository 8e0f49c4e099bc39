-- migrate:up transaction:false

-- Partial: the role that next to everybody has costs a sign-up nothing. IF NOT EXISTS is left out:
-- an invalid index of an interrupted run would pass for it; gatepost migrate clears that up.
CREATE INDEX CONCURRENTLY users_roles_idx ON users USING gin (string_to_array(role, ',')) WHERE role <> 'user';

-- migrate:down transaction:false

-- Lost: nothing; finding the administrators then reads all users.
DROP INDEX CONCURRENTLY IF EXISTS users_roles_idx;
