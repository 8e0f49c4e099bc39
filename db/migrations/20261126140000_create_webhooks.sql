-- migrate:up

DO $$
BEGIN
    CREATE TABLE webhooks (
        id uuid NOT NULL DEFAULT gen_random_uuid(),
        url text NOT NULL,
        types text[] NOT NULL DEFAULT '{}',
        secret text NOT NULL,
        old_secret text,
        old_secret_until timestamptz(3),
        queued_to uuid NOT NULL,
        created_at timestamptz(3) NOT NULL DEFAULT now(),
        failing_since timestamptz(3),
        paused_at timestamptz(3),
        pause_reason text,
        CONSTRAINT webhooks_pkey PRIMARY KEY (id),
        CONSTRAINT webhooks_lengths CHECK (
            length(url) <= 2048 AND length(secret) <= 1024 AND length(old_secret) <= 1024
            AND length(pause_reason) <= 255 AND cardinality(types) <= 64
            AND length(array_to_string(types, ',', '')) <= 4096
        ),
        CONSTRAINT webhooks_url_shape CHECK (url ~ '^https?://[^/?#@]+([/?][^#]*)?$'),
        CONSTRAINT webhooks_old_secret_ends CHECK (
            old_secret IS NULL OR old_secret_until IS NOT NULL
        ),
        CONSTRAINT webhooks_reason_is_of_a_pause CHECK (pause_reason IS NULL OR paused_at IS NOT NULL),
        CONSTRAINT webhooks_times_finite CHECK (
            isfinite(created_at) AND isfinite(old_secret_until) AND isfinite(failing_since)
            AND isfinite(paused_at)
        )
    );

    COMMENT ON TABLE webhooks IS
        'Where events are sent to (docs/WEBHOOKS.md). Written by gatepost webhooks, and by who delivers. A few rows.';
    COMMENT ON COLUMN webhooks.id IS
        'Primary key. Made by the database.';
    COMMENT ON COLUMN webhooks.url IS
        'The address that gets a POST for each event. Written once, with the row.';
    COMMENT ON COLUMN webhooks.types IS
        'The types of events that it wants, or user, session, account for all of these; empty: every event. Written once, with the row.';
    COMMENT ON COLUMN webhooks.secret IS
        'Secret: what signs (whsec_…), encrypted with a key derived from the secret of the service. Written with the row and by a rotation.';
    COMMENT ON COLUMN webhooks.old_secret IS
        'Secret: the one before the last rotation, likewise. It signs beside the other until old_secret_until; NULL: there was no rotation.';
    COMMENT ON COLUMN webhooks.old_secret_until IS
        'Until when the old secret signs, UTC, in milliseconds. Written by a rotation.';
    COMMENT ON COLUMN webhooks.queued_to IS
        'The cursor: the id of the last event that was looked at, whether it was wanted or not. With the row it is the horizon of the events; moved on by the statement that queues.';
    COMMENT ON COLUMN webhooks.created_at IS
        'When it was added, UTC, in milliseconds. Written once, with the row.';
    COMMENT ON COLUMN webhooks.failing_since IS
        'Since when attempts fail, UTC, in milliseconds; NULL: what was tried arrived. Written by who delivers, so that one process says it once.';
    COMMENT ON COLUMN webhooks.paused_at IS
        'Since when nothing is sent, UTC, in milliseconds; NULL: it is sent. Events are queued all the same. Written by gatepost webhooks, and by who delivers when the receiver answers 410 Gone.';
    COMMENT ON COLUMN webhooks.pause_reason IS
        'Why nothing is sent. Written with paused_at.';
    COMMENT ON CONSTRAINT webhooks_pkey ON webhooks IS
        'The id that operators name it by.';
    COMMENT ON CONSTRAINT webhooks_lengths ON webhooks IS
        'No row takes more than some kilobytes.';
    COMMENT ON CONSTRAINT webhooks_url_shape ON webhooks IS
        'An address of HTTP without a user, a password or a fragment: these belong to no log and to no receiver.';
    COMMENT ON CONSTRAINT webhooks_old_secret_ends ON webhooks IS
        'A secret that was replaced signs for a while, not for ever.';
    COMMENT ON CONSTRAINT webhooks_reason_is_of_a_pause ON webhooks IS
        'What is sent has no reason not to be.';
    COMMENT ON CONSTRAINT webhooks_times_finite ON webhooks IS
        'infinity is no time in JSON or in most languages.';
END
$$;

-- migrate:down

-- Lost: every webhook, with its secret.
DROP TABLE webhooks;
