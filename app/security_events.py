"""Security events: records of the logger ``gatepost.security``.

Who tried what, from where, and what came of it. docs/OPERATIONS.md lists them. No field may hold a
secret, a token or a mail address.
"""

import logging
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import msgspec
from prometheus_client import Counter

from .redaction import one_line

_log: Final = logging.getLogger("gatepost.security")
_encode: Final = msgspec.json.Encoder().encode
_MAX_AGENT: Final = 200
"""Characters of a User-Agent in an event."""
_events: Final = Counter("gatepost_security_events_total", "Security events", ["event", "outcome"])


@cache
def _counter(name: str, outcome: str) -> Callable[[], None]:
    return _events.labels(name, outcome).inc


for _outcome in ("ok", "refused"):
    _counter("sign_in", _outcome)  # exported as 0 from the start, for the alerts
_counter("rate_limited", "refused")


def security_event(name: str, *, outcome: str, **more: Any) -> None:
    """Count an event, and log it.

    The fields are what JSON can hold; those that are None are left out. They are the record's
    attribute ``fields``, ``name`` its attribute ``event``, and its message is both as text, escaped
    as JSON is, so that no client can begin a line of its own.
    """
    _counter(name, outcome)()
    if _log.isEnabledFor(logging.INFO):
        fields = {"outcome": outcome, **more}
        given = {field: value for field, value in fields.items() if value is not None}
        extra = {"event": name, "fields": given}
        _log.info("%s %s", name, one_line(_encode(given).decode()), extra=extra)


def refused_sign_ins() -> int:
    """How many this process has refused."""
    labels = {"event": "sign_in", "outcome": "refused"}
    samples = (sample for metric in _events.collect() for sample in metric.samples)
    return int(
        sum(
            each.value for each in samples if each.labels == labels and each.name.endswith("_total")
        )
    )


def agent_of(headers: Mapping[str, str]) -> str | None:
    """The field ``agent``: the beginning of the User-Agent."""
    return headers.get("user-agent", "")[:_MAX_AGENT] or None
