"""What one reader has had of each sender."""

from hypothesis import given
from hypothesis import strategies as st

from tertulia_load.sequences import MOST_MISSING, Sequences, Verdict


def test_all_in_order_is_next() -> None:
    account = Sequences()
    assert [account.take(1, n) for n in range(3)] == [Verdict.NEXT] * 3
    assert account.take(2, 0) is Verdict.NEXT
    assert account.lost({1: 3, 2: 1}) == 0


def test_what_is_skipped_is_lost_unless_it_comes_late() -> None:
    account = Sequences()
    assert account.take(1, 2) is Verdict.AHEAD
    assert account.skipped == 2
    assert account.lost({1: 3}) == 2
    assert account.take(1, 0) is Verdict.LATE
    assert account.take(1, 3) is Verdict.NEXT
    assert account.skipped == 0
    assert (account.lost({1: 4}), account.late, account.doubled) == (1, 1, 0)


def test_what_comes_again_is_doubled_also_when_it_came_late() -> None:
    account = Sequences()
    for number in (0, 0, 2, 1, 1):
        account.take(1, number)
    assert (account.doubled, account.late, account.lost({1: 3})) == (2, 1, 0)


def test_what_never_came_at_the_end_is_lost() -> None:
    account = Sequences({1: 5})
    account.take(1, 5)
    assert account.lost({1: 8, 2: 3}) == 2 + 3


def test_it_begins_in_the_middle() -> None:
    account = Sequences({1: 7})
    assert account.take(1, 7) is Verdict.NEXT
    assert account.take(1, 3) is Verdict.AGAIN


def test_an_absurd_number_is_a_stray_and_costs_no_memory() -> None:
    account = Sequences()
    assert account.take(1, MOST_MISSING + 1) is Verdict.STRAY
    assert account.lost({1: 0}) == 0


@given(st.lists(st.integers(0, 12), max_size=40))
def test_it_agrees_with_plain_counting(numbers: list[int]) -> None:
    account = Sequences()
    for number in numbers:
        account.take(1, number)
    assert account.doubled == len(numbers) - len(set(numbers))
    assert account.lost({1: 13}) == 13 - len(set(numbers))
    first = list(dict.fromkeys(numbers))
    late = sum(any(other > number for other in first[:i]) for i, number in enumerate(first))
    assert account.late == late
