"""Asking Sentinels for the master.

One Sentinel alone may be wrong: cut off from the others, it still names the master of before a failover.
So most of them are waited for, and who knows of the latest failover (the highest configuration epoch) is
believed.
"""

import asyncio
from dataclasses import dataclass

from hiredis import HiredisError

from tertulia.redis.access import Access, Server
from tertulia.redis.errors import MISFORMED, ErrorReply, StoreAway, strange, translate
from tertulia.redis.masters import Servers
from tertulia.telemetry.metrics import RetryCause

_MOMENT = 0.05


@dataclass(frozen=True, slots=True)
class Claim:
    """What one Sentinel says."""

    master: Server
    epoch: int
    """How many failovers it knows of, about."""


def believed(claims: list[Claim]) -> Server:
    """Return the master by whoever knows of the latest failover."""
    return max(claims, key=lambda claim: claim.epoch).master


class Sentinels(Servers):
    """The Sentinels of a URL."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._sentinels = [Server(*host) for host in access.url.hosts]
        self.asked_at_once = len(self._sentinels)

    async def find(self, seconds: float) -> Server:
        claims: list[Claim] = []
        refusals: list[StoreAway] = []
        asking = {asyncio.create_task(self._ask(it, seconds)) for it in self._sentinels}
        try:
            while asking:
                # A moment more for the others once most have spoken: one may know something newer.
                patience = _MOMENT if 2 * len(claims) > len(self._sentinels) else None
                done, asking = await asyncio.wait(
                    asking, timeout=patience, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    break
                for task in done:
                    try:
                        claims.append(task.result())
                    except StoreAway as error:
                        refusals.append(error)
        finally:
            for task in asking:
                task.cancel()
            if asking:
                await asyncio.wait(asking)
        if not claims:
            raise next((it for it in refusals if it.is_final), refusals[0])
        return believed(claims)

    async def successor(self, server: Server, seconds: float) -> Server | None:
        try:
            named = await self.find(seconds)
        except StoreAway:
            return None  # what is connected may go on without them
        return None if named == server else named

    async def _ask(self, sentinel: Server, seconds: float) -> Claim:
        name = self.access.url.master
        try:
            connection = await self.access.connect_to_sentinel(
                sentinel, "tertulia-sentinel", seconds
            )
            try:
                (reply,) = await connection.ask(seconds, ("SENTINEL", "MASTER", name))
            finally:
                connection.end()
            told = dict(zip(reply[::2], reply[1::2], strict=True))
            master = Server(told[b"ip"].decode(), int(told[b"port"]))
            return Claim(master, int(told[b"config-epoch"]))
        except MISFORMED as error:
            raise strange(sentinel, "Sentinel") from error
        except (ErrorReply, HiredisError, OSError) as error:
            text = str(error)
            if "No such master" in text:
                raise StoreAway(
                    RetryCause.OTHER, f"the Sentinel at {sentinel} knows no master named {name}"
                ) from error
            if "unknown command" in text:
                raise StoreAway(RetryCause.OTHER, f"{sentinel} is no Sentinel") from error
            away = translate(error)
            raise StoreAway(away.cause, f"the Sentinel at {sentinel}: {away}") from error
