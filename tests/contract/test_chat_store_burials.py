"""The real store when nodes die, freeze, or are cut off: who is gone is announced once, nothing is lost."""

import asyncio
import time
from functools import partial

import pytest

from contract.chat_stores import RedisNode, RedisStores
from contract.lossy_proxy import Loss
from contract.node import WITHIN, Guest
from harness.waiting import elapse, until
from tertulia.chat.ports import Op, Outcome
from tertulia.domain.events import Left, Undelivered
from tertulia.store.scripts import BURY, COMMIT, CONDEMN

CROWD = 1000
LETTERS = 1200
STEP = 200
"""Nicknames that one step of a burial frees at most."""


async def crowd(node: RedisNode, count: int = CROWD) -> list[Guest]:
    """Let so many guests into a node's room."""
    return await node.enter(*(f"{node.follower.name}-{i}" for i in range(count)))


async def announced_once(guests: list[Guest], *watchers: RedisNode) -> None:
    """Wait until everybody was announced as gone, and see that it was done once."""
    sessions = sorted(guest.session for guest in guests)
    for watcher in watchers:
        await watcher.sees(lambda it: len(it.lefts()) >= len(sessions), "everybody leave")
        assert sorted(watcher.follower.lefts()) == sessions


async def all_know(count: int, *nodes: RedisNode) -> None:
    """Wait until all nodes know so many members."""
    await until(lambda: all(len(n.follower.roster) == count for n in nodes), WITHIN, "rosters")


# A node that dies


async def counted_burials(node: RedisNode) -> None:
    """Wait until a node has counted its one burial: it does when it has read what Redis did."""
    await until(lambda: node.counted("burials_total") >= 1, WITHIN, "the burial to be counted")
    assert node.counted("burials_total") == 1


async def test_a_dead_nodes_sessions_leave_once_in_steps(chat_stores: RedisStores) -> None:
    watcher, dead = await chat_stores.node("watcher"), await chat_stores.node("dead")
    guests = await crowd(dead)
    await all_know(CROWD, watcher)
    dead.wire.cut_off()
    await announced_once(guests, watcher)
    steps = [
        len(entry.events) for entry in watcher.follower.entries if isinstance(entry.events[0], Left)
    ]
    assert sum(steps) == CROWD
    assert max(steps) <= STEP
    await until(lambda: chat_stores.registered() == {watcher.store.node}, WITHIN, "the end")
    assert not [name for name in chat_stores.names() if dead.store.node in name]
    await counted_burials(watcher)
    again = await watcher.enter_one("dead-0")
    assert again.session in watcher.follower.joins()


async def test_two_nodes_do_not_bury_a_third_twice(chat_stores: RedisStores) -> None:
    watchers = [await chat_stores.node(f"watcher-{i}") for i in range(2)]
    dead = await chat_stores.node("dead")
    guests = await crowd(dead)
    await all_know(CROWD, *watchers)
    dead.wire.cut_off()
    await announced_once(guests, *watchers)
    await until(lambda: dead.store.node not in chat_stores.registered(), WITHIN, "the end")
    await elapse(0.3)  # a second burial would begin within a heartbeat or two
    await announced_once(guests, *watchers)
    assert sum(watcher.counted("burials_total") for watcher in watchers) == 1


@pytest.mark.parametrize(
    ("steps_done", "loss"), [(0, Loss.REQUEST), (1, Loss.REPLY), (3, Loss.REPLY)]
)
async def test_another_node_goes_on_where_one_that_buries_dies(
    chat_stores: RedisStores, steps_done: int, loss: Loss
) -> None:
    first = await chat_stores.node("first")
    dead = await chat_stores.node("dead")
    guests = await crowd(dead)
    guests += await first.enter("first-0", "first-1")
    await all_know(CROWD + 2, first)
    fault = first.wire.lose(BURY.plain.sha, loss=loss, skip=steps_done, then=first.wire.cut_off)
    dead.wire.cut_off()
    await asyncio.wait_for(fault.struck.wait(), WITHIN)
    second = await chat_stores.node("second")
    known = {member.session for member in second.follower.roster}
    # Its claim on the burial runs out in seconds; what those bring is not what this is about.
    chat_stores.server.control.pexpire(chat_stores.keys.burial(dead.store.node), 1)
    await until(lambda: not len(second.follower.roster), WITHIN, "everybody to be buried")
    assert sorted(second.follower.lefts()) == sorted(known)
    assert known >= {guest.session for guest in guests[CROWD:]}
    logged = [line for line in chat_stores.log() if '"left"' in line]
    assert len(logged) == len(set(logged)) == CROWD + 2
    await until(lambda: chat_stores.registered() == {second.store.node}, WITHIN, "the end")


