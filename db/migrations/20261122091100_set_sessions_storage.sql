-- migrate:up

-- Locks out neither reads nor writes, and moves no row: pages that are full get the free tenth as the
-- purge empties them and new rows come.
-- fillfactor: at 100 a fifth to a quarter of the refreshes are no HOT updates, and on a table just loaded
-- 70 to 80 %; at 90 all are, and table and indexes together are no bigger. 80 gains nothing.
-- vacuum: by default it waits for a fifth of the rows to be dead, at ten million two million.
ALTER TABLE sessions SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE sessions IS
    'Who is signed in where. Written by the auth door, by Better Auth and by trusted backends; deleting a user deletes its sessions. A tenth of each page stays free, so that every refresh is a HOT update (with full pages a quarter is not); vacuum comes at 2 % dead rows, to give the room of a purge to new ones.';

-- migrate:down

ALTER TABLE sessions RESET (fillfactor, autovacuum_vacuum_scale_factor);
COMMENT ON TABLE sessions IS
    'Who is signed in where. Written by the auth door, by Better Auth and by trusted backends; deleting a user deletes its sessions.';
