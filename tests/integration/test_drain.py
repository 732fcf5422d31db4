"""A node is asked to stop: it takes nobody new, keeps what it read, says goodbye, and ends."""

import asyncio
import signal

import pytest

from harness.chatte_client import ChatteClient
from harness.load import assert_promises_kept, connect_many, lost, settle, under_load
from harness.node import QUICK, NodeFactory
from harness.redis_server import RedisServer
from harness.waiting import elapse, until
from history.record import Acked, Disconnected, ReceivedPublic, SawLeft

pytestmark = pytest.mark.slow

DRAIN_SECONDS = 5.0
"""Within which a node that has Redis and a handful of clients is through."""


async def test_a_node_that_is_asked_to_stop_leaves_nothing_undone(
    node_factory: NodeFactory,
) -> None:
    nodes = await node_factory.start_many(2)
    # They don't acknowledge, so that nothing of theirs is unread when their connection closes.
    clients = await connect_many([node.port() for node in nodes], 12, "user", acknowledges=False)
    staying, going = clients[0::2], clients[1::2]
    await settle(clients)

    async def drain() -> int:
        await elapse(1)
        nodes[1].terminate()
        return await nodes[1].exit_status(DRAIN_SECONDS)

    asked_at = staying[0].history.now()
    assert await under_load([*staying[:2], *going[:3]], drain(), per_second=20) == 0
    ended_at = staying[0].history.now()
    for client in going:
        await client.disconnected()
        assert [record.by for record in client.history.of(Disconnected)] == ["server"]
    await settle(staying)
    gone = {client.nickname for client in going}
    for client in staying:
        left = {r.nickname: r.at for r in client.history.of(SawLeft)}
        assert left.keys() == gone
        assert all(asked_at < at < ended_at + 0.5 for at in left.values())  # nobody buried them
    await assert_promises_kept(clients)


async def test_what_was_sent_before_the_signal_is_committed_and_answered(
    node_factory: NodeFactory,
) -> None:
    nodes = await node_factory.start_many(2)
    witness = await ChatteClient.enter_chat(nodes[0].port(), "witness")
    speaker = await ChatteClient.enter_chat(nodes[1].port(), "speaker", acknowledges=False)
    await witness.expect_line("150 speaker just join to the chat")
    texts = [speaker.say() for _ in range(100)]
    await until(lambda: speaker.unanswered < 100, 5, "the first answer", every=0.001)
    nodes[1].terminate()
    assert await nodes[1].exit_status(DRAIN_SECONDS) == 0
    await speaker.disconnected()
    await witness.expect_line("151 speaker just left the chat", 2)
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
    nodes = await node_factory.start_many(2)
    clients = await connect_many([node.port() for node in nodes], 4, "user")
    await settle(clients)
    redis_server.freeze()
    clients[1].say()
    nodes[1].terminate()

    async def is_draining() -> bool:
        page = await nodes[1].readyz()
        return page.status == 503 and "drain" in page.body.lower()

    await until(is_draining, 3, "a readiness that says why", every=0.05)
    with pytest.raises((ConnectionError, AssertionError)):
        newcomer = await ChatteClient.connect(nodes[1].port(), "newcomer")
        await newcomer.disconnected(1)
        raise ConnectionError("closed at once")
    redis_server.thaw()
    assert await nodes[1].exit_status(DRAIN_SECONDS + 5) == 0
    for client in clients[1::2]:
        await client.disconnected()
        await clients[0].expect_line(f"151 {client.nickname} just left the chat", 3)
    await settle(clients[0::2])
    await assert_promises_kept(clients)


async def test_a_second_signal_ends_it_at_once(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    nodes = await node_factory.start_many(2, **QUICK)
    clients = await connect_many([node.port() for node in nodes], 4, "user")
    await settle(clients)
    await node_factory.seasoned()
    redis_server.freeze()  # a drain that could not end soon
    nodes[1].terminate()
    await nodes[1].becomes_unready(3)
    assert nodes[1].running
    lost(clients[1::2])
    nodes[1].terminate()
    await nodes[1].exit_status(1.5)
    redis_server.thaw()
    # Nobody said goodbye for its sessions: the other node buries them.
    for client in clients[1::2]:
        await clients[0].expect_line(f"151 {client.nickname} just left the chat", 25)
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
        for old in nodes:
            new = await node_factory.start()
            old.terminate()
            assert await old.exit_status(DRAIN_SECONDS) == 0
            dropped = [client for client in current if not client.connected]
            assert dropped
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
