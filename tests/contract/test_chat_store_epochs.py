"""The real store when Redis loses data: who is connected stays, and what they know is written down again."""

import asyncio
from typing import cast

import redis

from contract.chat_stores import STALLING, RedisNode, RedisStores
from contract.lossy_proxy import Loss
from contract.node import WITHIN, Guest
from harness.redis_server import RedisServer
from harness.waiting import until
from tertulia.chat.ports import Outcome
from tertulia.domain.events import Joined, Left, Present
from tertulia.store.scripts import SEAT


class Backup:
    """Everything that Redis holds, to be brought back as it was."""

    def __init__(self, server: RedisServer) -> None:
        self._redis = redis.Redis(port=server.port)
        names = cast(list[bytes], self._redis.keys())
        self._values = {name: cast(bytes, self._redis.dump(name)) for name in names}

    def restore(self) -> None:
        """Bring it back, in one moment, and nothing that came since."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.flushall()
            for name, value in self._values.items():
                pipeline.restore(name, 0, value)
            pipeline.execute()
        self._redis.close()


async def epoch_changed(*nodes: RedisNode, times: int = 1) -> None:
    """Wait until every node has noticed, and is at work again."""
    for node in nodes:
        await node.sees(lambda it: it.renumberings and len(it.seatings) > 1, "another epoch")
        assert node.counted("epoch_changes_total") >= times
    for node in nodes:
        await asyncio.wait_for(node.store.settle(), WITHIN)


async def all_is_well(guests: list[Guest], *nodes: RedisNode) -> None:
    """See that everybody is still here, can talk, is heard, and is known by one nickname."""
    ops = [guest.say(f"{guest.session} is here") for guest in guests]
    for node in nodes:
        await asyncio.wait_for(node.store.settle(), WITHIN)
    assert {op.outcome for op in ops} == {Outcome.DONE}
    for node in nodes:
        for guest in guests:
            await hears(node, f"{guest.session} is here")
        known = sorted(member.session for member in node.follower.roster)
        assert known == sorted(guest.session for guest in guests)
        assert node.follower.lefts() == []
        assert node.follower.fencings == 0
        assert len(set(node.follower.joins())) == len(node.follower.joins())
    assert all(node.follower.nicknames == nodes[0].follower.nicknames for node in nodes)


async def hears(node: RedisNode, text: str) -> None:
    """Wait until something was said on a node."""
    await node.sees(lambda it: text in it.said, text)


async def who_is_there(stores: RedisStores, node: RedisNode) -> list[str]:
    """Return the nicknames that a newcomer is told."""
    newcomer = await stores.node("newcomer")
    return [member.nickname for member in newcomer.follower.seatings[0]]


async def test_members_stay_when_redis_is_empty(chat_stores: RedisStores) -> None:
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    guests = [*await one.enter("a", "B"), *await two.enter("c", "D"), *await one.enter("e")]
    await until(lambda: len(two.follower.roster) == 5, WITHIN, "everybody")
    chat_stores.server.control.flushall()
    await epoch_changed(one, two)
    await all_is_well(guests, one, two)
    epochs = {node.follower.entries[-1].position.epoch for node in (one, two)}
    assert len(epochs) == 1
    assert one.follower.entries[0].position.epoch not in epochs
    taken = [two.guest("A"), two.guest("b"), one.guest("d")]
    ops = [guest.join() for guest in taken]
    new = one.guest("new")
    welcome = new.join()
    await asyncio.gather(one.store.settle(), two.store.settle())
    assert [op.outcome for op in ops] == [Outcome.TAKEN] * 3
    assert welcome.outcome is Outcome.DONE
    await until(lambda: new.session in two.follower.joins(), WITHIN, "the new one")
    assert sorted(await who_is_there(chat_stores, one)) == ["B", "D", "a", "c", "e", "new"]


async def test_members_who_leave_meanwhile_have_left(chat_stores: RedisStores) -> None:
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy, betty = await one.enter("andy", "betty")
    carl = await two.enter_one("carl")
    await until(lambda: len(one.follower.roster) == 3, WITHIN, "everybody")
    chat_stores.server.control.flushall()
    andy.leave()
    carl.leave()
    await epoch_changed(one, two)
    await until(lambda: one.follower.nicknames == two.follower.nicknames == ["betty"], WITHIN, "it")
    for node in (one, two):
        assert sorted(node.follower.lefts()) == sorted([andy.session, carl.session])
    assert await who_is_there(chat_stores, one) == ["betty"]
    betty.say("alone")
    await one.store.settle()


async def test_a_nickname_that_was_taken_meanwhile_is_not_taken_back(
    chat_stores: RedisStores,
) -> None:
    """A node that nobody had told of the past let somebody in before the others were back."""
    one = await chat_stores.node("one", lease_seconds=60.0)
    andy, betty = await one.enter("andy", "betty")
    writes = one.wire.lose(SEAT.plain.sha, loss=Loss.NOTHING, then=lambda: one.wire.stall("reads"))
    chat_stores.server.control.flushall()
    await asyncio.wait_for(writes.struck.wait(), WITHIN)
    two = await chat_stores.node("two")
    taker = await two.enter_one("ANDY")
    one.wire.flow()
    await epoch_changed(one)
    assert [m.session for m in one.follower.seatings[-1]] == [taker.session, betty.session]
    op = andy.say("mine?")
    await asyncio.wait_for(one.store.settle(), WITHIN)
    assert op.outcome is Outcome.GONE
    for node in (one, two):
        await node.sees(lambda it: it.nicknames == ["ANDY", "betty"], "the two of them")


async def test_a_crowd_is_written_down_again(chat_stores: RedisStores) -> None:
    """More than one step writes, in the order in which they had come."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    names = [f"guest-{i}" for i in range(450)]
    await one.enter(*names[:300])
    await two.enter(*names[300:])
    await until(lambda: len(one.follower.roster) == 450, WITHIN, "everybody")
    chat_stores.server.control.flushall()
    await epoch_changed(one, two)
    assert one.follower.nicknames == two.follower.nicknames == names
    assert await who_is_there(chat_stores, one) == names


