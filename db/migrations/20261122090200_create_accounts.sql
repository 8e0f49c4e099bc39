-- migrate:up

CREATE TABLE accounts (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL,
    -- Byte order: names and ids that machines make are compared as bytes.
    account_id text COLLATE "C" NOT NULL,
    provider_id text COLLATE "C" NOT NULL,
    access_token text,
    refresh_token text,
    id_token text,
    access_token_expires_at timestamptz(3),
    refresh_token_expires_at timestamptz(3),
    scope text,
    password text,
    created_at timestamptz(3) NOT NULL DEFAULT now(),
    updated_at timestamptz(3) NOT NULL DEFAULT now(),
    CONSTRAINT accounts_pkey PRIMARY KEY (id),
    CONSTRAINT accounts_provider_id_account_id_key UNIQUE (provider_id, account_id),
    CONSTRAINT accounts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT accounts_credential_account_id CHECK (
        provider_id <> 'credential' OR account_id = user_id::text
    ),
    CONSTRAINT accounts_credential_password CHECK (
        (provider_id = 'credential') = (password IS NOT NULL)
    ),
    CONSTRAINT accounts_times_finite CHECK (
        isfinite(access_token_expires_at) AND isfinite(refresh_token_expires_at)
        AND isfinite(created_at) AND isfinite(updated_at)
    )
);

CREATE INDEX accounts_user_id_idx ON accounts (user_id);

CREATE TRIGGER accounts_set_row_times
    BEFORE UPDATE ON accounts
    FOR EACH ROW EXECUTE FUNCTION set_row_times();

COMMENT ON TABLE accounts IS
    'The ways a user can sign in: a password, or a provider. Written by the auth door, by Better Auth and by trusted backends; deleting a user deletes its accounts.';
COMMENT ON COLUMN accounts.id IS
    'Primary key. Made by the database; a trusted backend may give its own when it inserts.';
COMMENT ON COLUMN accounts.user_id IS
    'The user who signs in this way. Written once, at sign-up or when a provider is linked.';
COMMENT ON COLUMN accounts.account_id IS
    'The user''s id at the provider; for a password the id in users. Written once, with the row.';
COMMENT ON COLUMN accounts.provider_id IS
    'The provider''s name; credential for a password. Written once, with the row.';
COMMENT ON COLUMN accounts.access_token IS
    'Secret: the provider''s access token, or null. Written at each sign-in through the provider and when the token is refreshed.';
COMMENT ON COLUMN accounts.refresh_token IS
    'Secret: the provider''s refresh token, or null. Written at each sign-in through the provider and when the token is refreshed.';
COMMENT ON COLUMN accounts.id_token IS
    'Secret: the provider''s OpenID Connect ID token, or null. Written at each sign-in through the provider and when the token is refreshed.';
COMMENT ON COLUMN accounts.access_token_expires_at IS
    'Until when access_token is good, UTC, in milliseconds, or null. Written with it.';
COMMENT ON COLUMN accounts.refresh_token_expires_at IS
    'Until when refresh_token is good, UTC, in milliseconds, or null. Written with it.';
COMMENT ON COLUMN accounts.scope IS
    'What the provider granted, comma-separated, or null. Written with the tokens.';
COMMENT ON COLUMN accounts.password IS
    'Secret: salt:key in hex, the key by scrypt; null unless the provider is credential. Written at sign-up and by each change or reset of the password.';
COMMENT ON COLUMN accounts.created_at IS
    'When the row was inserted, UTC, in milliseconds. Written once; the trigger keeps it.';
COMMENT ON COLUMN accounts.updated_at IS
    'When the row last changed, UTC, in milliseconds. Written by the trigger.';
COMMENT ON CONSTRAINT accounts_pkey ON accounts IS
    'A name for an account that holds good whatever the provider calls it.';
COMMENT ON CONSTRAINT accounts_provider_id_account_id_key ON accounts IS
    'An account of a provider belongs to one user; finds that user at each sign-in through the provider.';
COMMENT ON CONSTRAINT accounts_user_id_fkey ON accounts IS
    'Deleting a user deletes its password and what it linked in the same statement.';
COMMENT ON CONSTRAINT accounts_credential_account_id ON accounts IS
    'Better Auth finds a password by the user''s id in account_id alone. With the key over both columns it follows that a user has one password, without an index for that.';
COMMENT ON CONSTRAINT accounts_credential_password ON accounts IS
    'A password without credential would never be asked for, and credential without one never be right.';
COMMENT ON CONSTRAINT accounts_times_finite ON accounts IS
    'infinity is no time in JSON or in most languages.';
COMMENT ON INDEX accounts_user_id_idx IS
    'Serves the accounts of one user (WHERE user_id =) and the cascade when a user is deleted.';

-- migrate:down

DROP TABLE accounts;
