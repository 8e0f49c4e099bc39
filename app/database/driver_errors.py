"""The driver's errors, as ours, and which of them allow another attempt."""

import asyncio
import errno
import os
import random
import re
import socket
import ssl
from typing import Final

import asyncpg

from ..errors import (
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


def is_refused_value(error: BaseException) -> bool:
    """Whether the driver, and not the server, refused a value."""
    return isinstance(error, asyncpg.DataError) and error.message is None


def leaves_unfinished(error: BaseException) -> bool:
    """Whether a statement may have been prepared that was then not run."""
    return is_refused_value(error) or isinstance(error, (asyncio.CancelledError, TimeoutError))


def statement_error(error: Exception, timeout: float) -> DatabaseError:
    """The failure of a statement as one of ours."""
    match error:
        case asyncpg.InvalidCachedStatementError():
            return DatabaseUnavailableError("the schema is changing")
        case _ if is_refused_value(error):  # its text quotes the value
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


_UNREACHABLE: Final = "see whether PostgreSQL runs there, and whether host, port and firewall fit"
_ADVICE: Final = {
    "28P01": "correct the password in the address, or set the role's: ALTER ROLE … PASSWORD '…'",
    "28000": "correct the user in the address, make the role, or allow it in pg_hba.conf",
    "3D000": "correct the name, or let 'gatepost migrate' make the database",
    "42501": "GRANT CONNECT ON DATABASE … TO the role",
    "53300": "raise max_connections, or lower GATEPOST_POOL_SIZE",
    "57P03": "wait until the server has started",
}
"""What to do about an error of the server's at the start of a connection, by its SQLSTATE."""


def connect_error(error: Exception) -> DatabaseUnavailableError:
    """A failure to connect as one of ours; never with the address, which holds the password."""
    match error:
        case asyncpg.InvalidCatalogNameError():
            return DatabaseMissingError(error.message or "", _ADVICE["3D000"])
        case asyncpg.PostgresError():
            text = f"{error.sqlstate}: {error.message}"
            return DatabaseUnavailableError(text, _ADVICE.get(error.sqlstate or "", ""))
        case asyncpg.TargetServerAttributeNotMatched():
            return StandbyError(
                "only servers that take no writes answer",
                "name the primary in the address, or promote a standby",
            )
        case TimeoutError():
            return DatabaseUnavailableError("the database did not answer", _UNREACHABLE)
        case OSError():
            return DatabaseUnavailableError(*_network_error(error))
        case ValueError() if str(error).startswith("root certificate file"):
            return DatabaseUnavailableError(
                "the certificate that sslrootcert names cannot be read",
                "name a readable file: sslrootcert=/path/to/ca.crt",
            )
        case ValueError():  # its text can quote a part of the password
            return DatabaseUnavailableError(
                "the address is malformed: is its password percent-encoded?"
            )
    return DatabaseUnavailableError(str(error) or type(error).__name__)


def _network_error(error: OSError) -> tuple[str, str]:
    """What went wrong, and what to do about it."""
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"the server's certificate is refused: {error.verify_message}",
                "give the authority that signed it: sslrootcert=/path/to/ca.crt",
            )
        case ssl.SSLError():
            return f"TLS failed: {error.reason or error}", "see ssl in the server's settings"
        case socket.gaierror():
            reason = (error.strerror or "not known").lower()
            return f"the host's name: {reason}", "correct the host in the address"
        case ConnectionError() if "rejected SSL" in str(error):
            return (
                "the server has no TLS, and sslmode asks for it",
                "set ssl = on in postgresql.conf, or sslmode=prefer in the address",
            )
    # of several addresses of one name the driver lists what happened to each
    found = re.search(r"\[Errno (\d+)\]", str(error))
    number = error.errno or (int(found[1]) if found else None)
    if number in (errno.ENOENT, errno.EACCES):  # of the socket, or of a certificate
        advice = "see whether the paths in the address can be read: host, sslrootcert, sslcert"
    else:
        advice = _UNREACHABLE
    return os.strerror(number).lower() if number else str(error), advice
