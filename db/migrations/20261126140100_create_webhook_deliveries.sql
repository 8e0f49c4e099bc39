-- migrate:up

DO $$
BEGIN
    CREATE TABLE webhook_deliveries (
        webhook_id uuid NOT NULL,
        event_id uuid NOT NULL,
        user_id uuid NOT NULL,
        attempts bigint NOT NULL DEFAULT 0,
        next_attempt_at timestamptz(3) NOT NULL DEFAULT now(),
        last_status bigint,
        last_error text,
        dead_since timestamptz(3),
        CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (webhook_id, event_id),
        CONSTRAINT webhook_deliveries_webhook_id_fkey FOREIGN KEY (webhook_id)
            REFERENCES webhooks (id) ON DELETE CASCADE,
        CONSTRAINT webhook_deliveries_attempts_counted CHECK (attempts >= 0),
        CONSTRAINT webhook_deliveries_last_error_length CHECK (length(last_error) <= 255),
        CONSTRAINT webhook_deliveries_times_finite CHECK (
            isfinite(next_attempt_at) AND isfinite(dead_since)
        )
    ) WITH (
        -- Rows come and go; what is gone is to be cleared away before the table has grown.
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000
    );

    CREATE INDEX webhook_deliveries_due_idx
        ON webhook_deliveries (webhook_id, next_attempt_at, event_id) WHERE dead_since IS NULL;
    CREATE INDEX webhook_deliveries_user_idx
        ON webhook_deliveries (webhook_id, user_id, event_id) WHERE dead_since IS NULL;
    CREATE INDEX webhook_deliveries_failed_idx
        ON webhook_deliveries (webhook_id, event_id)
        WHERE dead_since IS NULL AND last_error IS NOT NULL;
    CREATE INDEX webhook_deliveries_dead_idx
        ON webhook_deliveries (dead_since, webhook_id, event_id) WHERE dead_since IS NOT NULL;

    COMMENT ON TABLE webhook_deliveries IS
        'Events that wait for a webhook, and those that were given up: dead letters. Queued by one statement, deleted when the receiver has them. What is sent stands in events.';
    COMMENT ON COLUMN webhook_deliveries.webhook_id IS
        'Where to. Deleted with the webhook.';
    COMMENT ON COLUMN webhook_deliveries.event_id IS
        'Which event. No foreign key: the purge of old events waits for no receiver, and what it took is a dead letter.';
    COMMENT ON COLUMN webhook_deliveries.user_id IS
        'Whom the event is about, in whose order it is sent; of an event about nobody 0. No foreign key, as in events.';
    COMMENT ON COLUMN webhook_deliveries.attempts IS
        'How often it was sent, also by a process that did not live to hear the answer; whoever writes the outcome of an attempt names its number.';
    COMMENT ON COLUMN webhook_deliveries.next_attempt_at IS
        'When it is due, UTC, in milliseconds. While it is sent, when others may send it: the end of the lease.';
    COMMENT ON COLUMN webhook_deliveries.last_status IS
        'The HTTP status of the last answer, or NULL.';
    COMMENT ON COLUMN webhook_deliveries.last_error IS
        'Why the last attempt failed, in a few words of the service; nothing of an answer.';
    COMMENT ON COLUMN webhook_deliveries.dead_since IS
        'When it was given up, UTC, in milliseconds; NULL: it waits. gatepost webhooks retry sets it back.';
    COMMENT ON CONSTRAINT webhook_deliveries_pkey ON webhook_deliveries IS
        'An event waits once for a webhook.';
    COMMENT ON CONSTRAINT webhook_deliveries_webhook_id_fkey ON webhook_deliveries IS
        'Deleting a webhook deletes what waits for it.';
    COMMENT ON CONSTRAINT webhook_deliveries_attempts_counted ON webhook_deliveries IS
        'A number of attempts.';
    COMMENT ON CONSTRAINT webhook_deliveries_last_error_length ON webhook_deliveries IS
        'A few words.';
    COMMENT ON CONSTRAINT webhook_deliveries_times_finite ON webhook_deliveries IS
        'infinity is no time in JSON or in most languages.';
    COMMENT ON INDEX webhook_deliveries_due_idx IS
        'Serves what is due next for a webhook.';
    COMMENT ON INDEX webhook_deliveries_user_idx IS
        'Serves what waits before and after an event, for the same user.';
    COMMENT ON INDEX webhook_deliveries_failed_idx IS
        'Serves whether anything that failed is waiting still.';
    COMMENT ON INDEX webhook_deliveries_dead_idx IS
        'Serves the dead letters, the oldest first, and their purge.';
END
$$;

-- migrate:down

-- Lost: what waits for a receiver, and the dead letters. The events stay.
DROP TABLE webhook_deliveries;
