"""A node is asked to stop: it takes nobody new, keeps what it read, says goodbye, and ends."""

import asyncio
import contextlib
import signal

import pytest

from harness.chatte_client import ChatteClient
from harness.crowd import gather, left_at, saw_all_leave, start_nodes
from harness.load import assert_promises_kept, connect_many, lost, settle, under_load
from harness.node import QUICK, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import elapse, until
from history.record import Acked, Disconnected, ReceivedPublic, SawLeft

pytestmark = pytest.mark.slow

DRAIN_SECONDS = 60.0
"""Within which a node that has Redis and a handful of clients is through, on however busy a machine."""


async def saw_leave(witness: ChatteClient, gone: list[ChatteClient], within: float) -> None:
    """Wait until somebody has seen all of them leave, in whatever order, and nobody else."""
    names = {client.nickname for client in gone}
    await witness.wait_for(
        lambda: {record.nickname for record in witness.history.of(SawLeft)} == names,
        within,
        f"{names} to leave",
    )


async def test_a_node_that_is_asked_to_stop_leaves_nothing_undone(
    node_factory: NodeFactory,
) -> None:
    nodes = await start_nodes(node_factory, 2)
    # They don't acknowledge, so that nothing of theirs is unread when their connection closes.
    clients = await gather(nodes, 12, acknowledges=False)
    staying, going = clients[0::2], clients[1::2]
    await settle(clients)

    async def drain() -> int:
        await elapse(1)
        nodes[1].terminate()
        return await nodes[1].exit_status(DRAIN_SECONDS)

    asked_at = staying[0].history.now()
    assert await under_load([*staying[:2], *going[:3]], drain(), per_second=20) == 0
    for client in going:
        await client.disconnected()
        assert [record.by for record in client.history.of(Disconnected)] == ["server"]
    await settle(staying)
    for client in staying:
        left = left_at(client, going)
        assert saw_all_leave(client, going) and len(left) == len(list(client.history.of(SawLeft)))
        assert all(asked_at < at for at in left.values())
    buried = [it for it in await nodes[0].metrics() if it.name == "tertulia_burials_total"]
    assert sum(it.value for it in buried) == 0
    await assert_promises_kept(clients)


async def test_what_was_sent_before_the_signal_is_committed_and_answered(
    node_factory: NodeFactory,
) -> None:
    nodes = await node_factory.start_many(2)
    witness = await ChatteClient.enter_chat(nodes[0].port(), "witness")
    speaker = await ChatteClient.enter_chat(nodes[1].port(), "speaker", acknowledges=False)
    await witness.expect_line("150 speaker just join to the chat")
    texts = [speaker.say() for _ in range(100)]
    await until(lambda: speaker.unanswered < 100, 60, "the first answer", every=0.001)
    nodes[1].terminate()
    assert await nodes[1].exit_status(DRAIN_SECONDS) == 0
    await speaker.disconnected()
    await witness.expect_line("151 speaker just left the chat", 30)
    seen = [r.text for r in witness.history.of(ReceivedPublic) if r.nickname == "speaker"]
    acked = [record.text for record in speaker.history.of(Acked)]
    assert seen == acked == texts[: len(seen)]
    assert seen
    await settle([witness])
    await assert_promises_kept([witness, speaker])


