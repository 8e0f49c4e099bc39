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
from collections import defaultdict
from datetime import UTC, datetime
from typing import Final

import msgspec
from prometheus_client import Counter
from starlette.types import Scope

from app.metrics import Times

_access = logging.getLogger("gatepost.access")
_TOKEN: Final = re.compile(r"(/reset-password/).+", re.DOTALL)
_MOMENT: Final = 0.02  # seconds
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_encode: Final = msgspec.json.Encoder().encode_lines

_requests = Counter("gatepost_requests_total", "Requests answered", ["door", "method", "status"])
_seconds = Times(
    "gatepost_request_seconds",
    "Time from the request's head to the answer",
    label="door",
    bounds=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
)

_Note = tuple[float, str, str, str, int, float, str | None]
"""Time, request id, method, path, status, seconds, name of the key."""


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
        answered: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        for _, _, method, path, status, elapsed, _ in notes:
            door = _door(path)
            answered[door, method if method in _METHODS else "other", status] += 1
            _seconds.observe(door, elapsed)
        for (door, method, status), number in answered.items():
            _requests.labels(door, method, str(status or "none")).inc(number)
        if notes and _access.isEnabledFor(logging.INFO):
            _access.info("%s", _encode(map(_line, notes)).decode().rstrip("\n"))


class _Line(msgspec.Struct):
    """One of the access log."""

    time: datetime
    request: str
    method: str
    path: str
    status: int
    ms: float
    key: str | None


def _line(note: _Note) -> _Line:
    at, request_id, method, path, status, elapsed, key = note
    if "/reset-password/" in path:
        path = _TOKEN.sub(r"\1:token", path)
    ms = int(elapsed * 100_000) / 100
    return _Line(datetime.fromtimestamp(at, UTC), request_id, method, path, status, ms, key)


def _door(path: str) -> str:
    if path.startswith("/rest/"):
        return "rest"
    return "auth" if path.startswith("/api/auth/") else "other"
