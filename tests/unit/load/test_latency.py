"""The histogram, and which deliveries it records."""

import random

import pytest

from tertulia_load.latency import MOST, PERCENTILES, Latency
from tertulia_load.pacing import Pace


def exact(values: list[int], percentile: float) -> int:
    """Return the least value that so many percent do not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * percentile / 100 + 0.5) - 1)]


@pytest.mark.parametrize("spread", [2.0, 6.0, 12.0])
def test_percentiles_are_exact_to_a_thousandth(spread: float) -> None:
    rng = random.Random(1234)
    values = [round(2 ** rng.uniform(4, 4 + spread)) for _ in range(10_000)]
    latency = Latency()
    for value in values:
        latency.record(value)
    for percentile in PERCENTILES:
        found = latency.at(percentile)
        assert found is not None
        assert abs(found - exact(values, percentile)) <= max(1, 0.002 * found)
    assert latency.longest == max(values)
    assert latency.at(100) == max(values)
    assert latency.recorded == len(values)


def test_nothing_recorded_is_nothing() -> None:
    assert Latency().at(50) is None


def test_what_is_too_short_or_too_long_is_recorded_as_the_bound() -> None:
    latency = Latency()
    latency.record(-5)
    latency.record(MOST * 2)
    assert latency.at(1) == 1
    assert latency.longest == MOST


def test_processes_are_merged() -> None:
    whole, first, second = Latency(), Latency(), Latency()
    for value in range(1, 2000):
        whole.record(value * 7)
        (first if value % 3 else second).record(value * 7)
    merged = Latency()
    for part in (first, second):
        merged.merge(part.encode(), part.recorded, part.longest)
    assert [merged.at(p) for p in PERCENTILES] == [whole.at(p) for p in PERCENTILES]
    assert (merged.recorded, merged.longest) == (whole.recorded, whole.longest)


@pytest.mark.parametrize("every", [1, 3, 10])
@pytest.mark.parametrize("chunk", [1, 2, 7, 40])
def test_every_nth_delivery_is_chosen_however_they_come(every: int, chunk: int) -> None:
    latency = Latency(every)
    chosen = []
    for start in range(0, 400, chunk):
        if chunk <= latency.until:  # as whoever is in a hurry does it
            latency.until -= chunk
        else:
            chosen += [start + index for index in latency.choose(chunk)]
    assert chosen == list(range(0, -(-400 // chunk) * chunk, every))


def test_a_part_stands_for_all() -> None:
    """Of what is recorded when there is much, each counts as many as it stands for."""
    latency = Latency(1)
    for _ in range(1000):
        for _ in latency.choose(1):
            latency.record(100)
    latency.adapt(1e6)
    assert latency.every == 100
    for _ in range(10):
        for _ in latency.choose(1000):
            latency.record(900)
    # 10,000 deliveries of 900 and 1,000 of 100, of which 1,100 were recorded.
    assert latency.recorded == 1100
    assert latency.at(8) == pytest.approx(100, rel=0.002)
    assert latency.at(12) == pytest.approx(900, rel=0.002)


def test_a_stall_counts_for_every_message_that_it_delays() -> None:
    """Coordinated omission: who waits for an answer before he sends again sees one slow message."""
    second, rate, usual = 1_000_000, 100, 1_000
    stall = range(4 * second, 5 * second)  # within ten seconds, the service does nothing

    def answered(at: int) -> int:
        return (stall.stop if at in stall else at) + usual

    corrected = Latency()
    for due in Pace(rate, 0, 10 * second).due(10 * second, 10_000):
        corrected.record(answered(due) - due)
    misled, now = Latency(), 0
    while now < 10 * second:
        misled.record(answered(now) - now)
        now = max(now + second // rate, answered(now))
    assert misled.at(99) == pytest.approx(usual, rel=0.01)
    # A tenth of the messages wait from no time up to a second.
    assert corrected.at(90) == pytest.approx(usual, rel=0.02)
    assert corrected.at(95) == pytest.approx(second / 2, rel=0.03)
    assert corrected.at(99) == pytest.approx(second * 0.9, rel=0.03)