async def test_nobody_is_buried_right_after_an_outage(chat_stores: RedisStores) -> None:
    """The others had it as well: only who has had a healthy Redis for a whole lease may judge them."""
    control, keys = chat_stores.server.control, chat_stores.keys
    node = await chat_stores.node("judge", lease_seconds=1.0)
    began = time.monotonic()
    node.wire.lose(COMMIT.plain.sha, loss=Loss.REQUEST)
    await until(lambda: node.counted("commit_retries_total", cause="connection"), WITHIN, "it")
    control.zadd(keys.leases, {"long-dead": 1})
    await until(lambda: "long-dead" not in chat_stores.registered(), WITHIN, "the burial")
    assert time.monotonic() - began > 0.7
    await counted_burials(node)


async def test_a_node_that_renews_in_the_last_moment_is_not_buried(
    chat_stores: RedisStores,
) -> None:
    """It was judged, and before the judgement is carried out it is back."""
    control, keys = chat_stores.server.control, chat_stores.keys
    node = await chat_stores.node("judge")
    alive = 1e15
    fault = node.wire.lose(
        CONDEMN.plain.sha,
        loss=Loss.NOTHING,
        then=lambda: control.zadd(keys.leases, {"late": alive}),
    )
    control.zadd(keys.leases, {"late": 1})
    await asyncio.wait_for(fault.struck.wait(), WITHIN)
    (await node.enter_one("andy")).say("some time later")
    await node.store.settle()
    assert control.zscore(keys.leases, "late") == alive
    assert node.counted("burials_total") == 0


async def test_who_has_just_come_takes_redis_word_for_the_time_before(
    chat_stores: RedisStores,
) -> None:
    """Where Redis has been up for long enough, it need not wait for a whole lease."""
    control, keys = chat_stores.server.control, chat_stores.keys
    control.zadd(keys.leases, {"long-dead": 1})
    await until(lambda: control.info("server")["uptime_in_seconds"] > 6, WITHIN, "an older Redis")
    await chat_stores.node("judge", lease_seconds=6.0)
    await until(lambda: "long-dead" not in chat_stores.registered(), 30.0, "the burial")


async def test_a_slow_node_that_listens_is_not_buried_before_its_lease_is_out(
    chat_stores: RedisStores,
) -> None:
    """It renews nothing, but its subscription is there: so it is alive, as far as anybody knows."""
    slow = {"lease_seconds": 9.0, "silence_seconds": 0.6, "redis_timeout_seconds": 8.0}
    one = await chat_stores.node("one", **slow)
    two = await chat_stores.node("two", **slow)
    await two.enter("andy")
    two.wire.stall("commit")
    await elapse(1.2)
    assert two.store.node in chat_stores.registered()
    assert one.follower.lefts() == []
    two.wire.flow()
    await elapse(0.2)
    assert two.follower.fencings == 0


