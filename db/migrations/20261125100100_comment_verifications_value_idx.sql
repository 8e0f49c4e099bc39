-- migrate:up

COMMENT ON INDEX verifications_value_idx IS
    'Serves the end of all proofs of a user, whose id is the value (WHERE value = AND length(value) = 36), when a password or an address changes.';

-- migrate:down

-- Lost: a comment.
COMMENT ON INDEX verifications_value_idx IS NULL;
