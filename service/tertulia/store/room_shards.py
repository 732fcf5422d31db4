"""Which master each further room is on: without a cluster the only one, else that of its slot."""

import asyncio
from collections.abc import Callable, Iterator

from redis.crc import key_slot

from tertulia.redis.access import Server
from tertulia.redis.cluster import Shard, ShardMap
from tertulia.redis.errors import StoreAway
from tertulia.redis.masters import Masters
from tertulia.redis.multiplexer import Multiplexer
from tertulia.redis.rounds import Rounds
from tertulia.settings.sections import ClusterSettings
from tertulia.store.keys import RoomKeys
from tertulia.store.room import FollowedRoom
from tertulia.store.room_shard import RoomShard
from tertulia.telemetry.metrics import Metrics, RetryCause

_FRESH_SECONDS = 1.0
"""For how long slots are not looked up again."""


class RoomShards:
    """The masters on which a chat has further rooms."""

    def __init__(
        self,
        masters: Masters,
        redis: Multiplexer,
        settings: ClusterSettings,
        metrics: Metrics,
        late: Callable[[list[FollowedRoom]], object],
        behind: Callable[[list[FollowedRoom]], object],
        *,
        is_replicated: bool,
    ) -> None:
        """``masters`` find the chat's own. For the rest see ``RoomBus`` and ``RoomCommitter``."""
        self._late = late
        self._is_replicated = is_replicated
        self._masters = masters
        self._redis = redis
        self._settings = settings
        self._metrics = metrics
        self._behind = behind
        self._failed: Callable[[BaseException], object] | None = None  # while it runs
        self._all: list[RoomShard] = []
        # In a cluster: the ranges of slots, and the shard that was made for each range's master.
        self._map = ShardMap(redis.access, redis.seconds)
        self._ranges: list[Shard] = []
        self._by_server: dict[Server, RoomShard] = {}
        self._slots: dict[RoomShard, int] = {}
        """By a slot of each, its master is found."""
        self._looked_at = float("-inf")
        self._looking: Rounds[None] = Rounds()

    def __iter__(self) -> Iterator[RoomShard]:
        return iter(self._all)

    def start(self, failed: Callable[[BaseException], object]) -> None:
        """Follow and commit on all of them, also on those that come later."""
        self._failed = failed
        for shard in self._all:
            shard.start(failed)

    async def stop(self) -> None:
        """Follow and commit nothing more."""
        self._failed = None
        await asyncio.gather(*(shard.stop() for shard in self._all))

    async def of(self, room: RoomKeys) -> RoomShard:
        """Return the shard of a room. Raises StoreAway."""
        if not self._masters.is_cluster:
            return self._all[0] if self._all else self._make(self._masters)
        if not self._ranges:
            await self._looking.join(self._look)
        slot = key_slot(room.meta.encode())
        server = self._master_of(slot)
        shard = self._by_server.get(server)
        if shard is None:
            shard = self._by_server[server] = self._make(self._map.masters(slot))
            self._slots[shard] = slot
        return shard

    async def moved(self) -> None:
        """Look up where the slots are, because a room was not where it was thought to be."""
        now = asyncio.get_running_loop().time()
        if self._masters.is_cluster and now - self._looked_at >= _FRESH_SECONDS:
            self._looked_at = now
            await self._looking.join(self._look)

    def _master_of(self, slot: int) -> Server:
        for first, last, servers in self._ranges:
            if first <= slot <= last:
                return servers[0]
        self._ranges = []
        raise StoreAway(RetryCause.CLUSTER, f"no shard of the cluster has the slot {slot}")

    async def _look(self) -> None:
        self._ranges = await self._map.ranges()
        # A shard whose master was replaced is found by its new one.
        for server, shard in list(self._by_server.items()):
            now = self._master_of(self._slots[shard])
            if now != server:
                del self._by_server[server]
                if now not in self._by_server:
                    self._by_server[now] = shard
                shard.disconnect()

    def _make(self, masters: Masters) -> RoomShard:
        shard = RoomShard(
            masters, self._redis, self._settings, self._metrics, self._late, self._behind,
            is_replicated=self._is_replicated,
        )  # fmt: skip

        self._all.append(shard)
        if self._failed is not None:
            shard.start(self._failed)
        return shard
