"""How long a password is not looked at, where wrong ones were tried before.

By account and network, so that nobody keeps others out of their accounts, nor their owner who is elsewhere.
"""

from dataclasses import dataclass
from typing import Final

MOST_FAILURES: Final = 5
"""Wrong passwords for an account, from one network, that cost nothing."""
MOST_OF_NETWORK: Final = 100
"""Wrong passwords a minute from one network, for whatever accounts; beyond it, only one of an account's costs
nothing. A first try is always looked at, so that nobody is locked out by his neighbour."""
FIRST_DELAY: Final = 60.0
"""Seconds; twice as long with every further one."""
LONGEST_DELAY: Final = 900.0
"""Seconds; whoever guesses has a hundred tries a day then, and the owner waits for no longer."""
REMEMBERED: Final = 86_400.0
"""Seconds for which the last wrong password for an account is remembered."""


@dataclass(frozen=True, slots=True)
class Failures:
    """Wrong passwords so far, from one network."""

    of_account: int = 0
    """For this account."""
    at: float = 0.0
    """When the last of those was, in seconds since 1970 by the store's clock."""
    of_network: int = 0
    """For any account, without a minute's pause."""


def delay(failures: Failures, now: float) -> float:
    """Return the seconds until a password is looked at again; ``now`` by the store's clock."""
    free = MOST_FAILURES if failures.of_network < MOST_OF_NETWORK else 1
    beyond = failures.of_account - free
    if beyond < 0:
        return 0.0
    length = min(FIRST_DELAY * 2.0 ** min(beyond, 10), LONGEST_DELAY)
    # The clock may have been set back.
    return max(0.0, min(length, failures.at + length - now))
