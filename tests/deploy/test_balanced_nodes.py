"""Real nodes behind the real balancer, as shipped: every dialect, in the clear and over TLS."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.balancer import Balancer, where
from harness.browser_client import BrowserClient
from harness.certificates import Made, make, trusting
from harness.chatte_client import ChatteClient
from harness.device_client import DeviceClient
from harness.irc_client import IrcClient
from harness.load import assert_promises_kept, settle
from harness.node import Listener, Node, NodeFactory
from harness.protocollo_client import ProtocolloClient
from harness.redis_server import RedisServer
from harness.waiting import until

pytestmark = pytest.mark.slow

DIALECTS: dict[str, type[ChatteClient]] = {
    "chatte": ChatteClient,
    "protocollo": ProtocolloClient,
    "browser": BrowserClient,
    "irc": IrcClient,
}
SETTINGS = {"TRUSTED_PROXIES": '["127.0.0.1"]', "LIMITS__CONNECTIONS_PER_ADDRESS": "2"}


async def balanced(directory: Path, nodes: list[Node], certificate: Made) -> Balancer:
    """Start a balancer before two nodes; the third is away."""
    balancer = Balancer(directory, {**where(nodes), "CERTIFICATE": str(certificate.both)})
    await balancer.start()
    return balancer


@pytest.fixture
async def nodes(node_factory: NodeFactory) -> list[Node]:
    """Start two nodes that trust the balancer."""
    listeners = tuple(Listener(dialect) for dialect in (*DIALECTS, "device"))
    nodes = [node_factory.launch(listeners=listeners, settings=SETTINGS) for _ in range(2)]
    for node in nodes:
        await node.ready()
    return nodes


@pytest.fixture
def certificate(tmp_path: Path) -> Made:
    return make(tmp_path)


@pytest.fixture
async def balancer(tmp_path: Path, nodes: list[Node], certificate: Made) -> AsyncIterator[Balancer]:
    balancer = await balanced(tmp_path, nodes, certificate)
    try:
        yield balancer
    finally:
        balancer.end()


async def test_every_dialect_meets_in_one_room_in_the_clear_and_over_tls(
    balancer: Balancer, nodes: list[Node], redis_server: RedisServer, certificate: Made
) -> None:
    clients: list[ChatteClient] = []
    for i, tls in enumerate((None, trusting(certificate))):
        ports = balancer.tls_ports if tls else balancer.ports
        for j, (dialect, kind) in enumerate(DIALECTS.items()):
            source = f"127.0.0.{10 + i * len(DIALECTS) + j}"
            client = await kind.connect(ports[dialect], source=source, tls=tls)
            name = f"{dialect}-{'tls' if tls else 'clear'}"
            assert await client.enter(name), client.describe()
            kept = redis_server.control.hget(f"{{main}}:nick:{name}", "address")
            assert kept == source
            clients.append(client)
    for client in clients:
        client.say()
        client.whisper(clients[0].nickname)
    await settle(clients)
    await assert_promises_kept(clients)
    for i, tls in enumerate((None, trusting(certificate))):
        ports = balancer.tls_ports if tls else balancer.ports
        source, name = f"127.0.0.{30 + i}", f"device-{i}"
        async with await DeviceClient.connect(ports["device"], source=source, tls=tls) as device:
            for value, expected in ((1, 1), (name, 0), ("s3cret", 0), (5001, 0)):
                device.send(value)
                assert await device.integer() == expected
        assert redis_server.control.hget(f"{{main}}:device:{name}", "address") == source
    for node in nodes:
        assert await node.disconnects("proxy_header") == 0


async def test_the_limit_of_an_address_is_the_client_s_not_the_balancer_s(
    balancer: Balancer, nodes: list[Node]
) -> None:
    async def come(i: int, source: str) -> ChatteClient:
        return await ChatteClient.connect(balancer.ports["chatte"], f"c-{i}", source=source)

    many = await asyncio.gather(*(come(i, f"127.0.0.{100 + i}") for i in range(12)))
    for client in many:
        assert await client.enter(client.nickname)
    # Two of one address on each of two nodes, wherever the balancer sends them.
    crowd = [await come(100 + i, "127.0.0.99") for i in range(12)]

    async def refused() -> bool:
        return sum([await node.disconnects("too_many_from_address") for node in nodes]) >= 8

    await until(refused, 30, "the crowd to be refused")
    await until(lambda: sum(client.closed for client in crowd) == 8, 30, "the others to be let in")
    assert not any(client.closed for client in many)