async def test_a_dead_nodes_letters_are_all_reported(chat_stores: RedisStores) -> None:
    """More of them than one step reads; each to who sent it, wherever that is."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    dead = await chat_stores.node("dead")
    andy, betty = await one.enter_one("Andy"), await two.enter_one("Betty")
    await dead.enter("carl")
    await until(lambda: one.follower.nicknames[-1:] == ["carl"], WITHIN, "carl")
    dead.follower.done_with = 0
    for i in range(LETTERS // 2):
        andy.whisper("carl", f"andy {i}")
        betty.whisper("carl", f"betty {i}")
    await asyncio.gather(one.store.settle(), two.store.settle())
    dead.wire.cut_off()
    for node, sender in ((one, andy), (two, betty)):
        await node.sees(lambda it: len(it.letters) >= LETTERS // 2, "the reports")
        reports = [it.event for it in node.follower.letters]
        assert {it.session for it in node.follower.letters} == {sender.session}
        assert all(isinstance(report, Undelivered) for report in reports)
        assert node.follower.letter_texts == [f"{sender.key} {i}" for i in range(LETTERS // 2)]
    await until(lambda: dead.store.node not in chat_stores.registered(), WITHIN, "the end")


async def test_a_burial_that_lost_its_claim_loses_no_letter(chat_stores: RedisStores) -> None:
    """It was slow, somebody else went on with the same inbox, and both take letters out of it."""
    # While a judge is held up nobody probes its bus, so it may seem deserted: only a lease ends it.
    slow = {"lease_seconds": 6.0, "silence_seconds": 5.9, "redis_timeout_seconds": 5.0}
    one, two = await chat_stores.node("one", **slow), await chat_stores.node("two", **slow)
    dead = await chat_stores.node("dead", **slow)
    andy, betty = await one.enter_one("andy"), await two.enter_one("betty")
    await dead.enter("carl")
    await one.sees(lambda it: it.nicknames[-1:] == ["carl"], "carl")
    dead.follower.done_with = 0
    for i in range(LETTERS):
        (andy if i % 2 else betty).whisper("carl", str(i))
    await asyncio.gather(one.store.settle(), two.store.settle())
    control, keys = chat_stores.server.control, chat_stores.keys
    inbox, claim = keys.inbox(dead.store.node), keys.burial(dead.store.node)
    slow_ones: list[RedisNode] = []

    def takes_out(node: RedisNode) -> None:
        """The first to take out what it has reported is held up until its claim is over."""
        if not slow_ones:
            slow_ones.append(node)
            node.wire.stall("maintenance")
            control.pexpire(claim, 1)

    def reads_on(node: RedisNode) -> None:
        """The other one has taken out the same letters: now the first does as well."""
        other = two if node is one else one
        if node not in slow_ones:
            node.wire.stall("maintenance")
            control.pexpire(claim, 1)  # so that the first need not wait to go on
        other.wire.flow()

    for node in (one, two):
        # The second that it asks of the inbox, and the second time that it reads it.
        for words, then in (((inbox,), takes_out), (("LRANGE", inbox), reads_on)):
            node.wire.lose(
                *words, loss=Loss.NOTHING, skip=1, link="maintenance", then=partial(then, node)
            )
    dead.wire.cut_off()
    await until(lambda: dead.store.node not in chat_stores.registered(), WITHIN, "the end")
    assert slow_ones
    await asyncio.gather(one.store.settle(), two.store.settle())

    def unreported() -> set[str]:
        reported = {*one.follower.letter_texts, *two.follower.letter_texts}
        return {str(i) for i in range(LETTERS)} - reported

    await until(lambda: not unreported(), WITHIN, lambda: f"{len(unreported())} more reports")


async def test_a_burial_goes_on_while_the_node_is_never_idle(chat_stores: RedisStores) -> None:
    """Under load there is always something that is not settled yet."""
    one, dead = await chat_stores.node("one"), await chat_stores.node("dead")
    andy = await one.enter_one("andy")
    await dead.enter("carl")
    await until(lambda: one.follower.nicknames[-1:] == ["carl"], WITHIN, "carl")
    dead.follower.done_with = 0
    andy.whisper("carl", "psst")
    await one.store.settle()
    talking = True
    settled = one.follower.settled

    def answer(ops: list[Op]) -> None:
        if talking:
            andy.say(f"on and on {len(one.follower.ops)}")
        settled(ops)

    one.follower.settled = answer  # type: ignore[method-assign, assignment]
    try:
        andy.say("begin")
        dead.wire.cut_off()
        await until(lambda: one.follower.letters, WITHIN, "the report")
        await until(lambda: dead.store.node not in chat_stores.registered(), WITHIN, "the end")
    finally:
        talking = False
    await counted_burials(one)


# A node that comes back


async def test_a_node_that_was_cut_off_is_fenced_and_starts_over(chat_stores: RedisStores) -> None:
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy, betty = await one.enter_one("andy"), await two.enter_one("betty")
    before = two.store.node
    two.wire.cut_off()
    zombie = [betty.say("zombie"), betty.leave()]
    await announced_once([betty], one)
    await one.enter("betty")
    two.wire.restore()
    await until(lambda: two.follower.fencings, WITHIN, "the fence")
    await until(lambda: two.store.node != before, WITHIN, "another name")
    assert [op.outcome for op in zombie] == [None, None]
    op = two.guest("Betty").join()
    await two.store.settle()
    assert op.outcome is Outcome.TAKEN
    andy.say("hello")
    await one.store.settle()
    await until(lambda: two.follower.said, WITHIN, "hello")
    assert one.follower.said == two.follower.said == ["hello"]
    assert one.follower.nicknames == two.follower.nicknames == ["andy", "betty"]
    assert two.counted("fencings_total") == 1
    assert await until_registered(chat_stores, one, two)


async def test_a_node_that_hears_of_its_own_burial_first_is_fenced_by_that(
    chat_stores: RedisStores,
) -> None:
    """Else its people would be told that somebody else has their nicknames."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    betty = await two.enter_one("betty")
    two.wire.stall("commit")
    chat_stores.condemn(two.store.node)
    await announced_once([betty], one)
    await until(lambda: two.follower.fencings, WITHIN, "the fence")
    two.wire.flow()
    assert await until_registered(chat_stores, one, two)


