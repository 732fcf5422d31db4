"""Limits, with a clock that is advanced by hand."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.domain.disconnects import Disconnect
from tertulia.edge.limits import ConnectionCounts, Seldom, TokenBucket


def test_a_burst_is_allowed_at_once_and_no_more() -> None:
    bucket = TokenBucket(rate=10, burst=5)
    assert [bucket.take(1, 100.0) for _ in range(5)] == [0.0] * 5
    assert bucket.take(1, 100.0) == pytest.approx(0.1)


def test_waiting_as_long_as_told_is_enough() -> None:
    bucket = TokenBucket(rate=3, burst=1)
    now = 1_000_000.1
    for _ in range(1000):
        assert bucket.take(1, now) == 0.0
        wait = bucket.take(1, now)
        assert wait == pytest.approx(1 / 3)
        now += wait


def test_rounding_makes_nobody_wait_twice() -> None:
    bucket = TokenBucket(rate=50, burst=5)
    now = 123456.789  # where a float is too coarse to add a wait exactly
    assert bucket.take(5, now) == 0.0
    assert bucket.take(1, now + bucket.take(1, now)) == 0.0


def test_waiting_less_is_not_enough_and_takes_nothing() -> None:
    bucket = TokenBucket(rate=2, burst=1)
    assert bucket.take(1, 0.0) == 0.0
    assert bucket.take(1, 0.1) == pytest.approx(0.4)
    assert bucket.take(1, 0.4) == pytest.approx(0.1)
    assert bucket.take(1, 0.5) == 0.0


def test_it_fills_no_further_than_the_burst() -> None:
    bucket = TokenBucket(rate=10, burst=5)
    bucket.take(5, 0.0)
    assert [bucket.take(1, 1e6) for _ in range(5)] == [0.0] * 5
    assert bucket.take(1, 1e6) > 0


def test_what_costs_more_than_the_burst_waits_for_a_full_bucket_and_leaves_a_debt() -> None:
    bucket = TokenBucket(rate=10, burst=5)
    assert bucket.take(1, 0.0) == 0.0
    assert bucket.take(50, 0.0) == pytest.approx(0.1)
    assert bucket.take(50, 0.1) == 0.0
    assert bucket.take(1, 0.1) == pytest.approx(4.6)


def test_what_was_read_already_is_charged_whatever_it_costs() -> None:
    bucket = TokenBucket(rate=1000, burst=500)
    assert bucket.charge(500, 0.0) == 0.0
    assert bucket.charge(250, 0.0) == pytest.approx(0.25)
    assert bucket.charge(250, 0.0) == pytest.approx(0.5)
    assert bucket.charge(0, 0.5) == 0.0
    assert bucket.charge(100, 10.0) == 0.0


def test_a_clock_that_stands_still_or_goes_back_lets_nothing_through() -> None:
    bucket = TokenBucket(rate=10, burst=1)
    assert bucket.take(1, 50.0) == 0.0
    assert bucket.take(1, 50.0) > 0
    assert bucket.take(1, 49.0) > 0


@pytest.mark.parametrize("now", [0.0, -5.0, 1e9])
def test_it_is_full_from_the_start_whatever_the_clock_says(now: float) -> None:
    bucket = TokenBucket(rate=1, burst=3)
    assert [bucket.take(1, now) for _ in range(3)] == [0.0] * 3
    assert bucket.take(1, now) == pytest.approx(1.0)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (1, 0), (-1, 1), (1, -1), (float("nan"), 1)])
def test_a_bucket_that_never_lets_anything_through_is_refused(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        TokenBucket(rate, burst)


@given(
    rate=st.floats(0.5, 1e4),
    burst=st.floats(1, 1e4),
    steps=st.lists(st.tuples(st.floats(0, 5), st.floats(0, 100)), max_size=50),
)
def test_never_more_than_the_burst_and_the_rate(
    rate: float, burst: float, steps: list[tuple[float, float]]
) -> None:
    bucket = TokenBucket(rate, burst)
    now, taken, most = 0.0, 0.0, 0.0
    for after, cost in steps:
        now += after
        wait = bucket.take(cost, now)
        assert 0.0 <= wait <= (burst + 100) / rate
        if wait == 0.0:
            taken += cost
            most = max(most, cost)
    assert taken <= max(burst, most) + rate * (now + 1e-3) + 1e-6


def test_a_bucket_is_small() -> None:
    bucket = TokenBucket(10, 5)
    assert not hasattr(bucket, "__dict__")
    assert sys.getsizeof(bucket) <= 64


def test_connections_are_counted_in_all() -> None:
    counts = ConnectionCounts(total=2, per_address=2)
    assert counts.admit("10.0.0.1") is None
    assert counts.admit("10.0.0.2") is None
    assert counts.admit("10.0.0.3") is Disconnect.TOO_MANY
    assert counts.open == 2
    counts.release("10.0.0.1")
    assert counts.open == 1
    assert counts.admit("10.0.0.3") is None


def test_connections_are_counted_by_address() -> None:
    counts = ConnectionCounts(total=10, per_address=2)
    assert counts.admit("10.0.0.1") is None
    assert counts.admit("10.0.0.1") is None
    assert counts.admit("10.0.0.1") is Disconnect.TOO_MANY_FROM_ADDRESS
    assert counts.admit("10.0.0.2") is None
    counts.release("10.0.0.1")
    assert counts.admit("10.0.0.1") is None
    assert counts.admit("10.0.0.1") is Disconnect.TOO_MANY_FROM_ADDRESS


def test_who_is_turned_away_is_not_counted() -> None:
    counts = ConnectionCounts(total=1, per_address=1)
    counts.admit("10.0.0.1")
    for _ in range(5):
        counts.admit("10.0.0.1")
        counts.admit("10.0.0.2")
    assert counts.open == 1
    counts.release("10.0.0.1")
    assert counts.open == 0
    assert counts.admit("10.0.0.2") is None


def test_the_address_is_told_its_own_reason_first() -> None:
    counts = ConnectionCounts(total=1, per_address=1)
    counts.admit("10.0.0.1")
    assert counts.admit("10.0.0.1") is Disconnect.TOO_MANY_FROM_ADDRESS


def test_releasing_what_was_not_admitted_is_an_error() -> None:
    counts = ConnectionCounts(total=1, per_address=1)
    with pytest.raises(KeyError):
        counts.release("10.0.0.1")
    counts.admit("10.0.0.1")
    counts.release("10.0.0.1")
    with pytest.raises(KeyError):
        counts.release("10.0.0.1")
    assert counts.open == 0


def test_who_is_not_known_yet_takes_a_place_as_well() -> None:
    counts = ConnectionCounts(total=2, per_address=1)
    assert counts.admit_unknown() is None
    assert counts.admit_unknown() is None
    assert counts.admit_unknown() is Disconnect.TOO_MANY
    assert counts.admit("10.0.0.1") is Disconnect.TOO_MANY
    counts.release_unknown()
    assert counts.admit("10.0.0.1") is None
    counts.total = 1  # some are open that may not be any more
    counts.release_unknown()
    assert counts.admit("10.0.0.2") is Disconnect.TOO_MANY
    counts.release("10.0.0.1")
    assert counts.admit("10.0.0.2") is None


def test_what_happens_often_is_told_seldom_with_how_often() -> None:
    seldom = Seldom(60)
    assert [seldom.due(1000.0 + i) for i in range(4)] == [1, 0, 0, 0]
    assert seldom.due(1059.9) == 0
    assert seldom.due(1060.0) == 5
    assert seldom.due(2000.0) == 1


def test_addresses_are_forgotten_with_their_last_connection() -> None:
    counts = ConnectionCounts(total=1000, per_address=1)
    for number in range(300):
        address = f"10.0.{number // 250}.{number % 250}"
        assert counts.admit(address) is None
        counts.release(address)
    assert counts._by_network == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),  # one network, one household
        ("2001:db8::1", "2001:0DB8:0::0001"),  # the same, spelled out
        ("10.0.0.1", "::ffff:10.0.0.1"),  # as a socket that listens to both says it
        ("fe80::1%eth0", "fe80::2%eth0"),
        ("", ""),  # a Unix socket
    ],
)
def test_addresses_that_count_as_one(one: str, other: str) -> None:
    counts = ConnectionCounts(total=10, per_address=1)
    assert counts.admit(one) is None
    assert counts.admit(other) is Disconnect.TOO_MANY_FROM_ADDRESS
    counts.release(other)
    assert counts.open == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10.0.0.1", "10.0.0.2"),
        ("2001:db8:1:2::1", "2001:db8:1:3::1"),
        ("0.0.0.0", "::"),
        ("0.0.0.1", "0:0:0:1::"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2"),
    ],
)
def test_addresses_that_count_apart(one: str, other: str) -> None:
    counts = ConnectionCounts(total=10, per_address=1)
    assert counts.admit(one) is None
    assert counts.admit(other) is None


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["10.0.0.1", "10.0.0.2", "2001:db8::1"]))))
def test_the_counts_are_those_of_the_open_connections(steps: list[tuple[bool, str]]) -> None:
    counts = ConnectionCounts(total=4, per_address=2)
    connections: list[str] = []
    for comes, address in steps:
        if comes:
            refused = counts.admit(address)
            if connections.count(address) == 2:
                assert refused is Disconnect.TOO_MANY_FROM_ADDRESS
            elif len(connections) == 4:
                assert refused is Disconnect.TOO_MANY
            else:
                assert refused is None
                connections.append(address)
        elif address in connections:
            counts.release(address)
            connections.remove(address)
        assert counts.open == len(connections)
