"""The real store with sessions in Redis that are nowhere: they are gone soon, and told as gone."""

import asyncio
from collections.abc import Iterator

import pytest

from contract.chat_stores import QUICK, RedisNode, RedisStores
from contract.lossy_proxy import Loss
from contract.node import WITHIN
from contract.test_chat_store_epochs import Backup, epoch_changed, hears, who_is_there
from harness.redis_server import RedisServer, running_redis
from harness.waiting import elapse, until
from tertulia.chat.ports import Op, Outcome
from tertulia.store.scripts import SEAT, SHOW

PATIENT = {"lease_seconds": 30.0, "silence_seconds": 15.0}
"""Nobody looks for ghosts, or buries anybody, within a test."""


async def two_nodes(chat_stores: RedisStores) -> tuple[RedisNode, RedisNode]:
    return await chat_stores.node("one", **PATIENT), await chat_stores.node("two", **PATIENT)


async def all_know(nicknames: list[str], *nodes: RedisNode) -> None:
    for node in nodes:
        await node.sees(lambda it: it.nicknames == nicknames, f"{nicknames}")


async def test_who_leaves_while_others_write_it_down_has_left(chat_stores: RedisStores) -> None:
    """They had read the log, and write a moment later."""
    one, two = await two_nodes(chat_stores)
    andy, anna = await one.enter("andy", "anna")
    betty = await two.enter_one("betty")
    await all_know(["andy", "anna", "betty"], one, two)
    written = one.wire.lose(SEAT.plain.sha, loss=Loss.NOTHING)
    late = two.wire.lose(SEAT.plain.sha, loss=Loss.NOTHING, then=lambda: two.wire.stall("reads"))
    chat_stores.server.control.flushall()
    await asyncio.wait_for(asyncio.gather(late.struck.wait(), written.struck.wait()), WITHIN)
    await epoch_changed(one)
    left = andy.leave()
    await one.store.settle()
    two.wire.flow()
    await epoch_changed(two)
    assert left.outcome is Outcome.DONE
    await all_know(["anna", "betty"], one, two)
    assert await who_is_there(chat_stores, one) == ["anna", "betty"]
    taken = await two.enter_one("andy")
    assert taken.session in two.follower.joins()
    for guest in (anna, betty):
        guest.say(f"{guest.nickname} is here")
        await hears(one, f"{guest.nickname} is here")
    assert [what for what, who, _ in two.follower.told if who == "andy"] == ["came", "went", "came"]


async def test_a_chat_that_is_closed_while_it_is_written_down_is_closed(
    chat_stores: RedisStores,
) -> None:
    one, two = await two_nodes(chat_stores)
    andy, _ = await one.enter_one("andy"), await two.enter_one("betty")
    await all_know(["andy", "betty"], one, two)
    late = two.wire.lose(SEAT.plain.sha, loss=Loss.NOTHING, then=lambda: two.wire.stall("reads"))
    chat_stores.server.control.flushall()
    await asyncio.wait_for(late.struck.wait(), WITHIN)
    await epoch_changed(one)
    closing = andy.close_chat()
    await one.store.settle()
    two.wire.flow()
    await epoch_changed(two)
    assert closing.outcome is Outcome.DONE
    await all_know([], one, two)
    assert await who_is_there(chat_stores, one) == []


async def test_a_room_that_talks_holds_up_nobody_who_writes_down(
    chat_stores: RedisStores,
) -> None:
    """Nobody comes or goes by what is said, however much it is."""
    one, two = await two_nodes(chat_stores)
    andy, _ = await one.enter_one("andy"), await two.enter_one("betty")
    await all_know(["andy", "betty"], one, two)
    late = two.wire.lose(SEAT.plain.sha, loss=Loss.NOTHING, then=lambda: two.wire.stall("reads"))
    chat_stores.server.control.flushall()
    await asyncio.wait_for(late.struck.wait(), WITHIN)
    await epoch_changed(one)
    settled = one.follower.settled
    talking = True

    def answer(ops: list[Op]) -> None:
        if talking:
            andy.say('on and on {"t":"left"}')
        settled(ops)

    one.follower.settled = answer  # type: ignore[method-assign, assignment]
    try:
        andy.say("begin")
        await hears(one, "begin")
        two.wire.flow()
        await epoch_changed(two)
    finally:
        talking = False
    await all_know(["andy", "betty"], one, two)


