"""Newcomers gather while the room is busy telling everybody of the last ones."""

from hypothesis import given
from hypothesis import strategies as st

from fakes.clock import HandClock
from tertulia.chat.admission import MOST, PATIENCE, Admission
from tertulia.chat.ports import JoinOp


def join(number: int = 0) -> JoinOp:
    return JoinOp(f"n:{number}", f"guest-{number}", f"guest-{number}", "plain", "192.0.2.1", 1)


def test_who_comes_to_a_quiet_room_goes_straight_in() -> None:
    admission = Admission()
    for number in range(3):
        one = join(number)
        assert admission.offer(one, 1000.0) == ([one], None)


def test_joins_gather_for_some_times_as_long_as_the_last_fan_out_took() -> None:
    admission = Admission()
    admission.fanned_out(0.0625, 1000.0)
    opens = 1000.0 + 0.0625 * PATIENCE
    first, second, third = join(1), join(2), join(3)
    assert admission.offer(first, 1000.0) == ([], opens)
    assert admission.offer(second, 1000.1) == ([], None)  # the timer is armed already
    assert admission.due(opens - 0.001) == ([], opens)
    assert admission.due(opens + 0.001) == ([first, second], None)
    assert admission.due(opens + 0.002) == ([], None)
    assert admission.offer(third, opens + 0.003) == ([third], None)


def test_whoever_comes_when_the_door_is_open_again_takes_all_along() -> None:
    admission = Admission()
    admission.fanned_out(0.0625, 1000.0)
    first, second = join(1), join(2)
    admission.offer(first, 1000.0)
    assert admission.offer(second, 1001.0) == ([first, second], None)


def test_nobody_waits_longer_than_that() -> None:
    admission = Admission()
    admission.fanned_out(60.0, 1000.0)
    one = join()
    assert admission.offer(one, 1000.0) == ([], 1000.0 + MOST)
    assert admission.due(1000.0 + MOST) == ([one], None)


def test_a_timer_that_comes_while_the_door_is_shut_again_is_armed_again() -> None:
    admission = Admission()
    admission.fanned_out(0.0625, 1000.0)
    one = join()
    _, ask_again = admission.offer(one, 1000.0)
    assert ask_again is not None
    admission.fanned_out(0.0625, ask_again)
    assert admission.due(ask_again) == ([], ask_again + 0.0625 * PATIENCE)
    assert admission.due(ask_again + 0.0625 * PATIENCE) == ([one], None)


_COMING = st.lists(
    st.one_of(
        st.floats(0, 1).map(lambda seconds: ("pass", seconds)),
        st.floats(0, 2).map(lambda seconds: ("fan out", seconds)),
        st.just(("come", 0.0)),
    ),
    max_size=60,
)


@given(_COMING)
def test_everybody_gets_in_once_in_order_and_in_time(steps: list[tuple[str, float]]) -> None:
    clock, admission = HandClock(), Admission()
    came: dict[str, float] = {}
    admitted: list[str] = []

    def take(group: list[JoinOp], ask_again: float | None) -> None:
        admitted.extend(it.session for it in group)
        assert all(clock.time() - came[it.session] <= MOST + 1e-6 for it in group)
        if ask_again is not None:
            assert ask_again >= clock.time()
            clock.call_later(ask_again - clock.time(), lambda: take(*admission.due(clock.time())))

    for what, seconds in steps:
        if what == "pass":
            clock.advance(seconds)
        elif what == "fan out" and not clock.timers:
            # Fan-outs come of joins that went in, so while joins wait there is none.
            admission.fanned_out(seconds, clock.time())
        elif what == "come":
            one = join(len(came))
            came[one.session] = clock.time()
            take(*admission.offer(one, clock.time()))
    clock.advance(MOST + 0.001)
    assert admitted == list(came)
