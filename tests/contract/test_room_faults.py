"""Further rooms on a real Redis that fails or loses data: nothing is lost, nothing is done twice."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from contract.chat_stores import STALLING, RedisNode, RedisStores
from contract.in_rooms import Room, Seat, enter, open_room
from contract.lossy_proxy import Loss
from contract.node import WITHIN, Guest, stop
from contract.test_chat_store_epochs import Backup
from harness.redis_server import RedisServer, running_redis
from harness.waiting import until
from tertulia.chat.ports import Outcome
from tertulia.domain.events import Left
from tertulia.domain.rooms import RoomInfo
from tertulia.store import room_burials, rooms
from tertulia.store.chat_store import ChatStore
from tertulia.store.keys import RoomKeys
from tertulia.store.room import FollowedRoom
from tertulia.store.room_bus import RoomBus
from tertulia.store.rooms import StoredRooms
from tertulia.store.scripts import ROOM_COMMIT


async def two_in(stores: RedisStores, **settings: float) -> tuple[RedisNode, RedisNode, Seat, Seat]:
    """Start two nodes, and have somebody on each enter a room."""
    one, two = [await stores.node(name, **settings) for name in ("one", "two")]
    (andy,) = await enter(one, open_room(one, "ops"), "andy")
    (betty,) = await enter(two, open_room(two, "ops"), "betty")
    await sees(andy.room, lambda: len(andy.room.follower.roster) == 2)
    return one, two, andy, betty


async def sees(room: Room, condition: object) -> None:
    assert callable(condition)
    await until(condition, WITHIN, f"what {room.follower.name} should see")


async def hear(text: str, *rooms: Room) -> None:
    """Wait until something was said in each of them."""
    for room in rooms:
        await sees(room, lambda it=room: text in it.follower.said)


async def leave(*seats: Seat) -> None:
    for seat in seats:
        seat.leave()
        await asyncio.wait_for(seat.room.node.store.settle(), WITHIN)


@pytest.mark.parametrize("loss", [Loss.REQUEST, Loss.REPLY, Loss.STALLED])
async def test_a_commit_that_got_no_reply_is_done_once(
    chat_stores: RedisStores, loss: Loss
) -> None:
    settings = STALLING if loss is Loss.STALLED else {}
    one, two, andy, betty = await two_in(chat_stores, **settings)
    fault = one.wire.lose("once", loss=loss)
    ops = [andy.say("once"), andy.say("more"), andy.leave()]
    await asyncio.wait_for(one.store.settle(), WITHIN)
    assert fault.struck.is_set()
    assert [op.outcome for op in ops] == [Outcome.DONE] * 3
    betty.say("last")
    await asyncio.wait_for(two.store.settle(), WITHIN)
    await hear("last", andy.room, betty.room)
    assert betty.room.follower.said == andy.room.follower.said == ["once", "more", "last"]
    assert betty.room.follower.lefts() == [andy.session]
    await leave(betty)


async def test_a_commit_is_sent_again_as_often_as_it_takes(chat_stores: RedisStores) -> None:
    one, _, andy, betty = await two_in(chat_stores)
    faults = [
        one.wire.lose(ROOM_COMMIT.plain.sha, loss=loss) for loss in (Loss.REPLY, Loss.REQUEST) * 3
    ]
    texts = [str(i) for i in range(1000)]
    ops = [andy.say(text) for text in texts]
    await asyncio.wait_for(one.store.settle(), WITHIN)
    assert all(fault.struck.is_set() for fault in faults)
    assert {op.outcome for op in ops} == {Outcome.DONE}
    await hear("999", betty.room)
    assert andy.room.follower.said == betty.room.follower.said == texts
    await leave(andy, betty)


async def test_a_lost_bus_is_read_on_from_the_log(chat_stores: RedisStores) -> None:
    one, two, andy, betty = await two_in(chat_stores)
    two.wire.cut("tertulia-bus")
    texts = [str(i) for i in range(100)]
    for text in texts:
        andy.say(text)
    await asyncio.wait_for(one.store.settle(), WITHIN)
    await hear("99", betty.room)
    assert betty.room.follower.said == texts
    betty.say("still here")
    await asyncio.wait_for(two.store.settle(), WITHIN)
    await hear("still here", andy.room)
    await leave(andy, betty)


async def test_people_stay_in_a_room_when_redis_is_empty(chat_stores: RedisStores) -> None:
    one, two, andy, betty = await two_in(chat_stores)
    andy.say("before")
    await asyncio.wait_for(one.store.settle(), WITHIN)
    await hear("before", betty.room)
    chat_stores.server.control.flushall()
    ops = [andy.say("after"), betty.say("as well")]
    for node in (one, two):
        await asyncio.wait_for(node.store.settle(), WITHIN)
    assert {op.outcome for op in ops} == {Outcome.DONE}
    for text in ("after", "as well"):
        await hear(text, andy.room, betty.room)
    for room in (andy.room, betty.room):
        assert sorted(room.follower.nicknames) == ["andy", "betty"]
        assert room.follower.lefts() == []
        assert len({entry.position.epoch for entry in room.follower.entries}) == 2
    assert andy.room.follower.said == betty.room.follower.said
    numbers = {member.nickname: member.number for member in andy.room.follower.roster}
    assert numbers == {"andy": andy.number, "betty": betty.number}
    (later,) = await enter(one, andy.room, "later")
    assert later.number > max(numbers.values())
    await leave(andy, betty, later)


async def test_a_room_goes_on_with_older_data(chat_stores: RedisStores) -> None:
    one, two, andy, betty = await two_in(chat_stores)
    andy.say("kept")
    await asyncio.wait_for(one.store.settle(), WITHIN)
    await hear("kept", betty.room)
    backup = Backup(chat_stores.server)
    andy.say("lost")
    (carl,) = await enter(two, betty.room, "carl")
    await asyncio.wait_for(one.store.settle(), WITHIN)
    await hear("lost", andy.room, betty.room)
    backup.restore()
    ops = [andy.say("after"), carl.say("me too")]
    for node in (one, two):
        await asyncio.wait_for(node.store.settle(), WITHIN)
    assert {op.outcome for op in ops} == {Outcome.DONE}
    for text in ("after", "me too"):
        await hear(text, andy.room, betty.room)
    for room in (andy.room, betty.room):
        assert room.follower.said.count("lost") == 1
        assert sorted(room.follower.nicknames) == ["andy", "betty", "carl"]
        assert room.follower.lefts() == []
    await leave(andy, betty, carl)


async def test_a_later_holder_takes_over_what_an_earlier_one_left(chat_stores: RedisStores) -> None:
    one, two, andy, betty = await two_in(chat_stores)
    later = betty.room.seat(two.guest("andy"), andy.number + 1000)
    op = later.join()
    await asyncio.wait_for(two.store.settle(), WITHIN)
    assert op.outcome is Outcome.DONE
    await sees(andy.room, lambda: andy.session in andy.room.follower.lefts())
    andy.room.follower.here.clear()
    late = [andy.say("too late"), andy.join(), andy.leave()]
    await asyncio.wait_for(one.store.settle(), WITHIN)
    assert [op.outcome for op in late] == [Outcome.GONE] * 3
    holder = betty.room.follower.roster.holder("andy")
    assert holder is not None
    assert (holder.session, holder.number) == (later.session, later.number)
    await leave(later, betty)


async def test_a_condemned_node_can_do_nothing_more(chat_stores: RedisStores) -> None:
    one, two, andy, betty = await two_in(chat_stores)
    keys = RoomKeys(chat_stores.chat, "ops")
    chat_stores.condemn(one.store.node)
    chat_stores.server.control.zadd(keys.condemned, {one.store.node: 1e15})
    andy.say("unheard")
    await until(lambda: one.follower.fencings, WITHIN, "the fence")
    assert andy.room.follower.said == []
    betty.say("heard")
    await asyncio.wait_for(two.store.settle(), WITHIN)
    assert betty.room.follower.said == ["heard"]
    await leave(betty)


async def test_what_cannot_be_opened_is_refused(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    room = open_room(node, "nowhere", make=False)
    await until(lambda: room.follower.refusals, WITHIN, "the refusal")
    again = open_room(node, "nowhere")
    (andy,) = await enter(node, again, "andy")
    andy.say("hello")
    await node.store.settle()
    assert again.follower.said == ["hello"]
    await leave(andy)


async def test_a_room_can_be_opened_again(chat_stores: RedisStores) -> None:
    """Whatever is still under way from before."""
    one, two, andy, betty = await two_in(chat_stores)
    first = andy.room
    last = [andy.say("one more"), andy.leave()]
    first.store.close()
    andy.room = open_room(one, "ops")
    andy.join()
    said = andy.say("again")
    await asyncio.wait_for(one.store.settle(), WITHIN)
    assert [op.outcome for op in last] == [Outcome.DONE] * 2
    assert not set(last) & set(first.follower.ops), "of which nobody is told"
    assert said.outcome is Outcome.DONE
    await hear("again", andy.room, betty.room)
    assert betty.room.follower.said == ["one more", "again"]
    await leave(andy)
    andy.room.store.close()
    channel = RoomKeys(chat_stores.chat, "ops").room
    await until(
        lambda: dict(chat_stores.server.control.pubsub_numsub(channel))[channel] == 1,
        WITHIN, "one listener",
    )  # fmt: skip
    andy.room = open_room(one, "ops")
    andy.join()
    await asyncio.wait_for(one.store.settle(), WITHIN)
    betty.say("do you hear?")
    await asyncio.wait_for(two.store.settle(), WITHIN)
    await hear("do you hear?", andy.room)
    await leave(andy, betty)


async def test_a_dead_nodes_people_leave_its_rooms(chat_stores: RedisStores) -> None:
    one, _, andy, betty = await two_in(chat_stores)
    other = open_room(one, "other")
    (carl,) = await enter(one, other, "carl")
    dead = one.store.node
    chat_stores.condemn(dead)
    await sees(betty.room, lambda: betty.room.follower.lefts() == [andy.session])
    last = betty.room.follower.entries[-1].events
    assert last == [Left("andy", andy.session, is_gone=True)]
    await until(lambda: one.follower.fencings, WITHIN, "the fence")
    control, keys = chat_stores.server.control, RoomKeys(chat_stores.chat, "other")
    await until(lambda: not control.exists(keys.members), WITHIN, "carl's leave")
    assert not control.exists(keys.nick("carl"))
    names = chat_stores.keys
    await until(lambda: not control.exists(names.node_rooms(dead)), WITHIN, "the end of its list")
    await until(lambda: dead not in control.smembers(names.room_nodes), WITHIN, "the end")
    assert carl.room.follower.lefts() == [], "it was let go of before"
    await leave(betty)


async def test_what_others_buried_first_is_buried_in_rooms_as_well(
    chat_stores: RedisStores,
) -> None:
    """A node of an earlier version knows nothing of rooms."""
    one, _, andy, betty = await two_in(chat_stores)
    control, keys = chat_stores.server.control, chat_stores.keys
    one.wire.cut_off()
    control.zrem(keys.leases, one.store.node)
    control.hdel(keys.batches, one.store.node)
    await sees(betty.room, lambda: betty.room.follower.lefts() == [andy.session])
    one.wire.restore()
    await until(lambda: one.follower.fencings, WITHIN, "the fence")
    await leave(betty)


async def test_nothing_is_left_of_a_node_that_stopped(chat_stores: RedisStores) -> None:
    one, two, andy, betty = await two_in(chat_stores)
    node, control = one.store.node, chat_stores.server.control
    await leave(andy)
    Guest.leave(andy.guest)
    await asyncio.wait_for(stop(one), WITHIN)
    chat_stores.leave_to_end(one)
    await one.wire.close()
    keys = RoomKeys(chat_stores.chat, "ops")
    assert control.hkeys(keys.batches) == [two.store.node]
    assert not control.exists(chat_stores.keys.node_rooms(node))
    assert control.smembers(chat_stores.keys.room_nodes) == {two.store.node}
    await leave(betty)


async def test_a_room_is_forgotten_when_its_log_has_aged_out(
    chat_stores: RedisStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_burials, "_FORGET_SECONDS", 0.1)
    monkeypatch.setattr(rooms, "_LINGER_SECONDS", 0.0)
    node = await chat_stores.node(log_age_seconds=1.0)
    control, names = chat_stores.server.control, chat_stores.keys
    kept, gone, lasting = (open_room(node, name) for name in ("kept", "gone", "lasting"))
    (andy,) = await enter(node, kept, "andy")
    (betty,) = await enter(node, gone, "betty")
    (carl,) = await enter(node, lasting, "carl")
    betty.say("something")
    carl.say("something")
    await node.store.settle()
    control.hset(names.room_facts, "lasting:lasting", "1")
    await leave(betty, carl)
    gone.store.close()
    lasting.store.close()
    await until(lambda: control.zscore(names.rooms, "gone") is None, WITHIN, "the forgetting")
    assert control.keys(f"{{{chat_stores.chat}#gone}}:*") == []
    assert set(control.zrange(names.rooms, 0, -1)) == {"kept", "lasting"}
    again = open_room(node, "gone")
    (betty,) = await enter(node, again, "betty2")
    assert again.follower.entries[0].position.offset == 1
    await leave(andy, betty)


async def test_rooms_are_listed_with_most_members_first(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    small, large = open_room(node, "small"), open_room(node, "large")
    (owner, *others) = [
        *await enter(node, small, "owner"), *await enter(node, large, "a", "b", "c")
    ]  # fmt: skip
    listed: list[RoomInfo] = []

    def look() -> bool:
        node.store.rooms.list(lambda told: listed.__setitem__(slice(None), told))
        return [(it.name, it.members) for it in listed] == [("large", 3), ("small", 1)]

    await until(look, WITHIN, "the list")
    await leave(owner, *others)
    await until(lambda: look() or not listed, WITHIN, "an empty list")


async def test_a_room_in_which_nothing_was_said_is_forgotten_soon(
    chat_stores: RedisStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else whoever makes rooms locks everybody out of making any."""
    monkeypatch.setattr(room_burials, "_FORGET_SECONDS", 0.1)
    monkeypatch.setattr(rooms, "_LINGER_SECONDS", 0.0)
    node = await chat_stores.node()
    control, names = chat_stores.server.control, chat_stores.keys
    silent, talked = open_room(node, "silent"), open_room(node, "talked")
    (andy,), (betty,) = await enter(node, silent, "andy"), await enter(node, talked, "betty")
    betty.say("hello")
    await leave(andy, betty)
    for room in (silent, talked):
        room.store.close()
    await until(lambda: control.zscore(names.rooms, "silent") is None, WITHIN, "the forgetting")
    assert control.keys(f"{{{chat_stores.chat}#silent}}:*") == []
    assert control.zscore(names.rooms, "talked") is not None


