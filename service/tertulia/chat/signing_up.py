"""Whether somebody may make an account, and what else operators decide about accounts."""

import math
from dataclasses import dataclass

from tertulia.chat.accounts import Accounts
from tertulia.domain.networks import network_of


@dataclass(frozen=True, slots=True)
class AccountRules:
    """What operators have decided; see the settings of the same names."""

    is_registration_open: bool = True
    sign_ups_per_hour: int = 30
    tells_addresses_unanswered: bool = True
    """Whether the address of a device is told also to who waits for it and was never answered."""


class SigningUp:
    """Gives the turns to make an account: a network has so many an hour, so that nobody takes all hashing."""

    def __init__(self, accounts: Accounts, rules: AccountRules) -> None:
        self._accounts = accounts
        self._rules = rules

    async def wait(self, address: str, *, take: bool = False) -> float:
        """Return the seconds until somebody at an address may make an account.

        0: he may now, and with ``take`` he has that turn; infinity: nobody may. A turn is taken before a
        password is hashed, so that many who ask at once get no more than there are.
        """
        if not self._rules.is_registration_open:
            return math.inf
        per_hour = self._rules.sign_ups_per_hour
        return await self._accounts.sign_up_wait(network_of(address), per_hour, take=take)
