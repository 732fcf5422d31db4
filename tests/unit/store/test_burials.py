"""Who is suspected of being dead: a pure decision."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.store.burials import Lease, suspects

LEASE, SILENCE = 10_000.0, 3_000.0
NOW = 1_700_000_000_000.0


def judged(expiry: float) -> str:
    over, silent = suspects([Lease("n", expiry)], NOW, LEASE, SILENCE)
    assert not (over and silent)
    return "over" if over else "silent" if silent else "alive"


@pytest.mark.parametrize(
    ("renewed_ago", "verdict"),
    [
        (0, "alive"),
        (2_999, "alive"),
        (3_000, "silent"),
        (9_999, "silent"),
        (10_000, "over"),
        (1_000_000, "over"),
        (-500, "alive"),  # a clock was set back
    ],
)
def test_a_node_is_judged_by_when_it_last_renewed(renewed_ago: float, verdict: str) -> None:
    assert judged(NOW - renewed_ago + LEASE) == verdict


def test_a_condemned_node_is_over() -> None:
    assert judged(0) == "over"


def test_nobody_is_suspected_where_there_is_nobody() -> None:
    assert suspects([], NOW, LEASE, SILENCE) == ([], [])


@given(st.lists(st.floats(NOW - 50_000, NOW + 50_000)))
def test_everybody_is_at_most_one_of_these_in_order(expiries: list[float]) -> None:
    leases = [Lease(f"n{i}", expiry) for i, expiry in enumerate(expiries)]
    over, silent = suspects(leases, NOW, LEASE, SILENCE)
    assert over == [it for it in leases if it.expiry <= NOW]
    assert silent == [it for it in leases if NOW < it.expiry <= NOW + LEASE - SILENCE]
