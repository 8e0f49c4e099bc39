"""What the soak calls flat."""

from dataclasses import replace
from typing import Any

import pytest

from bench.soak import Window, verdicts

FLAT = Window(
    p50=2.0, p99=20.0, requests=1000.0, memory=50.0, descriptors=30, backends=11,
    by_hand=(1.0, 10.0), errors=0,
)  # fmt: skip


def grown(**last: Any) -> list[str]:
    """What is not flat when the last of four quarters is other than the rest."""
    windows = [FLAT] * 10 + [replace(FLAT, **last)] * 3
    return [one.name for one in verdicts(windows) if not one.is_flat]


def test_growth_in_the_last_quarter_is_seen() -> None:
    assert grown() == []
    assert grown(memory=54.0) == []
    assert grown(memory=56.0) == ["memory, MB"]
    assert grown(descriptors=33) == ["descriptors"]
    assert grown(backends=14) == ["backends"]
    assert grown(p50=2.6) == ["p50, × by hand"]
    assert grown(p99=31.0) == ["p99, × by hand"]


def test_latency_may_grow_as_that_of_the_machine_does() -> None:
    assert grown(p50=8.0, p99=80.0, by_hand=(4.0, 40.0)) == []
    assert grown(by_hand=(0.5, 10.0)) == ["p50, × by hand"]


def test_first_window_is_of_no_account() -> None:
    windows = [replace(FLAT, memory=1.0), *[FLAT] * 4]
    assert all(one.is_flat for one in verdicts(windows))
    with pytest.raises(ValueError, match="too few"):
        verdicts(windows[:4])
