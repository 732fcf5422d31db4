"""Burying nodes that died: announce their sessions as gone, free their nicknames, return their letters.

Any node may bury another. Every step is one bounded script. The burying node may die as well: then another
node goes on where it stopped.
"""

import asyncio
import re

import structlog

from tertulia.chat.ports import ReportOp
from tertulia.domain.events import Whispered
from tertulia.domain.nicknames import fold
from tertulia.redis.hot import Argument
from tertulia.redis.link import Link
from tertulia.settings.sections import ClusterSettings
from tertulia.store.committer import Committer
from tertulia.store.failure_detector import FailureDetector, Lease
from tertulia.store.keys import Keys
from tertulia.store.membership import Membership
from tertulia.store.room_burials import RoomBurials
from tertulia.store.scripts import BURY, CONDEMN, FORGET, TAKE_OUT, UNWAIT
from tertulia.store.wire import parse_letters
from tertulia.telemetry.metrics import Metrics

_STEP_NICKS = 200
_STEP_LETTERS = 500
_CLAIM_MS = 5_000

log = structlog.get_logger(__name__)


class Burials:
    """Watches the leases of a chat's nodes."""

    def __init__(
        self,
        keys: Keys,
        link: Link,
        member: Membership,
        committer: Committer,
        settings: ClusterSettings,
        metrics: Metrics,
        *,
        rooms: RoomBurials,
        room: str,
        alone: bool,
    ) -> None:
        """``room``: the channel to publish entries on; empty where the next commit publishes them.

        ``alone``: no other node can reach this Redis, so all others are dead.
        """
        self._rooms = rooms
        self._room = room
        self._keys = keys
        self._link = link
        self._member = member
        self._committer = committer
        self._settings = settings
        self._metrics = metrics
        self._alone = alone
        self._clock = asyncio.get_running_loop().time
        self._detector = FailureDetector(
            settings.lease_seconds, settings.silence_seconds, settings.heartbeat_seconds
        )

    async def round(self) -> None:
        """Look at the leases once, and bury the nodes that are dead."""
        found = await self._link.call("ZRANGE", self._keys.leases, 0, -1, "WITHSCORES")
        at, healthy_since = self._clock(), self._committer.healthy_since
        leases = [
            Lease(node.decode(), float(expiry))
            for node, expiry in zip(found[::2], found[1::2], strict=True)
            if node.decode() != self._member.node
        ]
        self._committer.knows({lease.node for lease in leases})
        if healthy_since is None:
            return
        if self._alone:
            dead = leases
        else:
            redis_now = None if self._detector.has_looked else await self._time_before()
            suspects = self._detector.look(leases, at, healthy_since, redis_now)
            dead = suspects.over + await self._deserted(suspects.silent)
        for lease in dead:
            await self._bury(lease)
        await self._rooms.round(healthy_since)

    async def _time_before(self) -> float | None:
        """Return Redis' clock, in milliseconds, if Redis was up for longer than a lease; else None."""
        server, (seconds, micros) = await self._link.ask(("INFO", "server"), ("TIME",))
        uptime = re.search(rb"uptime_in_seconds:(\d+)", server)
        if uptime is None or int(uptime[1]) <= self._settings.lease_seconds:
            return None
        return int(seconds) * 1000 + int(micros) / 1000

    async def _deserted(self, silent: list[Lease]) -> list[Lease]:
        """Return the leases whose node's channel nobody subscribes to: that process is gone."""
        if not silent:
            return []
        channels = [self._keys.channel(lease.node) for lease in silent]
        counts = await self._link.subscribers(channels)
        return [lease for lease, count in zip(silent, counts, strict=True) if count == 0]

    async def _bury(self, lease: Lease) -> None:
        keys, dead, own = self._keys, lease.node, self._member.node
        claimed = await self._link.run(
            CONDEMN,
            [keys.leases, keys.burial(dead)],
            [dead, repr(lease.expiry), own, _CLAIM_MS],
        )
        if not claimed:
            return
        log.warning("burying a node", chat=keys.chat, dead=dead)
        await self._rooms.condemn(dead)
        await asyncio.gather(self._rooms.bury(dead), self._free_all_nicknames(dead))
        if not await self._return_letters(dead):
            return
        await self.release_waiting(dead)
        forgotten = await self._link.run(FORGET, forget_keys(keys, dead), [dead])
        if forgotten:
            self._metrics.burials.inc()
            log.warning("buried a node", chat=keys.chat, dead=dead)

    async def _free_all_nicknames(self, dead: str) -> None:
        while await self._free_nicknames(dead):
            pass

    async def _free_nicknames(self, dead: str) -> bool:
        keys, settings = self._keys, self._settings
        nicks = [
            nick.decode()
            for nick in await self._link.call("SRANDMEMBER", keys.nicks(dead), _STEP_NICKS)
        ]
        left = await self._link.run(
            BURY,
            [
                *(keys.meta, keys.log, keys.marks, keys.members, keys.leases),
                *(keys.nicks(dead), keys.burial(dead)),
                *(keys.nick(nick) for nick in nicks),
            ],
            [
                *(self._member.node, dead),
                *(round(settings.log_age_seconds * 1000), settings.log_bytes),
                *(self._room, _CLAIM_MS),
                *nicks,
            ],
        )
        return int(left) > 0

    async def release_waiting(self, dead: str) -> None:
        """Put those devices offchat that waited on a connection to the dead node."""
        waiting = self._keys.waiting(dead)
        while True:
            names = [
                name.decode() for name in await self._link.call("SRANDMEMBER", waiting, _STEP_NICKS)
            ]
            devices = [self._keys.device(name) for name in names]
            if not await self._link.run(UNWAIT, [waiting, *devices], [dead, *names]):
                return

    async def _return_letters(self, dead: str) -> bool:
        """Report to their senders the whispers that the dead node had not confirmed.

        Returns False if that took so long that another node has claimed the burial.
        """
        inbox, burial = self._keys.inbox(dead), self._keys.burial(dead)
        while page := await self._link.call("LRANGE", inbox, 0, _STEP_LETTERS - 1):
            last = 0
            for delivery in parse_letters(page):
                last, letter = delivery.number, delivery.event
                if isinstance(letter, Whispered):
                    self._metrics.undelivered.inc()
                    self._committer.submit(
                        ReportOp(
                            letter.sender_session,
                            fold(letter.sender),
                            letter.recipient,
                            letter.text,
                            number=0,
                            tag=letter.tag,
                        )
                    )
            await self._committer.settle_submitted()
            args: list[Argument] = [self._member.node, last, _CLAIM_MS]
            if not await self._link.run(TAKE_OUT, [inbox, burial], args):
                return False
        return True


def forget_keys(keys: Keys, node: str) -> list[str]:
    """Return the KEYS of the script that ends a node's registration."""
    return [
        *(keys.leases, keys.batches, keys.inboxes),
        *(keys.nicks(node), keys.inbox(node), keys.waiting(node), keys.burial(node)),
        keys.node_info(node),
    ]
