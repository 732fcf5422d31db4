"""Counters and histograms of our own: Prometheus reads of them what it reads of its library's."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, exposition

from tertulia.telemetry import counters

BOUNDS = (0.5, 1.0, 2.5)


def text(registry: CollectorRegistry) -> str:
    encode, _ = exposition.choose_encoder("text/plain")
    return "\n".join(
        line for line in encode(registry).decode().splitlines() if "_created" not in line
    )


def test_tallies_read_as_a_counter() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tallies = {(kind, dialect): counters.Counter() for kind in ("a", "b") for dialect in ("x", "y")}
    counters.Counters("things", "What there is.", ("kind", "dialect"), tallies.items(), ours)
    counter = Counter("things", "What there is.", ("kind", "dialect"), registry=theirs)
    for at, (kind, dialect) in enumerate(tallies):
        tallies[kind, dialect].count += at
        counter.labels(kind, dialect).inc(at)
    assert text(ours) == text(theirs)
    tallies["b", "y"].count += 1000
    assert ours.get_sample_value("things_total", {"kind": "b", "dialect": "y"}) == 1003


@pytest.mark.parametrize(
    "values", [[], [0.5], [0.1, 0.5, 0.6, 1.0, 1.1, 2.5, 2.6, 100.0], [0.0, -1.0]]
)
def test_a_spread_reads_as_a_histogram(values: list[float]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    spread = counters.Histogram("sizes", "How much.", BOUNDS, ours)
    histogram = Histogram("sizes", "How much.", buckets=BOUNDS, registry=theirs)
    for value in values:
        spread.observe(value)
        histogram.observe(value)
    assert text(ours) == text(theirs)
    assert ours.get_sample_value("sizes_count") == len(values)
