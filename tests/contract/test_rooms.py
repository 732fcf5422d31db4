"""Further rooms, as both stores promise them."""

import asyncio
from collections.abc import Sequence

from contract.follower import RecordingFollower
from contract.in_rooms import Seat, enter, open_room
from contract.node import WITHIN, StoreFactory
from harness.waiting import until
from tertulia.chat.ports import Outcome, Replay
from tertulia.domain.events import Joined, Left, PublicEvent, Said, Tagged
from tertulia.domain.operator_commands import Action
from tertulia.domain.position import Position

TOKEN = "a" * 32
ANNA, CARLA = 1_700_000_000_001, 1_700_000_000_002
"""Since when their accounts are there."""


async def test_what_is_said_in_a_room_comes_to_all_who_follow_it(
    store_factory: StoreFactory,
) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    here, there = open_room(one, "ops"), open_room(two, "ops")
    (andy,), (betty,) = await enter(one, here, "andy"), await enter(two, there, "Betty")
    said = [andy.say("hello"), betty.say("hi")]
    await asyncio.gather(one.store.settle(), two.store.settle())
    assert {op.outcome for op in said} == {Outcome.DONE}
    for room in (here, there):
        await until(lambda it=room: len(it.follower.said) == 2, WITHIN, "both")  # type: ignore[misc]
        assert sorted(room.follower.nicknames) == ["Betty", "andy"]
    assert here.follower.said == there.follower.said
    assert one.follower.said == [], "and nowhere else"
    left = andy.leave()
    await one.store.settle()
    assert left.outcome is Outcome.DONE
    await until(lambda: there.follower.nicknames == ["Betty"], WITHIN, "andy's leave")
    betty.leave()
    await two.store.settle()


