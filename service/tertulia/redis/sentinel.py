"""Asking Sentinels for the master.

One Sentinel alone may be wrong: if it is cut off from the others, it still names the master from before a
failover. So the majority is waited for, and the Sentinel that knows of the latest failover (the highest
configuration epoch) is believed.
"""

from dataclasses import dataclass
from typing import Any

from tertulia.redis.access import Access, Server
from tertulia.redis.errors import FAILURES, MISFORMED, StoreAway, strange, translate
from tertulia.redis.masters import Masters, ask_all, gravest
from tertulia.telemetry.metrics import RetryCause

_MOMENT = 0.05


@dataclass(frozen=True, slots=True)
class Claim:
    """The answer of one Sentinel."""

    master: Server
    epoch: int
    """Roughly how many failovers it knows of."""


def believed(claims: list[Claim]) -> Server:
    """Return the master that the Sentinel with the latest failover names."""
    return max(claims, key=lambda claim: claim.epoch).master


class Sentinels(Masters):
    """The Sentinels of a URL."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._sentinels = [Server(*host) for host in access.url.hosts]
        self.asked_at_once = len(self._sentinels)

    async def find(self, seconds: float) -> Server:
        # When most have answered, the others have a moment more: one may know something newer.
        claims, refusals = await ask_all(
            (self._ask(it, seconds) for it in self._sentinels),
            len(self._sentinels) // 2 + 1,
            _MOMENT,
        )
        if not claims:
            raise gravest(refusals)
        return believed(claims)

    async def successor(self, server: Server, seconds: float) -> Server | None:
        try:
            named = await self.find(seconds)
        except StoreAway:
            return None  # the connected server may go on without Sentinels
        return None if named == server else named

    async def _ask(self, sentinel: Server, seconds: float) -> Claim:
        name = self.access.url.master
        try:
            async with self.access.visit_sentinel(sentinel, "tertulia-sentinel", seconds) as redis:
                told: Any = await redis.sentinel_master(name)
            return Claim(Server(told["ip"], told["port"]), told["config-epoch"])
        except MISFORMED as error:
            raise strange(sentinel, "Sentinel") from error
        except FAILURES as error:
            text = str(error)
            if "No such master" in text:
                raise StoreAway(
                    RetryCause.OTHER, f"the Sentinel at {sentinel} knows no master named {name}"
                ) from error
            if "unknown command" in text:
                raise StoreAway(RetryCause.OTHER, f"{sentinel} is no Sentinel") from error
            away = translate(error)
            raise StoreAway(away.cause, f"the Sentinel at {sentinel}: {away}") from error
