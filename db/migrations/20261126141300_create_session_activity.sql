-- migrate:up

DO $$
BEGIN
    CREATE TABLE session_activity (
        session_id uuid NOT NULL,
        seen_at timestamptz(3) NOT NULL,
        CONSTRAINT session_activity_pkey PRIMARY KEY (session_id),
        CONSTRAINT session_activity_times_finite CHECK (isfinite(seen_at))
    ) WITH (fillfactor = 50);

    COMMENT ON TABLE session_activity IS
        'When sessions were last seen, where GATEPOST_LAST_SEEN_EVERY is set; apart from sessions, whose rows and indexes these writes would grow. Logged, so that it is there after a crash and on a standby. Half of each page stays free: every row may be written once before the page is cleaned, as a HOT update.';
    COMMENT ON COLUMN session_activity.session_id IS
        'Primary key: which session. Written once, with the row.';
    COMMENT ON COLUMN session_activity.seen_at IS
        'When a process last found the session good, UTC, in milliseconds. Written every GATEPOST_LAST_SEEN_EVERY, and only forwards. Without an index, so that a write is a HOT update.';
    COMMENT ON CONSTRAINT session_activity_pkey ON session_activity IS
        'Of a session the last time alone is kept.';
    COMMENT ON CONSTRAINT session_activity_times_finite ON session_activity IS
        'infinity is no time in JSON or in most languages.';
END
$$;

-- migrate:down

-- Lost: when sessions were last seen.
DROP TABLE session_activity;
