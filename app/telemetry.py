"""What is kept of each request: a log record and the metrics, made for many requests at a time.

One by one, between other work, they would take a fifth of a quick request: the code and the objects
are cold each time. So a request is noted when it ends, and up to a tenth of a second later the
records of all are made in one go.
"""

import logging
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

import prometheus_client

from .redaction import safe_path

_access = logging.getLogger("gatepost.access")
_APIS: Final = (("/api/auth/", "auth"), ("/rest/", "rest"))
_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_MAX_WAITING: Final = 500

_requests = prometheus_client.Counter(
    "gatepost_requests_total", "Requests answered", ["api", "method", "status"]
)
_seconds = prometheus_client.Histogram(
    "gatepost_request_seconds",
    "Time from the head of the request to the end of the response",
    ["api"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
)


def _count(api: str, method: str, status: int, number: int) -> None:
    _requests.labels(api, method, str(status or "none")).inc(number)


@cache
def _observer(api: str) -> Callable[[float], None]:
    return _seconds.labels(api).observe


class FinishedRequest(NamedTuple):
    """A request that was answered; ``status`` 0: its client went away before that."""

    ended: float
    """Seconds since 1970 UTC."""
    seconds: float
    request_id: str
    method: str
    path: str
    """Without the query, which can hold secrets."""
    status: int
    key_name: str | None


class Telemetry:
    """The requests of one application that are not recorded yet."""

    def __init__(self) -> None:
        self._waiting: list[FinishedRequest] = []

    def add(self, request: FinishedRequest) -> None:
        self._waiting.append(request)
        if len(self._waiting) >= _MAX_WAITING:
            self.flush()

    def flush(self) -> None:
        """Count and log the requests that wait."""
        waiting, self._waiting = self._waiting, []
        paths = {request.path for request in waiting}
        apis = {path: _api(path) for path in paths}
        kinds = Counter((apis[r.path], r.method, r.status) for r in waiting)
        for (api, method, status), number in kinds.items():
            _count(api, method if method in _METHODS else "other", status, number)
        for request in waiting:
            _observer(apis[request.path])(request.seconds)
        if _access.isEnabledFor(logging.INFO):
            safe_paths = {path: safe_path(path) for path in paths}
            for request in waiting:
                _access.handle(_log_record(request, safe_paths[request.path]))


def _api(path: str) -> str:
    return next((api for prefix, api in _APIS if path.startswith(prefix)), "other")


def _log_record(request: FinishedRequest, path: str) -> logging.LogRecord:
    """No header is in it but the id; ``path`` is the request's without what may be a token."""
    fields = {
        "request": request.request_id,
        "method": request.method,
        "path": path,
        "status": request.status,
        "ms": round(request.seconds * 1000, 2),
        "key": request.key_name,
    }
    arguments = (request.method, path, request.status)
    # without LogRecord's constructor, which looks up the process, the thread and the module
    record = object.__new__(logging.LogRecord)
    times = {"created": request.ended, "msecs": request.ended % 1 * 1000}
    vars(record).update(_TEMPLATE, args=arguments, **times, **fields)
    return record


_TEMPLATE: Final = vars(
    logging.LogRecord(_access.name, logging.INFO, __file__, 0, "%s %s %d", (), None)
)
