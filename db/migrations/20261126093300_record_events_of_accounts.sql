-- migrate:up

DO $$
BEGIN
    CREATE TRIGGER accounts_record_event
        AFTER INSERT OR UPDATE OR DELETE ON accounts
        FOR EACH ROW EXECUTE FUNCTION record_event(
            'account', '{user_id,provider_id,account_id,scope}',
            '{updated_at,access_token,refresh_token,id_token,access_token_expires_at,refresh_token_expires_at}');
    COMMENT ON TRIGGER accounts_record_event ON accounts IS
        'Every way to sign in that comes, changes or goes is in events; new tokens of a provider, which every sign-in by it brings, are not.';

    CREATE TRIGGER accounts_record_truncation
        AFTER TRUNCATE ON accounts
        FOR EACH STATEMENT EXECUTE FUNCTION record_event('account');
    COMMENT ON TRIGGER accounts_record_truncation ON accounts IS
        'TRUNCATE fires no trigger of rows.';
END
$$;

-- migrate:down

-- Lost: nothing that was recorded; what happens to accounts is recorded no more.
DO $$
BEGIN
    DROP TRIGGER accounts_record_truncation ON accounts;
    DROP TRIGGER accounts_record_event ON accounts;
END
$$;
