"""The histogram shows what prometheus_client's own would."""

import random

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from app.metrics import Times


def test_it_shows_what_the_librarys_own_shows() -> None:
    bounds, chance = (0.001, 0.0025, 0.5, 1, 10), random.Random(1)
    theirs, ours = CollectorRegistry(), CollectorRegistry()
    expected = Histogram("h_seconds", "Text.", ["of"], buckets=bounds, registry=theirs)
    times = Times("h_seconds", "Text.", label="of", bounds=bounds, registry=ours)
    for _ in range(1000):
        label, seconds = chance.choice(('a"b', "c")), chance.choice((*bounds, 0.0003, 0.7, 99.5))
        expected.labels(label).observe(seconds)
        times.observe(label, seconds)

    def lines(registry: CollectorRegistry) -> list[str]:
        # without the time at which the library's own was made
        found = generate_latest(registry).decode().splitlines()
        return sorted(line for line in found if "_created" not in line)

    assert lines(ours) == lines(theirs)
    assert len(lines(ours)) == 2 + 2 * (len(bounds) + 3)
