-- migrate:up

COMMENT ON COLUMN rate_limits.key IS
    'ADDRESS|PATH, the address as it is counted (IPv6 by its first 64 bits); sign-in|HASH or password|USER for attempts on an account; known|HASH for an address that signed in to one, with last_request the end of that. Written once, with the row.';

-- migrate:down

-- Lost: nothing; a comment says less than it did.
COMMENT ON COLUMN rate_limits.key IS
    'ADDRESS|PATH, the address as it is counted (IPv6 by its first 64 bits). Written once, with the row.';
