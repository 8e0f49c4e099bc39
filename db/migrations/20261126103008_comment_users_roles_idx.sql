-- migrate:up

COMMENT ON INDEX users_roles_idx IS
    'Serves the search for administrators: string_to_array(role, '','') && their roles AND role <> ''user''.';

-- migrate:down

-- Lost: nothing but the comment.
COMMENT ON INDEX users_roles_idx IS NULL;
