-- migrate:up

COMMENT ON INDEX events_type_id_idx IS
    'Serves the newest events of a type (WHERE type = AND type <> ''session.created'' ORDER BY id DESC). Costs a sign-in nothing.';

-- migrate:down

-- Lost: nothing but the comment.
COMMENT ON INDEX events_type_id_idx IS NULL;
