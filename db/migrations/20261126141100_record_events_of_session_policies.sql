-- migrate:up

DO $$
BEGIN
    CREATE TRIGGER session_policies_record_event
        AFTER INSERT OR UPDATE OR DELETE ON session_policies
        FOR EACH ROW EXECUTE FUNCTION record_event(
            'session_policy', '{lifetime,idle_lifetime,max_sessions}', '{updated_at}');
    COMMENT ON TRIGGER session_policies_record_event ON session_policies IS
        'Every change of what limits a user''s sessions is in events.';

    CREATE TRIGGER session_policies_record_truncation
        AFTER TRUNCATE ON session_policies
        FOR EACH STATEMENT EXECUTE FUNCTION record_event('session_policy');
    COMMENT ON TRIGGER session_policies_record_truncation ON session_policies IS
        'TRUNCATE fires no trigger of rows.';
END
$$;

-- migrate:down

-- Lost: nothing that was recorded; what happens to limits is recorded no more.
DO $$
BEGIN
    DROP TRIGGER session_policies_record_truncation ON session_policies;
    DROP TRIGGER session_policies_record_event ON session_policies;
END
$$;
