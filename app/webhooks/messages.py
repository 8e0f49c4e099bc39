"""What is sent: an event as the REST API gives it, with its type and its time beside it."""

from datetime import datetime
from typing import Any, Final

import msgspec

from ..statements.events import Payload

PING: Final = "ping"
"""The type of what ``gatepost webhooks test`` sends. It is no event."""


def body(event: Payload) -> bytes:
    """The body of an event."""
    return message(event.type, event.created_at, msgspec.Raw(event.data.encode()))


def message(type_: str, time: datetime, data: Any) -> bytes:
    """The body of a message."""
    return msgspec.json.encode({"type": type_, "timestamp": time, "data": data})
