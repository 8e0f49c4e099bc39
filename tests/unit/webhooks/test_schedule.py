"""When the next attempt is: the schedule, its jitter and what a receiver asks for."""

from datetime import UTC, datetime, timedelta

import pytest

from app.webhooks.schedule import DELAYS, MAX_DELAY, delay_after, retry_after

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def never() -> float:
    return 0.0


def test_schedule_is_that_of_standard_webhooks() -> None:
    minutes = [5 / 60, 5, 30, *(60 * hours for hours in (2, 5, 10, 14, 20, 24))]
    found = [delay_after(attempts, never) for attempts in range(1, 11)]
    assert found == [*(timedelta(minutes=each) for each in minutes), None]


def test_jitter_makes_a_delay_longer_by_a_tenth_at_most() -> None:
    for attempts, delay in enumerate(DELAYS, 1):
        assert delay_after(attempts, lambda: 1.0) == delay * 1.1
        assert delay_after(attempts, lambda: 0.5) == delay * 1.05


@pytest.mark.parametrize(
    ("asked", "delay"),
    [
        (timedelta(seconds=1), DELAYS[0]),
        (timedelta(hours=1), timedelta(hours=1)),
        (timedelta(days=30), MAX_DELAY),
        (None, DELAYS[0]),
    ],
)
def test_receiver_is_left_alone_for_what_it_asks_within_bounds(
    asked: timedelta | None, delay: timedelta
) -> None:
    assert delay_after(1, never, asked) == delay


def test_receiver_cannot_ask_for_more_attempts() -> None:
    assert delay_after(10, never, timedelta(seconds=1)) is None


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("120", timedelta(minutes=2)),
        (" 0 ", timedelta(0)),
        ("9" * 5000, MAX_DELAY),
        ("Thu, 26 Nov 2026 12:01:00 GMT", timedelta(minutes=1)),
        ("Thu, 26 Nov 2026 11:01:00 GMT", timedelta(0)),
        ("Thu, 26 Nov 2026 12:01:00", None),
        ("soon", None),
        ("-1", None),
        ("１２", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_or_left_out(header: str | None, found: timedelta | None) -> None:
    assert retry_after(header, NOW) == found