@pytest.fixture
def replica(shared_redis: RedisServer) -> Iterator[RedisServer]:
    with running_redis(
        fsync="no", options=("--replicaof", "127.0.0.1", str(shared_redis.port))
    ) as server:
        yield server


async def test_nothing_of_a_room_is_shown_before_a_replica_has_it(
    replica: RedisServer, chat_stores: RedisStores
) -> None:
    told = replica.control
    await until(lambda: told.info("replication")["master_link_status"] == "up", WITHIN, "it")
    chat_stores.is_replicated = True
    one, two, andy, betty = await two_in(chat_stores)
    replica.freeze()
    waits = andy.say("waits")
    keys, control = RoomKeys(chat_stores.chat, "ops"), chat_stores.server.control
    await until(lambda: int(control.hget(keys.meta, "offset") or 0) == 3, WITHIN, "the log")
    await until(
        lambda: one.counted("commit_retries_total", cause="no_replicas"), WITHIN, "the wait"
    )
    assert waits.outcome is None
    assert andy.room.follower.said == betty.room.follower.said == []
    replica.thaw()
    await asyncio.wait_for(one.store.settle(), WITHIN)
    assert waits.outcome is Outcome.DONE
    await hear("waits", andy.room, betty.room)
    control.flushall()
    ops = [andy.say("after"), betty.say("as well")]
    await asyncio.wait_for(asyncio.gather(one.store.settle(), two.store.settle()), WITHIN)
    assert {op.outcome for op in ops} == {Outcome.DONE}
    for text in ("after", "as well"):
        await hear(text, andy.room, betty.room)
    chat_stores.condemn(one.store.node)
    await sees(betty.room, lambda: betty.room.follower.lefts() == [andy.session])
    await leave(betty)


