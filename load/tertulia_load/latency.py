"""How long messages take, as an HDR histogram (https://hdrhistogram.github.io/HdrHistogram/).

Times count from when a message was *due*. In open loop a message is due by the rate, whether or not the tool
or the service was ready for it: a stall delays all messages that fall into it, and each of them is in the
histogram with its whole delay. That is the correction for coordinated omission.
"""

from typing import Final

from hdrh.histogram import HdrHistogram

MOST: Final = 3_600_000_000
"""Microseconds. A longer time counts as this."""
SAMPLES_PER_SECOND: Final = 10_000
"""Recorded times per second at most, about: recording costs ten times what a delivery does."""
_DIGITS: Final = 3
PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)


class Latency:
    """Times in microseconds, of every n-th delivery."""

    __slots__ = ("_histogram", "every", "longest", "recorded", "until")

    def __init__(self, every: int = 1) -> None:
        """Record every n-th delivery to begin with."""
        self._histogram = HdrHistogram(1, MOST, _DIGITS)
        self.every = max(1, every)
        self.until = 0
        """Deliveries that pass before the next that is recorded."""
        self.recorded = 0
        self.longest = 0
        """The longest, also of those that were not recorded."""

    def choose(self, count: int) -> range:
        """Pass the next so many deliveries, and return which of them are to be recorded."""
        chosen = range(self.until, count, self.every)
        self.until += len(chosen) * self.every - count
        return chosen

    def record(self, micros: int) -> None:
        """Record one delivery, which stands for all up to the next that is recorded."""
        micros = min(max(micros, 1), MOST)
        self.longest = max(self.longest, micros)
        self._histogram.record_value(micros, self.every)
        self.recorded += 1

    def adapt(self, per_second: float) -> None:
        """Choose how many to record, by how many deliveries there are."""
        self.every = max(1, round(per_second / SAMPLES_PER_SECOND))

    def merge(self, encoded: str, recorded: int, longest: int) -> None:
        """Add what another process recorded."""
        self._histogram.decode_and_add(encoded)
        self.recorded += recorded
        self.longest = max(self.longest, longest)

    def encode(self) -> str:
        """Return the histogram for ``merge``, in the format that all HDR histograms share."""
        return str(self._histogram.encode().decode("ascii"))

    def at(self, percentile: float) -> int | None:
        """Return the time within which so many percent took; None where there were none."""
        if not self._histogram.get_total_count():
            return None
        return min(int(self._histogram.get_value_at_percentile(percentile)), self.longest)
