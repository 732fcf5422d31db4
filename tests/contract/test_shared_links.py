"""Many chats of a node on the same connections: what befalls one is its own matter, a loss is everybody's."""

import asyncio
import time
from collections import Counter

import pytest

from contract.chat_stores import STALLING, RedisNode, RedisStores
from contract.lossy_proxy import Loss
from contract.node import WITHIN, Guest, stop
from harness.waiting import until
from tertulia.chat.ports import Outcome
from tertulia.store.chat_store import USES, ChatStore
from tertulia.store.keys import Keys
from tertulia.store.scripts import COMMIT

CHATS = 8
LEASE = 3.0
PATIENT = {
    "heartbeat_seconds": 1.0,
    "silence_seconds": 5.0,
    "lease_seconds": 15.0,
    "redis_timeout_seconds": 10.0,
}
"""Of a node whose connections are to be the same afterwards, however busy the machine is."""


def chat_of(stores: RedisStores, number: int) -> str:
    return f"{stores.chat}-{number}" if number else stores.chat


def store_of(chat: RedisNode) -> ChatStore:
    assert isinstance(chat.store, ChatStore)
    return chat.store


async def node_with_chats(
    stores: RedisStores, count: int = CHATS, name: str = "node", /, **settings: float
) -> list[RedisNode]:
    """Start a node with so many chats, over one wire."""
    first = await stores.node(name, **settings)
    others = (stores.another_chat(first, chat_of(stores, i)) for i in range(1, count))
    return [first, *await asyncio.gather(*others)]


async def guests_of(chats: list[RedisNode]) -> list[Guest]:
    """Let somebody into each chat."""
    return [(await chat.enter_one(f"guest-{i}")) for i, chat in enumerate(chats)]


def connections(stores: RedisStores) -> Counter[str]:
    """Return how many connections Redis has of nodes, by name."""
    names = (it.name for it in stores.server.connections())
    return Counter(name for name in names if name.startswith("tertulia-"))


def ids(stores: RedisStores) -> set[int]:
    return {it.id for it in stores.server.connections() if it.name.startswith("tertulia-")}


async def all_is_well(chats: list[RedisNode], guests: list[Guest], word: str) -> None:
    """Have all say something, and see that each hears his own chat's, once."""
    for chat, guest in zip(chats, guests, strict=True):
        guest.say(word)
        guest.whisper(guest.nickname, word)
        await asyncio.wait_for(chat.store.settle(), WITHIN)
        assert chat.follower.said.count(word) == 1
        assert chat.follower.letter_texts.count(word) == 1
        assert {op.outcome for op in chat.follower.ops} == {Outcome.DONE}
        assert chat.follower.fencings == 0
    await until(lambda: all(all(it.store.health().values()) for it in chats), WITHIN, "health")


async def test_chats_share_a_connection_for_each_use(chat_stores: RedisStores) -> None:
    chats = await node_with_chats(chat_stores, 50)
    guests = await guests_of(chats)
    await all_is_well(chats, guests, "hello")
    assert connections(chat_stores) == {f"tertulia-{use}": 1 for use in USES}


async def test_the_last_chat_that_goes_closes_them(chat_stores: RedisStores) -> None:
    chats = await node_with_chats(chat_stores, 2)
    before = ids(chat_stores)
    chat_stores.leave_to_end(chats[1])
    await chats[1].store.stop()
    (guest,) = await guests_of(chats[:1])
    await all_is_well(chats[:1], [guest], "alone")
    assert ids(chat_stores) == before
    chat_stores.leave_to_end(chats[0])
    guest.leave()
    await chats[0].store.settle()
    await chats[0].store.stop()
    await until(lambda: not ids(chat_stores), WITHIN, "them to be closed")
    await chats[0].wire.close()


