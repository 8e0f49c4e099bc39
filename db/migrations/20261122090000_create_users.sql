-- migrate:up

-- One function for every table: the two columns it guards have the same names everywhere.
CREATE FUNCTION set_row_times() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.created_at := OLD.created_at;
    NEW.updated_at := pg_catalog.clock_timestamp();
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION set_row_times() IS
    'Trigger: every update moves updated_at and keeps created_at, whoever writes.';

CREATE TABLE users (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL,
    -- Byte order: comparisons do not depend on the server's locale, and a prefix search can use the index.
    email text COLLATE "C" NOT NULL,
    email_verified boolean NOT NULL DEFAULT false,
    image text,
    created_at timestamptz(3) NOT NULL DEFAULT now(),
    updated_at timestamptz(3) NOT NULL DEFAULT now(),
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_key UNIQUE (email),
    CONSTRAINT users_email_lower_case CHECK (email = lower(email)),
    CONSTRAINT users_email_shape CHECK (email ~ '^[^@[:space:]]+@[^@[:space:]]+[.][^@[:space:]]+$'),
    CONSTRAINT users_email_length CHECK (length(email) <= 254),
    CONSTRAINT users_times_finite CHECK (isfinite(created_at) AND isfinite(updated_at))
);

CREATE INDEX users_created_at_id_idx ON users (created_at, id);

CREATE TRIGGER users_set_row_times
    BEFORE UPDATE ON users
    FOR EACH ROW EXECUTE FUNCTION set_row_times();

COMMENT ON TABLE users IS
    'The people of the application. Written by the auth door, by Better Auth and by trusted backends.';
COMMENT ON COLUMN users.id IS
    'Primary key. Made by the database; a trusted backend may give its own when it inserts.';
COMMENT ON COLUMN users.name IS
    'Display name; may be empty. Written at sign-up, by the user later, and by trusted backends.';
COMMENT ON COLUMN users.email IS
    'Address, lower case, unique. Written at sign-up, by a confirmed change of address, and by trusted backends.';
COMMENT ON COLUMN users.email_verified IS
    'Whether the user has shown control of the address. Written when a verification mail is followed, and by trusted backends.';
COMMENT ON COLUMN users.image IS
    'Address of a picture, or null. Written by the user and by trusted backends.';
COMMENT ON COLUMN users.created_at IS
    'When the row was inserted, UTC, in milliseconds. Written once; the trigger keeps it.';
COMMENT ON COLUMN users.updated_at IS
    'When the row last changed, UTC, in milliseconds. Written by the trigger.';
COMMENT ON CONSTRAINT users_pkey ON users IS
    'What every other table refers to.';
COMMENT ON CONSTRAINT users_email_key ON users IS
    'One address, one user; also finds a user by address and is the target of an upsert.';
COMMENT ON CONSTRAINT users_email_lower_case ON users IS
    'Ann@example.com and ann@example.com are one address.';
COMMENT ON CONSTRAINT users_email_shape ON users IS
    'What could never receive a mail is not an address: one @, a dot after it, no space.';
COMMENT ON CONSTRAINT users_email_length ON users IS
    'The longest address that SMTP carries (RFC 5321).';
COMMENT ON CONSTRAINT users_times_finite ON users IS
    'infinity is no time in JSON or in most languages.';
COMMENT ON INDEX users_created_at_id_idx IS
    'Serves the page of newest users: ORDER BY created_at, id, an order without ties.';

-- migrate:down

DROP TABLE users;
DROP FUNCTION set_row_times();
