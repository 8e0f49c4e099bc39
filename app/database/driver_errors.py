"""The driver's errors, as ours, and which of them allow another attempt."""

import os
import random
from typing import Final

import asyncpg

from app.errors import (
    DatabaseError,
    DatabaseMissingError,
    DatabaseUnavailableError,
    QueryTimeoutError,
    StandbyError,
    StatementError,
)

# serialization failure, deadlock, lock not available
_TRANSIENT_SQLSTATES: Final = frozenset(("40001", "40P01", "55P03"))
# read-only transaction (a demoted primary), admin shutdown, crash shutdown, cannot connect now
FAILOVER_SQLSTATES: Final = frozenset(("25006", "57P01", "57P02", "57P03"))
# the server closed a connection that was idle for too long, in a transaction or not
_IDLE_SQLSTATES: Final = frozenset(("25P03", "57P05"))
_UNAVAILABLE_SQLSTATES: Final = _TRANSIENT_SQLSTATES | FAILOVER_SQLSTATES | _IDLE_SQLSTATES
DRIVER_ERRORS: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,  # TimeoutError too
)
_ATTEMPTS: Final = 3


def pause_before_retry(error: Exception, attempt: int) -> float | None:
    """Seconds before the next attempt; None when there is none."""
    if attempt >= _ATTEMPTS:
        return None
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return 0.0  # a migration changed a table under a prepared statement
    if getattr(error, "sqlstate", None) in _TRANSIENT_SQLSTATES:
        return random.uniform(0.005, 0.03) * attempt  # noqa: S311
    return None


def statement_error(error: Exception, timeout: float) -> DatabaseError:
    """The failure of a statement as one of ours."""
    match error:
        case asyncpg.InvalidCachedStatementError():
            return DatabaseUnavailableError("the schema is changing")
        case asyncpg.DataError() if error.message is None:
            # of the driver and not of the server; its text quotes the value
            return StatementError("22P02", "a value does not fit its type")
        case asyncpg.PostgresError():
            return _server_error(error)
        case TimeoutError():
            return QueryTimeoutError(f"no answer within {timeout:g} s")
    return DatabaseUnavailableError("the connection was lost")


def _server_error(error: asyncpg.PostgresError) -> DatabaseError:
    sqlstate = error.sqlstate or "XX000"
    if sqlstate in _UNAVAILABLE_SQLSTATES or sqlstate[:2] in ("08", "53"):
        return DatabaseUnavailableError(f"{sqlstate}: {error.message}")
    if sqlstate == "57014":
        return QueryTimeoutError("the statement was cancelled")
    return StatementError(
        sqlstate, error.message or "", error.detail, error.hint, error.constraint_name
    )


def connect_error(error: Exception) -> DatabaseUnavailableError:
    """A failure to connect as one of ours; never with the address, which holds the password."""
    match error:
        case asyncpg.InvalidCatalogNameError():
            return DatabaseMissingError(error.message or "")
        case asyncpg.PostgresError():
            return DatabaseUnavailableError(f"{error.sqlstate}: {error.message}")
        case asyncpg.TargetServerAttributeNotMatched():
            return StandbyError("only servers that take no writes answer")
        case TimeoutError():
            return DatabaseUnavailableError("the database did not answer")
        case OSError() if error.errno:  # not the driver's list of its attempts
            return DatabaseUnavailableError(os.strerror(error.errno).lower())
        case ValueError():  # its text can quote a part of the password
            return DatabaseUnavailableError(
                "the address is malformed: is its password percent-encoded?"
            )
    return DatabaseUnavailableError(str(error) or type(error).__name__)
