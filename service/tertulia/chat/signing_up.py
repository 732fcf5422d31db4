"""Whether somebody may make an account, and the operators' other rules for accounts."""

import math
from dataclasses import dataclass

from tertulia.chat.accounts import Accounts
from tertulia.dialects.contract import Registration
from tertulia.domain.networks import network_of


@dataclass(frozen=True, slots=True)
class AccountRules:
    """The operators' rules for accounts; see the settings of the same names."""

    registration: Registration = "open"
    sign_ups_per_hour: int = 30
    tells_addresses_unanswered: bool = True
    """Whether a user who waits for another, and was never answered, also gets the other's address."""


class SigningUp:
    """Gives turns to make an account: so many an hour for a network, so that nobody takes all hashing."""

    def __init__(self, accounts: Accounts, rules: AccountRules) -> None:
        self._accounts = accounts
        self._rules = rules

    async def wait(self, address: str, *, take: bool = False, invited: bool = False) -> float:
        """Return the seconds until somebody at an address may make an account.

        0: they may now, and with ``take`` they have that turn; infinity: nobody may. A turn is taken before a
        password is hashed, so that many who ask at once get no more turns than there are. ``invited``: they
        have an invitation, which is looked at when the account is made.
        """
        registration = self._rules.registration
        if registration == "closed" or (registration == "invited" and not invited):
            return math.inf
        per_hour = self._rules.sign_ups_per_hour
        return await self._accounts.sign_up_wait(network_of(address), per_hour, take=take)
