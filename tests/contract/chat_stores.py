"""Real stores on a real Redis, each over a wire of its own that can fail."""

import asyncio
import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from prometheus_client import CollectorRegistry

from contract.follower import RecordingFollower
from contract.lossy_proxy import LossyProxy
from contract.node import DIALECT, WITHIN, Node, stop
from harness.redis_server import RedisServer
from tertulia.domain.bans import BanKind
from tertulia.domain.moderation import Moderation
from tertulia.domain.operator_commands import Action
from tertulia.operators.commands import Operator
from tertulia.redis.access import Access
from tertulia.redis.client import Client
from tertulia.redis.multiplexer import Multiplexer
from tertulia.settings.sections import ClusterSettings
from tertulia.store.chat_store import ChatStore
from tertulia.store.keys import Keys
from tertulia.telemetry.metrics import Metrics
from tertulia.telemetry.tracer import Tracer

QUICK = {
    "lease_seconds": 1.2,
    "silence_seconds": 0.5,
    "heartbeat_seconds": 0.1,
    "redis_timeout_seconds": 0.4,
}
"""Everything that waits, as short as a busy machine allows: only its length is not as in production."""
TIMEOUT = 5.0
"""Seconds that Redis may take to answer, unless a test says otherwise: it may stand still for a moment."""
STALLING = {"lease_seconds": 15.0, "silence_seconds": 5.0, "redis_timeout_seconds": 3.0}
"""Of nodes that are to give up waiting for an answer, and for which nobody takes that as their end."""
PATIENT = {
    "lease_seconds": 15.0,
    "silence_seconds": 5.0,
    "heartbeat_seconds": 1.0,
    "redis_timeout_seconds": 10.0,
}
"""Of nodes that lose no connection and bury nobody, also where the machine stands still for a moment."""


@dataclass(eq=False)
class RedisNode(Node):
    """A node on Redis, with what a test can do to it and read of it."""

    proxy: LossyProxy | None = None
    redis: Multiplexer | None = None
    registry: CollectorRegistry | None = None

    @property
    def wire(self) -> LossyProxy:
        """What is between the node and Redis."""
        assert self.proxy is not None
        return self.proxy

    @property
    def refused(self) -> Sequence[str]:
        """The commands that Redis refuses it."""
        assert isinstance(self.store, ChatStore)
        return self.store.refused

    def counted(self, metric: str, **labels: str) -> float:
        """Return a metric's value."""
        assert self.registry is not None
        value = self.registry.get_sample_value(f"tertulia_{metric}", labels)
        assert value is not None, f"there is no metric {metric} {labels}"
        return value


