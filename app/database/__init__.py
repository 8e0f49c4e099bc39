"""PostgreSQL through asyncpg, which no other package imports.

``Database`` runs statements on a pool, ``connect`` gives the command line a connection of its own.
"""

from .actor import Actor
from .connection import Connection, connect, described, primary
from .database import Database, PoolLoad, Reads, Transaction

__all__ = [
    "Actor",
    "Connection",
    "Database",
    "PoolLoad",
    "Reads",
    "Transaction",
    "connect",
    "described",
    "primary",
]
