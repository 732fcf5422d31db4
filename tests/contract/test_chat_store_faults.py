"""The real store when its connections fail: nothing is lost, nothing is done twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from contract.chat_stores import PATIENT, STALLING, RedisNode, RedisStores
from contract.lossy_proxy import Loss
from contract.node import WITHIN, Guest
from harness.waiting import elapse, until
from tertulia.chat.ports import Outcome
from tertulia.domain.events import Joined, Said, encode
from tertulia.store.scripts import COMMIT, REGISTER

MOST_OPEN = 100
"""Messages of a node's guests that are unanswered, while they talk."""
_APPEND = """
for _, event in ipairs(ARGV) do
    local offset = redis.call('HINCRBY', KEYS[1], 'offset', 1)
    redis.call('XADD', KEYS[2], offset .. '-0', 'p', '1', 'b', 'elsewhere 1', 'e', event)
end
"""


@asynccontextmanager
async def talking(*guests: Guest) -> AsyncIterator[list[str]]:
    """Let guests talk as long as the block lasts; gives what they have said and whispered so far."""
    texts: list[str] = []
    stop = asyncio.Event()

    async def talk(guest: Guest) -> None:
        while not stop.is_set():
            text = f"{guest.nickname} {len(texts)}"
            texts.append(text)
            guest.say(text)
            guest.whisper(guests[len(texts) % len(guests)].nickname, text)
            await asyncio.sleep(0.002)  # the pacer: guests don't talk without taking breath
            # Nor on and on without an answer: a busy machine would never be through with it.
            await until(lambda: len(guest.node.store) < MOST_OPEN, WITHIN, "answers")

    tasks = [asyncio.create_task(talk(guest)) for guest in guests]
    try:
        yield texts
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def all_arrived(texts: list[str], *nodes: RedisNode) -> None:
    """Wait until every text is settled, was said once on every node, and whispered once on one."""
    for node in nodes:
        await asyncio.wait_for(node.store.settle(), WITHIN)
    for node in nodes:
        await node.sees(lambda it: len(it.said) >= len(texts), f"{len(texts)} messages")
        assert sorted(node.follower.said) == sorted(texts)
        assert node.follower.said == nodes[0].follower.said
    await until(
        lambda: sum(len(node.follower.letters) for node in nodes) >= len(texts), WITHIN, "letters"
    )
    whispered = [text for node in nodes for text in node.follower.letter_texts]
    assert sorted(whispered) == sorted(texts)
    assert {op.outcome for node in nodes for op in node.follower.ops} == {Outcome.DONE}


async def some_more(texts: list[str]) -> None:
    """Wait for some more talk."""
    enough = len(texts) + 20
    await until(lambda: len(texts) >= enough, WITHIN, "some more talk")


def all_is_well(*nodes: RedisNode) -> bool:
    return all(all(node.store.health().values()) for node in nodes)


# A commit whose reply is lost


@pytest.mark.parametrize("loss", [Loss.REQUEST, Loss.REPLY, Loss.STALLED])
async def test_a_commit_that_got_no_reply_is_done_once(
    chat_stores: RedisStores, loss: Loss
) -> None:
    settings = STALLING if loss is Loss.STALLED else {}
    one, two = [await chat_stores.node(name, **settings) for name in ("one", "two")]
    andy, betty = await one.enter_one("andy"), await two.enter_one("betty")
    fault = one.wire.lose("once", loss=loss)
    ops = [
        andy.say("once"),
        andy.whisper("betty", "once"),
        andy.whisper("andy", "once"),
        one.guest("carl").join(),
        andy.leave(),
    ]
    await asyncio.wait_for(one.store.settle(), WITHIN)
    assert fault.struck.is_set()
    assert [op.outcome for op in ops] == [Outcome.DONE] * 5
    betty.say("last")
    await two.store.settle()
    await until(lambda: "last" in one.follower.said, WITHIN, "the last word")
    assert two.follower.said == one.follower.said == ["once", "last"]
    assert two.follower.lefts() == [andy.session]
    assert len(two.follower.joins()) == 3
    await until(lambda: two.follower.letters, WITHIN, "the letter")
    assert [len(node.follower.letters) for node in (one, two)] == [1, 1]
    assert len(chat_stores.log()) == 6
    cause = "timeout" if loss is Loss.STALLED else "connection"
    assert one.counted("commit_retries_total", cause=cause) == 1


