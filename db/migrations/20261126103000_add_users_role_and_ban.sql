-- migrate:up

-- The names and types of Better Auth's admin plugin. A server without it leaves them alone.
DO $$
BEGIN
    ALTER TABLE users ADD COLUMN role text;
    ALTER TABLE users ADD COLUMN banned boolean NOT NULL DEFAULT false;
    ALTER TABLE users ADD COLUMN ban_reason text;
    ALTER TABLE users ADD COLUMN ban_expires timestamptz(3);

    COMMENT ON COLUMN users.role IS
        'The roles of the admin plugin, separated by commas; NULL: the default one. Written at sign-up and by administrators.';
    COMMENT ON COLUMN users.banned IS
        'Whether no session may begin, until ban_expires. Written by administrators, and by the first sign-in after the end.';
    COMMENT ON COLUMN users.ban_reason IS
        'Why, for administrators and the user; NULL: no reason. Written by administrators.';
    COMMENT ON COLUMN users.ban_expires IS
        'When the ban ends, UTC, in milliseconds; NULL: never. Written by administrators.';
END
$$;

-- migrate:down

-- Lost: every role and every ban: nobody is an administrator, and who was banned can sign in.
DO $$
BEGIN
    ALTER TABLE users DROP COLUMN role;
    ALTER TABLE users DROP COLUMN banned;
    ALTER TABLE users DROP COLUMN ban_reason;
    ALTER TABLE users DROP COLUMN ban_expires;
END
$$;
