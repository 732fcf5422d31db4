"""Names of further rooms."""

import pytest

from tertulia.domain.rooms import fold_room, is_room


@pytest.mark.parametrize("written", ["ops", "#ops", "#Ops", "OPS"])
def test_a_room_is_compared_without_case_and_mark(written: str) -> None:
    assert fold_room(written) == "ops"


@pytest.mark.parametrize("name", ["ops", "0", "a.b_c+d-e", "a" * 32])
def test_what_a_room_may_be_called(name: str) -> None:
    assert is_room(name)


@pytest.mark.parametrize(
    "name", ["", "#", "_x", ".x", "Ops", "a" * 33, "a b", "a\n", "caff\u00e8", "\u212a", "a}b"]
)
def test_what_it_may_not(name: str) -> None:
    assert not is_room(name)
