"""A node with many chats: they share connections to Redis, and their loss costs none of them anything."""

from collections import Counter

import pytest

from harness.chatte_client import ChatteClient
from harness.load import assert_promises_kept, connect_many, settle, under_load
from harness.node import Listener, Node, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import elapse, until
from history.record import Disconnected, SawLeft

pytestmark = pytest.mark.slow

MANY = 50
USES = ("bus", "commit", "maintenance", "reads")


def connections(server: RedisServer) -> Counter[str]:
    """Return how many connections Redis has of nodes, by name."""
    names = (it.name for it in server.connections())
    return Counter(name for name in names if name.startswith("tertulia-"))


async def start(factory: NodeFactory, count: int) -> Node:
    node = factory.launch(listeners=tuple(Listener(chat=f"chat-{i}") for i in range(count)))
    await node.ready(60.0)
    return node


async def test_a_node_opens_as_many_connections_for_fifty_chats_as_for_one(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    for count in (1, MANY):
        node = await start(node_factory, count)
        assert connections(redis_server) == {f"tertulia-{use}": 1 for use in USES}
        node.terminate()
        assert await node.exit_status(15.0) == 0
        await until(lambda: not connections(redis_server), 5.0, "them to be closed")


async def test_connections_that_are_cut_again_and_again_cost_no_chat_anything(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    """Two nodes, each with all chats; every connection that is lost is lost to all of them."""
    chats = [f"chat-{i}" for i in range(4)]
    nodes = [await start(node_factory, len(chats)) for _ in range(2)]
    clients: dict[str, list[ChatteClient]] = {}
    for chat in chats:
        ports = [node.port("chatte", chat) for node in nodes]
        clients[chat] = await connect_many(ports, 4, chat)
        await settle(clients[chat])
    cut: Counter[str] = Counter()

    async def cut_one_by_one() -> None:
        for turn in range(24):
            kind = [
                it for it in redis_server.connections() if it.name == f"tertulia-{USES[turn % 4]}"
            ]
            if kind:
                victim = kind[turn // 4 % len(kind)]
                redis_server.cut(victim)
                cut[victim.name] += 1
            await elapse(0.25)

    speakers = [client for of_chat in clients.values() for client in of_chat[:2]]
    await under_load(speakers, cut_one_by_one(), per_second=15)
    assert len(cut) == len(USES)
    for of_chat in clients.values():
        await settle(of_chat)
        for client in of_chat:
            assert client.connected, client.describe()
            assert not any(client.history.of(SawLeft))
            assert not any(client.history.of(Disconnected))
        await assert_promises_kept(of_chat)
    for node in nodes:
        await node.becomes_ready(10)
    # What was cut last is not there before somebody needs it.
    assert set(connections(redis_server).values()) <= {1, 2}
