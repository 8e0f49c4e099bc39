-- migrate:up

-- NOT VALID, so that the table is not read under this lock; a later file validates.
ALTER TABLE accounts
    ADD CONSTRAINT accounts_account_id_length CHECK (length(account_id) <= 1000) NOT VALID,
    ADD CONSTRAINT accounts_provider_id_length CHECK (length(provider_id) <= 255) NOT VALID,
    ADD CONSTRAINT accounts_access_token_length CHECK (length(access_token) <= 65536) NOT VALID,
    ADD CONSTRAINT accounts_refresh_token_length CHECK (length(refresh_token) <= 65536) NOT VALID,
    ADD CONSTRAINT accounts_id_token_length CHECK (length(id_token) <= 65536) NOT VALID,
    ADD CONSTRAINT accounts_scope_length CHECK (length(scope) <= 16384) NOT VALID,
    ADD CONSTRAINT accounts_password_length CHECK (length(password) <= 1000) NOT VALID;
COMMENT ON CONSTRAINT accounts_account_id_length ON accounts IS
    'OpenID Connect has 255 at most, other providers more; what is far longer no index holds.';
COMMENT ON CONSTRAINT accounts_provider_id_length ON accounts IS
    'Names that the application gives its providers.';
COMMENT ON CONSTRAINT accounts_access_token_length ON accounts IS
    'Some providers put everything they know into a token; Better Auth can encrypt it, which doubles it.';
COMMENT ON CONSTRAINT accounts_refresh_token_length ON accounts IS
    'As the access token.';
COMMENT ON CONSTRAINT accounts_id_token_length ON accounts IS
    'As the access token.';
COMMENT ON CONSTRAINT accounts_scope_length ON accounts IS
    'A list of all scopes of the largest provider is shorter.';
COMMENT ON CONSTRAINT accounts_password_length ON accounts IS
    'A hash: scrypt''s has 161 characters, others with their settings in front a few more.';

-- migrate:down

-- Lost: nothing; a text of any length is stored again.
ALTER TABLE accounts
    DROP CONSTRAINT accounts_account_id_length,
    DROP CONSTRAINT accounts_provider_id_length,
    DROP CONSTRAINT accounts_access_token_length,
    DROP CONSTRAINT accounts_refresh_token_length,
    DROP CONSTRAINT accounts_id_token_length,
    DROP CONSTRAINT accounts_scope_length,
    DROP CONSTRAINT accounts_password_length;
