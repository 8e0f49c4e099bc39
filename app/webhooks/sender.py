"""One message sent to one receiver: an outcome whatever happens, and no exception."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ..outgoing.client import Outgoing, OutgoingError
from .addresses import refusal
from .schedule import retry_after
from .signing import headers

GONE: Final = 410
_BUSY: Final = (429, 503)

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt."""

    status: int | None = None
    error: str | None = None
    """Why it failed, in a few words; None: the receiver has it."""
    retry_after: timedelta | None = None
    """How long the receiver wants to be left alone."""
    final: bool = False
    """No further attempt can be another one."""


class Sender:
    """Sends to addresses that are allowed."""

    def __init__(self, *, private: bool, clock: Clock = lambda: datetime.now(UTC)) -> None:
        """``private``: also into one's own network. Raises SettingsError for certificates that
        cannot be read, or a wrong proxy."""
        self._private = private
        self._clock = clock
        self._outgoing = Outgoing()

    async def close(self) -> None:
        await self._outgoing.close()

    async def send(self, url: str, secrets: Sequence[str], message_id: str, body: bytes) -> Outcome:
        """POST a message that the secrets sign. Nothing of the answer's body is read."""
        if why := refusal(url, private=self._private):
            return Outcome(error=f"the address is refused: {why}")
        now = self._clock()
        named = headers(secrets, message_id, now, body) | {"content-type": "application/json"}
        caller = self._outgoing.caller(public_only=not self._private)
        try:
            receipt = await caller.send(url, body, named)
        except OutgoingError as error:
            return Outcome(error=str(error))
        if 200 <= receipt.status < 300:
            return Outcome(receipt.status)
        kind = "a redirect, " if 300 <= receipt.status < 400 else ""
        asked = retry_after(receipt.retry_after, now) if receipt.status in _BUSY else None
        return Outcome(receipt.status, f"{kind}HTTP {receipt.status}", asked)