async def test_a_chat_whose_key_is_broken_disturbs_nobody(chat_stores: RedisStores) -> None:
    chats = await node_with_chats(chat_stores, **PATIENT)
    guests = await guests_of(chats)
    before, control = ids(chat_stores), chat_stores.server.control
    meta = Keys(chat_of(chat_stores, 0)).meta
    control.rename(meta, meta + ":kept")
    control.set(meta, "a string")
    said = guests[0].say("to whom?")
    await until(lambda: not chats[0].store.health()["redis"], WITHIN, "a red light")
    await all_is_well(chats[1:], guests[1:], "hello")
    for chat in chats[1:]:
        assert chat.counted("bus_reconnects_total") == 0
        assert all(
            chat.counted("commit_retries_total", cause=it) == 0 for it in ("other", "connection")
        )
    assert ids(chat_stores) == before
    assert said.outcome is None
    control.rename(meta + ":kept", meta)
    await asyncio.wait_for(chats[0].store.settle(), WITHIN)
    await all_is_well(chats, guests, "well again")


async def test_a_chat_whose_tasks_are_cancelled_disturbs_nobody(chat_stores: RedisStores) -> None:
    """As where it is fenced: some of its requests are under way, and nobody waits for their replies."""
    chats = await node_with_chats(chat_stores, **PATIENT)
    guests = await guests_of(chats)
    doomed = guests[0]
    before = ids(chat_stores)
    for round_ in range(5):
        lease = Keys(chat_of(chat_stores, 0)).leases
        chat_stores.server.control.zadd(lease, {chats[0].store.node: 0})
        doomed.say("which is fenced")
        for chat, guest in zip(chats[1:], guests[1:], strict=True):
            guest.say(f"meanwhile {round_}")
            await asyncio.wait_for(chat.store.settle(), WITHIN)
        await until(lambda n=round_: chats[0].follower.fencings > n, WITHIN, "fencing")  # type: ignore[misc]
        doomed = await chats[0].enter_one(f"again-{round_}")
    assert ids(chat_stores) == before
    await all_is_well(chats[1:], guests[1:], "hello")
    for chat in chats[1:]:
        assert chat.follower.said[:5] == [f"meanwhile {it}" for it in range(5)]


async def test_a_node_that_may_not_unsubscribe_goes_on(chat_stores: RedisStores) -> None:
    """As with the users of an earlier version: it hears for nobody what it can't leave."""
    control = chat_stores.server.control
    control.acl_setuser(
        "silent", enabled=True, nopass=True, keys=["*"], channels=["*"],
        commands=["+@all", "-unsubscribe"],
    )  # fmt: skip
    chat_stores.user = "silent"
    chats = await node_with_chats(chat_stores, 3, **PATIENT)
    guests = await guests_of(chats)
    before = ids(chat_stores)
    chat_stores.condemn(chats[0].store.node)
    await until(lambda: chats[0].follower.fencings, WITHIN, "the fencing")
    guest = await chats[0].enter_one("another")  # the nickname of before is free when it is buried
    guest.say("hello")
    await asyncio.wait_for(chats[0].store.settle(), WITHIN)
    assert chats[0].follower.said == ["hello"]
    await all_is_well(chats[1:], guests[1:], "hello")
    assert ids(chat_stores) == before
    assert not any(chat.refused for chat in chats)
    guest.leave()
    for chat in chats:
        chat_stores.leave_to_end(chat)
        await stop(chat)
    await chats[0].wire.close()
    control.acl_deluser("silent")


@pytest.mark.parametrize("loss", [Loss.REQUEST, Loss.REPLY, Loss.STALLED])
async def test_a_lost_reply_has_every_chat_send_its_batch_again(
    chat_stores: RedisStores, loss: Loss
) -> None:
    chats = await node_with_chats(chat_stores, **(STALLING if loss is Loss.STALLED else {}))
    guests = await guests_of(chats)
    fault = chats[0].wire.lose(COMMIT.plain.sha, "all at once", loss=loss)
    said = [guest.say("all at once") for guest in guests]
    await asyncio.gather(*(asyncio.wait_for(it.store.settle(), WITHIN) for it in chats))
    assert fault.struck.is_set()
    assert {it.outcome for it in said} == {Outcome.DONE}
    for chat in chats:
        assert chat.follower.said == ["all at once"]
    cause = "timeout" if loss is Loss.STALLED else "connection"
    assert sum(it.counted("commit_retries_total", cause=cause) for it in chats) >= CHATS / 2


