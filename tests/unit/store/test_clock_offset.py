"""How far a clock is from Redis': the quickest answer tells most, and one that was set is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.store.clock_offset import ClockOffset

NOON = 1_795_000_000.0


def test_nothing_is_known_before_the_first_answer() -> None:
    assert ClockOffset().seconds == 0.0


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2)), min_size=1, max_size=20),
)
def test_the_guess_is_off_by_half_the_quickest_answer_at_most(
    ahead: float, ways: list[tuple[float, float]]
) -> None:
    offset = ClockOffset()
    for second, (there, back) in enumerate(ways):
        told = NOON + second
        offset.note(told + ahead - there, told, told + ahead + back)
    quickest = min(there + back for there, back in ways[-8:])
    assert offset.seconds == pytest.approx(ahead, abs=quickest / 2 + 1e-5)


@pytest.mark.parametrize("step", [7200.0, -7200.0, 0.5])
def test_a_clock_that_was_set_is_believed_at_once(step: float) -> None:
    offset = ClockOffset()
    for second in range(8):
        offset.note(NOON + second, NOON + second, NOON + second)
    late = NOON + 10
    offset.note(late + step, late + 0.01, late + step + 0.02)
    assert offset.seconds == pytest.approx(step, abs=1e-5)


def test_an_answer_during_which_the_clock_was_set_back_says_nothing() -> None:
    offset = ClockOffset()
    offset.note(NOON, NOON, NOON + 0.002)
    offset.note(NOON + 5, NOON + 5, NOON - 3600)
    assert offset.seconds == pytest.approx(0.001, abs=1e-5)
