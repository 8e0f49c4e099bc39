"""The statement that writes when sessions were last seen."""

from typing import Final

from ..sql import raw_statement

record: Final = raw_statement(
    "session_activity.record",
    """
    WITH seen AS MATERIALIZED (
        SELECT * FROM unnest($1::uuid[], $2::timestamptz[]) AS seen (session_id, seen_at)
    ), later AS MATERIALIZED (
        SELECT a.session_id, s.seen_at
        FROM session_activity a JOIN seen s ON s.session_id = a.session_id
        WHERE a.seen_at < s.seen_at
        ORDER BY a.session_id FOR NO KEY UPDATE OF a
    ), moved AS (
        UPDATE session_activity a SET seen_at = later.seen_at
        FROM later WHERE a.session_id = later.session_id AND a.seen_at < later.seen_at
        RETURNING 1
    ), first AS MATERIALIZED (
        SELECT x.id, s.seen_at
        FROM seen s JOIN sessions x ON x.id = s.session_id
        WHERE NOT EXISTS (SELECT FROM session_activity a WHERE a.session_id = s.session_id)
          AND (SELECT count(*) FROM moved) >= 0 -- which is run before
        ORDER BY x.id FOR KEY SHARE OF x SKIP LOCKED
    )
    INSERT INTO session_activity AS a (session_id, seen_at)
    SELECT id, seen_at FROM first ORDER BY id
    ON CONFLICT (session_id) DO UPDATE SET seen_at = EXCLUDED.seen_at
    WHERE a.seen_at < EXCLUDED.seen_at
    """,
    [("session_ids", "uuid[]"), ("seen_at", "timestamptz[]")],
)
"""Times only move forwards. Sessions that are gone are left out, and so are those that somebody is
ending; a session is locked the first time alone, as its foreign key would lock it. All processes
take rows in the same order: first those that are there, then new ones, each by their ids."""
