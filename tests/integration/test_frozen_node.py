"""A node is frozen: shorter than its lease it comes back as it was, longer as nobody."""

import pytest

from harness.chatte_client import TAKEN, ChatteClient
from harness.crowd import come_as, gather, left_at, saw_all_leave, start_nodes
from harness.load import (
    assert_promises_kept,
    lost,
    promised_between,
    received,
    settle,
    stood_still,
    under_load,
)
from harness.node import NodeFactory
from harness.waiting import elapse, until
from history.record import Reported, SawLeft

pytestmark = pytest.mark.slow

BURIED_SECONDS = 12.0
"""Within which a frozen node's sessions are announced as gone."""
READING_SECONDS = 0.5


async def test_a_node_frozen_past_its_lease_is_a_zombie_that_commits_nothing(
    node_factory: NodeFactory,
) -> None:
    nodes = await start_nodes(node_factory, 2)
    clients = await gather(nodes, 12)
    survivors, frozen = clients[0::2], clients[1::2]
    await settle(clients)

    lost(frozen)
    frozen_at = nodes[1].freeze()
    # What its clients send now waits in its sockets: it must never be said, by anybody.
    ghosts = [client.say() for client in frozen]
    frozen[0].whisper(survivors[0].nickname, "a ghost's whisper")
    # What is said to them now is acknowledged, and cannot reach them.
    whispered = [survivors[0].whisper(client.nickname) for client in frozen]
    await survivors[0].answered()

    async def until_buried() -> None:
        await until(
            lambda: all(saw_all_leave(client, frozen) for client in survivors),
            BURIED_SECONDS + 50,
            lambda: f"the frozen node's lefts; {survivors[0].describe()}",
        )

    # Chats go on meanwhile, slowly, so that the zombie finds a backlog when it wakes.
    await under_load(survivors[:2], until_buried(), per_second=10)
    for client in survivors:
        slowest = max(left_at(client, frozen).values())
        still = stood_still(survivors[:2], frozen_at, slowest)
        assert slowest - frozen_at < BURIED_SECONDS + READING_SECONDS + still
    await until(
        lambda: all(
            any(text in report.text for report in survivors[0].history.of(Reported))
            for text in whispered
        ),
        60,
        lambda: f"reports of {whispered}; {survivors[0].describe()}",
    )

    # Somebody else takes the nicknames, talks, and the zombie wakes.
    heirs = [await come_as(client, nodes[0]) for client in frozen]
    for heir in heirs:
        heir.say()
    await settle([*survivors, *heirs])
    thawed_at = survivors[0].history.now()
    nodes[1].thaw()
    for client in frozen:
        await client.disconnected(60)
    everybody = [*clients, *heirs]
    assert promised_between([c.history for c in frozen], frozen_at, thawed_at + 60) == []

    # It starts over under a new name, and serves newcomers.
    await nodes[1].becomes_ready(60)
    assert nodes[1].running
    late = await ChatteClient.enter_chat(nodes[1].port(), "late", within=60)
    everybody.append(late)
    refused = await ChatteClient.connect(nodes[1].port(), "thief")
    everybody.append(refused)
    assert not await refused.enter(heirs[0].nickname)
    assert refused.lines[-1] == TAKEN
    late.say()
    late.whisper(heirs[0].nickname)
    await settle([*survivors, *heirs, late])
    for ghost in ghosts:
        assert not any(received(client, ghost) for client in everybody)
    assert all(client.connected for client in [*survivors, *heirs, late])
    assert await nodes[1].disconnects("fenced") == len(frozen)
    await assert_promises_kept(everybody)


async def test_a_node_frozen_for_less_than_its_lease_comes_back_as_it_was(
    node_factory: NodeFactory,
) -> None:
    nodes = await start_nodes(node_factory, 2, CLUSTER__LEASE_SECONDS="60")
    clients = await gather(nodes, 12)
    sleepers = clients[1::2]
    await settle(clients)

    async def nap() -> None:
        nodes[1].freeze()
        for client in sleepers:
            client.say()
        await elapse(5)
        nodes[1].thaw()

    await under_load(
        clients[0:6:2], nap(), per_second=20, whisper_to=[client.nickname for client in clients]
    )
    await settle(clients)
    assert all(client.connected for client in clients)
    assert not any(any(client.history.of(SawLeft)) for client in clients)
    await assert_promises_kept(clients)
