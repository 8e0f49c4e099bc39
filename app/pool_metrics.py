"""The state of the pool for Prometheus, read when it asks."""

from collections.abc import Callable
from typing import Any, Final

from prometheus_client import Gauge

_connections: Final = Gauge(
    "gatepost_pool_connections", "Connections to the database that are open", ["state"]
)
_in_use, _idle = _connections.labels("in_use"), _connections.labels("idle")
_size: Final = Gauge("gatepost_pool_size", "Connections that this process opens at most")
_waiting: Final = Gauge(
    "gatepost_pool_waiting", "Statements that have no connection yet: none is free, or none opens"
)


def export_pool(pool: Any, waiting: Callable[[], int]) -> None:
    """Let the metrics show an asyncpg pool, in place of the one before, and who waits for it."""
    _in_use.set_function(lambda: pool.get_size() - pool.get_idle_size())
    _idle.set_function(pool.get_idle_size)
    _size.set_function(pool.get_max_size)
    _waiting.set_function(waiting)
