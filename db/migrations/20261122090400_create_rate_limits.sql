-- migrate:up

CREATE TABLE rate_limits (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    -- Byte order: an address and a path, compared as bytes.
    key text COLLATE "C" NOT NULL,
    -- Not bigint: Node's driver reads that as a text, and Better Auth adds one to it.
    -- squawk-ignore prefer-bigint-over-int
    count integer NOT NULL,
    last_request bigint NOT NULL,
    CONSTRAINT rate_limits_pkey PRIMARY KEY (id),
    CONSTRAINT rate_limits_key_key UNIQUE (key)
);

COMMENT ON TABLE rate_limits IS
    'How often an address asked for a path of late. Written by the auth door and by Better Auth, once a limited request.';
COMMENT ON COLUMN rate_limits.id IS 'Primary key. Made by the database.';
COMMENT ON COLUMN rate_limits.key IS
    'ADDRESS|PATH, the address as it is counted (IPv6 by its first 64 bits). Written once, with the row.';
COMMENT ON COLUMN rate_limits.count IS
    'Requests let through in the current window. Written with each of them.';
COMMENT ON COLUMN rate_limits.last_request IS
    'When the last of them came, in milliseconds since 1970 UTC. Written with each of them.';

COMMENT ON CONSTRAINT rate_limits_pkey ON rate_limits IS
    'Better Auth wants an id in each of its tables.';
COMMENT ON CONSTRAINT rate_limits_key_key ON rate_limits IS
    'One row a key, so that counting is one atomic statement: INSERT … ON CONFLICT (key) DO UPDATE.';

-- migrate:down

DROP TABLE rate_limits;
