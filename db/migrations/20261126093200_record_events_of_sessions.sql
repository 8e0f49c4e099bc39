-- migrate:up

DO $$
BEGIN
    CREATE TRIGGER sessions_record_begin
        AFTER INSERT ON sessions
        FOR EACH ROW EXECUTE FUNCTION record_event(
            'session', '{expires_at,ip_address,user_agent,impersonated_by}');
    COMMENT ON TRIGGER sessions_record_begin ON sessions IS
        'Every session that begins is in events.';

    CREATE TRIGGER sessions_record_end
        AFTER DELETE ON sessions
        FOR EACH ROW WHEN (OLD.expires_at > now())
        EXECUTE FUNCTION record_event(
            'session', '{expires_at,ip_address,user_agent,impersonated_by}');
    COMMENT ON TRIGGER sessions_record_end ON sessions IS
        'Every session that is ended before its time is in events; nobody ended one that expired.';

    -- A refresh, the most frequent write, is sorted out by this condition. It is short, because the
    -- server reads its text for each statement: one with all columns took a refresh 8 µs more.
    CREATE TRIGGER sessions_record_change
        AFTER UPDATE ON sessions
        FOR EACH ROW WHEN (NEW.expires_at <= OLD.expires_at)
        EXECUTE FUNCTION record_event(
            'session', '{user_id,expires_at,ip_address,user_agent,impersonated_by}', '{updated_at}');
    COMMENT ON TRIGGER sessions_record_change ON sessions IS
        'Every change of a session that does not prolong it is in events.';

    CREATE TRIGGER sessions_record_change_and_refresh
        AFTER UPDATE OF id, user_id, token, ip_address, user_agent ON sessions
        FOR EACH ROW WHEN (NEW.expires_at > OLD.expires_at)
        EXECUTE FUNCTION record_event(
            'session', '{user_id,expires_at,ip_address,user_agent,impersonated_by}',
            '{expires_at,updated_at}');
    COMMENT ON TRIGGER sessions_record_change_and_refresh ON sessions IS
        'So is one that prolongs it and names more than its times.';

    CREATE TRIGGER sessions_record_truncation
        AFTER TRUNCATE ON sessions
        FOR EACH STATEMENT EXECUTE FUNCTION record_event('session');
    COMMENT ON TRIGGER sessions_record_truncation ON sessions IS
        'TRUNCATE fires no trigger of rows.';
END
$$;

-- migrate:down

-- Lost: nothing that was recorded; what happens to sessions is recorded no more.
DO $$
BEGIN
    DROP TRIGGER sessions_record_truncation ON sessions;
    DROP TRIGGER sessions_record_change_and_refresh ON sessions;
    DROP TRIGGER sessions_record_change ON sessions;
    DROP TRIGGER sessions_record_end ON sessions;
    DROP TRIGGER sessions_record_begin ON sessions;
END
$$;
