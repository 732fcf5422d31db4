"""Tidying up after a chat was closed: the nicknames of its earlier sittings, in bounded steps.

They are free from the moment of the closing; only their hashes are still there.
"""

from tertulia.store.errors import StoreAway
from tertulia.store.keys import Keys
from tertulia.store.link import Link
from tertulia.store.membership import Membership
from tertulia.store.scripts import SWEEP

_STEP_NICKS = 200


class Sweeper:
    """Sweeps what this node held."""

    def __init__(self, keys: Keys, link: Link, member: Membership) -> None:
        self._keys = keys
        self._link = link
        self._member = member
        self._due = False

    def chat_was_closed(self) -> None:
        """Sweep in the next round."""
        self._due = True

    async def round(self) -> None:
        """Sweep, if there is anything to."""
        if not self._due:
            return
        self._due = False
        try:
            await self._sweep()
        except StoreAway:
            self._due = True
            raise

    async def _sweep(self) -> None:
        keys, node = self._keys, self._member.node
        cursor = b"0"
        while True:
            cursor, found = await self._link.call(
                "SSCAN", keys.nicks(node), cursor, "COUNT", _STEP_NICKS
            )
            nicks = [nick.decode() for nick in found]
            if nicks:
                await self._link.run(
                    SWEEP,
                    [keys.meta, keys.nicks(node), *(keys.nick(nick) for nick in nicks)],
                    [node, *nicks],
                )
            if cursor == b"0":
                return
