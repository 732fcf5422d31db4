"""What is counted of webhooks. A webhook's name is of the operator's own file: no URL is a label."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tertulia.api.webhooks.trying import TryOutcome

_LABELS = ("chat", "hook")


class Tally:
    """What one process counts of one webhook."""

    def __init__(self, chat: str, hook: str) -> None:
        self.labels = (chat, hook)
        self.tries: Counter[TryOutcome] = Counter()
        self.waiting: dict[str, float] = {}
        """By room: since when its oldest event waits that is not delivered, seconds since 1970."""
        self.is_relayed = False
        """Whether this process relays it."""
        self.is_disabled = False
        """Whether its receiver wants nothing more, as far as this process knows."""

    def behind(self, now: float) -> float:
        """Return for how many seconds the oldest event has waited."""
        return max((now - it for it in self.waiting.values()), default=0.0)


class Tallies(Collector):
    """The metrics of all webhooks of a process."""

    def __init__(
        self, tallies: Callable[[], Iterable[Tally]], clock: Callable[[], float] = time.time
    ) -> None:
        self._tallies = tallies
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Read all of it."""
        now = self._clock()
        tries = CounterMetricFamily(
            "tertulia_webhook_tries",
            "Requests of this process to a webhook's receiver, by what came of them.",
            labels=(*_LABELS, "outcome"),
        )
        dead = CounterMetricFamily(
            "tertulia_webhook_dead_letters",
            "Deliveries that this process gave up: kept in Redis for looking at.",
            labels=_LABELS,
        )
        behind = GaugeMetricFamily(
            "tertulia_webhook_behind_seconds",
            "How old a webhook's oldest event is that is not delivered; only of who relays it.",
            labels=_LABELS,
        )
        relayed = GaugeMetricFamily(
            "tertulia_webhook_relayed",
            "Whether this process relays a webhook (1), or another one does (0).",
            labels=_LABELS,
        )
        disabled = GaugeMetricFamily(
            "tertulia_webhook_disabled",
            "Whether a webhook is disabled, as its receiver answered 410 (1).",
            labels=_LABELS,
        )
        for it in self._tallies():
            for outcome in TryOutcome:
                tries.add_metric((*it.labels, outcome.value), it.tries[outcome])
            dead.add_metric(it.labels, it.tries[TryOutcome.DEAD])
            if it.is_relayed:
                behind.add_metric(it.labels, it.behind(now))
            relayed.add_metric(it.labels, float(it.is_relayed))
            disabled.add_metric(it.labels, float(it.is_disabled))
        yield from (tries, dead, behind, relayed, disabled)
