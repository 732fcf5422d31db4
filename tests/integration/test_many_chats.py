"""Many chats and rooms share a node's connections to Redis, whose loss costs none of them anything."""

from collections import Counter

import pytest

from harness.chatte_client import ChatteClient
from harness.crowd import Wanderer, start_nodes
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


async def has_connections(server: RedisServer, count: int) -> None:
    """Wait until Redis has so many connections for each use, and see that it has no more."""
    await until(
        lambda: all(connections(server)[f"tertulia-{use}"] >= count for use in USES),
        30,
        lambda: f"{count} each: {connections(server)}",
    )
    assert connections(server) == {f"tertulia-{use}": count for use in USES}


async def cut_one_by_one(server: RedisServer) -> Counter[str]:
    """Cut a connection of another kind each quarter of a second; return how many of each it were."""
    cut: Counter[str] = Counter()
    for turn in range(24):
        kind = [it for it in server.connections() if it.name == f"tertulia-{USES[turn % 4]}"]
        if kind:
            victim = kind[turn // 4 % len(kind)]
            server.cut(victim)
            cut[victim.name] += 1
        await elapse(0.25)
    return cut


async def start(factory: NodeFactory, count: int) -> Node:
    node = factory.launch(listeners=tuple(Listener(chat=f"chat-{i}") for i in range(count)))
    await node.ready(60.0)
    return node


async def test_a_node_opens_as_many_connections_for_fifty_chats_as_for_one(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    for count in (1, MANY):
        node = await start(node_factory, count)
        await has_connections(redis_server, 1)
        node.terminate()
        assert await node.exit_status(30.0) == 0
        await until(lambda: not connections(redis_server), 30.0, "them to be closed")


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
    speakers = [client for of_chat in clients.values() for client in of_chat[:2]]
    cut = await under_load(speakers, cut_one_by_one(redis_server), per_second=15)
    assert len(cut) == len(USES)
    for of_chat in clients.values():
        await settle(of_chat)
        for client in of_chat:
            assert client.connected, client.describe()
            assert not any(client.history.of(SawLeft))
            assert not any(client.history.of(Disconnected))
        await assert_promises_kept(of_chat)
    for node in nodes:
        await node.becomes_ready(30)
    # What was cut last is not there before somebody needs it.
    await until(
        lambda: set(connections(redis_server).values()) <= {1, 2},
        30,
        lambda: f"one each: {connections(redis_server)}",
    )


async def test_rooms_need_no_connections_of_their_own_and_lose_nothing_with_them(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    nodes = await start_nodes(node_factory, 2)
    wanderers = [
        await Wanderer.enter_chat(node.port("browser"), f"user-{i}-{j}")
        for i, node in enumerate(nodes)
        for j in range(2)
    ]
    for number in range(MANY - 10):
        for client in wanderers:
            client.ask_room(f"room-{number}")
        for client in wanderers:
            await client.room_answered(client.rooms[f"room-{number}"])
    await settle(wanderers)
    await has_connections(redis_server, len(nodes))
    cut = await under_load(wanderers, cut_one_by_one(redis_server), per_second=60)
    assert len(cut) == len(USES)
    await settle(wanderers)
    for client in wanderers:
        assert client.connected, client.describe()
        assert not any(client.history.of(SawLeft))
    await assert_promises_kept(wanderers)
