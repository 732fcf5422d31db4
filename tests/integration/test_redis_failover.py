"""Redis with a replica and Sentinels loses its master: everybody waits a moment, and goes on."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from harness.chatte_client import ChatteClient
from harness.crowd import gather, start_nodes
from harness.load import (
    assert_promises_kept,
    promised_between,
    settle,
    under_load,
)
from harness.node import Node, NodeFactory
from harness.redis_groups import WatchedRedis, denied
from harness.redis_server import RedisServer
from harness.waiting import elapse, until
from history.record import Disconnected, ReceivedPublic, SawLeft

pytestmark = pytest.mark.slow

PASSWORD = "sesame-for-sentinels"
FAILOVER_SECONDS = 60.0
BACK_SECONDS = 60.0
REPLICA_SECONDS = 60.0
"""Within which Sentinels make a replica of a master that has come back: they give it 8 s."""


@pytest.fixture
def watched() -> Iterator[WatchedRedis]:
    group = WatchedRedis("--repl-diskless-sync-delay", "0", password=PASSWORD)
    try:
        yield group.start()
        assert denied((group.first, group.second)) == []
    finally:
        group.close()


@pytest.fixture
def factory(watched: WatchedRedis, tmp_path: Path) -> Iterator[NodeFactory]:
    factory = NodeFactory(tmp_path, watched.url)
    try:
        yield factory
    finally:
        factory.end()


async def chatting(
    factory: NodeFactory, tmp_path: Path, **settings: str
) -> tuple[list[Node], list[ChatteClient]]:
    password = tmp_path / "sentinel-password"
    password.write_text(PASSWORD + "\n")
    settings["REDIS_SENTINEL_PASSWORD_FILE"] = str(password)
    nodes = await start_nodes(factory, 2, **settings)
    clients = await gather(nodes, 12)
    await settle(clients)
    return nodes, clients


async def moved(watched: WatchedRedis, to: RedisServer) -> None:
    await until(
        lambda: watched.master_port() == to.port, FAILOVER_SECONDS, "the Sentinels to move it"
    )


def assert_nobody_left(clients: list[ChatteClient]) -> None:
    for client in clients:
        assert client.connected, client.describe()
        assert not any(client.history.of(SawLeft))
        assert not any(client.history.of(Disconnected))


def names(server: RedisServer) -> set[str]:
    """Return the names of the nodes' connections at a server."""
    return {it.name for it in server.connections() if it.name.startswith("tertulia-")}


def stamps(server: RedisServer) -> set[str]:
    """Return when each entry of the log was written."""
    log = cast(list[tuple[str, dict[str, str]]], server.control.xrange("{main}:log"))
    return {fields["p"] for _, fields in log}


def has_everything(master: RedisServer) -> bool:
    """Say whether the replica has what the master has written."""
    state = master.control.info("replication")
    return bool(state["slave0"]["offset"] == state["master_repl_offset"])


@pytest.mark.parametrize(
    ("how", "patience"),
    [
        ("killed", 3.0),
        ("frozen", 3.0),
        # About as long as Sentinels take: somebody waits on a new connection when the frozen one thaws.
        ("frozen", 2.1),
    ],
)
async def test_the_master_is_lost_and_comes_back(
    factory: NodeFactory, watched: WatchedRedis, tmp_path: Path, how: str, patience: float
) -> None:
    nodes, clients = await chatting(factory, tmp_path, CLUSTER__REDIS_TIMEOUT_SECONDS=str(patience))

    async def lose() -> None:
        await elapse(1)
        if how == "killed":
            # What is lost between the answer to a node and the copy to the replica is lost with the
            # master: replication can do no better. So no answer is under way when it dies.
            watched.first.control.client_pause(5000, all=False)
            await until(lambda: has_everything(watched.first), BACK_SECONDS, "the replica")
            watched.first.kill()
        else:
            watched.first.freeze()
        await moved(watched, watched.second)
        # It still says that it is the master, and takes what is published, until Sentinels notice.
        if how == "killed":
            watched.first.start()
        else:
            watched.first.thaw()
        await elapse(2)

    whispered_to = [client.nickname for client in clients]
    await under_load(clients[:6], lose(), per_second=30, whisper_to=whispered_to)
    for node in nodes:
        await node.becomes_ready(BACK_SECONDS)
    await settle(clients, BACK_SECONDS)
    assert names(watched.second) >= {"tertulia-commit", "tertulia-bus"}
    await until(
        lambda: names(watched.first) == set(),
        BACK_SECONDS,
        lambda: f"all to have left: {names(watched.first)}",
    )
    assert_nobody_left(clients)
    late = await ChatteClient.enter_chat(nodes[1].port(), "late")
    await settle([*clients, late])
    await assert_promises_kept([*clients, late])


async def test_nothing_counts_before_a_replica_has_it(
    factory: NodeFactory, watched: WatchedRedis, tmp_path: Path
) -> None:
    """What only the lost master had was not acknowledged, nor shown to anybody: it is done anew."""
    nodes, clients = await chatting(factory, tmp_path, DURABILITY="replicated")
    clock = clients[0].history.now

    watched.second.freeze()
    watched.first.control.client_kill_filter(_type="replica")  # nor will it read it later
    for client in clients[:6]:
        client.say()  # before a heartbeat waits for the replica, and all else for that
    begin = clock()

    async def lose() -> None:
        for node in nodes:
            page = await node.becomes_unready(30)
            assert "no replica of redis has what was written last (chat main)" in page.body
        only_there = stamps(watched.first)
        histories = [client.history for client in clients]
        assert promised_between(histories, begin, clock()) == []
        assert not any(it.at > begin for h in histories for it in h.of(ReceivedPublic))
        watched.first.kill()
        watched.second.thaw()
        await moved(watched, watched.second)
        assert only_there - stamps(watched.second)
        watched.first.start()

    await under_load(clients[:6], lose(), per_second=30)
    for node in nodes:
        await node.becomes_ready(REPLICA_SECONDS)
    await settle(clients, BACK_SECONDS)
    assert_nobody_left(clients)
    await assert_promises_kept(clients)
