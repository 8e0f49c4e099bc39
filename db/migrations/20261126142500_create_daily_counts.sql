-- migrate:up

DO $$
BEGIN
    CREATE TABLE daily_counts (
        day date NOT NULL,
        -- Byte order: names that the code gives are compared as bytes.
        type text COLLATE "C" NOT NULL,
        count bigint NOT NULL,
        CONSTRAINT daily_counts_pkey PRIMARY KEY (day, type),
        CONSTRAINT daily_counts_day_finite CHECK (isfinite(day)),
        CONSTRAINT daily_counts_count_not_negative CHECK (count >= 0)
    );

    COMMENT ON TABLE daily_counts IS
        'How much happened on each day, for the page /admin: millions of events are counted once. Some ten rows a day, without anything of a person. Written by the service once a minute, while the page is on.';
    COMMENT ON COLUMN daily_counts.day IS
        'A day in UTC. Written once, with the row.';
    COMMENT ON COLUMN daily_counts.type IS
        'The type of events that are counted; user.banned: those of user.updated that ban; sign_in.refused: no events, but sign-ins that the service refused. Written once, with the row.';
    COMMENT ON COLUMN daily_counts.count IS
        'How many there were. 0: from that day on they are counted. Written again as more come.';
    COMMENT ON CONSTRAINT daily_counts_pkey ON daily_counts IS
        'One number for a day and a type, which an upsert adds to; also finds the last days.';
    COMMENT ON CONSTRAINT daily_counts_day_finite ON daily_counts IS
        'infinity is no day in JSON or in most languages.';
    COMMENT ON CONSTRAINT daily_counts_count_not_negative ON daily_counts IS
        'What has happened stays so.';
END
$$;

-- migrate:down

-- Lost: how many sign-ins were refused on each day; events can be counted again, those that are kept.
DROP TABLE daily_counts;
