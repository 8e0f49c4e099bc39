"""The geometry of bars, and what is said of them."""

from datetime import date, timedelta

from app.admin_page.plots import HEIGHT, WIDTH, plot

DAYS = [date(2026, 11, 1) + timedelta(days=number) for number in range(30)]


def test_bars_are_as_high_as_their_share_of_the_highest() -> None:
    made = plot("p", "Sign-ups", DAYS, {DAYS[0]: 50, DAYS[28]: 100, DAYS[29]: 1}, None)
    heights = [bar.height for bar in made.bars]
    assert (heights[0], heights[28]) == (HEIGHT / 2, HEIGHT)
    assert 0 < heights[29] < 2
    assert not any(heights[1:28])
    assert all(bar.y + bar.height == HEIGHT for bar in made.bars)
    assert 0 <= made.bars[0].x < made.bars[-1].x + made.bars[-1].width <= WIDTH
    assert (made.total, made.most, made.today) == (151, 100, 1)
    assert made.description == (
        "151 from 2026-11-01 to 2026-11-30: at most 100 a day, on 2026-11-29; 1 so far today."
    )


def test_day_before_the_count_began_has_no_number() -> None:
    made = plot("p", "Refused", DAYS, {DAYS[29]: 3}, DAYS[28])
    assert [bar.number for bar in made.bars[27:]] == [None, 0, 3]


def test_nothing_is_said_to_be_nothing() -> None:
    made = plot("p", "Bans", DAYS, {}, None)
    assert made.description == "None from 2026-11-01 to 2026-11-30."
    assert not any(bar.height for bar in made.bars)


def test_large_numbers_are_drawn_within_the_drawing() -> None:
    made = plot("p", "Sessions", DAYS, dict.fromkeys(DAYS, 10**15) | {DAYS[3]: 1}, None)
    assert max(bar.height for bar in made.bars) == HEIGHT
    assert min(bar.height for bar in made.bars) > 0
