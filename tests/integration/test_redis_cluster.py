"""Chats and rooms on the shards of a Redis Cluster, whose slots move and whose masters die."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import pytest

from harness.admin import Admin
from harness.chatte_client import ChatteClient
from harness.crowd import (
    ROOMS,
    Wanderer,
    come_as,
    gather,
    left_at,
    read_by,
    saw_all_leave,
    seats,
    start_nodes,
    to_the_lobby,
)
from harness.load import (
    assert_promises_kept,
    connect_many,
    lost,
    received,
    settle,
    stood_still,
    under_load,
)
from harness.node import Listener, Node, NodeFactory
from harness.redis_groups import ClusterRedis, denied
from harness.redis_server import RedisServer
from harness.waiting import elapse, until
from history.record import Acked, Disconnected, SawLeft

pytestmark = pytest.mark.slow

CHATS = ("one", "two", "three")
"""On three shards."""
BACK_SECONDS = 60.0
BURIED_SECONDS = 4.5
USES = ("bus", "commit", "maintenance", "reads")
"""What a node has a connection for to each shard."""


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[ClusterRedis]:
    group = ClusterRedis(**getattr(request, "param", {}))
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
    await left.expect_line("151 three-0 just left the chat", within=60)


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
    await until(
        lambda: all(names(server) == one_each for server in cluster.servers[:3]),
        BACK_SECONDS,
        lambda: f"one each: {[names(server) for server in cluster.servers[:3]]}",
    )
    # A node with one chat follows it from shard to shard.
    alone = factory.launch(listeners=(Listener("chatte", "one"),))
    await alone.ready()
    before, target = cluster.owner("{one}:meta"), cluster.owner("{two}:meta")
    await until(
        lambda: names(before) == dict.fromkeys(USES, 2),
        BACK_SECONDS,
        lambda: f"two each: {names(before)}",
    )
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
@pytest.mark.parametrize("cluster", [{"replicas": True}], indirect=True)
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


# One chat, whose lobby and further rooms are on one shard each


ALONE = {"replicas": False, "options": ("--cluster-require-full-coverage", "no")}
"""No shard has a replica, and each serves its slots whatever the others do."""


async def in_rooms(
    factory: NodeFactory, cluster: ClusterRedis, **settings: str
) -> tuple[list[Node], list[ChatteClient], dict[str, RedisServer]]:
    """Start two nodes, let people into the lobby and the rooms, and say which shard has which."""
    nodes = await start_nodes(factory, 2, **settings)
    clients = await gather(nodes, 12)
    await settle(clients)
    shards = {"": cluster.owner("{main}:meta")}
    shards |= {room: cluster.owner(f"{{main#{room}}}:meta") for room in ROOMS}
    assert len({it.port for it in shards.values()}) == 3
    return nodes, clients, shards


async def talk_goes_on(clients: list[ChatteClient], rooms: Iterable[str]) -> None:
    """Have somebody on each node say something in each of some rooms, and everybody there read it."""
    for room in rooms:
        readers = [client for client in clients if client.connected and room in read_by(client)]
        for speaker in [client for client in readers if isinstance(client, Wanderer)][:2]:
            said = speaker.say(room=room)
            for client in readers:
                await client.wait_for(
                    lambda it=client: received(it, said) and not _waits(it, said),  # type: ignore[misc]  # noqa: B023
                    30,
                    f"{said} in #{room}",
                )


def _waits(client: ChatteClient, said: str) -> bool:
    return isinstance(client, Wanderer) and any(it.record.text == said for it in client.outgoing)


def acked_in(clients: Iterable[ChatteClient], room: str, since: float) -> list[Acked]:
    return [
        record
        for client in clients
        for record in client.history.of(Acked)
        if record.room == room and record.at > since
    ]


@pytest.mark.parametrize("cluster", [ALONE], indirect=True)
@pytest.mark.parametrize("way", ["killed", "frozen"])
@pytest.mark.parametrize("room", ["", *ROOMS[:1]], ids=["the lobby's", "a room's"])
async def test_a_shard_that_is_away_stops_its_rooms_and_no_others(
    factory: NodeFactory, cluster: ClusterRedis, room: str, way: str
) -> None:
    nodes, clients, shards = await in_rooms(factory, cluster)
    others = [it for it in shards if it != room]
    strike, mend = {
        "killed": (shards[room].kill, shards[room].start),
        "frozen": (shards[room].freeze, shards[room].thaw),
    }[way]

    async def away() -> None:
        await elapse(0.5)
        strike()
        since = 0.0
        for _ in range(3):
            await talk_goes_on(clients, others)
            await elapse(1)
            # What was under way when it went has long been read.
            since = since or clients[0].history.now()
        assert acked_in(clients, room, since) == []
        for node in nodes:
            # Where its chat waits, newcomers go elsewhere; a room keeps nobody out of the chat.
            await (node.becomes_ready(30) if room else node.becomes_unready(30))
        if room:
            late = await gather(nodes, 2, "late")
            clients.extend(late)
            await talk_goes_on(clients, others)
        mend()

    whispered_to = [client.nickname for client in clients]
    await under_load(clients[:6], away(), per_second=10, whisper_to=whispered_to)
    for node in nodes:
        await node.becomes_ready(BACK_SECONDS)
    await settle(clients, BACK_SECONDS)
    for client in clients:
        assert client.connected, client.describe()
        assert not any(client.history.of(SawLeft))
        assert not any(client.history.of(Disconnected))
    await talk_goes_on(clients, shards)
    await assert_promises_kept(clients)


@pytest.mark.parametrize("cluster", [ALONE], indirect=True)
async def test_a_node_dies_while_the_shard_of_a_room_is_away(
    factory: NodeFactory, cluster: ClusterRedis
) -> None:
    """It is buried at once where that can be, and in that room as soon as the shard is back."""
    nodes, clients, shards = await in_rooms(factory, cluster)
    await factory.seasoned()
    staying, gone = clients[0::2], clients[1::2]
    away = ROOMS[0]
    shards[away].kill()
    lost(gone)
    killed_at = nodes[1].kill()
    reader = next(client for client in staying if isinstance(client, Wanderer))
    theirs = {seat for client in gone for seat in seats(client)}
    now = {seat for seat in theirs if seat[0] != away}
    buried = until(
        lambda: left_at(reader, gone).keys() == now,
        BACK_SECONDS,
        lambda: f"all but in #{away} to go: {left_at(reader, gone)}",
    )
    in_lobby = [it for it in staying if type(it) is ChatteClient and it.history.reads_lobby]
    await under_load(in_lobby, buried, per_second=10)
    slowest = max(left_at(reader, gone).values())
    late = stood_still(in_lobby, killed_at, slowest)
    assert slowest - killed_at < BURIED_SECONDS + late
    # Their nicknames are free: who has one now displaces, in that room as well, what is left of them.
    heir = await to_the_lobby(nodes[0], gone[1].nickname, "main", acknowledges=True)
    shards[away].start()
    await until(
        lambda: all(saw_all_leave(client, gone) for client in staying),
        BACK_SECONDS,
        lambda: f"all to go in #{away}: {[left_at(it, gone) for it in staying]}",
    )
    back = [await come_as(client, nodes[0]) for client in gone if client is not gone[1]]
    everybody = [*staying, heir, *back]
    await talk_goes_on(everybody, shards)
    await settle(everybody, BACK_SECONDS)
    await assert_promises_kept([*clients, heir, *back])


@pytest.mark.parametrize("cluster", [ALONE], indirect=True)
@pytest.mark.parametrize("room", ["", ROOMS[0]], ids=["the lobby's", "a room's"])
async def test_a_shard_loses_its_data(
    factory: NodeFactory, cluster: ClusterRedis, room: str
) -> None:
    """Seats are taken again, and whoever dies afterwards is buried everywhere, and may come again."""
    nodes, clients, shards = await in_rooms(factory, cluster)

    async def lose() -> None:
        await elapse(0.5)
        shards[room].control.flushall()
        await elapse(2)

    await under_load(clients[:6], lose(), per_second=20)
    for client in clients:
        client.say()
    await settle(clients, BACK_SECONDS)
    for client in clients:
        assert client.connected, client.describe()
        assert not any(client.history.of(SawLeft))
    await factory.seasoned()
    staying, gone = clients[0::2], clients[1::2]
    lost(gone)
    nodes[1].kill()
    await until(
        lambda: all(saw_all_leave(client, gone) for client in staying),
        BACK_SECONDS,
        lambda: f"all to go: {[left_at(client, gone) for client in staying]}",
    )
    back = [await come_as(client, nodes[0]) for client in gone]
    await talk_goes_on([*staying, *back], shards)
    await settle([*staying, *back])
    await assert_promises_kept([*clients, *back])


@pytest.mark.parametrize("how", ["killed", "frozen"])
@pytest.mark.parametrize("cluster", [{"replicas": True}], indirect=True)
async def test_the_shard_of_a_room_loses_its_master(
    factory: NodeFactory, cluster: ClusterRedis, how: str
) -> None:
    nodes, clients, shards = await in_rooms(factory, cluster, DURABILITY="replicated")
    victim = shards[ROOMS[0]]
    strike, mend = {
        "killed": (victim.kill, victim.start),
        "frozen": (victim.freeze, victim.thaw),
    }[how]

    async def lose() -> None:
        await elapse(0.5)
        strike()
        await until(
            lambda: cluster.owner(f"{{main#{ROOMS[0]}}}:meta") is not victim,
            BACK_SECONDS,
            "another master",
        )
        mend()

    await under_load(clients[:6], lose(), per_second=30)
    for node in nodes:
        await node.becomes_ready(BACK_SECONDS)
    await settle(clients, BACK_SECONDS)
    for client in clients:
        assert client.connected, client.describe()
        assert not any(client.history.of(SawLeft))
    await assert_promises_kept(clients)


async def test_the_slot_of_a_room_moves_while_people_talk_there(
    factory: NodeFactory, cluster: ClusterRedis
) -> None:
    nodes, clients, shards = await in_rooms(factory, cluster)

    async def move() -> None:
        await elapse(0.5)
        for target in (shards[ROOMS[1]], shards[""], shards[ROOMS[0]]):
            await asyncio.to_thread(cluster.move, f"{{main#{ROOMS[0]}}}:meta", target)
            await elapse(1)

    await under_load(clients[:6], move(), per_second=30)
    for node in nodes:
        await node.becomes_ready(BACK_SECONDS)
    await settle(clients, BACK_SECONDS)
    for client in clients:
        assert client.connected, client.describe()
        assert not any(client.history.of(SawLeft))
    await assert_promises_kept(clients)