async def test_a_commit_is_sent_again_as_often_as_it_takes(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    faults = [
        node.wire.lose(COMMIT.plain.sha, loss=loss) for loss in (Loss.REPLY, Loss.REQUEST) * 3
    ]
    ops = [andy.say(str(i)) for i in range(1000)]
    await asyncio.wait_for(node.store.settle(), WITHIN)
    assert all(fault.struck.is_set() for fault in faults)
    assert {op.outcome for op in ops} == {Outcome.DONE}
    assert node.follower.said == [str(i) for i in range(1000)]


async def test_a_first_registration_that_got_no_reply_is_done_again(
    chat_stores: RedisStores,
) -> None:
    node = await chat_stores.node()
    assert chat_stores.registered() == {node.store.node}
    node.wire.lose(REGISTER.plain.sha, loss=Loss.REPLY)
    before = node.store.node
    chat_stores.condemn(before)
    await until(lambda: node.store.node != before, WITHIN, "another name")
    await node.enter("andy")
    assert node.follower.nicknames == ["andy"]


async def test_scripts_are_loaded_where_redis_does_not_have_them(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    chat_stores.server.control.script_flush()
    andy.say("still here")
    await asyncio.wait_for(node.store.settle(), WITHIN)
    assert node.follower.said == ["still here"]


# Connections that are killed


@pytest.mark.parametrize("link", ["commit", "bus", "maintenance"])
async def test_a_killed_connection_costs_nothing(chat_stores: RedisStores, link: str) -> None:
    """Redis closes it again and again, on both nodes, while everybody talks."""
    one, two = [await chat_stores.node(name, **PATIENT) for name in ("one", "two")]
    guests = [await one.enter_one("andy"), await two.enter_one("betty")]
    server = chat_stores.server
    async with talking(*guests) as texts:
        killed: set[int] = set()
        for _ in range(5):
            # Else it is lost before it is of use, and each time the node waits twice as long.
            await until(lambda: all_is_well(one, two), WITHIN, "health")
            await until(
                lambda: (
                    {c.id for c in server.connections() if c.name == f"tertulia-{link}"} - killed
                ),
                WITHIN,
                f"another connection {link}",
            )
            for connection in server.connections():
                if connection.name == f"tertulia-{link}":
                    killed.add(connection.id)
                    server.cut(connection)
            await some_more(texts)
    await all_arrived(texts, one, two)
    assert len(killed) >= 5
    assert one.follower.fencings == two.follower.fencings == 0
    await until(lambda: all(one.store.health().values()), WITHIN, "health")
    if link == "bus":
        assert sum(node.counted("bus_reconnects_total") for node in (one, two)) >= 5
        assert one.counted("bus_recoveries_total") >= 1


@pytest.mark.parametrize("request_lost", ["HMGET", "XRANGE", "LRANGE"])
async def test_a_broken_recovery_is_begun_again(
    chat_stores: RedisStores, request_lost: str
) -> None:
    """The bus is lost, something is missed, and the connection that reads it up breaks as well."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy = await one.enter_one("andy")
    await two.enter("betty")
    await until(lambda: one.follower.nicknames == ["andy", "betty"], WITHIN, "betty")
    two.wire.stall("bus")
    texts = [str(i) for i in range(100)]
    for text in texts:
        andy.say(text)
        andy.whisper("betty", text)
        if len(texts) % 10 == 0:
            await one.store.settle()
    await one.store.settle()
    fault = two.wire.lose(request_lost, loss=Loss.REPLY)
    two.wire.cut("bus")
    two.wire.flow()
    await asyncio.wait_for(fault.struck.wait(), WITHIN)
    await all_arrived(texts, one, two)


async def test_a_redis_that_is_away_is_waited_for(chat_stores: RedisStores) -> None:
    """Nothing is settled, nothing fails; when it is back everything goes on."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy, betty = await one.enter_one("andy"), await two.enter_one("betty")
    one.wire.cut_off()
    op = andy.say("into the void")
    await until(lambda: not one.store.health()["redis"], WITHIN, "a red light")
    await until(lambda: not one.store.health()["bus"], WITHIN, "another red light")
    assert op.outcome is None
    assert len(one.store) + one.follower.ops.count(op) <= 1
    one.wire.restore()
    await asyncio.wait_for(one.store.settle(), WITHIN)
    assert op.outcome is Outcome.DONE
    betty.say("back again")
    await two.store.settle()
    await until(lambda: len(one.follower.said) == 2, WITHIN, "betty")
    assert one.follower.said == two.follower.said == ["into the void", "back again"]
    await until(lambda: all(one.store.health().values()), WITHIN, "green lights")


async def test_a_store_starts_when_redis_does(chat_stores: RedisStores) -> None:
    node = await chat_stores.prepare()
    node.wire.cut_off()
    start = asyncio.create_task(node.store.start(node.follower))
    await elapse(0.3)
    assert not start.done()
    assert not any(node.store.health().values())
    node.wire.restore()
    await asyncio.wait_for(start, WITHIN)
    await node.enter("andy")
    assert node.follower.nicknames == ["andy"]


async def test_a_store_lets_go_of_a_redis_that_is_away(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    node.wire.cut_off()
    chat_stores.leave_to_end(node)
    await asyncio.wait_for(node.store.stop(), WITHIN)
    await node.wire.close()


async def test_many_letters_are_read_up_while_the_first_are_trimmed(
    chat_stores: RedisStores,
) -> None:
    """They are read page by page, and what was read is confirmed meanwhile."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy = await one.enter_one("andy")
    await two.enter("betty")
    await one.sees(lambda it: len(it.roster) == 2, "betty")
    two.wire.stall("bus")
    texts = [str(i) for i in range(2500)]
    for text in texts:
        andy.whisper("betty", text)
    await one.store.settle()
    control, inbox = chat_stores.server.control, chat_stores.keys.inbox(two.store.node)

    def trim() -> None:
        """Do as a commit does that comes between the first page and the second, unless one came."""
        head = control.lindex(inbox, 0)
        assert head
        first = int(head.split()[0])
        control.ltrim(inbox, two.follower.confirmed() - first + 1, -1)

    page = two.wire.lose("LRANGE", inbox, loss=Loss.NOTHING, skip=1, then=trim)
    two.wire.cut("bus")
    two.wire.flow()
    await asyncio.wait_for(page.struck.wait(), WITHIN)
    await two.sees(lambda it: it.letters and it.letters[-1].number == 2500, "the last letter")
    assert two.follower.letter_texts == texts


# A bus that is silent, and one that misses something


async def test_a_bus_that_is_half_open_is_connected_again(chat_stores: RedisStores) -> None:
    """The connection stays, and brings nothing: not even the node's own probes."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy = await two.enter_one("andy")
    one.wire.stall("bus")
    andy.say("missed")
    await two.store.settle()
    await until(lambda: not one.store.health()["bus"], WITHIN, "silence to be noticed")
    await until(lambda: one.store.health()["redis"], WITHIN, "Redis, which is there")
    assert one.follower.said == []
    one.wire.cut("bus")
    one.wire.flow()
    await until(lambda: one.follower.said, WITHIN, "what was missed")
    assert one.follower.said == ["missed"]
    await until(lambda: one.store.health()["bus"], WITHIN, "the probe")


async def test_a_half_open_bus_is_replaced_by_the_node_itself(chat_stores: RedisStores) -> None:
    """Only the old connection is dead: the node makes a new one by itself."""
    one, two = await chat_stores.node("one"), await chat_stores.node("two")
    andy = await two.enter_one("andy")
    one.wire.freeze("bus")
    andy.say("missed")
    await two.store.settle()
    await until(lambda: one.follower.said, WITHIN, "what was missed")
    assert one.counted("bus_reconnects_total") >= 1


async def test_only_a_bus_that_is_there_again_counts_as_cut(chat_stores: RedisStores) -> None:
    """However often it is tried in vain meanwhile: an outage is told by others."""
    # That it is silent, as the machine stands still, is another matter.
    node = await chat_stores.node("one", **PATIENT)
    assert node.counted("bus_reconnects_total") == 0
    node.wire.cut_off()
    await until(lambda: not node.store.health()["bus"], WITHIN, "the bus to be lost")
    await elapse(1.0)  # for half a dozen tries
    node.wire.restore()
    await until(lambda: node.store.health()["bus"], WITHIN, "the bus")
    assert node.counted("bus_reconnects_total") in (1, 2)


async def advance_unheard(stores: RedisStores, *texts: str) -> None:
    """Append entries to the log as a node does, all in one moment, and lose their publication."""
    events = [encode(Said("ghost", "elsewhere:1", text)) for text in texts]
    stores.server.do("EVAL", _APPEND, 2, stores.keys.meta, stores.keys.log, *events)  # type: ignore[arg-type]


async def test_a_gap_before_an_entry_is_read_up_in_order(chat_stores: RedisStores) -> None:
    # No probe comes to the rescue: the entry itself has to tell.
    one = await chat_stores.node(
        "one", heartbeat_seconds=20.0, silence_seconds=25.0, lease_seconds=30.0
    )
    andy = await one.enter_one("andy")
    await advance_unheard(chat_stores, *map(str, range(70)))  # more than a page of the log
    andy.say("after the gap")
    await asyncio.wait_for(one.store.settle(), WITHIN)
    assert one.follower.said == [*map(str, range(70)), "after the gap"]
    assert one.counted("bus_gaps_total") == 1
    assert one.counted("bus_recovered_entries_total") >= 70
    assert one.counted("bus_lost_entries_total") == 0


async def test_a_gap_before_silence_is_found_by_the_probe(chat_stores: RedisStores) -> None:
    one = await chat_stores.node("one", **PATIENT)
    for nickname in ("andy", "betty"):  # the second one certainly comes over the bus
        await one.enter(nickname)
    await advance_unheard(chat_stores, "nobody", "heard", "this")
    await until(lambda: len(one.follower.said) == 3, WITHIN, "the missing entries")
    assert one.follower.said == ["nobody", "heard", "this"]
    assert one.counted("bus_gaps_total") == 1


@pytest.mark.parametrize("answer", ["at once", "late", "interrupted"])
async def test_entries_lost_for_good_are_counted_and_the_room_is_seated_anew(
    chat_stores: RedisStores, answer: str
) -> None:
    """A node is cut from the bus while more is said than the log may hold."""
    settings = {**STALLING, "log_bytes": 1_048_576}
    one, two = [await chat_stores.node(name, **settings) for name in ("one", "two")]
    andy, betty = await one.enter("andy", "betty")
    carl = await two.enter_one("carl")
    await until(lambda: one.follower.nicknames[-1:] == ["carl"], WITHIN, "carl")
    two.follower.trimmed = True
    two.wire.stall("bus")
    if answer == "late":  # only when the log has lost it
        two.wire.lose(
            "EVALSHA", "can't read this", loss=Loss.STALLED, then=lambda: two.wire.stall("commit")
        )
    unread = carl.say("carl's node can't read this any more")
    await one.sees(lambda it: it.said == [unread.text], "carl's message")
    betty.leave()
    await one.enter("dora")
    flood = ["x" * 4000 + str(i) for i in range(1000)]
    for i, text in enumerate(flood):
        andy.say(text)
        if i % 50 == 0:
            await one.store.settle()
    await one.store.settle()
    if answer == "interrupted":
        two.wire.lose("HGETALL", chat_stores.keys.bans, link="reads")
    two.wire.cut("bus")
    two.wire.flow("bus")
    andy.say("are you there?")
    await until(lambda: two.follower.said[-1:] == ["are you there?"], WITHIN, "the end")
    lost = two.counted("bus_lost_entries_total")
    first, last = (two.follower.entries[i].position.offset for i in (0, -1))
    assert lost == last - first + 1 - len(two.follower.entries)
    assert lost > 0
    # Whoever followed is told, once, where it goes on.
    (gap,) = two.follower.gaps
    assert gap.offset + 1 in [it.position.offset for it in two.follower.entries]
    assert two.follower.calls.index("missed") > two.follower.calls.index("seated")
    assert one.follower.gaps == []
    assert two.follower.said == [*flood[-len(two.follower.said) + 1 :], "are you there?"]
    assert [m.nickname for m in two.follower.seatings[-1]] == ["andy", "carl", "dora"]
    assert two.follower.nicknames == ["andy", "carl", "dora"]
    assert len(two.follower.seatings) == 2
    assert two.follower.fencings == 0
    if answer == "late":
        assert unread not in two.follower.ops
        two.wire.flow()
    await until(lambda: unread in two.follower.ops, WITHIN, "an answer all the same")


async def test_messages_of_another_version_are_skipped_and_counted(
    chat_stores: RedisStores,
) -> None:
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    control, keys = chat_stores.server.control, chat_stores.keys
    for message in ("2 r later 1 1 n 1\n{}", "1 z what", "1 r", "", "1 r e x y z n\n{}"):
        control.publish(keys.room, message)
    await until(lambda: node.counted("bus_unknown_total") == 5, WITHIN, "all to be counted")
    andy.say("still here")
    await asyncio.wait_for(node.store.settle(), WITHIN)
    assert node.follower.said == ["still here"]


async def test_events_of_a_later_version_are_skipped_and_counted(chat_stores: RedisStores) -> None:
    node = await chat_stores.node()
    control, keys = chat_stores.server.control, chat_stores.keys
    known = encode(Said("ghost", "elsewhere:1", "hello")).decode()
    offset = control.hincrby(keys.meta, "offset", 1)
    events = f'{{"t":"waved","n":"ghost","s":"elsewhere:1"}}\n{known}\n{{"t":"bowed"}}'
    control.xadd(keys.log, {"p": "1", "b": "elsewhere 1", "e": events}, id=f"{offset}-0")
    await until(lambda: node.follower.said, WITHIN, "the entry")
    assert node.follower.events == [Said("ghost", "elsewhere:1", "hello")]
    assert node.counted("bus_unknown_total") == 2


async def test_a_letter_of_a_later_version_is_skipped_and_takes_its_number(
    chat_stores: RedisStores,
) -> None:
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    control, keys = chat_stores.server.control, chat_stores.keys
    number = control.hincrby(keys.inboxes, node.store.node, 1)
    letter = f'{number} {andy.session} 1 {{"t":"poked","n":"ghost"}}'
    control.rpush(keys.inbox(node.store.node), letter)
    op = andy.whisper("andy", "psst")
    await asyncio.wait_for(node.store.settle(), WITHIN)
    assert op.outcome is Outcome.DONE
    assert [it.number for it in node.follower.letters] == [1, 2]
    assert node.follower.letters[0].event is None
    assert node.follower.letter_texts == ["", "psst"]


async def test_a_redis_that_is_a_replica_takes_nothing(chat_stores: RedisStores) -> None:
    """It would publish and forget. The node waits for a master."""
    node = await chat_stores.node()
    andy = await node.enter_one("andy")
    control = chat_stores.server.control
    control.replicaof("127.0.0.1", "1")
    try:
        op = andy.say("to whom?")
        await until(lambda: not node.store.health()["redis"], WITHIN, "a red light")
        await elapse(0.3)
        assert op.outcome is None
        assert node.follower.said == []
    finally:
        control.replicaof("NO", "ONE")
    await asyncio.wait_for(node.store.settle(), WITHIN)
    assert node.follower.said == ["to whom?"]
    assert [type(event) for event in node.follower.events] == [Joined, Said]
