"""What an entry at another place in the log means: every case of the decisions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cases import each
from tertulia.domain.position import Position, Verdict, is_behind, judge, missing

HAVE = Position("e", 10)


@each(
    ("arrived", "verdict"),
    [
        (Position("e", 11), Verdict.DELIVER),
        (Position("e", 10), Verdict.DROP),
        (Position("e", 1), Verdict.DROP),
        (Position("e", 12), Verdict.RECOVER),
        (Position("e", 1000), Verdict.RECOVER),
        (Position("f", 11), Verdict.RESEAT),
        (Position("f", 1), Verdict.RESEAT),
        (Position("", 11), Verdict.RESEAT),
    ],
)
def test_an_entry_is_judged_by_its_place(arrived: Position, verdict: Verdict) -> None:
    assert judge(HAVE, arrived) is verdict


@pytest.mark.parametrize(
    ("told", "behind"),
    [
        (Position("e", 9), False),
        (Position("e", 10), False),
        (Position("e", 11), True),
        (Position("f", 10), True),
        (Position("f", 1), True),
    ],
)
def test_being_behind_is_told_by_the_log(told: Position, behind: bool) -> None:
    assert is_behind(HAVE, told) is behind


@each(
    ("have", "first", "end", "lost"),
    [
        (10, 11, 15, 0),
        (10, 12, 15, 1),
        (10, 15, 15, 4),
        (10, None, 15, 5),
        (10, None, 10, 0),
        (0, 1, 1, 0),
        (0, None, 0, 0),
        (10, 11, 10, 0),
    ],
)
def test_lost_entries_are_counted(have: int, first: int | None, end: int, lost: int) -> None:
    assert missing(have, first, end) == lost


@given(
    end=st.integers(1, 30),
    trimmed=st.integers(0, 30),
    arrivals=st.lists(st.integers(1, 30), max_size=60),
)
def test_whatever_comes_every_entry_is_delivered_once_in_order(
    end: int, trimmed: int, arrivals: list[int]
) -> None:
    """Entries come late, twice or never; a log that holds all but the oldest fills the gaps."""
    trimmed = min(trimmed, end)
    have, delivered, lost = Position("e", 0), [], 0

    def read_on(to: int) -> None:
        nonlocal have, lost
        held = [offset for offset in range(have.offset + 1, to + 1) if offset > trimmed]
        lost += missing(have.offset, held[0] if held else None, to)
        delivered.extend(held)
        have = Position("e", max(to, have.offset))

    for offset in arrivals:
        if offset > end:
            continue
        verdict = judge(have, Position("e", offset))
        if verdict is Verdict.RECOVER:
            read_on(end)
            verdict = judge(have, Position("e", offset))
        if verdict is Verdict.DELIVER:
            delivered.append(offset)
            have = Position("e", offset)
    if is_behind(have, Position("e", end)):
        read_on(end)
    assert delivered == sorted(set(delivered))
    assert len(delivered) + lost == end
