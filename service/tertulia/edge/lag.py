"""How late the event loop is: one blocked call delays every client of the node."""

import asyncio
from collections import deque
from typing import Final

from tertulia.telemetry.metrics import Metrics

INTERVAL: Final = 0.1
"""Seconds between two samples: short enough to meet what a client would notice."""
_RECENT: Final = 100
"""Samples: ten seconds."""


class EventLoopLag:
    """Tell how late each sample comes. Times are seconds of a monotonic clock."""

    __slots__ = ("_interval", "due")

    def __init__(self, now: float, interval: float = INTERVAL) -> None:
        self._interval = interval
        self.due = now + interval
        """When the next sample is to be taken."""

    def sample(self, now: float) -> float:
        """Return how many seconds late it is, and set when the next sample is due.

        The samples that a blocked loop missed are not made up for: their lag is in this one.
        """
        lag = max(0.0, now - self.due)
        self.due = now + self._interval
        return lag


class LagTimer:
    """Samples the lag of a running loop into the metrics until it is stopped."""

    def __init__(self, loop: asyncio.AbstractEventLoop, metrics: Metrics) -> None:
        self._loop = loop
        self._metrics = metrics
        self._lag = EventLoopLag(loop.time())
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._timer = loop.call_at(self._lag.due, self._sample)

    @property
    def worst(self) -> float:
        """The longest lag of the last few seconds, in seconds."""
        return max(self._recent, default=0.0)

    def stop(self) -> None:
        """Take no more samples."""
        self._timer.cancel()

    def _sample(self) -> None:
        lag = self._lag.sample(self._loop.time())
        self._recent.append(lag)
        self._metrics.event_loop_lag.observe(lag)
        self._metrics.event_loop_lag_last.set(lag)
        self._timer = self._loop.call_at(self._lag.due, self._sample)
