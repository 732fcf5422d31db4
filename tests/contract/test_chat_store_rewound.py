"""Redis came back older, as a promoted replica may be, and others went on before this node noticed."""

import asyncio

import pytest

from contract.chat_stores import RedisNode, RedisStores
from contract.lossy_proxy import Loss
from contract.node import WITHIN, Guest
from contract.test_chat_store_epochs import Backup, all_is_well, epoch_changed
from harness.waiting import until
from tertulia.chat.ports import Outcome


async def two_with_guests(chat_stores: RedisStores) -> tuple[RedisNode, RedisNode, Guest, Guest]:
    """Start two nodes that know each other's guest, and bury nobody who is silent for some seconds."""
    patient = {"lease_seconds": 30.0, "silence_seconds": 15.0}
    one, two = await chat_stores.node("one", **patient), await chat_stores.node("two", **patient)
    andy, betty = await one.enter_one("andy"), await two.enter_one("betty")
    for node in (one, two):
        await node.sees(lambda it: len(it.roster) == 2, "both")
    return one, two, andy, betty


async def test_a_log_that_was_rewound_and_overtaken_is_not_taken_for_the_same(
    chat_stores: RedisStores,
) -> None:
    """The offset says that all is well; only the entry at it tells."""
    one, two, andy, betty = await two_with_guests(chat_stores)
    backup = Backup(chat_stores.server)
    two.wire.stall("bus")
    two.wire.stall("reads")
    lost = [andy.say("lost 1")]
    await one.store.settle()
    lost.append(andy.say("lost 2"))
    await one.store.settle()
    assert [op.outcome for op in lost] == [Outcome.DONE] * 2
    one.wire.cut_off()
    backup.restore()
    two.wire.cut("bus")
    two.wire.flow()
    one.follower.trimmed = True  # its offsets go back to where the logs part
    for i in range(4):
        betty.say(f"after {i}")
        await asyncio.wait_for(two.store.settle(), WITHIN)
    assert two.counted("epoch_changes_total") == 0
    one.wire.restore()
    await epoch_changed(one, two)
    after = [f"after {i}" for i in range(4)]
    assert one.follower.said == ["lost 1", "lost 2", *after]
    assert two.follower.said == after
    await all_is_well([andy, betty], one, two)


async def test_what_is_left_of_the_old_epoch_is_read_to_its_end(chat_stores: RedisStores) -> None:
    """One node has heard more than Redis still has, the other one less."""
    one, two, andy, betty = await two_with_guests(chat_stores)
    two.wire.stall("bus")
    two.wire.stall("reads")
    andy.say("kept")
    await one.store.settle()
    backup = Backup(chat_stores.server)
    andy.say("lost")
    await one.store.settle()
    backup.restore()
    await epoch_changed(one)
    two.wire.cut("bus")
    two.wire.flow()
    await epoch_changed(two)
    assert one.follower.said == ["kept", "lost"]
    assert two.follower.said == ["kept"]
    await all_is_well([andy, betty], one, two)


async def test_what_was_answered_and_lost_is_not_settled_by_what_stands_in_its_place(
    chat_stores: RedisStores,
) -> None:
    """Others have filled the place in the log that an answer named, before this node asks again."""
    one, two, andy, betty = await two_with_guests(chat_stores)
    backup = Backup(chat_stores.server)
    one.wire.stall("bus")
    one.wire.stall("reads")
    two.wire.stall("bus")
    two.wire.stall("reads")
    said = andy.say("said once")
    await until(lambda: said.outcome is Outcome.DONE, WITHIN, "Redis' answer")
    one.wire.stall("commit")
    one.wire.stall("maintenance")
    backup.restore()
    two.wire.cut("bus")
    two.wire.flow()
    for i in range(2):
        betty.say(f"after {i}")
        await asyncio.wait_for(two.store.settle(), WITHIN)
    one.wire.cut("bus")
    one.wire.flow("bus", "reads")
    await one.sees(lambda it: "after 1" in it.said, "what stands there now")
    assert said not in one.follower.ops
    one.wire.flow()
    await epoch_changed(one, two)
    await asyncio.wait_for(one.store.settle(), WITHIN)
    await two.sees(lambda it: "said once" in it.said, "what was acknowledged")
    for node in (one, two):
        assert node.follower.said.count("said once") == 1
    await all_is_well([andy, betty], one, two)


async def test_what_survived_two_losses_that_its_node_did_not_see_is_answered(
    chat_stores: RedisStores,
) -> None:
    """It stands before where the node goes on reading, so it never hears it."""
    one, two, andy, betty = await two_with_guests(chat_stores)
    one.wire.stall("bus")
    one.wire.stall("reads")
    replies = one.wire.lose("EVALSHA", "survivor", loss=Loss.STALLED, link="commit")
    survivor = andy.say("survivor")
    await two.sees(lambda it: it.said == ["survivor"], "what is said")
    await asyncio.wait_for(replies.struck.wait(), WITHIN)
    one.wire.cut_off()
    for i in (1, 2):
        backup = Backup(chat_stores.server)
        betty.say(f"lost {i}")
        await asyncio.wait_for(two.store.settle(), WITHIN)
        backup.restore()
        await until(lambda i=i: two.counted("epoch_changes_total") == i, WITHIN, "an epoch")  # type: ignore[misc]
        await asyncio.wait_for(two.store.settle(), WITHIN)
    one.follower.trimmed = True  # it begins to read anew
    one.wire.flow()
    one.wire.restore()
    await epoch_changed(one)
    await until(lambda: survivor in one.follower.ops, WITHIN, "the answer")
    assert survivor.outcome is Outcome.DONE
    assert two.follower.said.count("survivor") == 1
    await all_is_well([andy, betty], one, two)


async def test_letters_that_were_lost_make_no_room_for_others(chat_stores: RedisStores) -> None:
    """Nothing public was lost, and the numbers of the lost letters are given again."""
    one, two, andy, betty = await two_with_guests(chat_stores)
    backup = Backup(chat_stores.server)
    andy.whisper("betty", "lost")
    await one.store.settle()
    await two.sees(lambda it: it.letter_texts == ["lost"], "the letter")
    backup.restore()
    andy.whisper("betty", "new")
    await two.sees(lambda it: "new" in it.letter_texts, "the next letter")
    await epoch_changed(one, two)
    await all_is_well([andy, betty], one, two)


@pytest.mark.parametrize("loss", ["of the end", "of everything"])
async def test_what_others_have_heard_is_not_said_to_them_again(
    chat_stores: RedisStores, loss: str
) -> None:
    """Who said it has not heard it, so it is committed again, for all who have not."""
    one, two, andy, betty = await two_with_guests(chat_stores)
    backup = Backup(chat_stores.server)
    one.wire.stall("bus")
    one.wire.stall("reads")
    replies = one.wire.lose("EVALSHA", "only once", loss=Loss.STALLED, link="commit")
    said = andy.say("only once")
    await two.sees(lambda it: it.said == ["only once"], "what is said")
    await asyncio.wait_for(replies.struck.wait(), WITHIN)
    assert said.outcome is None
    if loss == "of everything":
        chat_stores.server.control.flushall()
    else:
        backup.restore()
    two.follower.trimmed = True  # of what it has heard before, it hears nothing
    one.wire.cut("commit")
    for node in (one, two):
        node.wire.cut("bus")
    one.wire.flow()
    await epoch_changed(one, two)
    await until(lambda: said.outcome is Outcome.DONE, WITHIN, "the answer")
    await all_is_well([andy, betty], one, two)
    assert one.follower.said.count("only once") == 1
    assert two.follower.said.count("only once") == 1
