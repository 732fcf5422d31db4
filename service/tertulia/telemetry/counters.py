"""Counters and histograms of what happens with every message.

Counting with prometheus_client takes a lock and half a dozen calls, which is a good part of what a message
costs where few read it. Here it is a number that is raised, and read when the metrics are asked for.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Counter:
    """A count. Only one thread at a time raises it."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Counters(Collector):
    """A counter with labels, read from a number for each combination of values."""

    def __init__(
        self,
        name: str,
        meaning: str,
        labels: Sequence[str],
        tallies: Collection[tuple[Sequence[str], Counter]],
        registry: CollectorRegistry,
    ) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels
        self._tallies = tallies
        registry.register(self)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Read all of it."""
        family = CounterMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, tally in self._tallies:
            family.add_metric(values, tally.count)
        yield family


class Histogram(Collector):
    """A histogram without labels. Only the event loop's thread adds to it."""

    def __init__(
        self, name: str, meaning: str, bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._meaning = name, meaning
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, value: float) -> None:
        """Add a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Read all of it."""
        family = HistogramMetricFamily(self._name, self._meaning)
        buckets, total = [], 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            buckets.append((floatToGoString(bound), float(total)))  # type: ignore[no-untyped-call]
        family.add_metric((), buckets, self._sum)
        yield family
