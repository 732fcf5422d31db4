"""The probe as shipped: through the real balancer, with each fault that nobody else sees."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from deploy.balancer import Balancer
from deploy.prometheus_server import Prometheus
from deploy.watching import Probe
from harness.chatte_client import ChatteClient
from harness.node import Listener, Node, NodeFactory
from harness.redis_server import RedisServer, free_port
from harness.waiting import until

pytestmark = pytest.mark.slow

TRUSTING = {"TRUSTED_PROXIES": '["127.0.0.1"]'}
LISTENERS = (Listener(), Listener("chatte", "probe"))
WITHIN = 60.0
"""Seconds, on a machine that is busy."""
FAILING = "tertulia_probe_success == 0"


async def balanced(directory: Path, nodes: list[Node]) -> tuple[Balancer, str]:
    """Start the balancer before two nodes, and return it and where the probe comes in."""
    port = free_port()
    where = {"BIND_PROBE": f"127.0.0.1:{port}"}
    away = f"127.0.0.1:{free_port()}"
    for number in (1, 2, 3):
        node = nodes[number - 1] if number <= len(nodes) else None
        for name in ("protocollo", "device", "browser", "irc"):
            where[f"NODE{number}_{name.upper()}"] = away
        for name, chat in (("CHATTE", "main"), ("PROBE", "probe")):
            address = f"127.0.0.1:{node.port('chatte', chat)}" if node else away
            where[f"NODE{number}_{name}"] = address
        where[f"NODE{number}_OPS"] = f"127.0.0.1:{node.ops_port}" if node else away
    balancer = Balancer(directory, where)
    await balancer.start()
    return balancer, f"chatte=127.0.0.1:{port}"


class Probed:
    """Nodes behind the balancer, a probe and a Prometheus that scrapes it."""

    def __init__(self, directory: Path, factory: NodeFactory) -> None:
        self._directory = directory
        self._factory = factory

    async def start(self, **settings: str) -> None:
        nodes = [self._factory.launch(listeners=LISTENERS, settings=settings) for _ in range(2)]
        for node in nodes:
            await node.ready()
        self.nodes = nodes
        self.balancer, self.address = await balanced(self._directory, nodes)
        self.probe = Probe(self._directory, self.address, self.address)
        self.prometheus = Prometheus(
            self._directory, nodes=[it.ops_port for it in nodes], probes=[self.probe.port]
        )
        self.prometheus.start()

    def end(self) -> None:
        for part in ("prometheus", "probe", "balancer"):
            if hasattr(self, part):
                getattr(self, part).end()

    async def works(self) -> None:
        """Wait until a visit has worked that ended after this."""
        since = f"tertulia_probe_ended_timestamp_seconds > {time.time()}"
        await self._until(f"tertulia_probe_success == 1 and {since}")

        async def is_content() -> bool:
            return await self.probe.says() == []

        await until(is_content, WITHIN, lambda: self.probe.get("/readyz"), every=0.2)

    async def fails(self, saying: str) -> None:
        """Wait until the alert's expression holds; the probe says why."""
        await self._until(FAILING)

        async def said() -> bool:
            return any(saying in it for it in await self.probe.says())

        await until(said, WITHIN, f"the probe to say {saying}", every=0.2)

    async def _until(self, expression: str) -> None:
        async def asked() -> bool:
            return bool(await asyncio.to_thread(self.prometheus.ask, expression))

        await until(asked, WITHIN, partial(self._complaint, expression), every=0.5)

    def _complaint(self, expression: str) -> str:
        return f"{expression}; the probe says {self.probe.get('/readyz')}"


@pytest.fixture
async def probed(tmp_path: Path, node_factory: NodeFactory) -> AsyncIterator[Probed]:
    probed = Probed(tmp_path, node_factory)
    try:
        yield probed
    finally:
        probed.end()


@pytest.mark.timeout(600)
async def test_what_people_see_is_seen(probed: Probed, redis_server: RedisServer) -> None:
    await probed.start(**TRUSTING)
    await probed.works()

    probed.balancer.send(signal.SIGSTOP)
    await probed.fails("connected, but not let in within 5 s: the balancer or a node is frozen")
    probed.balancer.send(signal.SIGCONT)
    await probed.works()

    redis_server.stop()
    await probed.fails("closed before anybody was let in: is a node ready?")
    redis_server.start()
    await probed.works()

    anna = await ChatteClient.enter_chat(probed.balancer.ports["chatte"], "anna")
    anna.say()
    await anna.answered()
    assert not [it for it in anna.lines if "probe" in it], "the probe has a chat of its own"

    probed.nodes[0].kill()
    await probed.works()
    probed.nodes[1].kill()
    await probed.fails("closed before anybody was let in: is a node ready?")


async def test_nodes_that_do_not_trust_the_balancer(probed: Probed) -> None:
    """Everything is green: they are ready, the balancer says so, and every nickname is refused."""
    await probed.start()
    await probed.fails("refused with '201 Invalid nickname.")
    for node in probed.nodes:
        await node.becomes_ready(WITHIN)
