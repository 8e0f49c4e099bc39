"""What waits, what is dead and what came of the attempts, for Prometheus."""

from typing import Final

from prometheus_client import Counter, Gauge

from ..statements.webhook_deliveries import Load

_waiting = Gauge("gatepost_webhooks_waiting", "Events that wait for a webhook, of every process")
_dead = Gauge("gatepost_webhooks_dead", "Events that were given up: dead letters")
_oldest = Gauge(
    "gatepost_webhooks_oldest_seconds", "Age of the oldest event that waits; 0: none does"
)
_attempts = Counter("gatepost_webhook_attempts", "Attempts of this process", ["outcome"])
OUTCOMES: Final = ("delivered", "failed", "dead")
for _outcome in OUTCOMES:
    _attempts.labels(_outcome)  # exported as 0 from the start


def count(outcome: str) -> None:
    """Count an attempt: delivered, failed (another follows), or dead."""
    _attempts.labels(outcome).inc()


def show(load: Load) -> None:
    """Let the metrics say what waits."""
    _waiting.set(load.waiting)
    _dead.set(load.dead)
    _oldest.set(load.oldest.total_seconds() if load.oldest else 0)