async def test_what_nobody_had_heard_of_is_committed_again(chat_stores: RedisStores) -> None:
    """A batch that Redis took and lost before it was heard is not lost."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy = await one.enter_one("andy")
    betty = await two.enter_one("betty")
    await until(lambda: len(one.follower.roster) == 2, WITHIN, "everybody")
    one.wire.stall("bus")
    two.wire.stall("bus")
    committed = one.wire.lose("unheard", loss=Loss.NOTHING)
    ops = [andy.say("unheard"), andy.whisper("betty", "unheard"), one.guest("carl").join()]
    await asyncio.wait_for(committed.struck.wait(), WITHIN)
    await until(lambda: any("unheard" in line for line in chat_stores.log()), WITHIN, "a commit")
    chat_stores.server.control.flushall()
    for node in (one, two):
        node.wire.cut("bus")
        node.wire.flow()
    await epoch_changed(one, two)
    assert [op.outcome for op in ops] == [Outcome.DONE] * 3
    await until(lambda: two.follower.said and two.follower.letters, WITHIN, "everything")
    assert one.follower.said == two.follower.said == ["unheard"]
    assert two.follower.letter_texts == ["unheard"]
    assert one.follower.nicknames == two.follower.nicknames == ["andy", "betty", "carl"]
    assert betty.session in {member.session for member in one.follower.roster}


async def test_what_everybody_has_heard_is_not_committed_again(chat_stores: RedisStores) -> None:
    """The batch's entry came by, its reply did not, and then Redis lost everything."""
    one, two = [await chat_stores.node(name, **STALLING) for name in ("one", "two")]
    andy, betty = await one.enter("andy", "betty")
    await two.enter("dora")
    await until(lambda: len(one.follower.roster) == 3, WITHIN, "everybody")
    fault = one.wire.lose("heard", loss=Loss.STALLED)
    carl = one.guest("carl")
    said, joined, left = andy.say("heard"), carl.join(), betty.leave()
    await asyncio.wait_for(fault.struck.wait(), WITHIN)
    await until(lambda: one.follower.said and two.follower.said, WITHIN, "the entry on both nodes")
    chat_stores.server.control.flushall()
    await epoch_changed(one, two)
    for node in (one, two):
        assert node.follower.said == ["heard"]
        assert node.follower.joins().count(carl.session) == 1
        assert node.follower.lefts() == [betty.session]
        assert sorted(node.follower.nicknames) == ["andy", "carl", "dora"]
    assert said.outcome is Outcome.DONE
    assert left.outcome in (Outcome.DONE, Outcome.GONE)  # it is gone, whoever did it
    assert joined.outcome is Outcome.DONE


