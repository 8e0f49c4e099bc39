-- migrate:up

DO $$
BEGIN
    CREATE TRIGGER users_record_event
        AFTER INSERT OR UPDATE OR DELETE ON users
        FOR EACH ROW EXECUTE FUNCTION record_event(
            'user',
            '{name,email,email_verified,role,banned,ban_reason,ban_expires,two_factor_enabled,username,display_username}',
            '{updated_at}');
    COMMENT ON TRIGGER users_record_event ON users IS
        'Every user that comes, changes or goes is in events.';

    CREATE TRIGGER users_record_truncation
        AFTER TRUNCATE ON users
        FOR EACH STATEMENT EXECUTE FUNCTION record_event('user');
    COMMENT ON TRIGGER users_record_truncation ON users IS
        'TRUNCATE fires no trigger of rows.';
END
$$;

-- migrate:down

-- Lost: nothing that was recorded; what happens to users is recorded no more.
DO $$
BEGIN
    DROP TRIGGER users_record_truncation ON users;
    DROP TRIGGER users_record_event ON users;
END
$$;
