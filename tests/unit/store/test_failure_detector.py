"""Who is suspected of being dead: a pure decision, by what was seen and by one's own clock."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.store.failure_detector import FailureDetector, Lease

LEASE, SILENCE, HEARTBEAT = 10.0, 3.0, 1.0
ROUND = HEARTBEAT / 2
NOW = 1_700_000_000_000.0
"""Redis' clock, where a test begins."""


class Judge:
    """A node that looks at one other, and the clocks of both machines."""

    def __init__(self, *, redis_was_up: bool = True) -> None:
        self.at = 500.0
        self.redis = NOW
        self.healthy_since = self.at
        self.expiry = NOW + LEASE * 1000
        self._redis_was_up = redis_was_up
        self._detector = FailureDetector(LEASE, SILENCE, HEARTBEAT)

    def renew(self) -> None:
        self.expiry = self.redis + LEASE * 1000

    def pass_by(self, seconds: float) -> None:
        """Let time go by, for this node and for Redis."""
        self.at += seconds
        self.redis += seconds * 1000

    def look(self) -> str:
        word = self.redis if self._redis_was_up and not self._detector.has_looked else None
        suspects = self._detector.look([Lease("n", self.expiry)], self.at, self.healthy_since, word)
        assert not (suspects.over and suspects.silent)
        return "over" if suspects.over else "silent" if suspects.silent else "alive"

    def watch(self, seconds: float, *, renewing: bool = False) -> str:
        """Look as often as a node does for so long, and return the last verdict."""
        verdict = self.look()
        for _ in range(round(seconds / ROUND)):
            self.pass_by(ROUND)
            if renewing:
                self.renew()
            verdict = self.look()
        return verdict

    def first(self, verdict: str, within: float = 60.0) -> float:
        """Return after how many seconds of looking a verdict is given."""
        began = self.at
        while self.look() != verdict:
            assert self.at - began < within, f"not {verdict}"
            self.pass_by(ROUND)
        return self.at - began


def established() -> Judge:
    """Return a judge who has seen the other renew for some time."""
    judge = Judge()
    assert judge.watch(LEASE, renewing=True) == "alive"
    return judge


def test_who_does_not_renew_is_silent_and_then_over() -> None:
    judge = established()
    assert judge.first("silent") == SILENCE
    assert judge.first("over") == LEASE - SILENCE


def test_a_condemned_node_is_over_at_once() -> None:
    judge = Judge(redis_was_up=False)
    judge.expiry = 0.0
    assert judge.look() == "over"


@pytest.mark.parametrize("step", [1.5, 9.0, 12.0, 3600.0, -1.5, -12.0, -3600.0])
def test_a_step_of_redis_clock_makes_nobody_look_dead(step: float) -> None:
    judge = established()
    judge.redis += step * 1000
    for _ in range(2):  # it renews within a heartbeat and a half
        assert judge.look() == "alive"
        judge.pass_by(ROUND)
    assert judge.watch(2 * LEASE, renewing=True) == "alive"


@pytest.mark.parametrize("step", [12.0, -3600.0])
def test_who_dies_when_the_clock_steps_is_dead_as_soon_as_ever(step: float) -> None:
    judge = established()
    judge.redis += step * 1000
    assert judge.first("silent") == SILENCE
    assert judge.first("over") == LEASE - SILENCE


@pytest.mark.parametrize("pause", [SILENCE, 12.0, 3600.0])
def test_nobody_is_dead_because_the_whole_machine_stood_still(pause: float) -> None:
    judge = established()
    judge.look()
    judge.pass_by(pause + ROUND)
    assert judge.watch(SILENCE - ROUND) == "alive"
    judge.renew()
    assert judge.watch(SILENCE - ROUND) == "alive"


def test_a_look_that_comes_late_counts_as_one_look() -> None:
    judge = established()
    for _ in range(2):
        judge.pass_by(SILENCE - 0.1)
        assert judge.look() == "alive"
    judge.pass_by(HEARTBEAT)
    assert judge.look() == "silent"