@pytest.mark.parametrize("link", sorted(USES))
async def test_a_connection_that_is_killed_brings_every_chat_back(
    chat_stores: RedisStores, link: str
) -> None:
    """Again and again, on two nodes, while everybody talks: nothing is lost, nothing comes twice."""
    one = await node_with_chats(chat_stores, 4, "one")
    two = await node_with_chats(chat_stores, 4, "two")
    guests = await guests_of([*one, *two])
    texts: list[list[str]] = [[] for _ in one]
    for turn in range(30):
        if turn % 6 == 3:
            for connection in chat_stores.server.connections():
                if connection.name == f"tertulia-{link}":
                    chat_stores.server.cut(connection)
        for i, guest in enumerate(guests):
            texts[i % 4].append(f"{guest.nickname} {turn}")
            guest.say(texts[i % 4][-1])
        await asyncio.gather(*(asyncio.wait_for(it.store.settle(), WITHIN) for it in (*one, *two)))
    for i in range(4):
        for chat in (one[i], two[i]):
            await chat.sees(lambda it, i=i: len(it.said) >= len(texts[i]), "all")  # type: ignore[misc]
            assert sorted(chat.follower.said) == sorted(texts[i])
        assert one[i].follower.said == two[i].follower.said
        assert one[i].follower.fencings == two[i].follower.fencings == 0
    await until(
        lambda: all(all(it.store.health().values()) for it in (*one, *two)), WITHIN, "health"
    )
    assert connections(chat_stores).most_common(1)[0][1] <= 2


async def test_a_chat_that_redis_forgot_on_the_bus_comes_back_alone(
    chat_stores: RedisStores,
) -> None:
    """Its probes do not come; those of the others do, so the connection is sound."""
    # As slow as the others' probes may be on a busy machine.
    chats = await node_with_chats(
        chat_stores,
        heartbeat_seconds=0.5,
        silence_seconds=3.5,
        lease_seconds=12.0,
        redis_timeout_seconds=10.0,
    )
    guests = await guests_of(chats)
    before = ids(chat_stores)
    silent = chats[0]
    shared = store_of(silent)._bus_link._shared
    assert shared is not None
    for channel in list(shared.connection._hearing):
        if channel.startswith(f"{{{chat_stores.chat}}}".encode()):
            del shared.connection._hearing[channel]
    await until(lambda: silent.counted("bus_reconnects_total"), WITHIN, "it to come back")
    await all_is_well(chats, guests, "hello")
    assert ids(chat_stores) == before


async def test_a_silent_bus_is_given_up_by_all(chat_stores: RedisStores) -> None:
    chats = await node_with_chats(chat_stores)
    guests = await guests_of(chats)
    chats[0].wire.freeze("bus")
    await until(lambda: all(chat.counted("bus_reconnects_total") for chat in chats), WITHIN, "all")
    await all_is_well(chats, guests, "hello")


async def test_chats_that_wait_for_a_replica_wait_together(chat_stores: RedisStores) -> None:
    """There is none: each wait takes its time, and with one after the other leases would run out."""
    chat_stores.is_replicated = True
    node = await chat_stores.prepare(lease_seconds=LEASE, silence_seconds=LEASE - 0.5)
    chats = [node] + [
        chat_stores.prepare_another_chat(node, chat_of(chat_stores, i)) for i in range(1, 40)
    ]
    starts = [asyncio.create_task(it.store.start(it.follower)) for it in chats]

    def left(chat: RedisNode) -> float:
        """Return for how many milliseconds its lease holds."""
        control, leases = chat_stores.server.control, store_of(chat)._keys.leases
        seconds, micros = control.time()
        expiry = control.zscore(leases, chat.store.node)
        return (expiry or 0) - seconds * 1000 - micros / 1000

    await until(lambda: all(left(it) > 0 for it in chats), WITHIN, "all to be there")
    end, worst = time.monotonic() + 2 * LEASE, LEASE * 1000

    def watched() -> bool:
        nonlocal worst
        worst = min(worst, *map(left, chats))
        return time.monotonic() > end

    await until(watched, 3 * LEASE, "leases to be renewed", every=0.1)
    assert worst > 0
    lives = [store_of(it)._life for it in chats]
    for task in (*starts, *lives):
        assert task is not None
        task.cancel()
        await asyncio.wait((task,))
    for chat in chats:
        chat_stores.leave_to_end(chat)
    await node.wire.close()
