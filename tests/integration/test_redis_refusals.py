"""Redis answers, and refuses: nodes wait as if it were away, acknowledge nothing, and go on afterwards."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from harness.chatte_client import ChatteClient
from harness.crowd import gather, listeners
from harness.load import (
    assert_promises_kept,
    promised_between,
    settle,
    under_load,
)
from harness.node import Node, NodeFactory
from harness.redis_refusals import Refusals
from harness.redis_server import RedisServer
from harness.waiting import elapse
from history.record import Disconnected, SawLeft

pytestmark = pytest.mark.slow

IN_FLIGHT_SECONDS = 0.3
BACK_SECONDS = 60.0


async def refused(
    nodes: Sequence[Node],
    clients: Sequence[ChatteClient],
    cause: str,
    begin: Callable[[], Awaitable[None] | None],
    end: Callable[[], Awaitable[None] | None],
) -> None:
    """Have Redis refuse for a moment under load, and assert what holds whatever the way."""
    clock = clients[0].history.now
    from_, to = 0.0, 0.0

    async def meanwhile() -> None:
        nonlocal from_, to
        await elapse(0.3)
        if (beginning := begin()) is not None:
            await beginning
        for node in nodes:
            page = await node.becomes_unready(30)
            assert page.json()["reasons"]
        # What a node answered before it noticed was written before it said so here.
        from_ = clock() + IN_FLIGHT_SECONDS
        await elapse(IN_FLIGHT_SECONDS + 0.3)
        to = clock()
        if (ending := end()) is not None:
            await ending

    before = await retries(nodes, cause)
    await under_load(clients, meanwhile(), per_second=20)
    for node in nodes:
        await node.becomes_ready(BACK_SECONDS)
    await settle(clients, BACK_SECONDS)
    assert promised_between([client.history for client in clients], from_, to) == []
    assert await retries(nodes, cause) > before


async def retries(nodes: Sequence[Node], cause: str) -> float:
    """Return how many commits had to be sent again for a cause."""
    return sum(
        [
            it.value
            for node in nodes
            for it in await node.metrics()
            if it.name == "tertulia_commit_retries_total" and it.labels["cause"] == cause
        ]
    )


async def test_every_refusal_is_waited_out(
    node_factory: NodeFactory, redis_server: RedisServer, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("first\n")
    redis_server.options = ("--user", "andy", "on", ">first", "allkeys", "allchannels", "+@all")
    redis_server.restart()
    settings = {"REDIS_PASSWORD_FILE": str(password)}
    url = f"redis://andy@127.0.0.1:{redis_server.port}"
    nodes = [
        node_factory.launch(listeners=listeners(), redis_url=url, settings=settings)
        for _ in range(2)
    ]
    for node in nodes:
        await node.ready()
    clients = await gather(nodes, 6)
    await settle(clients)
    ways = Refusals(redis_server, password)
    for cause, name in (
        ("read_only", "readonly"),
        ("read_only", "masterdown"),
        ("out_of_memory", "out_of_memory"),
        ("no_replicas", "no_replicas"),
        ("busy", "busy"),
        ("misconfigured", "misconfigured"),
        ("no_permission", "no_permission"),
        ("other", "wrong_password"),
        ("loading", "loading"),
    ):
        await refused(nodes, clients, cause, getattr(ways, name), getattr(ways, f"{name}_ends"))
    for client in clients:
        assert client.connected, client.describe()
        assert not any(client.history.of(SawLeft))
        assert not any(client.history.of(Disconnected))
    await assert_promises_kept(clients)
