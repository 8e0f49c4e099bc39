"""The access log: one JSON object a line on standard error.

The path without its query, and no header but the request id: both can carry secrets. So can the
path of a password reset, of which the token is left out.
"""

import asyncio
import logging
import re
from datetime import UTC, datetime
from typing import Final

import msgspec
from starlette.types import Scope

_access = logging.getLogger("gatepost.access")
_TOKEN: Final = re.compile(r"(/reset-password/).+", re.DOTALL)
_DELAY: Final = 0.02  # seconds
_lines: Final[list[bytes]] = []
"""Those of the last moment: written one by one they would cost more than to count and to time."""
_encode: Final = msgspec.json.Encoder().encode


def access_log(scope: Scope, status: int, elapsed: float) -> None:
    """Log one answered request; ``elapsed`` in seconds. ``status`` 0: the client went away."""
    state = scope["state"]
    path = scope["path"]
    line = {
        "time": datetime.now(UTC),
        "request": state["request_id"],
        "method": scope["method"],
        "path": _TOKEN.sub(r"\1:token", path) if "/reset-password/" in path else path,
        "status": status,
        "ms": round(elapsed * 1000, 2),
        "key": state.get("key_name"),
    }
    _lines.append(_encode(line))
    if len(_lines) == 1:
        asyncio.get_running_loop().call_later(_DELAY, write_log)


def write_log() -> None:
    """Write the lines that wait."""
    if _lines:
        _access.info("%s", b"\n".join(_lines).decode())
        _lines.clear()


def configure_logging() -> None:
    """Send Gatepost's log to standard error, unless the process has set it up already."""
    root = logging.getLogger("gatepost")
    if not root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        root.propagate = False