async def test_what_was_heard_in_part_is_not_said_again(chat_stores: RedisStores) -> None:
    """The batch's entry came by, its letter did not, and then Redis lost everything."""
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    node.wire.stall("bus")
    ops = [andy.say("once"), andy.whisper("andy", "at least once")]
    await until(lambda: any("once" in line for line in chat_stores.log()), WITHIN, "a commit")
    inbox_of_node = inbox(chat_stores, node)
    lost = node.wire.lose(
        inbox_of_node, loss=Loss.REQUEST, link="reads", then=chat_stores.server.control.flushall
    )
    node.wire.cut("bus")
    node.wire.flow()
    await asyncio.wait_for(lost.struck.wait(), WITHIN)
    await epoch_changed(node)
    assert [op.outcome for op in ops] == [Outcome.DONE] * 2
    assert node.follower.said == ["once"]
    assert set(node.follower.letter_texts) == {"at least once"}


async def test_a_broken_writing_down_is_begun_again(chat_stores: RedisStores) -> None:
    """Redis is just back, and the connection breaks once more."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    guests = [*await one.enter("a", "b"), *await two.enter("c")]
    await until(lambda: all(len(n.follower.roster) == 3 for n in (one, two)), WITHIN, "all")
    faults = [node.wire.lose(SEAT.plain.sha, loss=Loss.REQUEST) for node in (one, two)]
    chat_stores.server.control.script_flush()
    chat_stores.server.control.flushall()
    await epoch_changed(one, two)
    assert all(fault.struck.is_set() for fault in faults)
    await all_is_well(guests, one, two)
    assert sorted(await who_is_there(chat_stores, one)) == ["a", "b", "c"]


async def test_a_redis_that_is_rewound_begins_another_epoch(chat_stores: RedisStores) -> None:
    """It comes back with an older state, as one does that had not written the rest to disk."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    guests = [*await one.enter("andy"), *await two.enter("betty")]
    guests[0].say("kept")
    await one.store.settle()
    await until(lambda: two.follower.said, WITHIN, "what is kept")
    backup = Backup(chat_stores.server)
    guests += [*await one.enter("carl"), *await two.enter("dora")]
    guests[0].say("forgotten")
    await one.store.settle()
    await until(lambda: all(n.follower.said[1:] for n in (one, two)), WITHIN, "the rest")
    await until(lambda: all(len(n.follower.roster) == 4 for n in (one, two)), WITHIN, "all")
    before = one.follower.entries[-1].position.epoch
    backup.restore()
    await epoch_changed(one, two)
    await all_is_well(guests, one, two)
    assert one.follower.said[:2] == two.follower.said[:2] == ["kept", "forgotten"]
    assert one.follower.entries[-1].position.epoch != before
    assert sorted(await who_is_there(chat_stores, one)) == ["andy", "betty", "carl", "dora"]


async def test_a_rewound_redis_does_not_bring_back_who_left(chat_stores: RedisStores) -> None:
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy, betty = await one.enter("andy", "betty")
    carl = await two.enter_one("carl")
    await until(lambda: len(one.follower.roster) == 3, WITHIN, "everybody")
    backup = Backup(chat_stores.server)
    betty.leave()
    carl.leave()
    await asyncio.gather(one.store.settle(), two.store.settle())
    await until(lambda: one.follower.nicknames == two.follower.nicknames == ["andy"], WITHIN, "it")
    told = {node: len(node.follower.told) for node in (one, two)}
    backup.restore()
    await epoch_changed(one, two)
    keys = [chat_stores.keys.nick(guest.key) for guest in (betty, carl)]
    await until(lambda: not chat_stores.server.control.exists(*keys), WITHIN, "them to be free")
    andy.say("alone")
    await one.store.settle()
    await hears(two, "alone")
    for node in (one, two):
        assert node.follower.nicknames == ["andy"]
        assert node.follower.told[told[node] :] == []
    assert await who_is_there(chat_stores, one) == ["andy"]


