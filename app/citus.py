"""What a Citus cluster is asked: its nodes, its layout, and each shard by itself.

Used with GATEPOST_CITUS, and by the doctor where the extension is.
"""

from collections.abc import Mapping
from typing import Any, Final

from .database import Database
from .errors import PurgeBlockedError
from .schema import SHARD_KEYS, TABLES, events, webhook_deliveries, webhooks
from .sql import Statement
from .statements import citus

CHUNK_PAGES: Final = 64
"""Pages of each shard for one statement of the purge. It connects to each shard anew, in turn."""

_LOCAL: Final = frozenset(each.name for each in (events, webhooks, webhook_deliveries))
"""The tables that stay on the coordinator: nothing is recorded on a cluster, so nothing is sent."""
_ADDRESS: Final = "'({},0)'::tid"


async def unready_reason(database: Database) -> str | None:
    """Why requests would fail. Raises DatabaseError."""
    nodes = await database.fetch(citus.away)
    return f"{len(nodes)} of the cluster's workers do not answer" if nodes else None


def layout_faults(found: Mapping[str, str | None]) -> list[str]:
    """What is not as deploy/citus/distribute.sql makes it, of the rows of ``layout``."""
    names = {
        table.name: SHARD_KEYS.get(table.name, "")
        for table in TABLES
        if table.name in found and table.name not in _LOCAL
    }
    return [
        f"{name} is not {f'spread by {key}' if key else 'a reference table'}"
        for name, key in names.items()
        if found[name] != key
    ]


async def pages(database: Database, table: str) -> int:
    """The pages of the largest shard of a table."""
    return max(await _numbers(database, table, citus.SHARD_PAGES))


async def purge_chunk(database: Database, statement: Statement[Any], table: str, page: int) -> int:
    """Run a chunk of the purge on every shard; gives the rows deleted."""
    text = statement.text.replace(f'"{table}"', "%1$s")
    for number, bound in (("$1::tid", page), ("$2::tid", page + CHUNK_PAGES)):
        text = text.replace(number, _ADDRESS.format(bound))
    return sum(await _numbers(database, table, text))


async def _numbers(database: Database, table: str, command: str) -> list[int]:
    """What the shards answer. Raises PurgeBlockedError unless each of them does."""
    rows = await database.fetch(citus.on_shards, table, command)
    if not rows:
        raise PurgeBlockedError(f"{table} has no shards: it is not distributed")
    failed = [row["result"] for row in rows if not row["success"]]
    if failed:
        raise PurgeBlockedError(f"{len(failed)} shards of {table} refuse: {failed[0]}")
    return [int(row["result"]) for row in rows]
