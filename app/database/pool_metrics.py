"""The state of the pool for Prometheus, read when it asks."""

from typing import Final

from prometheus_client import Gauge

from . import Database

_connections: Final = Gauge(
    "gatepost_pool_connections", "Connections to the database that are open", ["state"]
)
_in_use, _idle = _connections.labels("in_use"), _connections.labels("idle")
_size: Final = Gauge("gatepost_pool_size", "Connections that this process opens at most")
_waiting: Final = Gauge(
    "gatepost_pool_waiting", "Statements that have no connection yet: none is free, or none opens"
)


def export_pool(database: Database) -> None:
    """Let the metrics show the pool of an open database, in place of the one before."""
    _in_use.set_function(lambda: database.load.in_use)
    _idle.set_function(lambda: database.load.idle)
    _size.set_function(lambda: database.load.size)
    _waiting.set_function(lambda: database.load.waiting)
