"""The statements that compare a replica with the primary."""

from typing import Final

from ..sql import raw_statement

position: Final = raw_statement(
    "replication.position", "SELECT pg_current_wal_insert_lsn()::text AS position"
)
"""How far the primary has come. After a write, every position from here on has it."""

has_replayed: Final = raw_statement(
    "replication.has_replayed",
    """
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() >= $1::pg_lsn
                ELSE pg_current_wal_insert_lsn() >= $1::pg_lsn END AS replayed
    """,
    [("position", "pg_lsn")],
)
"""Whether this server shows what was written up to a position."""
