"""A node's connections to Redis: one to each master for each use, shared by all chats on that master."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from functools import partial

from tertulia.redis.access import Access, Server
from tertulia.redis.cluster import Cluster
from tertulia.redis.commands import Commands
from tertulia.redis.errors import StoreAway, failing
from tertulia.redis.hot import HotConnection
from tertulia.redis.masters import Masters, identify, replaced
from tertulia.redis.rounds import Rounds
from tertulia.redis.sentinel import Sentinels
from tertulia.settings.redis_url import RedisKind

_FINDERS = 4
"""How many chats of a cluster look for their shard at once."""


@dataclass(eq=False, slots=True)
class Shared:
    """One connection, and its holders."""

    connection: HotConnection
    server: Server
    run_id: str
    holders: set[object] = field(default_factory=set)
    replicas: Rounds[int] = field(default_factory=Rounds)
    """Rounds of waiting until a replica has all that was written on the connection."""

    def let_go(self, holder: object) -> None:
        """Remove a holder. The connection ends with its last holder."""
        self.holders.discard(holder)
        if not self.holders:
            self.connection.end()


class Multiplexer:
    """Makes connections, and shares each among all chats with the same use. It ends with its last holder."""

    def __init__(self, access: Access, seconds: float) -> None:
        """``seconds``: how long Redis may take to answer."""
        self.access = access
        self.seconds = seconds
        self._masters: Masters | None = None
        # By use and, in a cluster, by server too. Outside a cluster there is one master, wherever it is.
        self._open: dict[tuple[str, Server | None], Shared] = {}
        self._making: dict[tuple[str, Server | None], Rounds[Shared]] = {}
        self._finding = asyncio.Semaphore(_FINDERS)

    def masters(self, key: str) -> Masters:
        """Return what finds a key's master: in a cluster one for each chat, else one for all."""
        if self.access.url.kind is RedisKind.CLUSTER:
            self._masters = Cluster(self.access, self.seconds, key)
        elif self._masters is None:
            kind = Sentinels if self.access.url.kind is RedisKind.SENTINEL else Masters
            self._masters = kind(self.access, self.seconds)
        return self._masters

    def most_connections(self, uses: int) -> int:
        """Return how many connections may be made at once, for so many uses, when Redis comes back."""
        asked = self._masters.asked_at_once if self._masters is not None else 0
        if self._masters is not None and self._masters.is_cluster:
            there = {link.server for link in self._open.values() if not link.connection.is_over}
            return uses * len(there) + _FINDERS * asked
        return uses * (1 + asked) + asked

    async def connected(self, masters: Masters, use: str) -> Shared:
        """Return a connection to the server that is the master now. Raises StoreAway."""
        where = None
        if masters.is_cluster:
            async with self._finding:
                where = await masters.find()
        rounds = self._making.setdefault((use, where), Rounds())
        return await rounds.join(partial(self._usable, masters, use, where))

    async def watch(self, every: float) -> None:
        """Check again and again: leave a server that is no longer the master, though it may believe so."""
        while True:
            await asyncio.sleep(every)
            if self._masters is not None:
                with contextlib.suppress(StoreAway):  # the links' own users see to it
                    await self._masters.confirm()

    async def _usable(self, masters: Masters, use: str, where: Server | None) -> Shared:
        shared = self._open.get((use, where))
        if shared is not None and not shared.connection.is_over:
            # A caller had some trouble, else it would not ask; but Redis may have answered all the same.
            await masters.confirm()
            if not shared.connection.is_over:
                return shared
        server = where or await masters.find()
        shared = self._open[use, where] = await self._make(masters, use, server)
        for key, other in list(self._open.items()):
            if key[1] == where and (other.server, other.run_id) != (server, shared.run_id):
                other.connection.end()
            if other.connection.is_over:
                del self._open[key]
        return shared

    async def _make(self, masters: Masters, use: str, server: Server) -> Shared:
        connection = await self.access.connect(server, use, self.seconds)
        try:
            with failing(server):
                redis = Commands(partial(connection.ask, self.seconds))
                run_id, is_sharded = await identify(redis, server, is_cluster=masters.is_cluster)
            # It may have been frozen until now, and still answer as a master though it was replaced.
            if await masters.successor(server) is not None:
                raise replaced(server)
        except BaseException:
            connection.end()
            raise
        connection.is_sharded = is_sharded
        return Shared(connection, server, run_id)
