-- migrate:up

DO $$
BEGIN
    CREATE TABLE session_policies (
        user_id uuid NOT NULL,
        lifetime bigint,
        idle_lifetime bigint,
        max_sessions bigint,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        updated_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT session_policies_pkey PRIMARY KEY (user_id),
        CONSTRAINT session_policies_user_id_fkey
            FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
        CONSTRAINT session_policies_lifetime_range CHECK (lifetime BETWEEN 60 AND 34560000),
        CONSTRAINT session_policies_idle_lifetime_range CHECK (idle_lifetime BETWEEN 60 AND 34560000),
        CONSTRAINT session_policies_max_sessions_range CHECK (max_sessions BETWEEN 1 AND 10000),
        CONSTRAINT session_policies_times_finite CHECK (isfinite(created_at) AND isfinite(updated_at))
    );

    CREATE TRIGGER session_policies_set_row_times
        BEFORE UPDATE ON session_policies
        FOR EACH ROW EXECUTE FUNCTION set_row_times();

    COMMENT ON TABLE session_policies IS
        'Limits of one user''s sessions that are stricter than the settings. Written by gatepost users limits and the admin plugin, which also shorten the sessions there are; a row that another hand writes holds from the next sign-in, the next refresh, or the next pass of the purge on.';
    COMMENT ON COLUMN session_policies.user_id IS
        'Primary key: whose sessions. Written once, with the row.';
    COMMENT ON COLUMN session_policies.lifetime IS
        'Seconds after sign-in at which a session ends, however often it is used; null: the setting holds, and it holds where it is less.';
    COMMENT ON COLUMN session_policies.idle_lifetime IS
        'Seconds after its last refresh at which a session expires; null: likewise.';
    COMMENT ON COLUMN session_policies.max_sessions IS
        'Live sessions at most; null: likewise.';
    COMMENT ON COLUMN session_policies.created_at IS
        'When the user was first given limits, UTC, in milliseconds. Written once; the trigger keeps it.';
    COMMENT ON COLUMN session_policies.updated_at IS
        'When the limits last changed, UTC, in milliseconds. Written by the trigger.';
    COMMENT ON CONSTRAINT session_policies_pkey ON session_policies IS
        'A user has one set of limits; finds it at a sign-in and at a refresh.';
    COMMENT ON CONSTRAINT session_policies_user_id_fkey ON session_policies IS
        'Deleting a user deletes its limits in the same statement.';
    COMMENT ON CONSTRAINT session_policies_lifetime_range ON session_policies IS
        'A minute to 400 days, as the settings.';
    COMMENT ON CONSTRAINT session_policies_idle_lifetime_range ON session_policies IS
        'Likewise.';
    COMMENT ON CONSTRAINT session_policies_max_sessions_range ON session_policies IS
        'With none nobody could sign in: that is a ban.';
    COMMENT ON CONSTRAINT session_policies_times_finite ON session_policies IS
        'infinity is no time in JSON or in most languages.';
    COMMENT ON TRIGGER session_policies_set_row_times ON session_policies IS
        'Keeps created_at and moves updated_at.';
END
$$;

-- migrate:down

-- Lost: the limits of every user; sessions keep the end that they have.
DROP TABLE session_policies;
