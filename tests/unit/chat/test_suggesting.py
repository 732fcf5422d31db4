"""Other nicknames for one that is taken."""

from collections.abc import Sequence
from itertools import islice

import pytest

from fakes.accounts import NoAccounts
from tertulia.chat.ports import Member
from tertulia.chat.roster import Roster
from tertulia.chat.suggesting import others, suggestions
from tertulia.domain.nicknames import is_valid


@pytest.mark.parametrize(
    ("nickname", "first"),
    [
        ("anna", ["anna2", "anna3"]),
        ("r2d2", ["r2d3", "r2d4"]),
        ("anna9", ["anna10", "anna11"]),
        ("42", ["422", "423"]),
        ("x" * 32, ["x" * 31 + "2", "x" * 31 + "3"]),
    ],
)
def test_they_are_like_it(nickname: str, first: list[str]) -> None:
    found = list(islice(others(nickname), 100))
    assert found[:2] == first
    assert all(map(is_valid, found))
    assert len(set(found)) == len(found)


class Some(NoAccounts):
    async def among(self, keys: Sequence[str]) -> set[str]:
        return set(keys) & {"anna2", "anna4"}


async def test_they_are_nobodys() -> None:
    roster = Roster()
    roster.add(Member("Anna3", "n:1", "chatte"))
    assert await suggestions("Anna", roster, Some()) == ["Anna5", "Anna6", "Anna7"]
