"""The contract of the store for nodes that come, stop and die: every implementation, the same tests."""

import asyncio

from contract.node import WITHIN, Node, StoreFactory
from harness.waiting import until
from tertulia.chat.ports import Outcome
from tertulia.chat.roster import Roster
from tertulia.domain.events import Undelivered


async def level(*nodes: Node) -> None:
    """Wait until all nodes have followed the log to the same place."""
    last = [node.follower.entries[-1].position.offset for node in nodes if node.follower.entries]
    await until(
        lambda: all(
            node.follower.entries and node.follower.entries[-1].position.offset >= max(last)
            for node in nodes
        ),
        WITHIN,
        lambda: f"all nodes to follow: {[len(node.follower.entries) for node in nodes]}",
    )


# A newcomer


async def test_a_newcomer_is_seated_with_everybody_in_the_order_of_their_joins(
    store_factory: StoreFactory,
) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    guests = await one.enter("a", "b")
    guests += await two.enter("c", "d")
    guests += await one.enter("e")
    guests[0].leave()
    await one.store.settle()
    await two.enter("A")
    guests[2].leave()
    await two.store.settle()
    newcomer = await store_factory.node("newcomer")
    (members,) = newcomer.follower.seatings
    assert [member.nickname for member in members] == ["b", "d", "e", "A"]
    assert members[0].session == guests[1].session
    assert members[0].dialect == "chatte"
    assert newcomer.follower.entries == []


async def test_a_newcomer_sees_what_comes_after_it_and_nothing_before(
    store_factory: StoreFactory,
) -> None:
    one = await store_factory.node("one")
    andy = await one.enter_one("andy")
    andy.say("before")
    await one.store.settle()
    newcomer = await store_factory.node("newcomer")
    andy.say("after")
    await one.store.settle()
    await until(lambda: newcomer.follower.said, WITHIN, "what comes after")
    assert newcomer.follower.said == ["after"]
    assert newcomer.follower.entries[0].position == one.follower.entries[-1].position


async def test_a_newcomer_in_a_crowd_knows_who_is_there(store_factory: StoreFactory) -> None:
    """It is seated while others come and go; seat and log together are the roster."""
    one = await store_factory.node("one")

    async def come_and_go() -> None:
        for i in range(40):
            guests = await one.enter(*(f"g{i}-{j}" for j in range(10)))
            for guest in guests[:9]:
                guest.leave()
        await one.store.settle()

    crowd = asyncio.create_task(come_and_go())
    newcomers = [await store_factory.node(f"newcomer-{i}") for i in range(4)]
    await crowd
    (await one.enter_one("last")).say("done")
    await one.store.settle()
    expected = [f"g{i}-9" for i in range(40)] + ["last"]
    for newcomer in newcomers:
        await newcomer.sees(lambda it: it.nicknames[-1:] == ["last"], "the last one")
        await level(one, newcomer)
        assert sorted(newcomer.follower.nicknames) == sorted(expected)
        assert newcomer.follower.nicknames == one.follower.nicknames


# Nodes that stop, and nodes that are buried


async def test_a_stopped_node_is_not_known_any_more(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    guest = await two.enter_one("andy")
    guest.leave()
    await two.store.settle()
    two_calls = len(two.follower.calls)
    await asyncio.wait_for(two.store.stop(), WITHIN)
    assert store_factory.registered() == {one.store.node}
    betty = await one.enter_one("betty")
    betty.say("anybody?")
    await one.store.settle()
    assert len(two.follower.calls) == two_calls
    assert one.follower.lefts() == [guest.session]
    one_more = await store_factory.node("two")
    assert one_more.store.node != two.store.node


async def test_a_condemned_node_learns_that_it_is_fenced(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    await one.enter("watcher")
    guests = await two.enter("andy", "betty")
    before = two.store.node
    store_factory.condemn(before)
    ops = [guests[0].say("zombie"), guests[1].leave(), two.guest("carl").join()]
    await until(lambda: two.follower.fencings, WITHIN, "the fence")
    await until(lambda: len(one.follower.lefts()) == 2, WITHIN, "the burial")
    await until(lambda: two.store.node != before, WITHIN, "another name")
    assert [op.outcome for op in ops] == [None] * 3
    assert sorted(one.follower.lefts()) == sorted(guest.session for guest in guests)
    again = await two.enter("andy", "carl")
    again[0].say("new life")
    await two.store.settle()
    await until(lambda: one.follower.said, WITHIN, "the new life")
    assert one.follower.said == ["new life"]
    assert one.follower.nicknames == ["watcher", "andy", "carl"]
    assert not any(op in two.follower.ops for op in ops)
    await until(lambda: before not in store_factory.registered(), WITHIN, "the burial's end")
    assert store_factory.registered() == {one.store.node, two.store.node}
    assert two.follower.fencings == 1


async def test_a_fenced_node_goes_on_following_the_log(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    talker = await one.enter_one("talker")
    before = two.store.node
    store_factory.condemn(before)
    for i in range(20):
        talker.say(str(i))
        await one.store.settle()
    await until(lambda: two.store.node != before, WITHIN, "another name")
    await until(lambda: len(two.follower.said) == 20, WITHIN, "all messages")
    assert two.follower.said == [str(i) for i in range(20)]


async def test_letters_to_a_node_that_is_buried_are_reported(store_factory: StoreFactory) -> None:
    """All that it has not confirmed, and only that: its inbox is trimmed as it confirms."""
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy, betty = await one.enter_one("Andy"), await two.enter_one("Betty")
    two.follower.done_with = 0
    for i in range(1, 6):
        andy.whisper("betty", str(i))
    await one.store.settle()
    await until(lambda: len(two.follower.letters) == 5, WITHIN, "the letters")
    two.follower.done_with = 3
    betty.say("the inbox is trimmed with this")
    await two.store.settle()
    store_factory.condemn(two.store.node)
    await until(lambda: len(one.follower.letters) == 2, WITHIN, "the reports")
    reports = [it.event for it in one.follower.letters]
    assert all(isinstance(report, Undelivered) for report in reports)
    assert {it.recipient for it in reports if isinstance(it, Undelivered)} == {"betty"}
    assert one.follower.letter_texts == ["4", "5"]
    assert {it.session for it in one.follower.letters} == {andy.session}
    await until(lambda: two.follower.fencings, WITHIN, "the fence")


async def test_letters_are_numbered_anew_after_a_fence(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy = await one.enter_one("andy")
    await two.enter("betty")
    for i in range(3):
        andy.whisper("betty", str(i))
    await one.store.settle()
    await until(lambda: len(two.follower.letters) == 3, WITHIN, "the letters")
    before = two.store.node
    store_factory.condemn(before)
    await until(lambda: two.store.node != before, WITHIN, "another name")
    await until(lambda: one.follower.nicknames == ["andy"], WITHIN, "the burial")
    await two.enter("betty")
    op = andy.whisper("betty", "again")
    await one.store.settle()
    assert op.outcome is Outcome.DONE
    await until(lambda: len(two.follower.letters) == 4, WITHIN, "one more letter")
    assert two.follower.letters[-1].number == 1


async def test_rosters_agree(store_factory: StoreFactory) -> None:
    """After all that, a roster that is read and one that was followed are the same."""
    one, two = await store_factory.node("one"), await store_factory.node("two")
    guests = await one.enter("a", "b", "c")
    await two.enter("d", "e")
    guests[1].leave()
    await one.store.settle()
    newcomer = await store_factory.node("newcomer")
    read = Roster()
    read.replace(newcomer.follower.seatings[0])
    await level(one, two)
    assert list(read) == list(one.follower.roster) == list(two.follower.roster)
