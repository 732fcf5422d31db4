"""Finding the shard of a Redis Cluster that a chat is on.

All keys of a chat share a hash tag, so it is on one shard. While its slot is moved to another, and while
a shard's master is replaced, Redis answers MOVED, ASK, TRYAGAIN or CLUSTERDOWN: the connections are given
up then, and the owner is looked up again, until there is one that takes everything.
"""

import asyncio
from binascii import crc_hqx
from typing import Any

from hiredis import HiredisError

from tertulia.redis.access import Access, Server
from tertulia.redis.errors import MISFORMED, ErrorReply, StoreAway, strange, translate
from tertulia.redis.masters import Servers
from tertulia.telemetry.metrics import RetryCause

_SLOTS = 16384


def slot_of(key: bytes) -> int:
    """Return the slot of a key. Source: the Redis Cluster specification, "Key distribution model"."""
    _, _, behind = key.partition(b"{")
    tag, closing, _ = behind.partition(b"}")
    return crc_hqx(tag if tag and closing else key, 0) % _SLOTS


class Cluster(Servers):
    """The shards of a Redis Cluster, as one chat needs them."""

    is_cluster = True
    asked_at_once = 3

    def __init__(self, access: Access, tag: str) -> None:
        """``tag``: any key of the chat."""
        super().__init__(access)
        self._slot = slot_of(tag.encode())
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
            # Some at a time: a machine that is gone takes all the time there is to not answer.
            step, left = left[: self.asked_at_once], left[self.asked_at_once :]
            asking = {asyncio.create_task(self._ask(it, seconds)) for it in step}
            try:
                while asking:
                    done, asking = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        try:
                            return task.result()
                        except StoreAway as error:
                            refusals.append(error)
            finally:
                for task in asking:
                    task.cancel()
                if asking:
                    await asyncio.wait(asking)
        self._known = []
        raise next((it for it in refusals if it.is_final), refusals[0])

    async def _ask(self, node: Server, seconds: float) -> Server:
        try:
            connection = await self.access.connect(node, "tertulia-cluster", seconds)
            try:
                (reply,) = await connection.ask(seconds, ("CLUSTER", "SLOTS"))
            finally:
                connection.end()
        except (ErrorReply, HiredisError, OSError) as error:
            if "cluster support disabled" in str(error):
                raise StoreAway(
                    RetryCause.OTHER, f"{node} is no Redis Cluster: write redis://"
                ) from error
            away = translate(error)
            raise StoreAway(away.cause, f"{node}: {away}") from error
        known: list[Server] = []
        owner: Server | None = None
        try:
            for first, last, *servers in reply:
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
        # Whoever has it is the first to know when that changes.
        self._known = list(dict.fromkeys([owner, *known]))
        return owner


def named(told: list[Any], asked: str) -> Server:
    """Return a server as a cluster tells it: without a host, or with ?, it is on the one that was asked."""
    host, port = told[:2]
    return Server(asked if host in (None, b"", b"?") else host.decode(), int(port))
