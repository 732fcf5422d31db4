"""Comparing the sessions that Redis has for a node with its real ones, and removing the rest in steps.

After a chat was closed, the nicknames of its earlier generations are free, but their hashes are still there.
After Redis lost data, it may have sessions of this node that left long ago: no other node removes those.
"""

import asyncio

from tertulia.chat.ports import Follower, LeaveOp
from tertulia.redis.errors import StoreAway
from tertulia.redis.link import Link
from tertulia.store.committer import Committer
from tertulia.store.keys import Keys
from tertulia.store.membership import Membership
from tertulia.store.scripts import SWEEP

_STEP_NICKS = 200


class Sweeper:
    """Sweeps the nicknames that this node holds in Redis."""

    def __init__(
        self,
        keys: Keys,
        link: Link,
        member: Membership,
        follower: Follower,
        committer: Committer,
        every: float,
    ) -> None:
        """``every``: seconds between two looks at the nicknames that this node holds in Redis."""
        self._keys = keys
        self._link = link
        self._member = member
        self._follower = follower
        self._committer = committer
        self._every = every
        self._clock = asyncio.get_running_loop().time
        self._next = self._clock() + every
        self._was_closed = False

    def chat_was_closed(self) -> None:
        """Sweep all nicknames in the next round."""
        self._was_closed = True
        self.look_soon()

    def look_soon(self) -> None:
        """Look in the next round."""
        self._next = float("-inf")

    async def round(self) -> None:
        """Look, if it is time to."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + self._every
        was_closed, self._was_closed = self._was_closed, False
        try:
            await self._sweep(set() if was_closed else set(self._follower.sessions().values()))
        except StoreAway:
            self._was_closed = self._was_closed or was_closed
            self.look_soon()
            raise

    async def _sweep(self, here: set[str]) -> None:
        """Look at all nicknames that this node holds in Redis, except for those in ``here``."""
        name, cursor = self._keys.nicks(self._member.node), b"0"
        while True:
            cursor, found = await self._link.call("SSCAN", name, cursor, "COUNT", _STEP_NICKS)
            await self._see(name, [nick for it in found if (nick := it.decode()) not in here])
            if cursor == b"0":
                return

    async def _see(self, name: str, nicks: list[str]) -> None:
        """Sweep some nicknames, and submit a leave for each whose session is not on this node."""
        if not nicks:
            return
        keys = [self._keys.meta, name, *(self._keys.nick(nick) for nick in nicks)]
        held = await self._link.run(SWEEP, keys, [self._member.node, *nicks])
        here = self._follower.sessions()  # read again: somebody may have come since
        for nick, session, nickname in zip(*[(it.decode() for it in held)] * 3, strict=True):
            if session not in here:
                self._committer.submit(LeaveOp(session, nick, nickname))