async def test_who_is_long_gone_and_whose_node_is_dead_is_buried_without_a_word(
    chat_stores: RedisStores,
) -> None:
    """Redis came back with an older state; nobody knows of them any more."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy, betty = await one.enter_one("andy"), await two.enter_one("betty")
    await all_know(["andy", "betty"], one, two)
    backup = Backup(chat_stores.server)
    betty.leave()
    await two.store.settle()
    await all_know(["andy"], one)
    gone = two.store.node
    await asyncio.wait_for(two.store.stop(), WITHIN)
    chat_stores.leave_to_end(two)
    await two.wire.close()
    told = len(one.follower.told)
    backup.restore()
    await epoch_changed(one)
    assert gone in chat_stores.registered()
    await until(lambda: gone not in chat_stores.registered(), WITHIN, "the burial")
    andy.say("alone")
    await one.store.settle()
    assert one.follower.told[told:] == []
    assert await who_is_there(chat_stores, one) == ["andy"]


async def test_who_is_here_keeps_its_nickname_from_who_had_it_before(
    chat_stores: RedisStores,
) -> None:
    """In the older state another session has it, of a node that is there as well."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    before, anna = await one.enter("andy", "anna")
    await all_know(["andy", "anna"], one, two)
    backup = Backup(chat_stores.server)
    before.leave()
    await one.store.settle()
    andy = await two.enter_one("Andy")
    await all_know(["anna", "Andy"], one, two)
    told = {node: len(node.follower.told) for node in (one, two)}
    backup.restore()
    await epoch_changed(one, two)
    for guest in (anna, andy):
        guest.say(f"{guest.nickname} is here")
        for node in (one, two):
            await hears(node, f"{guest.nickname} is here")
    for node in (one, two):
        assert node.follower.told[told[node] :] == []
        assert node.follower.nicknames == ["anna", "Andy"]
    assert await who_is_there(chat_stores, one) == ["anna", "Andy"]


async def test_whom_nobody_had_leave_is_taken_out_by_its_own_node(
    chat_stores: RedisStores,
) -> None:
    """However it came about: what Redis has a node hold, and what it holds, become the same."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    ghost, anna = await one.enter("andy", "anna")
    await all_know(["andy", "anna"], one, two)
    ghost.lose()
    await all_know(["anna"], one, two)
    for node in (one, two):
        assert node.follower.lefts() == [ghost.session]
    late = one.guest("late")
    coming = late.join()
    await one.store.settle()
    assert coming.outcome is Outcome.DONE
    await elapse(1.5 * QUICK["lease_seconds"])
    anna.say("still here")
    await one.store.settle()
    assert one.follower.nicknames == ["anna", "late"]


async def test_a_nickname_that_stands_with_a_node_and_is_anothers_is_only_forgotten(
    chat_stores: RedisStores,
) -> None:
    """As after a session was taken over by another node."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    await two.enter("andy")
    control, nicks = chat_stores.server.control, chat_stores.keys.nicks(one.store.node)
    control.sadd(nicks, "andy", "nobody")
    await until(lambda: not control.exists(nicks), WITHIN, "it to be forgotten")
    assert two.follower.nicknames == ["andy"]
    assert two.follower.lefts() == []


async def test_of_leases_that_were_lost_nobody_is_left(chat_stores: RedisStores) -> None:
    """All nodes start over under other ids, and nobody would know of the old ones."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    guests = [await one.enter_one("andy"), await two.enter_one("betty")]
    await all_know(["andy", "betty"], one, two)
    before = {node.store.node for node in (one, two)}
    keys = chat_stores.keys  # with its last batch known, a node would go on
    chat_stores.server.control.delete(keys.leases, keys.batches)
    for node in (one, two):
        await node.sees(lambda it: it.fencings == 1, "the fence")
        await node.sees(lambda it: not it.nicknames, "nobody")
    assert before.isdisjoint({node.store.node for node in (one, two)})
    await one.enter("andy", "betty")
    await all_know(["andy", "betty"], one, two)
    assert sorted(one.follower.lefts()) == sorted(guest.session for guest in guests)
    await until(lambda: not before & chat_stores.registered(), WITHIN, "the burials")


# Where a replica has to have what is shown


@pytest.fixture
def replicated_redis(shared_redis: RedisServer) -> Iterator[RedisServer]:
    shared_redis.control.config_set("repl-diskless-sync-delay", 0)
    options = ("--replicaof", "127.0.0.1", str(shared_redis.port))  # as 6.2 wants it as well
    with running_redis(fsync="no", options=options) as replica:
        yield replica


async def test_what_a_dead_node_did_not_show_holds_up_nobody_who_writes_down(
    replicated_redis: RedisServer, chat_stores: RedisStores
) -> None:
    """Its entry is in the log, and who writes down may not go on before it has read it."""
    control = chat_stores.server.control
    replica = replicated_redis.control
    await until(
        lambda: replica.info("replication")["master_link_status"] == "up", WITHIN, "the replica"
    )
    chat_stores.is_replicated = True
    one, two = await two_nodes(chat_stores)
    andy, _ = await one.enter("andy", "anna")
    await two.enter("betty")
    await all_know(["andy", "anna", "betty"], one, two)
    late = two.wire.lose(SEAT.plain.sha, loss=Loss.NOTHING, then=lambda: two.wire.stall("reads"))
    control.flushall()
    await asyncio.wait_for(late.struck.wait(), WITHIN)
    await epoch_changed(one)
    meta = chat_stores.keys.meta
    await until(
        lambda: control.hget(meta, "shown") == control.hget(meta, "offset"), WITHIN, "all is shown"
    )
    unshown = one.wire.lose(SHOW.plain.sha, loss=Loss.REQUEST, then=one.wire.cut_off)
    andy.leave()
    await asyncio.wait_for(unshown.struck.wait(), WITHIN)
    two.wire.flow()
    await epoch_changed(two)
    await all_know(["anna", "betty"], two)
