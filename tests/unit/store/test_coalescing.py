"""What others said gathers for some times as long as the last write took, and not for long."""

from hypothesis import given
from hypothesis import strategies as st

from tertulia.store.coalescing import MOST, PATIENCE, Coalescing

WROTE = 0.0009765625
"""Seconds that a write took: a power of two, so that sums are exact."""


def test_after_silence_nothing_gathers() -> None:
    assert Coalescing().left(1000.0) == 0.0


def test_it_gathers_for_some_times_as_long_as_the_last_write_took() -> None:
    coalescing = Coalescing()
    coalescing.written(1000.0, 1000.0 + WROTE)
    opens = 1000.0 + WROTE + WROTE * PATIENCE
    assert coalescing.left(1000.0 + WROTE) == WROTE * PATIENCE
    assert coalescing.left(opens - WROTE) == WROTE
    assert coalescing.left(opens) == 0.0
    assert coalescing.left(opens + 1.0) == 0.0


def test_a_small_room_hardly_waits() -> None:
    coalescing = Coalescing()
    coalescing.written(1000.0, 1000.00003)
    assert coalescing.left(1000.00003) < 0.0005


def test_a_lesser_write_does_not_end_it() -> None:
    coalescing = Coalescing()
    coalescing.written(1000.0, 1000.0 + WROTE)
    coalescing.written(1000.0 + WROTE, 1000.0 + 1.5 * WROTE)
    assert coalescing.left(1000.0 + 1.5 * WROTE) == WROTE * (PATIENCE - 0.5)


@given(st.floats(0, 60), st.floats(0, 60))
def test_nobody_waits_longer_than_a_person_notices(took: float, later: float) -> None:
    coalescing = Coalescing()
    coalescing.written(1000.0, 1000.0 + took)
    assert 0.0 <= coalescing.left(1000.0 + took + later) <= MOST + 1e-6
