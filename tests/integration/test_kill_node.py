"""A node dies under load, with no chance to say goodbye."""

import asyncio
from collections.abc import Iterator

import pytest

from harness.crowd import come_as, gather, left_at, saw_all_leave, start_nodes
from harness.load import assert_promises_kept, lost, settle, stood_still, under_load
from harness.node import QUICK, NodeFactory
from harness.redis_server import RedisServer, running_redis
from harness.waiting import elapse, until

pytestmark = pytest.mark.slow

BURIED_SECONDS = 4.0
"""Within which a dead node's sessions are announced as gone, and their nicknames are free."""
READING_SECONDS = 0.5
"""What the test itself may take to read that, on a busy machine."""


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """Redis is not what dies here: how long a busy disk takes is none of the times that are measured."""
    with running_redis(fsync="no") as server:
        yield server


async def test_a_killed_node_s_sessions_leave_in_time_and_nothing_acknowledged_is_lost(
    node_factory: NodeFactory,
) -> None:
    nodes = await start_nodes(node_factory, 3)
    clients = await gather(nodes, 18)
    doomed = clients[2::3]  # dealt out in turn: every third is on the last node
    survivors = [client for client in clients if client not in doomed]
    names = [client.nickname for client in clients]
    await node_factory.seasoned()

    async def kill() -> float:
        await until(lambda: len(survivors[0].lines) > 150, 60, "traffic to flow")
        lost(doomed)
        at = nodes[2].kill()
        await until(
            lambda: all(saw_all_leave(client, doomed) for client in survivors),
            BURIED_SECONDS + 50,
            lambda: f"all lefts: {[sorted(left_at(c, doomed)) for c in survivors]}",
        )
        return at

    killed_at = await under_load(
        [*survivors[:4], *doomed[:3]], kill(), per_second=25, whisper_to=names
    )
    slowest = max(max(left_at(client, doomed).values()) for client in survivors)
    late = stood_still(survivors[:4], killed_at, slowest)
    assert slowest - killed_at < BURIED_SECONDS + READING_SECONDS + late

    # The nicknames are free, on every node that is left.
    back = await asyncio.gather(*(come_as(client, nodes[i % 2]) for i, client in enumerate(doomed)))
    everybody = [*clients, *back]
    await settle([*survivors, *back])
    assert all(client.connected for client in survivors)
    await assert_promises_kept(everybody)


async def test_all_nodes_but_the_newest_die_and_the_chat_goes_on(node_factory: NodeFactory) -> None:
    """Whoever survives buries, also several at once; a restarted node is a new one."""
    nodes = await start_nodes(node_factory, 3, **QUICK)
    clients = await gather(nodes, 9)
    doomed = [client for i, client in enumerate(clients) if i % 3 != 1]
    survivors = clients[1::3]
    await node_factory.seasoned()
    lost(doomed)
    killed_at = nodes[0].kill()
    nodes[2].kill()
    buried = until(
        lambda: all(saw_all_leave(client, doomed) for client in survivors),
        BURIED_SECONDS + 50,
        lambda: f"all lefts: {[sorted(left_at(c, doomed)) for c in survivors]}",
    )
    await under_load(survivors, buried, per_second=10)
    slowest = max(max(left_at(client, doomed).values()) for client in survivors)
    late = stood_still(survivors, killed_at, slowest)
    assert slowest - killed_at < BURIED_SECONDS + READING_SECONDS + late
    (fresh,) = await start_nodes(node_factory, 1, **QUICK)
    back = [await come_as(client, fresh) for client in doomed]
    everybody = [*clients, *back]
    names = [client.nickname for client in clients]
    await under_load([*survivors, *back[:2]], elapse(1), per_second=20, whisper_to=names)
    await settle([*survivors, *back])
    await assert_promises_kept(everybody)
