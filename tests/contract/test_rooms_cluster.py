"""Further rooms on a Redis Cluster: they spread over its shards, and each needs its own shard only."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from prometheus_client import CollectorRegistry

from contract.follower import RecordingFollower
from contract.in_rooms import Room, enter, open_room
from contract.node import DIALECT, WITHIN, Node, stop
from harness.redis_groups import ClusterRedis
from harness.waiting import until
from tertulia.chat.ports import Outcome
from tertulia.domain.position import Position
from tertulia.redis.access import Access
from tertulia.redis.multiplexer import Multiplexer
from tertulia.settings.sections import ClusterSettings
from tertulia.store.chat_store import ChatStore
from tertulia.store.keys import RoomKeys
from tertulia.telemetry.metrics import Metrics

pytestmark = pytest.mark.slow

NAMES = [f"room-{i}" for i in range(12)]


@pytest.fixture
def make_cluster() -> Iterator[Callable[..., ClusterRedis]]:
    groups: list[ClusterRedis] = []

    def make(*, replicas: bool = False) -> ClusterRedis:
        group = ClusterRedis(replicas=replicas, options=("--cluster-require-full-coverage", "no"))
        groups.append(group)
        return group.start()

    yield make
    for group in groups:
        group.close()


async def start(cluster: ClusterRedis, name: str, chat: str = "main") -> Node:
    """Start a node."""
    metrics = Metrics(CollectorRegistry(), dialects=[DIALECT], chats=[chat], version="test")
    settings = ClusterSettings(
        lease_seconds=15.0, heartbeat_seconds=0.3, silence_seconds=5.0, redis_timeout_seconds=5.0
    )
    redis = Multiplexer(Access.to(cluster.url), settings.redis_timeout_seconds)
    node = Node(ChatStore(chat, redis, name, settings, metrics), RecordingFollower(name))
    await asyncio.wait_for(node.store.start(node.follower), WITHIN)
    return node


async def hear_own(*rooms: Room) -> None:
    for room in rooms:
        await hear(f"in {room.name}", room)


async def hear(text: str, *rooms: Room) -> None:
    for room in rooms:
        await until(lambda it=room: text in it.follower.said, WITHIN, f"{text} in {room.name}")  # type: ignore[misc]


def tertulias(cluster: ClusterRedis) -> set[tuple[int, int]]:
    """Return which connections nodes have, on all servers."""
    return {
        (server.port, it.id)
        for server in cluster.servers
        for it in server.connections()
        if it.name in ("tertulia-bus", "tertulia-commit", "tertulia-maintenance", "tertulia-reads")
    }


async def end(*nodes: Node) -> None:
    for node in nodes:
        await asyncio.wait_for(stop(node), WITHIN)
        assert not node.follower.broken
        for follower in node.room_followers:
            assert not follower.broken, follower.broken


async def test_the_past_of_a_room_is_read_on_its_own_shard(
    make_cluster: Callable[..., ClusterRedis],
) -> None:
    """The chat has no such log: there it would be led to the other shard, and back by its next own op."""
    cluster = make_cluster()
    one = await start(cluster, "one")
    here = [open_room(one, name) for name in NAMES]
    for room in here:
        for seat in await enter(one, room, f"one-{room.name}"):
            seat.say(f"in {room.name}")
    await asyncio.wait_for(one.store.settle(), WITHIN)
    await hear_own(*here)
    before = tertulias(cluster)
    for room in here:
        done: list[object] = []
        end_of_log = Position(room.follower.entries[-1].position.epoch, 100)
        room.store.look_back(end_of_log, lambda _: True, done.append)
        room.store.replay(room.follower.entries[0].position, end_of_log, "f" * 32, done.append)
        await until(lambda done=done: len(done) == 2, WITHIN, "the past")  # type: ignore[misc]
    newcomer = open_room(await start(cluster, "two"), NAMES[-1], history=10)
    await until(lambda: newcomer.follower.before, WITHIN, "what was said before")
    assert before <= tertulias(cluster), "a connection was given up"
    await end(one, newcomer.node)


async def test_rooms_spread_over_the_shards(make_cluster: Callable[..., ClusterRedis]) -> None:
    cluster = make_cluster()
    one, two = await start(cluster, "one"), await start(cluster, "two")
    here = [open_room(one, name) for name in NAMES]
    there = [open_room(two, name) for name in NAMES]
    seats = [
        seat
        for rooms, node in ((here, one), (there, two))
        for room in rooms
        for seat in await enter(node, room, f"{node.follower.name}-{room.name}")
    ]
    ops = [seat.say(f"in {seat.room.name}") for seat in seats]
    await asyncio.gather(one.store.settle(), two.store.settle())
    assert {op.outcome for op in ops} == {Outcome.DONE}
    for room in (*here, *there):
        await until(lambda it=room: len(it.follower.said) == 2, WITHIN, "both")  # type: ignore[misc]
    owners = {cluster.owner(RoomKeys("main", name).meta).port for name in NAMES}
    assert len(owners) == 3

    def connections() -> int:
        return sum(len(server.connections()) for server in cluster.servers)

    # Two of one use are there while one takes the other's place.
    await until(lambda: connections() <= 2 * 12, WITHIN, lambda: f"few: {connections()}")
    for seat in seats:
        seat.leave()
    await asyncio.gather(one.store.settle(), two.store.settle())
    await end(one, two)


async def test_a_shard_that_is_away_stops_its_rooms_only(
    make_cluster: Callable[..., ClusterRedis],
) -> None:
    cluster = make_cluster()
    lobby = cluster.owner("{main}:meta")
    away = next(it for it in cluster.servers if it is not lobby)
    one, two = await start(cluster, "one"), await start(cluster, "two")
    stays = next(n for n in NAMES if cluster.owner(RoomKeys("main", n).meta) is not away)
    stops = next(n for n in NAMES if cluster.owner(RoomKeys("main", n).meta) is away)
    here = {name: open_room(one, name) for name in (stays, stops)}
    there = {name: open_room(two, name) for name in (stays, stops)}
    seats = {name: (await enter(one, room, f"a-{name}"))[0] for name, room in here.items()}
    others = {name: (await enter(two, room, f"b-{name}"))[0] for name, room in there.items()}
    away.freeze()
    waits = seats[stops].say("waits")
    goes = seats[stays].say("goes")
    await until(lambda: goes.outcome is Outcome.DONE, WITHIN, "what is said elsewhere")
    await hear("goes", here[stays], there[stays])
    assert waits.outcome is None
    away.thaw()
    await until(lambda: waits.outcome is Outcome.DONE, WITHIN, "what waited")
    await hear("waits", here[stops], there[stops])
    for seat in (*seats.values(), *others.values()):
        seat.leave()
    await asyncio.gather(one.store.settle(), two.store.settle())
    await end(one, two)


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_a_shard_whose_master_is_replaced_loses_nothing(
    make_cluster: Callable[..., ClusterRedis], how: str
) -> None:
    """Also when the old master thaws, and believes that it is one."""
    cluster = make_cluster(replicas=True)
    lobby = cluster.owner("{main}:meta")
    name = next(n for n in NAMES if cluster.owner(RoomKeys("main", n).meta) is not lobby)
    old = cluster.owner(RoomKeys("main", name).meta)
    one, two = await start(cluster, "one"), await start(cluster, "two")
    here, there = open_room(one, name), open_room(two, name)
    (anna,), (bruno,) = await enter(one, here, "anna"), await enter(two, there, "bruno")
    anna.say("before")
    await one.store.settle()
    await hear("before", here, there)
    (old.kill if how == "killed" else old.freeze)()
    said = anna.say("meanwhile")
    await until(
        lambda: cluster.owner(RoomKeys("main", name).meta) is not old, WITHIN, "another master"
    )
    await until(lambda: said.outcome is Outcome.DONE, WITHIN, "the message")
    await hear("meanwhile", here, there)
    if how == "frozen":
        old.thaw()
    texts = [f"after {i}" for i in range(20)]
    for text in texts:
        bruno.say(text)
        await two.store.settle()
    await hear(texts[-1], here, there)
    for room in (here, there):
        assert room.follower.said == ["before", "meanwhile", *texts]
        assert room.follower.lefts() == []
    for seat in (anna, bruno):
        seat.leave()
    await asyncio.gather(one.store.settle(), two.store.settle())
    await end(one, two)


async def test_a_room_goes_with_its_slot(make_cluster: Callable[..., ClusterRedis]) -> None:
    cluster = make_cluster()
    one, two = await start(cluster, "one"), await start(cluster, "two")
    here, there = open_room(one, "ops"), open_room(two, "ops")
    (anna,), (bruno,) = await enter(one, here, "anna"), await enter(two, there, "bruno")
    anna.say("before")
    await one.store.settle()
    meta = RoomKeys("main", "ops").meta
    source = cluster.owner(meta)
    target = next(it for it in cluster.servers if it is not source)
    cluster.move(meta, target)
    ops = [anna.say("after"), bruno.say("as well")]
    await asyncio.wait_for(asyncio.gather(one.store.settle(), two.store.settle()), WITHIN)
    assert {op.outcome for op in ops} == {Outcome.DONE}
    for text in ("after", "as well"):
        await hear(text, here, there)
    for seat in (anna, bruno):
        seat.leave()
    await asyncio.gather(one.store.settle(), two.store.settle())
    await end(one, two)
