"""The database, and the only package that touches asyncpg."""

from app.database.direct import Direct, explain
from app.database.errors import (
    DatabaseError,
    DatabaseMissingError,
    DatabaseUnavailableError,
    PoolExhaustedError,
    QueryTimeoutError,
)
from app.database.pool import Row
from app.database.service import Database, Transaction

__all__ = [
    "Database",
    "DatabaseError",
    "DatabaseMissingError",
    "DatabaseUnavailableError",
    "Direct",
    "PoolExhaustedError",
    "QueryTimeoutError",
    "Row",
    "Transaction",
    "explain",
]
