"""The real store when clocks step or stand still: who renews is alive, and who does not is buried in time.

Leases are set to what a clock that steps makes of them: no judge can tell the difference.
"""

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.chat_stores import QUICK, RedisNode, RedisStores
from contract.node import WITHIN
from harness.redis_server import RedisServer
from harness.waiting import elapse, until
from tertulia.store.keys import unfinished
from tertulia.store.scripts import script

HOUR = 3_600_000


async def three_with_guests(chat_stores: RedisStores) -> list[RedisNode]:
    """Start nodes that know each other's guest, and have known each other for a whole lease."""
    nodes = [await chat_stores.node(name) for name in ("one", "two", "three")]
    for node in nodes:
        await node.enter(f"guest-of-{node.follower.name}")
    for node in nodes:
        await node.sees(lambda it: len(it.roster) == 3, "everybody")
    await elapse(1.5 * QUICK["lease_seconds"])
    return nodes


async def nobody_is_buried(nodes: list[RedisNode]) -> None:
    """See that everybody is here for two more leases, and can talk."""
    await elapse(2 * QUICK["lease_seconds"])
    for node in nodes:
        await asyncio.wait_for(node.store.settle(), WITHIN)
        assert node.counted("burials_total") == 0
        assert node.follower.fencings == 0
        assert node.follower.lefts() == []
        assert len(node.follower.roster) == 3


def step(stores: RedisStores, ms: int) -> None:
    """Have all leases end by so much earlier, as if Redis' clock had stepped forward."""
    control, leases = stores.server.control, stores.keys.leases
    for node in stores.registered():
        control.zincrby(leases, -ms, node)


@pytest.mark.parametrize("seconds", [12, 3600, -3600])
async def test_nobody_is_buried_when_redis_clock_steps(
    chat_stores: RedisStores, seconds: int
) -> None:
    nodes = await three_with_guests(chat_stores)
    for _ in range(3):
        step(chat_stores, seconds * 1000)
        await elapse(0.1)
    await nobody_is_buried(nodes)


async def test_nobody_is_buried_when_the_whole_machine_stands_still(
    chat_stores: RedisStores,
) -> None:
    """Redis and all nodes at once, for longer than a lease; who renews last has not yet when it is judged."""
    nodes = await three_with_guests(chat_stores)
    server = chat_stores.server
    for _ in range(3):
        for node in nodes:
            node.wire.stall("commit")
        server.freeze()
        time.sleep(1.5 * QUICK["lease_seconds"])  # noqa: ASYNC251 (the loop stands still as well)
        server.thaw()
        await elapse(0.15)
        for node in nodes:
            node.wire.flow()
        await elapse(0.3)
    await nobody_is_buried(nodes)


@pytest.mark.parametrize("how", ["dead", "frozen"])
async def test_who_dies_after_redis_clock_was_set_back_is_buried_in_time(
    chat_stores: RedisStores, how: str
) -> None:
    """Its lease holds for another hour by that clock."""
    one, two, dead = await three_with_guests(chat_stores)
    gone = [member.session for member in one.follower.roster][-1]
    if how == "dead":
        dead.wire.cut_off()
    else:
        dead.wire.stall("commit")  # it is still subscribed, as a frozen one is
    began = time.monotonic()
    step(chat_stores, -HOUR)
    within = QUICK["silence_seconds" if how == "dead" else "lease_seconds"]
    for node in (one, two):
        await node.sees(lambda it: it.lefts() == [gone], "the burial")
    assert time.monotonic() - began > within / 2  # it may have renewed its lease some time before


async def test_a_claim_from_before_the_clock_was_set_back_holds_up_no_burial(
    chat_stores: RedisStores,
) -> None:
    """Who buried died as well, and by Redis' clock its claim is good for another hour."""
    watcher, dead = await chat_stores.node("watcher"), await chat_stores.node("dead")
    guest = await dead.enter_one("andy")
    await watcher.sees(lambda it: it.nicknames == ["andy"], "andy")
    control, keys = chat_stores.server.control, chat_stores.keys
    until_when = int(time.time() * 1000) + HOUR
    control.set(keys.burial(dead.store.node), f"somebody {until_when}", px=HOUR)
    dead.wire.cut_off()
    await watcher.sees(lambda it: it.lefts() == [guest.session], "the burial")


async def test_a_claim_that_is_good_is_respected(chat_stores: RedisStores) -> None:
    """Also one of an earlier version, which only names who has it."""
    watcher = await chat_stores.node("watcher")
    control, keys = chat_stores.server.control, chat_stores.keys
    for names_its_end in (True, False):
        began = time.monotonic()
        claim = f"somebody {int(time.time() * 1000) + 1500}" if names_its_end else "somebody"
        control.set(keys.burial("long-dead"), claim, px=1500)
        control.zadd(keys.leases, {"long-dead": 0})
        await until(lambda: "long-dead" not in chat_stores.registered(), WITHIN, "the burial")
        assert time.monotonic() - began > 1.0
    assert watcher.counted("burials_total") == 2


# The value of a lease

_RENEW = script("lease").plain.text + (
    "local lease, seen = 0, {} "
    "for _, now in ipairs(ARGV) do"
    "  lease = renewed(lease, tonumber(now), 10000)"
    "  table.insert(seen, string.format('%d', lease)) "
    "end "
    "return seen"
)


def renewed(server: RedisServer, clock: list[int]) -> list[int]:
    """Return a lease's values when it is renewed at these times by Redis' clock."""
    return [int(it) for it in server.do("EVAL", _RENEW, 1, unfinished("{c}:"), *clock)]


def test_a_lease_ends_when_it_is_meant_to(shared_redis: RedisServer) -> None:
    assert renewed(shared_redis, [5, 6, 1000, HOUR]) == [10_005, 10_006, 11_000, HOUR + 10_000]
    assert renewed(shared_redis, [HOUR, 0]) == [HOUR + 10_000, 10_000]


@settings(max_examples=50, deadline=None)
@given(
    st.integers(10**12, 2 * 10**12),
    st.lists(st.sampled_from([0, 0, 0, 1, 500, 1000, -1, -500]), max_size=19),
)
def test_a_lease_has_another_value_each_time(
    shared_redis: RedisServer, now: int, steps: list[int]
) -> None:
    """Also of a clock that stands still, and of one that is put back by less than a lease."""
    clock = [now]
    for it in steps:
        clock.append(clock[-1] + it)
    values = renewed(shared_redis, clock)
    assert values == sorted(set(values))


@pytest.mark.parametrize("seconds", [7200.0, -7200.0])
async def test_a_clock_that_is_off_is_measured_and_makes_no_latency_wrong(
    chat_stores: RedisStores, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + seconds)
    node = await chat_stores.node("one")

    def offset() -> float:
        return node.counted("clock_offset_seconds", chat=chat_stores.chat)

    await until(lambda: abs(offset() - seconds) < 60, WITHIN, lambda: f"the offset: {offset()}")
    andy = await node.enter_one("andy")

    async def latency() -> float:
        """Let one more entry be delivered. What is measured as less than nothing counts as none."""
        andy.say("here")
        await asyncio.wait_for(node.store.settle(), WITHIN)
        return node.counted("publish_to_delivery_seconds_sum")

    async def is_measured() -> bool:
        return await latency() > 0

    await until(is_measured, WITHIN, "a latency")
    assert await latency() < 60
    monkeypatch.undo()
    await until(lambda: abs(offset()) < 60, WITHIN, lambda: f"it to be set: {offset()}")
