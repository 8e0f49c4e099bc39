-- migrate:up

ALTER TABLE sessions ADD COLUMN impersonated_by uuid;
COMMENT ON COLUMN sessions.impersonated_by IS
    'The administrator who acts as the user in this session, which is never refreshed; NULL: the user. Written once, with the row.';

-- migrate:down

-- Lost: who acts as whom; such a session is then refreshed as any other, so end them before.
ALTER TABLE sessions DROP COLUMN impersonated_by;
