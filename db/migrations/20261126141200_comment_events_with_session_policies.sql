-- migrate:up

DO $$
BEGIN
    COMMENT ON TABLE events IS
        'What happened to users, sessions, their limits and accounts, whoever did it. Written by the triggers of these tables and nobody else; deleted by purge_events(). Without any secret.';
    COMMENT ON COLUMN events.type IS
        'user, session, session_policy or account, a dot, and created, updated, deleted (of a session: ended) or truncated; account.password_changed. A session that expires ends without an event.';
END
$$;

-- migrate:down

-- Lost: nothing; the comments are those from before.
DO $$
BEGIN
    COMMENT ON TABLE events IS
        'What happened to users, sessions and accounts, whoever did it. Written by the triggers of these tables and nobody else; deleted by purge_events(). Without any secret.';
    COMMENT ON COLUMN events.type IS
        'user, session or account, a dot, and created, updated, deleted (of a session: ended) or truncated; account.password_changed. A session that expires ends without an event.';
END
$$;
