"""What is kept of each answer: a line of the access log, and the metrics.

One JSON object a line on standard error: the path without its query, and no header but the request
id, for both can carry secrets. So can the path of a password reset, of which the token is left out.

An answer is noted at once and written up a moment later, together with the others of that moment:
one by one, in the midst of other work, it takes a tenth of a quick request.
"""

import asyncio
import logging
import re
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, Final

import msgspec
from prometheus_client.core import REGISTRY, CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from starlette.types import Scope

_access = logging.getLogger("gatepost.access")
_TOKEN: Final = re.compile(r"(/reset-password/).+", re.DOTALL)
_MOMENT: Final = 0.02  # seconds
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0)
"""Of the histogram's buckets, in seconds; what is above the last has one of its own."""
_encode: Final = msgspec.json.Encoder().encode

_Note = tuple[float, str, str, str, int, float, str | None]
"""Time, request id, method, path, status, seconds, name of the key."""


class _Requests(Collector):
    """The metrics of the process; the library's own take four times as long to count."""

    def __init__(self) -> None:
        self._count: Counter[tuple[str, str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()

    def add(self, door: str, method: str, status: int, elapsed: float) -> None:
        self._count[door, method, status] += 1
        if door not in self._buckets:
            self._buckets[door] = [0] * (len(_BOUNDS) + 1)
        self._buckets[door][bisect_left(_BOUNDS, elapsed)] += 1
        self._seconds[door] += elapsed  # type: ignore[assignment]

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        labels = ["door", "method", "status"]
        count = CounterMetricFamily("gatepost_requests", "Requests answered", labels=labels)
        for (door, method, status), number in self._count.items():
            count.add_metric([door, method, str(status or "none")], number)
        yield count
        text = "Time from the request's head to the answer"
        seconds = HistogramMetricFamily("gatepost_request_seconds", text, labels=["door"])
        bounds = [*map(floatToGoString, (*_BOUNDS, float("inf")))]
        for door, buckets in self._buckets.items():
            sums = [*zip(bounds, accumulate(buckets), strict=True)]
            seconds.add_metric([door], sums, self._seconds[door])
        yield seconds


_requests: Final = _Requests()
REGISTRY.register(_requests)


class Telemetry:
    """The answers of one application."""

    def __init__(self) -> None:
        self._notes: list[_Note] = []

    def add(self, scope: Scope, status: int, elapsed: float) -> None:
        """Note one; ``elapsed`` in seconds, ``status`` 0 when the client went away before it."""
        if not self._notes:
            asyncio.get_running_loop().call_later(_MOMENT, self.write)
        state = scope["state"]
        # not the scope itself: kept alive by the hundred, they would push each other out of the
        # processor's caches
        self._notes.append(
            (
                time.time(),
                state["request_id"],
                scope["method"],
                scope["path"],
                status,
                elapsed,
                state.get("key_name"),
            )
        )

    def write(self) -> None:
        """Write up what was noted."""
        notes, self._notes = self._notes, []
        for _, _, method, path, status, elapsed, _ in notes:
            _requests.add(_door(path), method if method in _METHODS else "other", status, elapsed)
        if notes and _access.isEnabledFor(logging.INFO):
            _access.info("%s", b"\n".join(_encode(_line(note)) for note in notes).decode())


def _line(note: _Note) -> dict[str, Any]:
    at, request_id, method, path, status, elapsed, key = note
    return {
        "time": datetime.fromtimestamp(at, UTC),
        "request": request_id,
        "method": method,
        "path": _TOKEN.sub(r"\1:token", path) if "/reset-password/" in path else path,
        "status": status,
        "ms": round(elapsed * 1000, 2),
        "key": key,
    }


def _door(path: str) -> str:
    if path.startswith("/rest/"):
        return "rest"
    return "auth" if path.startswith("/api/auth/") else "other"
