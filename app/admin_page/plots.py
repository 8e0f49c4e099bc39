"""Bars for numbers a day, as geometry that a template draws: SVG without a script or a style."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final, NamedTuple

WIDTH: Final = 300
HEIGHT: Final = 80
_GAP: Final = 2.0


class Bar(NamedTuple):
    """A day. Lengths are in units of the drawing; one without a number has no bar."""

    day: date
    number: int | None
    """None: nobody counted on that day."""
    x: float
    y: float
    width: float
    height: float


class Plot(NamedTuple):
    """The days of one kind of event."""

    id: str
    title: str
    description: str
    """What a person hears who does not see it."""
    bars: tuple[Bar, ...]
    total: int
    most: int
    today: int | None


def plot(
    id_: str, title: str, days: Sequence[date], counts: Mapping[date, int], since: date | None
) -> Plot:
    """The bars of ``days``, the last of which is today; before ``since`` nobody counted.

    ``since`` None: each day was counted.
    """
    numbers = [counts.get(day, 0) if since is None or day >= since else None for day in days]
    known = [number for number in numbers if number is not None]
    most, total = max(known, default=0), sum(known)
    step = WIDTH / len(days)
    bars = [
        _bar(day, number, index * step, step - _GAP, most)
        for index, (day, number) in enumerate(zip(days, numbers, strict=True))
    ]
    return Plot(
        id_, title, _described(days, numbers, total, most), tuple(bars), total, most, numbers[-1]
    )


def _bar(day: date, count: int | None, x: float, width: float, most: int) -> Bar:
    # what is not nothing is seen
    height = max(count / most * HEIGHT, 1.5) if count and most else 0.0
    return Bar(
        day, count, round(x, 2), round(HEIGHT - height, 2), round(width, 2), round(height, 2)
    )


def _described(days: Sequence[date], numbers: Sequence[int | None], total: int, most: int) -> str:
    if not total:
        return f"None from {days[0]} to {days[-1]}."
    day = days[numbers.index(most)]
    return (
        f"{total:,} from {days[0]} to {days[-1]}: at most {most:,} a day, on {day}; "
        f"{numbers[-1] or 0:,} so far today."
    )
