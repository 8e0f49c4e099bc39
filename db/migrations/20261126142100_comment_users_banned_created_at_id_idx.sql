-- migrate:up

COMMENT ON INDEX users_banned_created_at_id_idx IS
    'Serves the page of banned users, the newest first: WHERE banned ORDER BY created_at, id.';

-- migrate:down

-- Lost: nothing but the comment.
COMMENT ON INDEX users_banned_created_at_id_idx IS NULL;
