"""Positions as clients have them: read back as they were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.api.positions import parse_position, written
from tertulia.domain.position import Position


@given(
    st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True),
    st.integers(0, 10**15 - 1),
    st.integers(0, 999_999),
)
def test_what_is_written_is_read(epoch: str, offset: int, index: int) -> None:
    position = Position(epoch, offset)
    assert parse_position(written(position, index)) == (position, index)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "e",
        "e:",
        ":1",
        "e:-1",
        "e:1.",
        "e:1.x",
        "e:1\n",
        "e f:1",
        "e:1e3",
        "x" * 65 + ":1",
        "e:" + "9" * 16,
    ],
)
def test_what_is_none_is_none(text: str) -> None:
    assert parse_position(text) is None
