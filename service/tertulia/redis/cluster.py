"""Finding the shard of a Redis Cluster that a chat is on.

All keys of a chat share a hash tag, so it is on one shard. While its slot is moved to another shard, and
while a shard's master is replaced, Redis answers MOVED, ASK, TRYAGAIN or CLUSTERDOWN. Then the connections
are given up, and the slot's owner is looked up again, until there is one that takes everything.
"""

from typing import Any

from redis.crc import key_slot

from tertulia.redis.access import Access, Server
from tertulia.redis.commands import Commands
from tertulia.redis.errors import StoreAway
from tertulia.redis.masters import Masters, first_answers, gravest
from tertulia.telemetry.metrics import RetryCause

Shard = tuple[int, int, list[Server]]
"""The first and the last slot of a range, and the servers that have it; the first is the master."""


class Cluster(Masters):
    """The shards of a Redis Cluster, as one chat needs them."""

    is_cluster = True
    asked_at_once = 3

    def __init__(self, access: Access, seconds: float, tag: str) -> None:
        """``tag``: any key of the chat."""
        super().__init__(access, seconds)
        self.slot = key_slot(tag.encode())
        self._seeds = [Server(*host) for host in access.url.hosts]
        self._known: list[Server] = []
        self._sent_to: Server | None = None

    def sent_to(self, server: Server) -> None:
        self._sent_to = server

    async def find(self) -> Server:
        server, self._sent_to = self._sent_to, None
        if server is not None:
            return server
        refusals: list[StoreAway] = []
        servers, step = list(dict.fromkeys([*self._known, *self._seeds])), self.asked_at_once
        for at in range(0, len(servers), step):
            # Only some are asked at a time: a machine that is gone uses up all of the time.
            try:
                return (await first_answers(self._ask, servers[at : at + step]))[0]
            except StoreAway as error:
                refusals.append(error)
        self._known = []
        raise gravest(refusals)

    async def successor(self, server: Server) -> Server | None:
        return None  # a shard that was replaced answers MOVED itself

    async def _ask(self, node: Server) -> Server:
        found = await shards(self.access, node, self.seconds)
        owner = next((it[0] for first, last, it in found if first <= self.slot <= last), None)
        if owner is None:
            raise StoreAway(RetryCause.CLUSTER, f"no shard of the cluster has the slot {self.slot}")
        # The owner is asked first next time: it is the first to know when the slot moves.
        self._known = list(
            dict.fromkeys([owner, *(server for *_, servers in found for server in servers)])
        )
        return owner


class SlotMasters(Cluster):
    """The master of a slot, as those need it who go on with whatever shard has the slot."""

    def __init__(self, access: Access, seconds: float, slot: int) -> None:
        super().__init__(access, seconds, "")
        self.slot = slot

    def sent_to(self, server: Server) -> None:
        """Leave it: the refusal may be about another slot."""

    async def successor(self, server: Server) -> Server | None:
        """Return what others say: a server that was frozen does not know yet that it was replaced."""
        others = [it for it in dict.fromkeys([*self._known, *self._seeds]) if it != server]
        try:
            named = (await first_answers(self._ask, others[: self.asked_at_once]))[0]
        except StoreAway:
            return None
        return None if named == server else named


class ShardMap:
    """Which master has which slots."""

    def __init__(self, access: Access, seconds: float) -> None:
        self._access = access
        self._seconds = seconds
        self._known = [Server(*host) for host in access.url.hosts if host]

    def masters(self, slot: int) -> SlotMasters:
        """Return what finds the master of a slot."""
        return SlotMasters(self._access, self._seconds, slot)

    async def ranges(self) -> list[Shard]:
        """Ask for the shards. Raises StoreAway."""

        async def ask(node: Server) -> list[Shard]:
            return await shards(self._access, node, self._seconds)

        left, refusals = list(self._known), []
        while left:
            step, left = left[: Cluster.asked_at_once], left[Cluster.asked_at_once :]
            try:
                found = (await first_answers(ask, step))[0]
            except StoreAway as error:
                refusals.append(error)
                continue
            named = [server for *_, servers in found for server in servers]
            self._known = list(dict.fromkeys([*named, *self._known]))[:32]
            return found
        raise gravest(refusals)


async def shards(access: Access, node: Server, seconds: float) -> list[Shard]:
    """Return all shards of a cluster, as one of its servers knows them. Raises StoreAway."""
    try:
        async with access.visit(node, "tertulia-cluster", seconds, "Redis Cluster") as redis:
            return await shards_of(redis, node)
    except StoreAway as away:
        if "cluster support disabled" in str(away):
            raise StoreAway(
                RetryCause.OTHER, f"{node} is no Redis Cluster: write redis://"
            ) from away
        raise


async def shards_of(redis: Commands, node: Server) -> list[Shard]:
    """Return all shards of a cluster that have a server, as the server that is asked knows them."""
    told = await redis.execute_command("CLUSTER", "SLOTS")
    return [
        (int(first), int(last), [_named(server, node.host) for server in servers])
        for first, last, *servers in told
        if servers
    ]


def _named(told: list[Any], asked: str) -> Server:
    """Return a server as a cluster tells it. Without a host, or with ?, it is on the host that was asked."""
    host, port = told[:2]
    return Server(asked if host in (None, "", "?") else str(host), int(port))
