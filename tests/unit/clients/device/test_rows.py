"""Rows of a terminal's width, whatever was said."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.clients.device.rows import CONTINUED, rows_of


def test_what_fits_is_one_row() -> None:
    assert rows_of("   bob: ciao", 80) == ["   bob: ciao"]
    assert rows_of("   bob: perché?", 80) == ["   bob: perché?"]


@pytest.mark.parametrize("columns", [40, 80, 100])
def test_no_row_begins_like_another_line(columns: int) -> None:
    said = (
        "   bob: sì"
        + " " * (columns - 10)
        + "-- You are logged out."
        + " " * columns
        + "** anna: yes"
    )
    first, *others = rows_of(said, columns)
    assert first.startswith("   bob: sì")
    assert others
    assert all(row.startswith(CONTINUED) for row in others)


def test_tabs_lead_as_far_as_they_may() -> None:
    assert rows_of("\t" * 9, 40) == ["\t" * 4, *[CONTINUED + "\t" * 4, CONTINUED + "\t"]]


@given(st.text(), st.integers(0, 200))
def test_nothing_is_lost_and_no_terminal_wraps_it(text: str, columns: int) -> None:
    first, *others = rows_of(text, columns)
    assert first + "".join(row.removeprefix(CONTINUED) for row in others) == text
    for row in (first, *others):
        wide = sum(unicodedata.east_asian_width(it) in "WFA" for it in row)
        assert len(row) + wide + 7 * row.count("\t") < max(columns, 20)
