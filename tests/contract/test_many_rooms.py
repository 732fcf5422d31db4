"""Many rooms in which somebody speaks now and then: what one of them costs, and who waits for whom."""

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest

from contract.chat_stores import RedisNode, RedisStores
from contract.in_rooms import Seat, enter, open_room
from contract.node import WITHIN
from harness.waiting import until
from tertulia.redis.link import Asked, Call, Link
from tertulia.redis.script import Script
from tertulia.store import coalescing, room_committer
from tertulia.store.keys import RoomKeys
from tertulia.store.rooms import StoredRooms

AGES = 3600.0
TOKEN = "{main}:token:" + "a" * 32
MOST_COMMANDS = 11
"""Commands that a script carries out in a room for a message without news, beside asking for the time."""


async def speakers(node: RedisNode, *names: str) -> list[Seat]:
    """Have somebody enter each of these rooms."""
    return [(await enter(node, open_room(node, name), f"in-{name}"))[0] for name in names]


async def test_rooms_that_speak_in_the_same_turn_are_one_commit(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    seats = await speakers(node, *(f"room-{at}" for at in range(20)))
    before = node.counted("commit_duration_seconds_count")
    for seat in seats:
        seat.say("at once")
    await node.store.settle()
    assert node.counted("commit_duration_seconds_count") - before == 1


async def test_what_is_under_way_when_the_chat_loses_its_data_is_said_all_the_same(
    chat_stores: RedisStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chat's parts are ended then, this one too, and run anew; the room has lost nothing."""
    node = await chat_stores.node()
    speaker = await node.enter_one("ana")
    (seat,) = await enter(node, open_room(node, "ops"), "in-ops")
    run_now, is_held = Link.run_now, asyncio.Event()

    def never_answered(
        self: Link, script: Script, calls: Sequence[Call], told: Callable[..., object]
    ) -> Asked | None:
        if is_held.is_set():
            return run_now(self, script, calls, told)
        is_held.set()
        assert self._shared is not None
        return Asked(self, self._shared, told)

    monkeypatch.setattr(Link, "run_now", never_answered)
    seat.say("under way")
    await is_held.wait()
    control = chat_stores.server.control
    control.delete(*chat_stores.names())  # not the room's: it is found as it was
    speaker.say("and a new epoch begins")
    await asyncio.wait_for(node.store.settle(), WITHIN)


@pytest.mark.parametrize("what", ["late", "forgotten"])
async def test_a_room_commits_once_where_redis_does_not_answer_as_usual(
    chat_stores: RedisStores, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    node = await chat_stores.node()
    room = open_room(node, "ops")
    (seat,) = await enter(node, room, "ana")
    confirmed: list[Link] = []

    async def confirm(link: Link) -> None:
        confirmed.append(link)

    if what == "late":  # its server may have been frozen, and replaced
        monkeypatch.setattr(room_committer, "_LATE_SECONDS", -1.0)
        monkeypatch.setattr(Link, "confirm", confirm)
    else:
        chat_stores.server.control.script_flush()
    seat.say("hello")
    await node.store.settle()
    assert len(confirmed) == (what == "late")
    assert [it for it in room.follower.calls if "hello" in it] == [
        "event said hello",
        "settled hello",
    ]


async def test_no_room_waits_for_what_is_written_in_another(
    chat_stores: RedisStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = await chat_stores.node(), await chat_stores.node()
    seats = await speakers(there, "a", "b")
    heard = [open_room(here, name) for name in ("a", "b")]
    for room in heard:
        await until(lambda it=room: len(it.follower.nicknames) == 1, WITHIN, "the room")  # type: ignore[misc]
        room.follower.calls.clear()
    assert isinstance(here.store.rooms, StoredRooms)
    (shard,) = here.store.rooms._shards
    is_over = lambda: not shard.bus._coalescing.left(time.monotonic())  # noqa: E731
    await until(is_over, WITHIN, "the end of what others' coming has begun")
    monkeypatch.setattr(coalescing, "PATIENCE", 1e12)
    monkeypatch.setattr(coalescing, "MOST", AGES)
    for seat, room in zip(seats, heard, strict=True):
        seat.say("hello")
        await until(lambda it=room: "flush" in it.follower.calls, WITHIN, "the write")  # type: ignore[misc]
    heard[0].follower.calls.clear()
    seats[0].say("and again")
    await until(lambda: heard[0].follower.said == ["hello", "and again"], WITHIN, "the second")
    assert "flush" not in heard[0].follower.calls, "what comes right after it gathers"


async def test_a_message_takes_redis_few_commands(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    (anna,) = await speakers(node, "ops")
    anna.say("the first", 1, TOKEN)
    await node.store.settle()
    control, room = chat_stores.server.control, f"{{{chat_stores.chat}#ops}}"
    control.hincrby(f"{room}:meta", "marked", -10_000)  # it was said ten seconds ago
    commands: list[str] = []
    with control.monitor() as watch:
        anna.say("the next one", 2, TOKEN)
        await node.store.settle()
        control.echo("that was it")
        while "that was it" not in (seen := watch.next_command())["command"]:
            if seen["client_type"] == "lua" and room in seen["command"]:
                commands.append(seen["command"])
    assert 1 < len(commands) <= MOST_COMMANDS, commands


async def test_a_room_has_few_places_where_its_log_may_be_cut(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    (anna,) = await speakers(node, "ops")
    control, keys = chat_stores.server.control, RoomKeys(chat_stores.chat, "ops")
    marks = control.llen(keys.marks)

    async def say_after(seconds: float) -> int:
        marked = control.hget(keys.meta, "marked")
        assert isinstance(marked, str)
        control.hset(keys.meta, "marked", int(int(marked) - seconds * 1000))
        anna.say("hello")
        await node.store.settle()
        return int(control.llen(keys.marks)) - marks

    assert isinstance(node.store.rooms, StoredRooms)
    age = node.store.rooms.settings.log_age_seconds
    assert await say_after(age / 512) == 0
    assert await say_after(age / 256) == 1