async def test_a_draining_node_says_so_and_takes_nobody(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    """Redis is frozen, so that the drain lasts long enough to be looked at."""
    nodes = await node_factory.start_many(2, DRAIN_SECONDS="60")
    clients = await connect_many([node.port() for node in nodes], 4, "user")
    await settle(clients)
    redis_server.freeze()
    clients[1].say()
    nodes[1].terminate()

    async def is_draining() -> bool:
        page = await nodes[1].readyz()
        return page.status == 503 and "drain" in page.body.lower()

    await until(is_draining, 60, "a readiness that says why", every=0.05)
    with contextlib.suppress(ConnectionError):
        newcomer = await ChatteClient.connect(nodes[1].port(), "newcomer")
        await newcomer.disconnected()
        assert not newcomer.lines
    redis_server.thaw()
    assert await nodes[1].exit_status(DRAIN_SECONDS + 30) == 0
    for client in clients[1::2]:
        await client.disconnected()
    await saw_leave(clients[0], clients[1::2], 30)
    await settle(clients[0::2])
    await assert_promises_kept(clients)


NOTICE_SECONDS = 4.0
SPREAD_SECONDS = 4.0
GENTLE = {
    "DRAIN_NOTICE_SECONDS": str(NOTICE_SECONDS),
    "DRAIN_SPREAD_SECONDS": str(SPREAD_SECONDS),
    "DRAIN_SESSIONS_PER_SECOND": "1",
    "DRAIN_SECONDS": "60",
}


async def test_three_hundred_clients_are_sent_away_little_by_little(
    node_factory: NodeFactory,
) -> None:
    """While they talk."""
    nodes = await node_factory.start_many(2, **GENTLE)
    witnesses = await connect_many([nodes[0].port()], 4, "witness")
    going = await connect_many([nodes[1].port()], 300, "user", acknowledges=False)
    await settle([*witnesses, *going], 60)
    asked = 0.0

    async def drain() -> int:
        nonlocal asked
        await elapse(0.5)
        asked = going[0].history.now()
        nodes[1].terminate()
        await nodes[1].becomes_unready(60)
        return await nodes[1].exit_status(NOTICE_SECONDS + SPREAD_SECONDS + DRAIN_SECONDS)

    assert await under_load([*witnesses, *going[:6]], drain(), per_second=10) == 0
    for client in going:
        await client.disconnected()
    await settle(witnesses)

    left = sorted(record.at for record in witnesses[0].history.of(SawLeft))
    assert len(left) == 300
    begins_at = asked + NOTICE_SECONDS
    assert left[0] > begins_at - 0.5, "nobody goes before the balancer has noticed"
    # Where the machine stands still they go later, and more at a time. Nobody goes before his time.
    for part in (0.25, 0.5, 0.75):
        gone = sum(at < begins_at + part * SPREAD_SECONDS for at in left)
        assert gone < 300 * (part + 0.2), f"{gone} have gone after {part} of the time"
    order = [record.nickname for record in witnesses[0].history.of(SawLeft)]
    assert order != sorted(
        order, key=lambda name: int(name.rpartition("-")[2]) if "-" in name else 0
    )
    await assert_promises_kept([*witnesses, *going])


async def test_who_has_written_half_a_line_holds_nobody_up(node_factory: NodeFactory) -> None:
    node = await node_factory.start(DRAIN_SECONDS="120")
    clients = await connect_many([node.port()], 3, "user", acknowledges=False)
    await settle(clients)
    clients[0].say("whole")
    clients[0].send(b"100 half a li")
    await clients[0].answered()
    node.terminate()
    assert await node.exit_status(DRAIN_SECONDS) == 0
    for client in clients:
        await client.disconnected()
    await assert_promises_kept(clients)


async def test_a_second_signal_ends_the_notice_and_the_spreading(
    node_factory: NodeFactory,
) -> None:
    """A newcomer gets in until the notice is over."""
    slow = {"DRAIN_NOTICE_SECONDS": "60", "DRAIN_SPREAD_SECONDS": "100", "DRAIN_SECONDS": "120"}
    nodes = await node_factory.start_many(2, **slow, DRAIN_SESSIONS_PER_SECOND="0.1")
    clients = await connect_many([node.port() for node in nodes], 20, "user", acknowledges=False)
    await settle(clients)
    nodes[1].terminate()
    await nodes[1].becomes_unready(60)
    late = await ChatteClient.enter_chat(nodes[1].port(), "late", acknowledges=False)
    late.say()
    await late.answered()
    assert all(client.connected for client in clients)
    clients += [await ChatteClient.enter_chat(nodes[0].port(), "later", acknowledges=False), late]
    nodes[1].terminate()
    assert await nodes[1].exit_status(60) == 0
    for client in clients[1::2]:
        await client.disconnected()
    await settle(clients[0::2])
    await saw_leave(clients[0], clients[1::2], 0)
    await assert_promises_kept(clients)


async def test_an_interrupt_from_the_terminal_waits_for_no_balancer(
    node_factory: NodeFactory,
) -> None:
    node = await node_factory.start(**(GENTLE | {"DRAIN_NOTICE_SECONDS": "600"}))
    clients = await connect_many([node.port()], 5, "user", acknowledges=False)
    node.process.send_signal(signal.SIGINT)
    assert await node.exit_status(DRAIN_SECONDS) == 0
    for client in clients:
        await client.disconnected()


async def test_a_second_signal_ends_it_at_once_also_without_redis(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    nodes = await node_factory.start_many(2, **QUICK, DRAIN_SECONDS="120")
    clients = await connect_many([node.port() for node in nodes], 4, "user")
    await settle(clients)
    await node_factory.seasoned()
    redis_server.freeze()  # a drain that could not end soon
    nodes[1].terminate()
    await nodes[1].becomes_unready(60)
    assert nodes[1].running
    lost(clients[1::2])
    nodes[1].terminate()
    await nodes[1].exit_status(60)
    redis_server.thaw()
    # Nobody said goodbye for its sessions: the other node buries them.
    await saw_leave(clients[0], clients[1::2], 60)
    await settle(clients[0::2])
    await assert_promises_kept(clients)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_either_signal_ends_an_idle_node_with_status_0(
    node_factory: NodeFactory, how: signal.Signals
) -> None:
    node = await node_factory.start()
    node.process.send_signal(how)
    assert await node.exit_status(DRAIN_SECONDS) == 0


async def test_nodes_are_replaced_one_by_one_while_people_talk(node_factory: NodeFactory) -> None:
    """A rolling restart: those on the node that stops come back on another one."""
    nodes = await node_factory.start_many(2)
    everybody = await connect_many([node.port() for node in nodes], 8, "user")
    current = list(everybody)

    async def roll() -> None:
        for number, old in enumerate(nodes):
            new = await node_factory.start()
            old.terminate()
            assert await old.exit_status(DRAIN_SECONDS) == 0
            dropped = current[number::2]
            for client in dropped:
                await client.disconnected()
            back = await asyncio.gather(
                *(ChatteClient.enter_chat(new.port(), client.nickname) for client in dropped)
            )
            for client, again in zip(dropped, back, strict=True):
                current[current.index(client)] = again
            everybody.extend(back)

    await under_load(list(current), roll(), per_second=10)
    await settle(current)
    assert len(everybody) == 16
    await assert_promises_kept(everybody)
