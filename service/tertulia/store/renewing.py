"""Keeping the tokens of the sessions that are here: who only reads writes nothing that would renew them."""

import asyncio
from typing import Final

from tertulia.chat.ports import Follower
from tertulia.redis.link import Link
from tertulia.store.keys import Keys

TOKEN_MS: Final = 3_900_000
"""For how long Redis keeps a token, as commit.lua has it."""
EVERY_SECONDS: Final = 300.0
"""Between two renewals of a token: so it is good for an hour after its connection, or its node, was lost."""
STEP: Final = 100
"""Tokens that are renewed in one round: ten thousand take a minute."""


class TokenRenewal:
    """Renews the tokens of this node's sessions, a few at a time."""

    def __init__(self, keys: Keys, link: Link, follower: Follower) -> None:
        self._keys = keys
        self._link = link
        self._follower = follower
        self._clock = asyncio.get_running_loop().time
        self._next = self._clock() + EVERY_SECONDS
        self._waiting: list[str] = []

    async def round(self) -> None:
        """Renew some of those that are due. Raises StoreAway."""
        if not self._waiting and self._clock() >= self._next:
            self._next = self._clock() + EVERY_SECONDS
            self._waiting = list(self._follower.tokens())
        step = self._waiting[-STEP:]
        await self._link.ask(*(("PEXPIRE", self._keys.token(token), TOKEN_MS) for token in step))
        del self._waiting[-STEP:]  # not before: what was not answered is asked again