async def until_registered(stores: RedisStores, *nodes: RedisNode) -> bool:
    """Wait until exactly these nodes are registered."""
    await until(lambda: stores.registered() == {n.store.node for n in nodes}, WITHIN, "leases")
    return True


async def test_a_batch_on_its_way_when_its_node_was_buried_does_nothing(
    chat_stores: RedisStores,
) -> None:
    """The request itself is late: it reaches Redis after the burial."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    betty = await two.enter_one("betty")
    await until(lambda: one.follower.nicknames, WITHIN, "betty")
    two.wire.stall("commit")
    op = betty.say("late")
    chat_stores.condemn(two.store.node)
    await announced_once([betty], one)
    two.wire.flow()
    await until(lambda: two.follower.fencings, WITHIN, "the fence")
    assert op.outcome is None
    assert one.follower.said == []
    assert not any("late" in line for line in chat_stores.log())


async def test_a_node_whose_lease_is_out_and_that_nobody_buried_goes_on(
    chat_stores: RedisStores,
) -> None:
    node = await chat_stores.node("alone")
    andy = await node.enter_one("andy")
    chat_stores.server.control.zadd(chat_stores.keys.leases, {node.store.node: 1})
    andy.say("still here")
    await asyncio.wait_for(node.store.settle(), WITHIN)
    assert node.follower.said == ["still here"]
    assert node.follower.fencings == 0


async def test_a_node_that_is_fenced_again_and_again(chat_stores: RedisStores) -> None:
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    names = [two.store.node]
    for i in range(3):
        await two.enter(f"guest-{i}")
        chat_stores.condemn(two.store.node)
        await until(lambda: two.store.node not in names, WITHIN, "another name")
        names.append(two.store.node)
        await one.sees(lambda it: len(it.lefts()) == len(names) - 1, "the burial")
    assert two.follower.fencings == 3
    assert len(set(names)) == 4
    await two.enter("andy")
    await until(lambda: one.follower.nicknames == ["andy"], WITHIN, "andy")


async def test_a_stopping_node_is_not_forgotten_before_its_letters_are(
    chat_stores: RedisStores,
) -> None:
    """What came for its last session in the last moment is reported by others."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy, betty = await one.enter_one("andy"), await two.enter_one("betty")
    two.follower.done_with = 0
    andy.whisper("betty", "too late")
    await one.store.settle()
    betty.leave()
    await two.store.settle()
    await asyncio.wait_for(two.store.stop(), WITHIN)
    chat_stores.leave_to_end(two)
    await until(lambda: one.follower.letters, WITHIN, "the report")
    (delivery,) = one.follower.letters
    assert isinstance(delivery.event, Undelivered)
    await until(lambda: chat_stores.registered() == {one.store.node}, WITHIN, "the burial")
    await two.wire.close()


async def test_a_burial_is_refused_as_a_whole_when_memory_is_out(chat_stores: RedisStores) -> None:
    """Deleting is allowed then, and announcing is not: no nickname is freed without a word."""
    one, dead = await chat_stores.node("one"), await chat_stores.node("dead")
    await dead.enter("carl")
    await one.sees(lambda it: it.nicknames == ["carl"], "carl")
    control = chat_stores.server.control

    def short_of_memory() -> None:
        control.config_set("maxmemory", 1)

    one.wire.lose(BURY.plain.sha, loss=Loss.NOTHING, link="maintenance", then=short_of_memory)
    dead.wire.cut_off()
    await until(
        lambda: one.counted("commit_retries_total", cause="out_of_memory"),
        WITHIN,
        "memory to be out",
    )
    was_held = control.exists(chat_stores.keys.nick("carl"))
    control.config_set("maxmemory", 0)
    await one.sees(lambda it: it.nicknames == [], "carl to be gone")
    assert was_held
    assert one.follower.lefts() == [f"{dead.store.node}:1"]
