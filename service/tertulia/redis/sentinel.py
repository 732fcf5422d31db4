"""Asking Sentinels for the master.

One Sentinel alone may be wrong: if it is cut off from the others, it still names the master from before a
failover. So the majority is waited for, and the Sentinel that knows of the latest failover (the highest
configuration epoch) is believed.
"""

from typing import Any

from tertulia.redis.access import Access, Server
from tertulia.redis.errors import StoreAway
from tertulia.redis.masters import Masters, first_answers
from tertulia.telemetry.metrics import RetryCause

_MOMENT = 0.05


class Sentinels(Masters):
    """The Sentinels of a URL."""

    def __init__(self, access: Access, seconds: float) -> None:
        super().__init__(access, seconds)
        self._sentinels = [Server(*host) for host in access.url.hosts]
        self.asked_at_once = len(self._sentinels)

    async def find(self) -> Server:
        # When most have answered, the others have a moment more: one may know something newer.
        most = len(self._sentinels) // 2 + 1
        claims = await first_answers(self._ask, self._sentinels, most, _MOMENT)
        return max(claims, key=lambda claim: claim[0])[1]

    async def _ask(self, sentinel: Server) -> tuple[int, Server]:
        """Return the configuration epoch (roughly: of how many failovers it knows), and the master."""
        name = self.access.url.master
        try:
            async with self.access.visit(
                sentinel, "tertulia-sentinel", self.seconds, "Sentinel"
            ) as redis:
                told: Any = await redis.sentinel_master(name)
                return told["config-epoch"], Server(told["ip"], told["port"])
        except StoreAway as away:
            if "No such master" in str(away):
                raise StoreAway(
                    RetryCause.OTHER, f"the Sentinel at {sentinel} knows no master named {name}"
                ) from away
            if "unknown command" in str(away):
                raise StoreAway(RetryCause.OTHER, f"{sentinel} is no Sentinel") from away
            raise