async def test_rooms_know_nothing_of_each_other(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    rooms = [open_room(node, name) for name in ("a", "b", "c")]
    seats = [(await enter(node, room, f"in-{room.name}"))[0] for room in rooms]
    for seat in seats:
        seat.say(seat.room.name)
    await node.store.settle()
    assert [room.follower.said for room in rooms] == [["a"], ["b"], ["c"]]
    for seat in seats:
        seat.leave()
    await node.store.settle()


async def two_in(store_factory: StoreFactory) -> tuple[Seat, Seat]:
    """Have anna, an account, make a room, and bruno come there from another node."""
    one, two = await store_factory.node("one"), await store_factory.node("two")
    here, there = open_room(one, "ops"), open_room(two, "ops")
    guest, other = one.guest("anna"), two.guest("Bruno")
    first = guest.join()
    await one.store.settle()
    second = other.join()
    await two.store.settle()
    anna, bruno = here.seat(guest, first.number), there.seat(other, second.number)
    anna.join(account=ANNA)
    await one.store.settle()
    bruno.join(TOKEN)
    await two.store.settle()
    await until(lambda: len(here.follower.roster) == 2, WITHIN, "both")
    await until(lambda: there.follower.rules.owner == "anna", WITHIN, "the owner")
    return anna, bruno


async def settled(*seats: Seat) -> None:
    await asyncio.gather(*(seat.room.node.store.settle() for seat in seats))


async def test_who_shows_his_token_goes_on_in_his_seat(store_factory: StoreFactory) -> None:
    anna, bruno = await two_in(store_factory)
    said = [bruno.say("one", 1, TOKEN), bruno.refused(2, TOKEN), bruno.say("three", 3, TOKEN)]
    await settled(bruno)
    assert {op.outcome for op in said} == {Outcome.DONE}
    here = anna.room
    again = here.seat(here.node.guest("bruno"), bruno.number + 10)
    op = again.join(TOKEN, resumed=True)
    await settled(anna)
    assert op.outcome is Outcome.DONE
    assert here.follower.entries[-1].events == [
        Joined("bruno", again.session, "chatte", bruno.session, again.number)
    ]
    late = bruno.say("late")
    await settled(bruno)
    assert late.outcome is Outcome.GONE
    replays: list[Replay] = []
    entries = here.follower.entries
    here.store.replay(entries[1].position, entries[-1].position, TOKEN, replays.append)
    await until(lambda: replays, WITHIN, "the replay")
    (replay,) = replays
    assert (replay.done, list(replay.refused), replay.is_complete) == (3, [2], True)
    texts = [it.text for entry in replay.entries for it in entry.events if isinstance(it, Said)]
    assert texts == ["one", "three"]
    here.store.replay(Position("other", 9), entries[-1].position, "f" * 32, replays.append)
    await until(lambda: len(replays) == 2, WITHIN, "the other replay")
    assert not replays[1].entries, "who was never there reads nothing"
    again.leave()
    anna.leave()
    await settled(anna)


async def test_what_was_answered_is_known_when_the_seat_is_gone(
    store_factory: StoreFactory,
) -> None:
    anna, bruno = await two_in(store_factory)
    bruno.say("hello", 7, TOKEN)
    bruno.leave()
    await settled(bruno)
    again = bruno.room.seat(bruno.room.node.guest("bruno"), bruno.number + 1)
    joined = again.join(TOKEN, resumed=True)
    await settled(bruno)
    assert joined.outcome is Outcome.DONE
    replays: list[Replay] = []
    follower = bruno.room.follower
    first, last = follower.entries[0].position, follower.entries[-1].position
    bruno.room.store.replay(first, last, TOKEN, replays.append)
    await until(lambda: replays, WITHIN, "the replay")
    assert replays[0].done == 7
    again.leave(TOKEN)
    anna.leave()
    await settled(anna, bruno)


async def test_the_owner_names_moderators(store_factory: StoreFactory) -> None:
    anna, bruno = await two_in(store_factory)
    refused = [bruno.moderate(Action.TOPIC, text="mine"), bruno.moderate(Action.APPOINT, "bruno")]
    await settled(bruno)
    assert {op.outcome for op in refused} == {Outcome.FORBIDDEN}
    named = anna.moderate(Action.APPOINT, "carla", CARLA)
    await settled(anna)
    assert named.outcome is Outcome.DONE
    two = bruno.room.node
    guest = two.guest("carla")
    join = guest.join()
    await two.store.settle()
    carla = bruno.room.seat(guest, join.number)
    carla.join(account=CARLA)
    done = [carla.moderate(Action.TOPIC, text="coffee"), carla.moderate(Action.MUTE, "bruno", 60)]
    not_hers = [carla.moderate(Action.DISMISS, "carla"), carla.moderate(Action.MUTE, "anna", 60)]
    silent = bruno.say("am I heard?")
    kicked = carla.moderate(Action.KICK, "bruno")
    await settled(bruno)
    assert {op.outcome for op in (*done, kicked)} == {Outcome.DONE}
    assert {op.outcome for op in not_hers} == {Outcome.FORBIDDEN}
    assert silent.outcome is Outcome.MUTED
    follower = anna.room.follower
    await until(lambda: bruno.session in follower.lefts(), WITHIN, "the kick")
    assert (follower.rules.topic, follower.rules.moderators) == ("coffee", {"carla": CARLA})
    assert follower.said == []
    bruno.room.follower.here.pop(bruno.session, None)
    anna.leave()
    carla.leave()
    await settled(anna, bruno)


async def test_what_account_a_session_proved_to_be_is_told_with_its_join(
    store_factory: StoreFactory,
) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    store_factory.give_password("andy", "secret")
    andy, betty = one.guest("andy"), one.guest("betty")
    joins = [andy.join(TOKEN, proven=True), betty.join()]
    await one.store.settle()
    assert [op.account for op in joins] == [1, 0]
    assert 0 < joins[0].number < joins[1].number
    again = two.guest("andy")
    resumed = again.join(TOKEN, resumed=True)
    await two.store.settle()
    assert (resumed.outcome, resumed.account) == (Outcome.DONE, 1)
    found: list[Sequence[int]] = []
    one.store.since(["andy", "betty"], found.append)
    await until(lambda: found, WITHIN, "the answer")
    assert list(found[0]) == [1, 0]
    betty.leave()
    again.leave()
    await asyncio.gather(one.store.settle(), two.store.settle())


async def test_an_account_that_was_made_anew_neither_owns_nor_moderates_a_room(
    store_factory: StoreFactory,
) -> None:
    anna, bruno = await two_in(store_factory)
    anna.moderate(Action.APPOINT, "carla", CARLA)
    anna.moderate(Action.SLOW, value=60)
    anna.leave()
    await settled(anna, bruno)
    node = bruno.room.node
    guests = [node.guest("anna"), node.guest("carla")]
    joins = [guest.join() for guest in guests]
    await settled(bruno)
    other, carla = (
        bruno.room.seat(guest, op.number) for guest, op in zip(guests, joins, strict=True)
    )
    other.join(account=ANNA + 7)
    carla.join(account=CARLA)
    not_its = [
        other.moderate(Action.TOPIC, text="mine"),
        other.moderate(Action.OUTSIDERS, value=1),
        other.moderate(Action.APPOINT, "anna", ANNA + 7),
    ]
    said = [other.say("one"), other.say("two"), carla.say("one"), carla.say("two")]
    muted = carla.moderate(Action.MUTE, "anna", 60)
    await settled(bruno)
    assert {op.outcome for op in not_its} == {Outcome.FORBIDDEN}
    slow = [op.outcome is Outcome.SLOW for op in said]
    assert slow == [False, True, False, False]
    assert muted.outcome is Outcome.DONE, "it is not the owner"
    carla.leave()
    again = bruno.room.seat(node.guest("carla"), carla.number + 1)
    again.join(account=0)
    refused = again.moderate(Action.TOPIC, text="a guest's")
    await settled(bruno)
    assert refused.outcome is Outcome.FORBIDDEN
    for seat in (other, again, bruno):
        seat.leave()
    await settled(bruno)


async def test_outsiders_speak_where_they_may(store_factory: StoreFactory) -> None:
    anna, bruno = await two_in(store_factory)
    outside = bruno.room.seat(bruno.room.node.guest("olga"), 1)
    first = outside.say("hello?", outside=True)
    await settled(bruno)
    assert first.outcome is Outcome.UNKNOWN
    opened = anna.moderate(Action.OUTSIDERS, value=1)
    await settled(anna)
    assert opened.outcome is Outcome.DONE
    second = outside.say("hello", 4, TOKEN, outside=True)
    await settled(bruno)
    assert second.outcome is Outcome.DONE
    await until(lambda: anna.room.follower.said == ["hello"], WITHIN, "it")
    anna.moderate(Action.MUTE, "olga", 60)
    await settled(anna)
    third = outside.say("and now?", outside=True)
    await settled(bruno)
    assert third.outcome is Outcome.MUTED
    assert anna.room.follower.rules.outsiders
    anna.leave()
    bruno.leave()
    await settled(anna, bruno)


async def test_newcomers_are_told_what_was_said_and_holds(store_factory: StoreFactory) -> None:
    anna, bruno = await two_in(store_factory)
    anna.moderate(Action.SLOW, value=60)
    anna.say("welcome")
    await settled(anna)
    third = await store_factory.node("three")
    room = open_room(third, "ops", history=10)
    (carla,) = await enter(third, room, "carla")
    assert [it.nickname for it in room.follower.seatings[0]] == ["anna", "Bruno"]
    assert [it.number for it in room.follower.seatings[0]] == [anna.number, bruno.number]
    said = [
        it.text for entry in room.follower.before for it in entry.events if isinstance(it, Said)
    ]
    assert said == ["welcome"]
    assert (room.follower.rules.slow, room.follower.rules.owner) == (60, "anna")
    read: list[int] = []
    room.store.look_back(
        room.follower.entries[-1].position,
        lambda entry: bool(read.append(entry.position.offset)) is False,  # type: ignore[func-returns-value]
        lambda _: read.append(0),
    )
    await until(lambda: read and read[-1] == 0, WITHIN, "the past")
    assert read == sorted(read, reverse=True)
    assert len(read) > 3
    on: list[int] = []
    room.store.look_on(
        Position(room.follower.entries[-1].position.epoch, 0),
        lambda entry: bool(on.append(entry.position.offset)) is False,  # type: ignore[func-returns-value]
        lambda _: on.append(0),
    )
    await until(lambda: on and on[-1] == 0, WITHIN, "the same on from the begin")
    last = room.follower.entries[-1].position.offset
    assert on == [*range(1, last + 1), 0]
    for seat in (anna, bruno, carla):
        seat.leave()
        await settled(seat)


async def test_who_leaves_the_chat_with_a_room_is_told_from_who_leaves_the_room(
    store_factory: StoreFactory,
) -> None:
    anna, bruno = await two_in(store_factory)
    follower = anna.room.follower
    bruno.leave()
    await settled(bruno)
    anna.leave(is_gone=True)
    await settled(anna)
    lefts = [it for entry in follower.entries for it in entry.events if isinstance(it, Left)]
    assert [(it.nickname, it.is_gone) for it in lefts] == [("Bruno", False), ("anna", True)]


async def test_what_somebody_says_to_leaving_a_room_is_read_there(
    store_factory: StoreFactory,
) -> None:
    anna, bruno = await two_in(store_factory)
    follower = anna.room.follower
    words = 'è "so" ' + "x" * 380
    bruno.leave(words=words)
    await settled(bruno)
    anna.leave(words="%d \\", is_gone=True)
    await settled(anna)
    lefts = [it for entry in follower.entries for it in entry.events if isinstance(it, Left)]
    assert lefts == [
        Left("Bruno", bruno.session, text=words),
        Left("anna", anna.session, True, "%d \\"),
    ]


async def test_tags_go_with_a_text_or_alone(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    here, there = open_room(one, "ops"), open_room(two, "ops")
    (andy,), _ = await enter(one, here, "andy"), await enter(two, there, "betty")
    tags = "+draft/reply=a-1-0"
    for speaker, followers in (
        (andy.guest, (one.follower, two.follower)),
        (andy, (here.follower, there.follower)),
    ):
        ops = [speaker.say("yes", 1, tags=tags, splits=(0, 2)), speaker.say("", 2, tags=tags)]
        await one.store.settle()
        assert {op.outcome for op in ops} == {Outcome.DONE}
        who = ops[0].nickname, ops[0].session
        expected = [Said(*who, "yes", 1, tags=tags, splits=(0, 2)), Tagged(*who, tags, 2)]
        for follower in followers:
            await until(lambda it=follower: len(tagged(it)) == 2, WITHIN, "both")  # type: ignore[misc]
            assert tagged(follower) == expected


def tagged(follower: RecordingFollower) -> list[PublicEvent]:
    """Return what has tags."""
    return [it for it in follower.events if isinstance(it, Said | Tagged) and it.tags]
