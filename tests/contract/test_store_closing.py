"""The contract of the store, where a chat is closed: every implementation, the same tests."""

import asyncio

import pytest

from contract.node import WITHIN, StoreFactory
from harness.waiting import until
from tertulia.chat.ports import Outcome
from tertulia.domain.events import Closed, Joined, Left, Said


async def test_the_first_may_close_the_chat(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy = await one.enter_one("andy")
    await two.enter("betty")
    op = andy.close_chat()
    await one.store.settle()
    assert op.outcome is Outcome.DONE
    for node in (one, two):
        await node.sees(lambda it: it.nicknames == [], "the closing")
        assert node.follower.events[-1] == Closed("andy", andy.session)
        assert not any(isinstance(event, Left) for event in node.follower.events)


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_nobody_else_may(store_factory: StoreFactory, elsewhere: bool) -> None:
    one = await store_factory.node("one")
    two = await store_factory.node("two") if elsewhere else one
    andy = await one.enter_one("andy")
    betty = await two.enter_one("betty")
    refused = betty.close_chat()
    await two.store.settle()
    assert refused.outcome is Outcome.FORBIDDEN
    andy.leave()
    await one.store.settle()
    allowed = betty.close_chat()
    await two.store.settle()
    assert allowed.outcome is Outcome.DONE
    assert sum(isinstance(event, Closed) for event in two.follower.events) == 1


async def test_who_is_not_there_may_not(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    stranger = node.guest("andy")
    op = stranger.close_chat()
    await node.store.settle()
    assert op.outcome is Outcome.GONE
    await node.enter("andy")
    op = stranger.close_chat()
    await node.store.settle()
    assert op.outcome is Outcome.GONE
    assert node.follower.nicknames == ["andy"]


async def test_after_the_closing_everybody_is_gone(store_factory: StoreFactory) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy = await one.enter_one("andy")
    betty = await two.enter_one("betty")
    andy.close_chat()
    late = [andy.say("late"), andy.whisper("betty", "late"), andy.close_chat(), andy.leave()]
    await one.store.settle()
    later = [betty.say("later"), betty.whisper("andy", "later"), betty.leave()]
    await two.store.settle()
    assert {op.outcome for op in late + later} == {Outcome.GONE}
    assert one.follower.said == []
    assert one.follower.lefts() == []


async def test_after_the_closing_all_nicknames_are_free(store_factory: StoreFactory) -> None:
    """From the same batch on; and what then begins is a chat like any other."""
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy, betty = await one.enter("andy", "betty")
    await two.enter("carl")
    new = one.guest("Betty")
    ops = [andy.close_chat(), new.join(), new.say("mine now")]
    await one.store.settle()
    assert [op.outcome for op in ops] == [Outcome.DONE] * 3
    assert one.follower.events[-3:] == [
        Closed("andy", andy.session),
        Joined("Betty", new.session, "chatte"),
        Said("Betty", new.session, "mine now"),
    ]
    carl, old = two.guest("CARL"), betty.say("mine?")
    joined = carl.join()
    await asyncio.gather(one.store.settle(), two.store.settle())
    assert (joined.outcome, old.outcome) == (Outcome.DONE, Outcome.GONE)
    whispered = new.whisper("carl", "hello")
    await one.store.settle()
    assert whispered.outcome is Outcome.DONE
    await until(lambda: two.follower.letters, WITHIN, "the whisper")
    assert two.follower.letters[0].session == carl.session
    assert one.follower.nicknames == ["Betty", "CARL"]
    newcomer = await store_factory.node("newcomer")
    assert newcomer.follower.nicknames == ["Betty", "CARL"]
    closed = new.close_chat()
    await one.store.settle()
    assert closed.outcome is Outcome.DONE


async def test_letters_to_who_is_gone_are_not_for_who_comes(store_factory: StoreFactory) -> None:
    node = await store_factory.node()
    andy, _ = await node.enter("andy", "betty")
    andy.close_chat()
    newcomer = await node.enter_one("carl")
    whispered, reported = newcomer.whisper("betty", "anybody?"), newcomer.report_to(andy, "x")
    await node.store.settle()
    assert (whispered.outcome, reported.outcome) == (Outcome.UNKNOWN, Outcome.GONE)
    assert node.follower.letters == []


async def test_a_node_may_stop_right_after_the_closing(store_factory: StoreFactory) -> None:
    """All its sessions have ended, so nothing is left to be buried."""
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy = await one.enter_one("andy")
    await two.enter(*(f"guest-{i}" for i in range(300)))
    andy.close_chat()
    await one.store.settle()
    await until(lambda: two.follower.nicknames == [], WITHIN, "the closing")
    await asyncio.wait_for(two.store.stop(), WITHIN)
    assert store_factory.registered() == {one.store.node}


async def test_a_node_that_is_buried_after_the_closing_announces_nobody(
    store_factory: StoreFactory,
) -> None:
    one, two = await store_factory.node("one"), await store_factory.node("two")
    andy = await one.enter_one("andy")
    await two.enter("betty")
    andy.close_chat()
    await one.store.settle()
    before = two.store.node
    store_factory.condemn(before)
    await until(lambda: two.store.node != before, WITHIN, "another name")
    await until(lambda: before not in store_factory.registered(), WITHIN, "the burial")
    new = await one.enter_one("betty")
    new.say("level")
    await one.store.settle()
    assert one.follower.lefts() == []
    assert one.follower.nicknames == ["betty"]
