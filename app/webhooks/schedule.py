"""When an attempt is made again: the schedule of Standard Webhooks."""

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

DELAYS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""After the first attempt, which is immediate, and after each further one. After the last of them
and one attempt more, three days in all, a delivery is dead."""

LEASE: Final = timedelta(seconds=60)
"""After which another process sends what one had under way; several deadlines long."""

MAX_DELAY: Final = timedelta(hours=24)
_JITTER: Final = 0.1
"""The part of a delay by which it may be longer, so that what failed together comes apart."""


def delay_after(
    attempts: int, random: Callable[[], float], asked: timedelta | None = None
) -> timedelta | None:
    """How long to wait after so many attempts; None: no more are made.

    ``random`` gives a number from 0 to 1. ``asked``: what the receiver wants to be left alone for;
    it makes a delay longer and not shorter, or the attempts would soon be over.
    """
    if attempts > len(DELAYS):
        return None
    delay = max(DELAYS[attempts - 1], min(asked or timedelta(0), MAX_DELAY))
    return delay * (1 + _JITTER * random())


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """The time in a Retry-After, in seconds or as a date; None: there is none, or it is wrong."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), int(MAX_DELAY.total_seconds())))
    try:
        date = parsedate_to_datetime(text)
        return max(date - now, timedelta(0))
    except (ValueError, TypeError, OverflowError):
        return None
