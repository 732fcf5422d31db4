"""What operators see of further rooms that are spread over the shards of a Redis Cluster."""

import time
from collections.abc import Iterator

import pytest

from harness.redis_groups import ClusterRedis
from harness.waiting import until
from tertulia.domain.events import Joined, Said, encode
from tertulia.domain.operator_commands import Action
from tertulia.operators.chats import chats
from tertulia.operators.commands import Operator, RoomOperator
from tertulia.operators.log_reader import LogReader
from tertulia.operators.refusals import CommandRefused
from tertulia.operators.rooms import RoomSeen, RoomsOverview
from tertulia.redis.access import Access
from tertulia.redis.client import Client
from tertulia.redis.errors import StoreAway
from tertulia.redis.visits import Visits
from tertulia.store.keys import Keys, RoomKeys

pytestmark = pytest.mark.slow
NAME = "tertulia-admin"
ROOMS = [f"room-{number}" for number in range(12)]


@pytest.fixture
def cluster() -> Iterator[ClusterRedis]:
    group = ClusterRedis()
    try:
        yield group.start()
    finally:
        group.close()


def make(cluster: ClusterRedis, room: str, members: int, ages: list[int]) -> None:
    """Write a room down in which something was said so many seconds ago, as nodes do."""
    keys = RoomKeys("main", room)
    server, now = cluster.owner(keys.meta), time.time_ns() // 1000
    server.do("HSET", keys.meta, "epoch", "e", "base", 0, "offset", len(ages), "bytes", 1000)
    server.do("RPUSH", keys.marks, "1 0 400")
    for number in range(members):
        server.do("ZADD", keys.members, number, f"nick-{number}")
    for offset, age in enumerate(ages, 1):
        joined = encode(Joined("Andy", "s", "chatte")).decode()
        said = encode(Said("Andy", "s", '\n{"t":"said"')).decode()
        entry = ("p", now - age * 1_000_000, "b", "n 1", "e", "\n".join([joined, said, said]))
        server.do("XADD", keys.log, f"{offset}-0", *entry)
    registry = Keys("main").rooms
    cluster.owner(registry).do("ZADD", registry, 0, room)


async def test_rooms_are_seen_wherever_they_are(cluster: ClusterRedis) -> None:
    main = Keys("main")
    cluster.owner(main.meta).do("HSET", main.meta, "epoch", "e")
    for number, room in enumerate(ROOMS):
        make(cluster, room, number, [600, 90, 30, 20, 10][: number + 1])
    places = {room: cluster.owner(RoomKeys("main", room).meta) for room in ROOMS}
    assert len({it.port for it in places.values()}) == 3

    access = Access.to(cluster.url)
    redis = Client.to(access, main.meta, NAME, 5.0)
    visits = Visits(access, NAME, 5.0)
    overview = RoomsOverview("main", redis, visits, is_cluster=True)
    seen = await overview.rooms()
    assert [it.room for it in seen] == ROOMS[::-1]
    shards = {it.room: it.shard for it in seen}
    assert shards == {room: f"127.0.0.1:{it.port}" for room, it in places.items()}
    full = seen[0]
    assert full == RoomSeen("main", ROOMS[11], full.shard, False, None, 11, 6, 600, "")
    assert [it.messages for it in seen[-5:]] == [6, 4, 2, 0, 0]
    assert await chats(access, NAME, 5.0) == ["main"]

    # The way to each shard is kept: nobody logs in to look once more.
    def logins() -> list[int]:
        told = [it.control.info("stats") for it in set(places.values())]
        return [it["total_connections_received"] for it in told]

    before = logins()
    assert await overview.rooms() == seen
    assert logins() == before

    # A room that can't be read keeps no other from being read.
    broken = RoomKeys("main", ROOMS[0])
    cluster.owner(broken.meta).do("SET", broken.members, "broken")
    errors = {it.room: it.error for it in await overview.rooms()}
    assert errors == {room: "WRONGTYPE" if room == ROOMS[0] else None for room in ROOMS}
    cluster.owner(broken.meta).do("DEL", broken.members)

    # What is done in a room is done on its shard, and found from everywhere.
    keys = RoomKeys("main", ROOMS[7])
    there = Client.to(access, keys.meta, NAME, 5.0)
    await RoomOperator(keys, there, redis, "carla", 5.0).say("hello")
    ((room, audited),) = await overview.audited(5)
    assert (room, audited.command.action, audited.command.text) == (ROOMS[7], Action.SAY, "hello")
    assert await LogReader(keys, there).further()

    # Whether a room stays is kept with the chat.
    operator = Operator("main", redis, "carla", 5.0)
    await operator.keep(ROOMS[7], lasting=True)
    assert [it.room for it in await overview.rooms() if it.is_lasting] == [ROOMS[7]]
    await operator.keep(ROOMS[7], lasting=False)
    assert not [it for it in await overview.rooms() if it.is_lasting]
    with pytest.raises(CommandRefused, match="there is no room #no in the chat main"):
        await operator.keep("no", lasting=True)

    found = await overview.traces("andy")
    assert set(found) == set(ROOMS)
    assert len(found[ROOMS[0]]["log"]) == 3
    assert await overview.traces("bea") == {}

    # A shard that is away takes its own rooms with it, and no others.
    away = next(it for it in places.values() if it is not cluster.owner(main.meta))
    away.kill()

    async def is_away() -> bool:
        found = {it.room: it.members for it in await overview.rooms()}
        expected = {
            room: None if places[room] is away else number for number, room in enumerate(ROOMS)
        }
        return found == expected

    await until(is_away, 60, "the others")
    with pytest.raises(StoreAway):  # whoever is to be erased is not erased in part, unnoticed
        await overview.traces("andy")
    there.link.disconnect()
    redis.link.disconnect()
    visits.end()