def test_nobody_is_dead_right_after_redis_was_away() -> None:
    judge = established()
    judge.pass_by(2 * LEASE)
    judge.healthy_since = judge.at
    assert judge.first("over") == LEASE  # and not silent before
    judge.renew()
    assert judge.first("silent") == SILENCE


def test_redis_that_was_away_between_two_looks_is_noticed() -> None:
    judge = established()
    judge.watch(SILENCE - ROUND)
    judge.healthy_since = judge.at + ROUND / 2
    assert judge.watch(SILENCE + ROUND) == "alive"


@pytest.mark.parametrize(
    ("renewed_ago", "seconds"),
    [(0.0, LEASE), (4.0, LEASE - 4.0), (LEASE, SILENCE), (1e6, SILENCE), (-3600.0, LEASE)],
)
def test_who_has_just_come_takes_redis_word_for_the_time_before(
    renewed_ago: float, seconds: float
) -> None:
    judge = Judge()
    judge.expiry = NOW + (LEASE - renewed_ago) * 1000
    assert judge.first("over") == seconds


def test_who_has_just_come_gives_everybody_the_silence_to_be_heard_in() -> None:
    judge = Judge()
    judge.expiry = NOW - 1e9
    assert judge.watch(SILENCE - ROUND) == "alive"
    judge.renew()
    assert judge.watch(SILENCE - ROUND) == "alive"


def test_a_redis_that_has_just_come_has_no_word() -> None:
    judge = Judge(redis_was_up=False)
    judge.expiry = NOW - 1e9
    assert judge.first("over") == LEASE  # and not silent before


def test_a_node_that_comes_later_is_given_all_the_time() -> None:
    detector = FailureDetector(LEASE, SILENCE, HEARTBEAT)
    assert detector.look([], 0.0, 0.0, NOW) == ([], [])
    late = Lease("n", NOW - 1e9)
    looks = [detector.look([late], at * ROUND, 0.0) for at in range(1, 30)]
    assert [bool(look.silent) for look in looks].index(True) == round(SILENCE / ROUND)


Step = tuple[str, float]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("pass by"), st.floats(0.0, 2 * LEASE)),
        st.tuples(st.just("redis' clock steps"), st.floats(-1e4, 1e4)),
        st.tuples(st.just("redis was away"), st.just(0.0)),
    ),
    max_size=60,
)


@given(steps)
def test_who_renews_between_any_two_looks_is_alive(history: Iterable[Step]) -> None:
    judge = Judge()
    for what, amount in history:
        happen(judge, what, amount)
        before = judge.expiry
        judge.renew()
        if judge.expiry == before:
            judge.expiry += 1  # as lease.lua does
        assert judge.look() == "alive"


@given(steps)
def test_who_is_dead_is_found_out_in_time_whatever_happened_before(history: Iterable[Step]) -> None:
    """Whatever the clocks did, and whatever the value of its lease."""
    judge = Judge()
    for what, amount in history:
        happen(judge, what, amount)
        judge.look()
    judge.pass_by(ROUND)
    assert judge.first("over") <= LEASE + ROUND


@given(steps)
def test_nobody_is_dead_before_it_was_seen_silent_in_several_looks(history: Iterable[Step]) -> None:
    """Every verdict rests on looks of one's own, however late each of them came."""
    judge = Judge()
    judge.look()
    for looks, (what, amount) in enumerate(history, 1):
        happen(judge, what, amount)
        if judge.look() != "alive":
            assert looks >= SILENCE / HEARTBEAT
            return


def happen(judge: Judge, what: str, amount: float) -> None:
    """Let something happen to a judge, or to Redis."""
    if what == "pass by":
        judge.pass_by(amount)
    elif what == "redis' clock steps":
        judge.redis += amount * 1000
    else:
        judge.pass_by(ROUND)
        judge.healthy_since = judge.at
