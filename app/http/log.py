"""The access log: one JSON object a line on standard error.

The path without its query, and no header but the request id: both can carry secrets. So can the
path of a password reset, of which the token is left out.
"""

import logging
import re
from datetime import UTC, datetime
from typing import Final

import msgspec
from starlette.types import Scope

_access = logging.getLogger("gatepost.access")
_TOKEN: Final = re.compile(r"(/reset-password/).+", re.DOTALL)
_encode: Final = msgspec.json.Encoder().encode


def access_log(scope: Scope, status: int, elapsed: float) -> None:
    """Log one answered request; ``elapsed`` in seconds. ``status`` 0: the client went away."""
    if not _access.isEnabledFor(logging.INFO):
        return
    state = scope["state"]
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "request": state["request_id"],
        "method": scope["method"],
        "path": _TOKEN.sub(r"\1:token", scope["path"]),
        "status": status,
        "ms": round(elapsed * 1000, 2),
        "key": state.get("key_name"),
    }
    _access.info("%s", _encode(line).decode())


def configure_logging() -> None:
    """Send Gatepost's log to standard error, unless the process has set it up already."""
    root = logging.getLogger("gatepost")
    if not root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        root.propagate = False