class RedisStores:
    """Nodes that share a chat of its own name on one Redis."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.chat = f"c-{secrets.token_hex(6)}"
        self.keys = Keys(self.chat)
        self.nodes: list[RedisNode] = []
        self.settings = QUICK
        """Of the cluster, as nodes have it that are made from now on."""
        self.user = ""
        """Whom nodes log in as that are made from now on."""
        self.tracer: Tracer | None = None
        """Of the nodes that are made from now on."""
        self.is_replicated = False
        """Whether those want a replica to have what they show."""

    async def node(self, name: str = "node", **settings: Any) -> RedisNode:
        """Start a node; ``settings`` are those of the cluster that differ from the quick ones."""
        return await self._started(await self.prepare(name, **settings))

    async def prepare(self, name: str = "node", **settings: Any) -> RedisNode:
        """Make a node, and don't start it."""
        proxy = await LossyProxy("127.0.0.1", self.server.port).start()
        cluster = ClusterSettings.model_validate({**self.settings, **settings})
        url = proxy.url.replace("//", f"//{self.user}:any@") if self.user else proxy.url
        # Who waits for a replica waits as long for it, and must not lose its lease by that.
        patience = cluster.redis_timeout_seconds if self.is_replicated else TIMEOUT
        redis = Multiplexer(Access.to(url), settings.get("redis_timeout_seconds", patience))
        return self._prepared(name, self.chat, redis, proxy, cluster)

    async def another_chat(self, node: RedisNode, chat: str) -> RedisNode:
        """Start another chat on a node: as far as Redis sees it, it is the same one."""
        return await self._started(self.prepare_another_chat(node, chat))

    def prepare_another_chat(self, node: RedisNode, chat: str) -> RedisNode:
        """Make it, and don't start it."""
        assert isinstance(node.store, ChatStore)
        assert node.redis is not None
        settings = node.store._settings
        return self._prepared(node.follower.name, chat, node.redis, node.wire, settings)

    async def _started(self, node: RedisNode) -> RedisNode:
        await asyncio.wait_for(node.store.start(node.follower), WITHIN)
        return node

    def _prepared(
        self, name: str, chat: str, redis: Multiplexer, proxy: LossyProxy, cluster: ClusterSettings
    ) -> RedisNode:
        registry = CollectorRegistry()
        metrics = Metrics(registry, dialects=[DIALECT], chats=[chat], version="test")
        store = ChatStore(
            chat, redis, name, cluster, metrics,
            is_replicated=self.is_replicated, tracer=self.tracer,
        )  # fmt: skip
        node = RedisNode(
            store, RecordingFollower(name), proxy=proxy, redis=redis, registry=registry
        )
        self.nodes.append(node)
        return node

    def give_password(self, nickname: str, password: str | None) -> None:
        """Make an account, or give it another password; None deletes it."""
        if password is None:
            self.server.control.delete(self.keys.account(nickname))
        else:
            fields = ("nickname", nickname, "hash", password, "since", "1")
            self.server.control.hset(self.keys.account(nickname), items=list(fields))

    async def appoint(self, nickname: str) -> None:
        """Make an account a moderator, as an operator does."""
        await self.dismiss(Action.APPOINT, nickname)

    async def close(self) -> None:
        """Close the chat, as an operator does."""
        client = Client.to(
            Access.to(f"redis://127.0.0.1:{self.server.port}"),
            self.keys.meta,
            "tertulia-admin",
            WITHIN,
        )
        await Operator(self.chat, client, "carla", WITHIN).close()
        client.link.disconnect()

    async def dismiss(self, action: Action, nickname: str) -> None:
        """Kick or ban a nickname, as an operator does."""
        url = f"redis://127.0.0.1:{self.server.port}"
        client = Client.to(Access.to(url), self.keys.meta, "tertulia-admin", WITHIN)
        orders = Operator(self.chat, client, "carla", WITHIN)
        if action is Action.KICK:
            await orders.kick(nickname, "")
        elif action is Action.APPOINT:
            await orders.moderate(Moderation(action, nickname))
        else:
            await orders.ban(BanKind.NICKNAME, nickname, None, "")
        client.link.disconnect()

    def registered(self) -> set[str]:
        """Return the ids of the nodes that have a lease."""
        return set(cast(list[str], self.server.control.zrange(self.keys.leases, 0, -1)))

    def condemn(self, node: str) -> None:
        """Take a node's lease away."""
        self.server.control.zadd(self.keys.leases, {node: 0})

    def leave_to_end(self, node: RedisNode) -> None:
        """Don't end a node after the test: it was ended in it."""
        self.nodes.remove(node)

    async def end(self) -> None:
        """Let every node leave in order, whatever was done to it."""
        for node in self.nodes:
            node.wire.restore()
            node.wire.flow()
        try:
            for node in self.nodes:
                await asyncio.wait_for(stop(node), WITHIN)
        finally:
            for node in self.nodes:
                with contextlib.suppress(Exception):
                    await node.wire.close()

    def broken(self) -> dict[str, list[str]]:
        """Return what stores did that they must never do, by node."""
        followers = [it for n in self.nodes for it in (n.follower, *n.room_followers)]
        return {it.name: it.broken for it in followers if it.broken}

    # --- What Redis holds ------------------------------------------------------------------------

    def log(self) -> list[str]:
        """Return the room's events as they stand in the log, in order."""
        entries = cast(list[tuple[str, dict[str, str]]], self.server.control.xrange(self.keys.log))
        return [line for _, fields in entries for line in fields["e"].split("\n")]

    def inbox(self, node: Node) -> list[str]:
        """Return the letters in a node's inbox."""
        return cast(list[str], self.server.control.lrange(self.keys.inbox(node.store.node), 0, -1))

    def names(self) -> list[str]:
        """Return the names of all keys of the chat."""
        pattern = f"{{{self.chat}}}:*"
        return sorted(cast(list[str], self.server.control.keys(pattern)))
