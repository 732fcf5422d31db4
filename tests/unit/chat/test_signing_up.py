"""When an account may be made: a network has its turns, and where registration is closed nobody has."""

import math

import pytest

from fakes.accounts import NoAccounts
from tertulia.chat.signing_up import AccountRules, SigningUp


class Turns(NoAccounts):
    """Notes what is asked; there is a turn in so many seconds."""

    def __init__(self, wait: float = 0.0) -> None:
        self.wait = wait
        self.asked: list[tuple[str, int, bool]] = []

    async def sign_up_wait(self, network: str, per_hour: int, *, take: bool) -> float:
        self.asked.append((network, per_hour, take))
        return self.wait


@pytest.mark.parametrize("wait", [0.0, 12.5])
async def test_the_neighbours_of_a_network_share_its_turns(wait: float) -> None:
    turns = Turns(wait)
    it = SigningUp(turns, AccountRules(sign_ups_per_hour=7))
    assert await it.wait("2001:db8::1") == wait
    assert await it.wait("2001:db8::2", take=True) == wait
    assert await it.wait("::ffff:192.0.2.1") == wait
    assert turns.asked == [
        ("2001:db8::/64", 7, False),
        ("2001:db8::/64", 7, True),
        ("192.0.2.1", 7, False),
    ]


async def test_where_registration_is_closed_there_is_never_a_turn() -> None:
    turns = Turns()
    it = SigningUp(turns, AccountRules(registration="closed"))
    assert await it.wait("192.0.2.1", take=True) == math.inf
    assert turns.asked == []
