"""Finding the shard of a Redis Cluster that a chat is on.

All keys of a chat share a hash tag, so it is on one shard. While its slot is moved to another shard, and
while a shard's master is replaced, Redis answers MOVED, ASK, TRYAGAIN or CLUSTERDOWN. Then the connections
are given up, and the slot's owner is looked up again, until there is one that takes everything.
"""

from typing import Any

from redis.crc import key_slot

from tertulia.redis.access import Access, Server
from tertulia.redis.client import Client
from tertulia.redis.errors import FAILURES, MISFORMED, StoreAway, strange, translate
from tertulia.redis.masters import Masters, ask_all, gravest
from tertulia.telemetry.metrics import RetryCause


class Cluster(Masters):
    """The shards of a Redis Cluster, as one chat needs them."""

    is_cluster = True
    asked_at_once = 3

    def __init__(self, access: Access, tag: str) -> None:
        """``tag``: any key of the chat."""
        super().__init__(access)
        self._slot = key_slot(tag.encode())
        self._seeds = [Server(*host) for host in access.url.hosts]
        self._known: list[Server] = []
        self._sent_to: Server | None = None

    def sent_to(self, server: Server) -> None:
        self._sent_to = server

    async def find(self, seconds: float) -> Server:
        if self._sent_to is not None:
            server, self._sent_to = self._sent_to, None
            return server
        refusals: list[StoreAway] = []
        left = list(dict.fromkeys([*self._known, *self._seeds]))
        while left:
            # Only some are asked at a time: a machine that is gone uses up all of the time.
            step, left = left[: self.asked_at_once], left[self.asked_at_once :]
            owners, refused = await ask_all((self._ask(it, seconds) for it in step), 1)
            if owners:
                return owners[0]
            refusals += refused
        self._known = []
        raise gravest(refusals)

    async def _ask(self, node: Server, seconds: float) -> Server:
        try:
            async with self.access.visit(
                node, "tertulia-cluster", seconds, "Redis Cluster"
            ) as redis:
                shards = await redis.execute_command("CLUSTER", "SLOTS")
        except FAILURES as error:
            if "cluster support disabled" in str(error):
                raise StoreAway(
                    RetryCause.OTHER, f"{node} is no Redis Cluster: write redis://"
                ) from error
            away = translate(error)
            raise StoreAway(away.cause, f"{node}: {away}") from error
        known: list[Server] = []
        owner: Server | None = None
        try:
            for first, last, *servers in shards:
                here = [named(it, node.host) for it in servers]
                known += here
                if first <= self._slot <= last:
                    owner = here[0]
        except MISFORMED as error:
            raise strange(node, "Redis Cluster") from error
        if owner is None:
            raise StoreAway(
                RetryCause.CLUSTER, f"no shard of the cluster has the slot {self._slot}"
            )
        # The owner is asked first next time: it is the first to know when the slot moves.
        self._known = list(dict.fromkeys([owner, *known]))
        return owner


async def masters(client: Client, asked: Server) -> set[Server]:
    """Return the masters of all shards, as the server that is asked knows them. Raises StoreAway."""
    told = await client.execute_command("CLUSTER", "SLOTS")
    return {named(shard[2], asked.host) for shard in told}


def named(told: list[Any], asked: str) -> Server:
    """Return a server as a cluster tells it. Without a host, or with ?, it is on the host that was asked."""
    host, port = told[:2]
    return Server(asked if host in (None, "", "?") else str(host), int(port))
