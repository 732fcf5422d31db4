"""A node's connections to Redis: one to each master for each use, shared by all chats on that master."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from functools import partial

from tertulia.redis.access import Access, Server, hand_over
from tertulia.redis.client import Client
from tertulia.redis.errors import StoreAway
from tertulia.redis.hot import HotConnection
from tertulia.redis.masters import Masters
from tertulia.redis.rounds import Rounds
from tertulia.redis.topology import servers_of

_FINDERS = 4
"""How many chats of a cluster look for their shard at once."""


@dataclass(eq=False, slots=True)
class Shared:
    """One connection, and its holders."""

    connection: HotConnection
    server: Server
    run_id: bytes
    is_sharded: bool
    """Whether its server publishes to a channel's own shard only."""
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
        self._servers: Masters | None = None
        self._clients: dict[Masters, Client] = {}
        # By use and, in a cluster, by server too. Outside a cluster there is one master, wherever it is.
        self._open: dict[tuple[str, Server | None], Shared] = {}
        self._making: dict[tuple[str, Server | None], Rounds[Shared]] = {}
        self._finding = asyncio.Semaphore(_FINDERS)
        self._confirming: Rounds[None] = Rounds()

    def servers(self, key: str) -> Masters:
        """Return the Masters that finds a key's master: in a cluster one for each chat, else one for all."""
        if self._servers is None or self._servers.is_cluster:
            self._servers = servers_of(self.access, key)
        return self._servers

    def client(self, servers: Masters, name: str) -> Client:
        """Return the redis-py client for those servers; ``name`` is its connection's."""
        if servers not in self._clients:
            self._clients[servers] = Client(servers, name, self.seconds)
        return self._clients[servers]

    def most_connections(self, uses: int) -> int:
        """Return how many connections may be made at once, for so many uses, when Redis comes back."""
        masters = {it.server for it in self._open.values() if not it.connection.is_over}
        asked = self._servers.asked_at_once if self._servers is not None else 0
        if self._servers is not None and self._servers.is_cluster:
            return uses * len(masters) + _FINDERS * asked
        return uses * (1 + asked) + asked

    async def connected(self, servers: Masters, use: str) -> Shared:
        """Return a connection to the server that is the master now. Raises StoreAway."""
        where = None
        if servers.is_cluster:
            async with self._finding:
                where = await servers.find(self.seconds)
        rounds = self._making.setdefault((use, where), Rounds())
        return await rounds.join(partial(self._usable, servers, use, where))

    async def confirm(self, servers: Masters) -> None:
        """Make sure that the connected server is still the master.

        If it is not, drop all links and raise StoreAway.
        """
        if not servers.is_cluster:  # the shards of a cluster answer MOVED themselves
            await self._confirming.join(partial(servers.confirm, self.seconds))

    async def watch(self, every: float) -> None:
        """Check again and again: leave a server that is no longer the master, though it may believe so."""
        while True:
            await asyncio.sleep(every)
            if self._servers is not None:
                with contextlib.suppress(StoreAway):  # the links' own users see to it
                    await self.confirm(self._servers)

    async def _usable(self, servers: Masters, use: str, where: Server | None) -> Shared:
        shared = self._open.get((use, where))
        if shared is not None and not shared.connection.is_over:
            # A caller had some trouble, else it would not ask; but Redis may have answered all the same.
            await self.confirm(servers)
            if not shared.connection.is_over:
                return shared
        server = where or await servers.find(self.seconds)
        shared = self._open[use, where] = await self._make(servers, use, server)
        for key, other in list(self._open.items()):
            if key[1] == where and (other.server, other.run_id) != (server, shared.run_id):
                other.connection.end()
            if other.connection.is_over:
                del self._open[key]
        return shared

    async def _make(self, servers: Masters, use: str, server: Server) -> Shared:
        """Connect, and make sure that a master answers: a replica would take a PUBLISH."""
        master = await servers.master_at(server, use, self.seconds)
        return Shared(hand_over(master.made), server, master.run_id, master.is_sharded)