async def test_a_letter_of_the_new_epoch_is_not_taken_for_one_of_the_old(
    chat_stores: RedisStores,
) -> None:
    """The inbox is numbered anew: what comes before its node has noticed is delivered all the same."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy = await one.enter_one("andy")
    await two.enter("betty")
    await until(lambda: len(one.follower.roster) == 2, WITHIN, "everybody")
    for i in range(5):
        andy.whisper("betty", f"old {i}")
    await one.store.settle()
    await until(lambda: len(two.follower.letters) == 5, WITHIN, "old letters")
    await until(lambda: not chat_stores.server.control.llen(inbox(chat_stores, two)), WITHIN, "it")
    for link in ("commit", "bus", "reads"):
        two.wire.stall(link)
    chat_stores.server.control.flushall()
    await epoch_changed(one)
    ops = [andy.whisper("betty", f"new {i}") for i in range(3)]
    await asyncio.wait_for(one.store.settle(), WITHIN)
    assert [op.outcome for op in ops] == [Outcome.DONE] * 3
    two.wire.flow()
    await epoch_changed(two)
    await two.sees(lambda it: len(it.letters) >= 8, "new letters")
    assert two.follower.letter_texts[5:] == [f"new {i}" for i in range(3)]


def inbox(stores: RedisStores, node: RedisNode) -> str:
    """Return the key of a node's inbox."""
    return stores.keys.inbox(node.store.node)


async def test_letters_are_numbered_anew_in_an_empty_redis(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    for i in range(5):
        andy.whisper("andy", str(i))
    await node.store.settle()
    node.follower.done_with = 2  # three are not confirmed when the data is lost
    chat_stores.server.control.flushall()
    await epoch_changed(node)
    assert node.follower.renumberings == 1
    op = andy.whisper("andy", "again")
    await asyncio.wait_for(node.store.settle(), WITHIN)
    assert op.outcome is Outcome.DONE
    assert node.follower.letter_texts[5:] == ["again"]
    assert node.follower.letters[5].number == 1


async def test_a_node_that_never_comes_back_is_buried_in_the_new_epoch(
    chat_stores: RedisStores,
) -> None:
    """Its sessions were written down by others who knew them, and its lease with them."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy, betty = await one.enter_one("andy"), await two.enter_one("betty")
    await until(lambda: len(one.follower.roster) == 2, WITHIN, "everybody")
    two.wire.cut_off()
    chat_stores.server.control.flushall()
    await epoch_changed(one)
    assert one.follower.lefts() == []
    assert two.store.node in chat_stores.registered()
    await until(lambda: one.follower.lefts() == [betty.session], WITHIN, "the burial")
    assert one.follower.nicknames == ["andy"]
    assert one.follower.joins().count(andy.session) == 1


async def test_an_epoch_that_ends_while_it_begins(chat_stores: RedisStores) -> None:
    """Redis is emptied again while everybody is being written down."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    guests = [*await one.enter("a", "b"), *await two.enter("c")]
    await until(lambda: all(len(n.follower.roster) == 3 for n in (one, two)), WITHIN, "all")
    control = chat_stores.server.control
    one.wire.lose(SEAT.plain.sha, loss=Loss.NOTHING, then=control.flushall)
    control.flushall()
    await epoch_changed(one, times=2)
    await epoch_changed(two)
    await all_is_well(guests, one, two)


async def test_events_are_those_of_members(chat_stores: RedisStores) -> None:
    """Each node says of its own that they are present, and nobody is said to have come or gone."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    guests = [*await one.enter("a"), *await two.enter("b")]
    await until(lambda: all(len(n.follower.roster) == 2 for n in (one, two)), WITHIN, "all")
    before = len(one.follower.events)
    chat_stores.server.control.flushall()
    await epoch_changed(one, two)
    await until(lambda: len(one.follower.events) >= before + 2, WITHIN, "who is present")
    new = one.follower.events[before:]
    assert sorted(event.session for event in new) == sorted(guest.session for guest in guests)
    assert all(isinstance(event, Present) for event in new)
    assert not any(isinstance(event, Left) for event in two.follower.events)
    assert sum(isinstance(event, Joined) for event in one.follower.events) == 2
