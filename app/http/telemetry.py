"""What is kept of each answer: a line of the access log, and the metrics.

One JSON object a line on standard error: the path without its query, and no header but the request
id, for both can carry secrets. So can the path of a password reset, of which the token is left out.

An answer is noted at once and written up a moment later, together with the others of that moment:
one by one, in the midst of other work, it takes a tenth of a quick request.
"""

import asyncio
import logging
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime
from operator import attrgetter
from time import perf_counter
from typing import Final

import msgspec
import prometheus_client
from starlette.types import Scope

from app.metrics import Times

_access = logging.getLogger("gatepost.access")
_TOKEN: Final = re.compile(r"(/reset-password/).+", re.DOTALL)
_MOMENT: Final = 0.02  # seconds
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_answered: Final = attrgetter("path", "method", "status")
_encode: Final = msgspec.json.Encoder().encode_lines

_requests = prometheus_client.Counter(
    "gatepost_requests_total", "Requests answered", ["door", "method", "status"]
)
_seconds = Times(
    "gatepost_request_seconds",
    "Time from the request's head to the answer",
    label="door",
    bounds=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
)


class _Line(msgspec.Struct, gc=False):
    """One of the access log."""

    time: datetime
    request: str
    method: str
    path: str
    status: int
    ms: float
    key: str | None


class Telemetry:
    """The answers of one application."""

    def __init__(self) -> None:
        self._lines: list[_Line] = []

    def add(self, scope: Scope, status: int) -> None:
        """Note one; ``status`` 0 when the client went away before it."""
        if not self._lines:
            asyncio.get_running_loop().call_later(_MOMENT, self.write)
        state, path = scope["state"], scope["path"]
        if "/reset-password/" in path:
            path = _TOKEN.sub(r"\1:token", path)
        # not the scope itself: kept alive by the hundred, they would push each other out of the
        # processor's caches
        self._lines.append(
            _Line(
                datetime.now(UTC),
                state["request_id"],
                scope["method"],
                path,
                status,
                int((perf_counter() - state["started"]) * 100_000 + 0.5) / 100,
                state.get("key_name"),
            )
        )

    def write(self) -> None:
        """Write up what was noted."""
        lines, self._lines = self._lines, []
        times: defaultdict[str, list[float]] = defaultdict(list)
        for line in lines:
            times[line.path].append(line.ms / 1000)
        for path, seconds in times.items():
            _seconds.observe_all(_door(path), seconds)
        answered = Counter(map(_answered, lines))
        for (path, method, status), number in answered.items():
            method = method if method in _METHODS else "other"
            _requests.labels(_door(path), method, str(status or "none")).inc(number)
        if lines and _access.isEnabledFor(logging.INFO):
            _access.info("%s", _encode(lines).decode().rstrip("\n"))


def _door(path: str) -> str:
    if path.startswith("/rest/"):
        return "rest"
    return "auth" if path.startswith("/api/auth/") else "other"
