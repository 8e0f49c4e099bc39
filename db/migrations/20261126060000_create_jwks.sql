-- migrate:up

DO $$
BEGIN
    CREATE TABLE jwks (
        id uuid NOT NULL DEFAULT gen_random_uuid(),
        public_key text NOT NULL,
        private_key text NOT NULL,
        alg text,
        crv text,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        expires_at timestamptz(3),
        CONSTRAINT jwks_pkey PRIMARY KEY (id),
        CONSTRAINT jwks_expires_after_created CHECK (expires_at > created_at),
        CONSTRAINT jwks_times_finite CHECK (isfinite(created_at) AND isfinite(expires_at)),
        CONSTRAINT jwks_lengths CHECK (
            length(public_key) <= 8192 AND length(private_key) <= 32768
            AND length(alg) <= 32 AND length(crv) <= 32
        )
    );

    COMMENT ON TABLE jwks IS
        'Keys that sign JSON Web Tokens, for the jwt plugin here and in Better Auth. The newest that has not expired signs; those that signed what may still be in use are published.';
    COMMENT ON COLUMN jwks.id IS
        'Primary key, and the kid of the tokens it signs. Made by the database.';
    COMMENT ON COLUMN jwks.public_key IS
        'The public half, as a JSON Web Key without alg and kid. Written once, with the row.';
    COMMENT ON COLUMN jwks.private_key IS
        'Secret: the private half as a JSON Web Key, encrypted with the secret of the service. Written once, with the row.';
    COMMENT ON COLUMN jwks.alg IS
        'What it signs with: EdDSA, ES256, ES512, RS256 or PS256; NULL in old rows: as configured. Written once, with the row.';
    COMMENT ON COLUMN jwks.crv IS
        'Its curve, for information. Written once, with the row.';
    COMMENT ON COLUMN jwks.created_at IS
        'When it was made, UTC, in milliseconds; the newest signs. Written once, with the row.';
    COMMENT ON COLUMN jwks.expires_at IS
        'From when it signs no more, UTC, in milliseconds; NULL: never. Written with the row, or when it is retired.';
    COMMENT ON CONSTRAINT jwks_pkey ON jwks IS
        'The kid by which a token names its key.';
    COMMENT ON CONSTRAINT jwks_expires_after_created ON jwks IS
        'A key that never signed is a mistake of the writer.';
    COMMENT ON CONSTRAINT jwks_times_finite ON jwks IS
        'infinity is no time in JSON or in most languages.';
    COMMENT ON CONSTRAINT jwks_lengths ON jwks IS
        'RSA of 4096 bits, encrypted, takes some 7,000 characters.';
END
$$;

-- migrate:down

-- Lost: every signing key; tokens that are in use are refused, and the next makes a new key.
DROP TABLE jwks;
