-- migrate:up

DO $$
BEGIN
    CREATE TABLE erasures (
        id uuid NOT NULL DEFAULT gen_random_uuid(),
        -- Byte order: compared as bytes.
        user_pseudonym text COLLATE "C" NOT NULL,
        email_pseudonym text COLLATE "C" NOT NULL,
        counts jsonb NOT NULL,
        erased_at timestamptz(3) NOT NULL DEFAULT now(),
        CONSTRAINT erasures_pkey PRIMARY KEY (id),
        CONSTRAINT erasures_pseudonyms_shape CHECK (
            user_pseudonym ~ '^[0-9a-f]{32}$' AND email_pseudonym ~ '^[0-9a-f]{32}$'
        ),
        CONSTRAINT erasures_counts_object CHECK (jsonb_typeof(counts) = 'object'),
        CONSTRAINT erasures_times_finite CHECK (isfinite(erased_at))
    );

    CREATE INDEX erasures_user_pseudonym_idx ON erasures (user_pseudonym);
    CREATE INDEX erasures_email_pseudonym_idx ON erasures (email_pseudonym);

    COMMENT ON TABLE erasures IS
        'Receipts: that a user was erased, when, and how much. Without id, name or address. Written by gatepost users erase; the service cannot change or delete them.';
    COMMENT ON COLUMN erasures.id IS
        'Primary key. Made by the database.';
    COMMENT ON COLUMN erasures.user_pseudonym IS
        'HMAC of the user''s id with a key derived from the secret of the service: whoever has both finds the receipt by the id. Written once, with the row.';
    COMMENT ON COLUMN erasures.email_pseudonym IS
        'Likewise of the address that the user had last. Written once, with the row.';
    COMMENT ON COLUMN erasures.counts IS
        'Rows that were deleted, by table. Written once, with the row.';
    COMMENT ON COLUMN erasures.erased_at IS
        'When, UTC, in milliseconds. Written once, in the transaction of the erasure.';
    COMMENT ON CONSTRAINT erasures_pkey ON erasures IS
        'A number for the receipt, to be quoted in an answer to the user.';
    COMMENT ON CONSTRAINT erasures_pseudonyms_shape ON erasures IS
        'What is not 32 hexadecimal digits is no pseudonym, and may be the address itself.';
    COMMENT ON CONSTRAINT erasures_counts_object ON erasures IS
        'Numbers by the names of tables.';
    COMMENT ON CONSTRAINT erasures_times_finite ON erasures IS
        'infinity is no time in JSON or in most languages.';
    COMMENT ON INDEX erasures_user_pseudonym_idx IS
        'Finds the receipt of an id.';
    COMMENT ON INDEX erasures_email_pseudonym_idx IS
        'Finds the receipts of an address.';
END
$$;

-- migrate:down

-- Lost: every receipt.
DROP TABLE erasures;
