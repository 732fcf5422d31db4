"""Several chats on the shards of a Redis Cluster, whose slots move and whose masters die."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from harness.admin import Admin
from harness.chatte_client import ChatteClient
from harness.load import assert_promises_kept, connect_many, settle, under_load
from harness.node import Listener, Node, NodeFactory
from harness.redis_groups import ClusterRedis, denied
from harness.redis_server import RedisServer
from harness.waiting import elapse, until
from history.record import Disconnected, SawLeft

pytestmark = pytest.mark.slow

CHATS = ("one", "two", "three")
"""On three shards."""
BACK_SECONDS = 20.0
USES = ("bus", "commit", "maintenance", "reads")
"""What a node has a connection for to each shard."""


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[ClusterRedis]:
    group = ClusterRedis(replicas=bool(getattr(request, "param", False)))
    try:
        yield group.start()
        assert denied(group.servers) == []
    finally:
        group.close()


@pytest.fixture
def factory(cluster: ClusterRedis, tmp_path: Path) -> Iterator[NodeFactory]:
    factory = NodeFactory(tmp_path, cluster.url)
    try:
        yield factory
    finally:
        factory.end()


async def chatting(
    factory: NodeFactory, **settings: str
) -> tuple[list[Node], dict[str, list[ChatteClient]]]:
    """Start two nodes that serve every chat, and let clients into each."""
    listeners = tuple(Listener("chatte", chat) for chat in CHATS)
    nodes = [factory.launch(listeners=listeners, settings=settings) for _ in range(2)]
    for node in nodes:
        await node.ready()
    clients = {
        chat: await connect_many([node.port("chatte", chat) for node in nodes], 4, chat)
        for chat in CHATS
    }
    for of_chat in clients.values():
        await settle(of_chat)
    return nodes, clients


async def all_is_well(nodes: list[Node], clients: dict[str, list[ChatteClient]]) -> None:
    for node in nodes:
        await node.becomes_ready(BACK_SECONDS)
    for of_chat in clients.values():
        await settle(of_chat, BACK_SECONDS)
        for client in of_chat:
            assert client.connected, client.describe()
            assert not any(client.history.of(SawLeft))
            assert not any(client.history.of(Disconnected))
        await assert_promises_kept(of_chat)


async def test_each_chat_is_on_its_shard_and_goes_on_while_that_moves(
    factory: NodeFactory, cluster: ClusterRedis
) -> None:
    nodes, clients = await chatting(factory)
    owners = [cluster.owner(f"{{{chat}}}:meta") for chat in CHATS]
    assert len({server.port for server in owners}) == 3
    for chat, server in zip(CHATS, owners, strict=True):
        names = cast(list[str], server.control.keys("*"))
        assert all(name.startswith(f"{{{chat}}}:") for name in names)
        if server.engine.version >= (7,):  # what is published stays on the shard
            assert server.do("PUBSUB SHARDCHANNELS")
            assert server.do("PUBSUB CHANNELS") == []

    async def move() -> None:
        await elapse(0.5)
        for target in (owners[1], owners[2], owners[0]):
            await asyncio.to_thread(cluster.move, "{one}:meta", target)
            await elapse(1)

    everybody = [client for of_chat in clients.values() for client in of_chat]
    whispered_to = [client.nickname for client in clients["one"]]
    await under_load(everybody[:2], move(), per_second=30, whisper_to=whispered_to)
    assert cluster.owner("{one}:meta") is owners[0]
    await all_is_well(nodes, clients)
    await operators_reach_all(cluster, clients)

    # Burials ask the shard who subscribes there.
    nodes[0].kill()
    left = clients["three"][1]
    await left.expect_line("151 three-0 just left the chat", within=20)


async def test_a_node_has_connections_to_each_shard_that_has_a_chat_of_it(
    factory: NodeFactory, cluster: ClusterRedis
) -> None:
    """And no more than that, however many chats there are; nor to one that its chats have left."""
    chats = [*CHATS, *(f"{chat}{i}" for chat in CHATS for i in range(5))]
    node = factory.launch(listeners=tuple(Listener("chatte", chat) for chat in chats))
    await node.ready()
    assert {cluster.owner(f"{{{chat}}}:meta").port for chat in chats} == {
        server.port for server in cluster.servers[:3]
    }
    one_each = dict.fromkeys(USES, 1)
    for server in cluster.servers[:3]:
        assert names(server) == one_each
    # A node with one chat follows it from shard to shard.
    alone = factory.launch(listeners=(Listener("chatte", "one"),))
    await alone.ready()
    before, target = cluster.owner("{one}:meta"), cluster.owner("{two}:meta")
    assert names(before) == dict.fromkeys(USES, 2)
    await asyncio.to_thread(cluster.move, "{one}:meta", target)
    await until(
        lambda: names(before) == one_each and names(target) == dict.fromkeys(USES, 2),
        BACK_SECONDS,
        lambda: f"them to have moved: {names(before)}, {names(target)}",
    )
    for it in (node, alone):
        await it.becomes_ready(BACK_SECONDS)


def names(server: RedisServer) -> dict[str, int]:
    """Return how many connections a server has of nodes, by what they are for."""
    counted = Counter(it.name.removeprefix("tertulia-") for it in server.connections())
    return {name: counted[name] for name in USES if counted[name]}


async def operators_reach_all(
    cluster: ClusterRedis, clients: dict[str, list[ChatteClient]]
) -> None:
    admin = Admin(cluster.url)
    nodes = await admin.json("nodes")
    assert [it["chat"] for it in nodes] == sorted(CHATS * 2)
    assert all(it["sessions"] == 2 for it in nodes)
    assert len(await admin.json("who")) == 4 * len(CHATS)
    for chat in CHATS:
        assert (await admin("say", "hello", chat, "--chat", chat)).status == 0
        for client in clients[chat]:
            await client.expect_line(f"100 G hello {chat}")


@pytest.mark.parametrize("how", ["killed", "frozen"])
@pytest.mark.parametrize("cluster", [True], indirect=True)
async def test_a_shard_loses_its_master(
    factory: NodeFactory, cluster: ClusterRedis, how: str
) -> None:
    nodes, clients = await chatting(factory, DURABILITY="replicated")
    victim = cluster.owner("{two}:meta")
    strike, mend = {
        "killed": (victim.kill, victim.start),
        "frozen": (victim.freeze, victim.thaw),
    }[how]

    async def lose() -> None:
        await elapse(0.5)
        strike()
        await until(
            lambda: cluster.owner("{two}:meta") is not victim, BACK_SECONDS, "another master"
        )
        mend()

    everybody = [clients[chat][0] for chat in CHATS] + clients["two"][1:]
    await under_load(everybody, lose(), per_second=30)
    await all_is_well(nodes, clients)
