"""What the soak calls flat."""

from dataclasses import replace
from typing import Any

import pytest

from bench.soak import Window, verdicts

FLAT = Window(
    p50=2.0, p99=20.0, requests=1000.0, memory=50.0, descriptors=30, backends=11,
    cpu=0.5, errors=0,
)  # fmt: skip


def grown(**last: Any) -> list[str]:
    """What is not flat when the last of four quarters is other than the rest."""
    windows = [FLAT] * 10 + [replace(FLAT, **last)] * 3
    return [one.name for one in verdicts(windows) if not one.is_flat]


def test_growth_in_the_last_quarter_is_seen() -> None:
    assert grown() == []
    assert grown(memory=54.0) == []
    assert grown(memory=56.0) == ["memory, MB"]
    assert grown(descriptors=35) == ["descriptors"]
    assert grown(backends=15) == ["backends"]
    assert grown(p50=3.2) == ["p50, ms"]
    assert grown(p99=36.0) == ["p99, ms"]
    assert grown(cpu=0.8) == ["CPU, ms a request"]


def test_window_in_which_the_machine_was_busy_is_no_growth_but_one_leak_is() -> None:
    busy = [FLAT] * 12 + [replace(FLAT, p50=9.0, p99=90.0)]
    assert all(one.is_flat for one in verdicts(busy))
    leak = [FLAT] * 12 + [replace(FLAT, descriptors=40)]
    assert not all(one.is_flat for one in verdicts(leak))


def test_first_window_is_of_no_account() -> None:
    windows = [replace(FLAT, memory=1.0), *[FLAT] * 4]
    assert all(one.is_flat for one in verdicts(windows))
    with pytest.raises(ValueError, match="too few"):
        verdicts(windows[:4])
