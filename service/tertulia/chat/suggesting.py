"""Other nicknames for somebody whose own is taken."""

from collections.abc import Iterator
from itertools import count, islice
from typing import Final

from tertulia.chat.accounts import Accounts
from tertulia.chat.roster import Roster
from tertulia.domain.nicknames import MAX_LENGTH, fold

SUGGESTIONS: Final = 3
_LOOKED_AT: Final = 8
"""Of so many it is asked whether an account has them; so busy is no nickname that all are taken."""


def others(nickname: str) -> Iterator[str]:
    """Return nicknames like this one, without end: ``anna2``, ``anna3``; ``r2d3`` for ``r2d2``."""
    base = nickname.rstrip("0123456789") or nickname
    number = nickname[len(base) :]
    for following in count(int(number) + 1 if number else 2):
        suffix = str(following)
        yield base[: MAX_LENGTH - len(suffix)] + suffix


async def suggestions(nickname: str, roster: Roster, accounts: Accounts) -> list[str]:
    """Return some nicknames like a taken one that are nobody's now: neither in the room nor accounts."""
    candidates = islice(others(nickname), 2 * _LOOKED_AT)
    free = [candidate for candidate in candidates if roster.holder(candidate) is None][:_LOOKED_AT]
    taken = await accounts.among([fold(nickname) for nickname in free])
    return [nickname for nickname in free if fold(nickname) not in taken][:SUGGESTIONS]