def bus_of(node: RedisNode) -> RoomBus:
    """Return the bus of a node's rooms."""
    rooms = node.store.rooms
    assert isinstance(rooms, StoredRooms)
    (shard,) = rooms._shards
    return shard.bus


async def test_a_room_that_the_bus_forgot_is_subscribed_anew(chat_stores: RedisStores) -> None:
    """As after a connection that was lost and found while the room was being subscribed."""
    one, _, andy, betty = await two_in(chat_stores)
    channel = RoomKeys(chat_stores.chat, "ops").room
    bus = bus_of(one)
    forgotten = bus._rooms.pop(channel.encode())
    op = andy.say("anybody?")
    await hear("anybody?", betty.room)
    assert op not in andy.room.follower.ops
    await hear("anybody?", andy.room)
    assert bus._rooms[channel.encode()] is forgotten
    betty.say("yes")
    await hear("yes", andy.room, betty.room)
    await leave(andy, betty)


async def test_a_subscription_of_a_bus_that_was_lost_meanwhile_counts_for_nothing(
    chat_stores: RedisStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _, andy, betty = await two_in(chat_stores)
    bus = bus_of(one)
    add, lost = bus._link.add, list[object]()

    async def lose(channels: list[str]) -> None:
        await add(channels)
        if not lost:  # it is there again before anybody looks
            lost.append(channels)
            bus._lost(None)
            bus._unpark()

    monkeypatch.setattr(bus._link, "add", lose)
    (carl,) = await enter(one, open_room(one, "other"), "carl")
    assert lost
    betty.say("yes")
    await hear("yes", andy.room, betty.room)
    carl.say("hm")
    await hear("hm", carl.room)
    await leave(andy, betty, carl)


async def test_a_room_that_begins_to_wait_as_the_last_worker_ends_is_seen_to(
    chat_stores: RedisStores,
) -> None:
    node = await chat_stores.node("one")
    await enter(node, open_room(node, "ops"), "ann")
    stored = stored_rooms(node)
    followed = stored._rooms["ops"]

    async def last() -> None:
        stored.needs_look(followed)  # it still counts, and looks no more

    worker = asyncio.create_task(last())
    stored._workers.add(worker)
    worker.add_done_callback(stored._dismiss)
    await worker
    await until(lambda: not followed.is_queued, WITHIN, "somebody to see to it")


async def test_nobody_else_is_at_a_room_that_is_seen_to(
    chat_stores: RedisStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await chat_stores.node("one")
    for name in ("ops", "news"):
        await enter(node, open_room(node, name), "ann")
    stored = stored_rooms(node)
    followed, other = stored._rooms["ops"], stored._rooms["news"]
    at_it: Counter[object] = Counter()
    most: Counter[object] = Counter()
    may_go = asyncio.Event()

    async def look(room: FollowedRoom) -> None:
        at_it[room] += 1
        most[room] = max(most[room], at_it[room])
        await may_go.wait()
        at_it[room] -= 1

    monkeypatch.setattr(stored, "_get_live", look)
    stored.needs_look(followed)
    stored.needs_look(other)
    await until(lambda: at_it[followed] and at_it[other], WITHIN, "both to be seen to")
    stored.needs_look(followed)
    stored.needs_look(other)
    assert not stored._waiting
    may_go.set()
    await until(lambda: not (followed.is_queued or at_it[followed]), WITHIN, "the second time")
    assert most == {followed: 1, other: 1}


def stored_rooms(node: RedisNode) -> StoredRooms:
    assert isinstance(node.store, ChatStore)
    return node.store.rooms
