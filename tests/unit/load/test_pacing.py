"""When messages are due."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia_load.pacing import Pace, Shares

SECOND = 1_000_000


def test_messages_are_spread_evenly_to_the_end() -> None:
    pace = Pace(4, 10 * SECOND, 11 * SECOND)
    assert pace.next_at == 10 * SECOND
    assert pace.due(10 * SECOND - 1, 99) == []
    assert pace.due(10 * SECOND, 99) == [10 * SECOND]
    assert pace.due(10 * SECOND, 99) == []
    assert pace.next_at == 10_250_000
    assert pace.due(99 * SECOND, 99) == [10_250_000, 10_500_000, 10_750_000]
    assert pace.next_at is None


def test_who_asks_late_gets_each_with_its_own_time() -> None:
    """The heart of the correction for coordinated omission: what waited has waited."""
    pace = Pace(100, 0, 10 * SECOND)
    pace.due(SECOND - 1, 1000)
    late = pace.due(2 * SECOND - 1, 1000)
    assert late == list(range(SECOND, 2 * SECOND, 10_000))


def test_no_more_than_asked_for_come_at_once() -> None:
    pace = Pace(100, 0, SECOND)
    assert len(pace.due(SECOND, 30)) == 30
    assert len(pace.due(SECOND, 1000)) == 70


def test_processes_take_turns() -> None:
    first, second = Pace(10, 0, SECOND, 0.0), Pace(10, 0, SECOND, 0.5)
    times = sorted(first.due(SECOND, 99) + second.due(SECOND, 99))
    assert times == list(range(0, SECOND, 50_000))


@given(st.floats(0.1, 2_000), st.integers(1, 5))
def test_there_are_as_many_as_the_rate_says(rate: float, seconds: int) -> None:
    pace = Pace(rate, 0, seconds * SECOND)
    count = len(pace.due(seconds * SECOND, 10**6))
    assert abs(count - rate * seconds) <= 1


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
def test_a_share_is_spread_evenly(share: float) -> None:
    shares = Shares(share)
    dealt = [shares.take() for _ in range(200)]
    for end in range(1, 201):
        assert abs(sum(dealt[:end]) - Fraction(share) * end) <= 1
