"""Letters of a node to itself: it learns of them by the reply to its batch, and nothing is lost with that."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from contract.chat_stores import STALLING, RedisNode, RedisStores
from contract.lossy_proxy import Loss
from contract.node import WITHIN
from harness.waiting import until
from tertulia.chat.ports import Outcome
from tertulia.domain.operator_commands import Action
from tertulia.store.scripts import COMMIT


@contextmanager
def heard(stores: RedisStores, node: RedisNode) -> Iterator[list[str]]:
    """Listen to a node's channel; gives the letters that are published there."""
    found: list[str] = []
    with stores.server.control.pubsub() as ears:
        ears.subscribe(stores.keys.channel(node.store.node))
        assert ears.get_message(timeout=WITHIN), "it listens"
        yield found
        while message := ears.get_message(timeout=0.1):
            kind, *letters = str(message["data"]).split("\n")
            found += letters if kind.startswith("1 i ") else []


def numbers(node: RedisNode) -> list[int]:
    return [it.number for it in node.follower.letters]


async def test_they_are_not_published(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    andy, betty = await node.enter("andy", "betty")
    with heard(chat_stores, node) as published:
        for text in ("one", "two"):
            andy.whisper("betty", text)
            andy.whisper("andy", text, 7, "0" * 32)
            await node.store.settle()
            assert node.follower.letter_texts[-2:] == [text, text]
            andy.say("aloud")
            andy.whisper("betty", "among others")
            await node.store.settle()
    assert [it.rpartition('"x":')[2] for it in published] == ['"among others"}'] * 2
    assert numbers(node) == [1, 2, 3, 4, 5, 6]
    assert {it.session for it in node.follower.letters} == {andy.session, betty.session}
    assert all(abs(it.at - node.follower.letters[0].at) < WITHIN for it in node.follower.letters)


@pytest.mark.parametrize("loss", [Loss.REQUEST, Loss.REPLY, Loss.STALLED])
async def test_a_reply_that_is_lost_loses_none(chat_stores: RedisStores, loss: Loss) -> None:
    settings = STALLING if loss is Loss.STALLED else {}
    node = await chat_stores.node("node", **settings)
    andy, _ = await node.enter("andy", "betty")
    fault = node.wire.lose(COMMIT.plain.sha, "once", loss=loss)
    with heard(chat_stores, node) as published:
        ops = [andy.whisper(to, "once") for to in ("andy", "betty", "betty")]
        await asyncio.wait_for(node.store.settle(), WITHIN)
    assert fault.struck.is_set()
    assert published == ([] if loss is Loss.REQUEST else chat_stores.inbox(node))
    assert {op.outcome for op in ops} == {Outcome.DONE}
    andy.whisper("andy", "last")
    await node.store.settle()
    assert node.follower.letter_texts == ["once", "once", "once", "last"]
    assert numbers(node) == [1, 2, 3, 4]


async def test_others_letters_behind_them_wait_for_no_reply(chat_stores: RedisStores) -> None:
    """They show that some are missing, which are read then, and are not read again with the reply."""
    one, two = [await chat_stores.node(name, **STALLING) for name in ("one", "two")]
    andy, betty = await one.enter_one("andy"), await two.enter_one("betty")
    await one.sees(lambda it: it.roster.holder("betty") is not None, "betty")
    await two.sees(lambda it: it.roster.holder("andy") is not None, "andy")
    andy.whisper("betty", "hello")  # so that it knows that node
    await one.store.settle()
    fault = one.wire.lose(COMMIT.plain.sha, "to himself", loss=Loss.STALLED)
    op = andy.whisper("andy", "to himself")
    await asyncio.wait_for(fault.struck.wait(), WITHIN)
    await until(lambda: chat_stores.inbox(one), WITHIN, "his own letter")
    betty.whisper("andy", "from betty")
    await two.store.settle()
    await one.sees(lambda it: len(it.letters) == 2, "both letters")
    await asyncio.wait_for(one.store.settle(), WITHIN)
    assert op.outcome is Outcome.DONE
    assert one.follower.letter_texts == ["to himself", "from betty"]
    assert numbers(one) == [1, 2]


async def test_they_do_not_overtake_what_was_said_before(chat_stores: RedisStores) -> None:
    """A letter to somebody whose join is on its way yet would find nobody."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy, _ = await one.enter("andy", "betty")
    carl = await two.enter_one("carl")
    await one.sees(lambda it: it.roster.holder("carl") is not None, "carl")
    one.wire.stall("bus")
    carl.say("before")
    await two.store.settle()
    op = andy.whisper("betty", "behind")
    await until(lambda: op.outcome is not None, WITHIN, "the outcome")
    assert one.follower.letters == []
    one.wire.flow("bus")
    await asyncio.wait_for(one.store.settle(), WITHIN)
    assert one.follower.said == ["before"]
    assert one.follower.letter_texts == ["behind"]


async def test_letters_of_others_beside_own_ones_are_no_gap(chat_stores: RedisStores) -> None:
    """Theirs may come over the bus before the reply with the own ones is read; operators count gaps."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy, betty = await one.enter("andy", "betty")
    (carl,) = await two.enter("carl")
    await until(lambda: len(one.follower.roster) == 3, WITHIN, "carl")
    for i in range(50):
        for _ in range(4):
            andy.whisper("betty", f"own {i}")
            carl.whisper("betty", f"another's {i}")
        await asyncio.gather(one.store.settle(), two.store.settle())
    await until(lambda: len(one.follower.letters) == 400, WITHIN, "all of them")
    assert numbers(one) == list(range(1, 401))
    assert betty.session in {it.session for it in one.follower.letters}
    assert one.counted("bus_gaps_total") == 0


async def test_nobody_is_looked_up_for_them(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    guests = await node.enter(*(f"guest{i}" for i in range(50)))

    def looked_up() -> int:
        return int(chat_stores.server.control.info("commandstats")["cmdstat_hmget"]["calls"])

    before = looked_up()
    ops = [one.whisper(two.nickname, "psst") for one, two in pairwise(guests)]
    await node.store.settle()
    assert looked_up() - before < len(ops)  # each batch reads the chat's meta
    assert {op.outcome for op in ops} == {Outcome.DONE}
    assert [it.session for it in node.follower.letters] == [it.session for it in guests[1:]]


@pytest.mark.parametrize(("who", "outcome"), [("betty", Outcome.UNKNOWN), ("andy", Outcome.GONE)])
async def test_who_was_removed_meanwhile_has_no_part_in_them(
    chat_stores: RedisStores, who: str, outcome: Outcome
) -> None:
    """As the node has not read yet: it believes that everybody is there."""
    node = await chat_stores.node()
    andy, _ = await node.enter("andy", "betty")
    node.wire.stall("bus")
    await chat_stores.dismiss(Action.KICK, who)
    assert node.follower.roster.holder(who) is not None
    op = andy.whisper("betty", "too late")
    await until(lambda: op.outcome is not None, WITHIN, "the outcome")
    assert op.outcome is outcome
    node.follower.here.clear()
    node.wire.flow("bus")
    await asyncio.wait_for(node.store.settle(), WITHIN)
    assert node.follower.letters == []


async def test_they_are_numbered_behind_others_that_have_not_come_yet(
    chat_stores: RedisStores,
) -> None:
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy, _ = await one.enter("andy", "betty")
    carl = await two.enter_one("carl")
    await one.sees(lambda it: it.roster.holder("carl") is not None, "carl")
    await two.sees(lambda it: it.roster.holder("andy") is not None, "andy")
    one.wire.stall("bus")
    carl.whisper("andy", "from carl")
    await two.store.settle()
    op = andy.whisper("betty", "own")
    await until(lambda: op.outcome is not None, WITHIN, "the outcome")
    one.wire.flow("bus")
    await asyncio.wait_for(one.store.settle(), WITHIN)
    await one.sees(lambda it: len(it.letters) == 2, "both letters")
    assert one.follower.letter_texts == ["from carl", "own"]
    assert numbers(one) == [1, 2]


async def test_among_what_is_said_they_are_published_in_order(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    andy, _ = await node.enter("andy", "betty")
    with heard(chat_stores, node) as published:
        andy.say("aloud")
        for text in ("one", "two"):
            andy.whisper("betty", text)
        andy.whisper("betty", "three", 7, "0" * 32)
        await node.store.settle()
    assert [it.partition('"x":"')[2][:3] for it in published] == ["one", "two", "thr"]
    assert published == chat_stores.inbox(node)
    assert node.follower.letter_texts == ["one", "two", "three"]
    assert numbers(node) == [1, 2, 3]
