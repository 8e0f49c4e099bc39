-- migrate:up

CREATE TABLE purges (
    -- Byte order: names that the code gives are compared as bytes.
    name text COLLATE "C" NOT NULL,
    relation text COLLATE "C",
    next_page bigint NOT NULL DEFAULT 0,
    leased_until timestamptz(3),
    finished_at timestamptz(3),
    CONSTRAINT purges_pkey PRIMARY KEY (name),
    CONSTRAINT purges_next_page_not_negative CHECK (next_page >= 0),
    CONSTRAINT purges_times_finite CHECK (isfinite(leased_until) AND isfinite(finished_at))
);

COMMENT ON TABLE purges IS
    'Who deletes expired rows, and how far that is. One row; written by the service and by gatepost purge, once a chunk of pages. It may be deleted: the next pass makes it again.';
COMMENT ON COLUMN purges.name IS 'What is purged: expired. Written once, by the first pass.';
COMMENT ON COLUMN purges.relation IS
    'The table that the pass under way has come to, or null between passes. Written with each chunk.';
COMMENT ON COLUMN purges.next_page IS
    'The page of that table where the pass goes on, by whoever does. Written with each chunk.';
COMMENT ON COLUMN purges.leased_until IS
    'Until when nobody else may go on, UTC, in milliseconds, or null. Its holder knows itself by it. Written with each chunk, by the database''s clock.';
COMMENT ON COLUMN purges.finished_at IS
    'When the last pass had been through every table, UTC, in milliseconds, or null before the first. Written at its end, by the database''s clock.';
COMMENT ON CONSTRAINT purges_pkey ON purges IS
    'One row, so that taking the lease is one atomic UPDATE of it.';
COMMENT ON CONSTRAINT purges_next_page_not_negative ON purges IS 'Pages are counted from 0.';
COMMENT ON CONSTRAINT purges_times_finite ON purges IS
    'infinity is no time in JSON or in most languages, and would be a lease without an end.';

-- migrate:down

DROP TABLE purges;
