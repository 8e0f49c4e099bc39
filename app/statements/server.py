"""What the server on the other end of a connection is asked."""

from typing import Final

from ..sql import raw_statement

in_recovery: Final = raw_statement(
    "server.in_recovery", "SELECT pg_is_in_recovery() AS in_recovery"
)
"""Whether it is a standby."""

backend: Final = raw_statement("server.backend", "SELECT pg_backend_pid() AS pid")

prepared: Final = raw_statement(
    "server.prepared",
    "SELECT pg_backend_pid() AS pid,"
    " EXISTS (SELECT FROM pg_prepared_statements WHERE name = $1) AS kept",
    [("name", "text")],
)
"""The process, and whether it has a prepared statement of this name."""
