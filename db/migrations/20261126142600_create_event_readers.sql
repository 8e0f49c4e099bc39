-- migrate:up

DO $$
BEGIN
    CREATE TABLE event_readers (
        -- Byte order: names that the code gives are compared as bytes.
        name text COLLATE "C" NOT NULL,
        last_event_id uuid NOT NULL,
        read_at timestamptz(3) NOT NULL,
        CONSTRAINT event_readers_pkey PRIMARY KEY (name),
        CONSTRAINT event_readers_times_finite CHECK (isfinite(read_at))
    );

    COMMENT ON TABLE event_readers IS
        'How far readers of events have come that keep their place here. Written by the service.';
    COMMENT ON COLUMN event_readers.name IS
        'Who reads: daily_counts. Written once, with the row.';
    COMMENT ON COLUMN event_readers.last_event_id IS
        'Every event up to this one has been read. No foreign key: the purge deletes events. Written in the transaction of what follows from the events.';
    COMMENT ON COLUMN event_readers.read_at IS
        'When the reader last looked, UTC, in milliseconds. Written with it, by the database''s clock.';
    COMMENT ON CONSTRAINT event_readers_pkey ON event_readers IS
        'One row for a reader, which whoever reads locks: no event is counted twice.';
    COMMENT ON CONSTRAINT event_readers_times_finite ON event_readers IS
        'infinity is no time in JSON or in most languages.';
END
$$;

-- migrate:down

-- Lost: how far the daily counts are. Empty daily_counts before events are counted again.
DROP TABLE event_readers;
