"""The statements that name functions and tables of Citus, which no other server can plan."""

from typing import Final

from ..sql import raw_statement

away: Final = raw_statement(
    "citus.away",
    """
    SELECT format('%s:%s', nodename, nodeport) AS node
    FROM run_command_on_workers('SELECT 1') WHERE NOT success ORDER BY 1
    """,
)
"""The workers that do not answer."""

layout: Final = raw_statement(
    "citus.layout",
    """
    SELECT c.relname::text AS name,
           CASE WHEN p.partmethod = 'h' THEN column_to_column_name(p.logicalrelid, p.partkey)
                WHEN p.repmodel = 't' THEN '' END AS key
    FROM pg_class c LEFT JOIN pg_dist_partition p ON p.logicalrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1::text[])
    """,
    [("tables", "text[]")],
)
"""For each of the named tables the column it is spread by; '' for a reference table, null for one
that only the coordinator has."""

SHARD_PAGES: Final = "SELECT pg_relation_size('%1$s') / current_setting('block_size')::bigint"
"""The pages of a shard, as ``on_shards`` takes a command."""

on_shards: Final = raw_statement(
    "citus.on_shards",
    "SELECT success, result FROM run_command_on_shards($1::text::regclass, $2::text, false)",
    [("table", "text"), ("command", "text")],
)
