"""PostgreSQL through asyncpg, which no other package imports.

``Database`` runs statements on a pool, ``connect`` gives the command line a connection of its own.
"""

from app.database.connection import Connection, connect, primary
from app.database.database import Database, PoolLoad, Transaction

__all__ = ["Connection", "Database", "PoolLoad", "Transaction", "connect", "primary"]
