"""How long passwords are refused without a look, after wrong ones.

This is counted by account and network, so that nobody can lock others, or an owner who is elsewhere, out of
their accounts.
"""

from dataclasses import dataclass
from typing import Final

MOST_FAILURES: Final = 5
"""Wrong passwords for an account, from one network, that cost nothing."""
MOST_OF_NETWORK: Final = 100
"""Wrong passwords a minute from one network, for any accounts. Beyond it, only one for each account costs
nothing. A first try is always looked at, so that a neighbour can lock nobody out."""
FIRST_DELAY: Final = 60.0
"""Seconds; twice as long with every further wrong password."""
LONGEST_DELAY: Final = 900.0
"""Seconds. Somebody who guesses has a hundred tries a day then, and the owner never waits longer."""
REMEMBERED: Final = 86_400.0
"""Seconds for which the last wrong password for an account is remembered."""


@dataclass(frozen=True, slots=True)
class Failures:
    """Wrong passwords so far, from one network."""

    of_account: int = 0
    """For this account."""
    at: float = 0.0
    """When the last of those came, in seconds since 1970 by the store's clock."""
    of_network: int = 0
    """For any account, with no pause of a minute between them."""


def delay(failures: Failures, now: float) -> float:
    """Return the seconds until a password is looked at again; ``now`` is by the store's clock."""
    free = MOST_FAILURES if failures.of_network < MOST_OF_NETWORK else 1
    beyond = failures.of_account - free
    if beyond < 0:
        return 0.0
    length = min(FIRST_DELAY * 2.0 ** min(beyond, 10), LONGEST_DELAY)
    # The clock may have been set back.
    return max(0.0, min(length, failures.at + length - now))
