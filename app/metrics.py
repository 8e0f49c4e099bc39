"""A histogram that a quick request can afford: an observation is one step in a sorted list.

prometheus_client's own takes a lock and a few method calls for each; what it shows is the same.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Final

from prometheus_client.core import REGISTRY, HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.utils import floatToGoString


class Times(Collector):
    """Seconds by one label, in buckets up to each of ``bounds`` and one for what is above."""

    def __init__(
        self,
        name: str,
        documentation: str,
        *,
        label: str,
        bounds: Sequence[float],
        registry: CollectorRegistry = REGISTRY,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._label = label
        self._bounds: Final = bounds
        self._counts: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(bounds) + 1))
        self._sums: defaultdict[str, float] = defaultdict(float)
        registry.register(self)

    def observe(self, label: str, seconds: float) -> None:
        self._counts[label][bisect_left(self._bounds, seconds)] += 1
        self._sums[label] += seconds

    def observe_all(self, label: str, times: Sequence[float]) -> None:
        counts = self._counts[label]
        for bucket, number in Counter(map(partial(bisect_left, self._bounds), times)).items():
            counts[bucket] += number
        self._sums[label] += sum(times)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=[self._label])
        bounds = [*map(floatToGoString, (*self._bounds, float("inf")))]
        for label, counts in self._counts.items():
            buckets = [*zip(bounds, accumulate(counts), strict=True)]
            family.add_metric([label], buckets, self._sums[label])
        yield family
