"""The balancer's configuration, as shipped, in a real HAProxy before nodes that are made up."""

import asyncio
import contextlib
import re
import ssl
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from deploy.balancer import (
    CONFIGURATION,
    WITH_NODES,
    Balancer,
    configuration_for,
    haproxy,
)
from deploy.fake_node import DIALECTS, FakeNode
from deploy.tools import run
from harness.certificates import make
from harness.redis_server import free_port
from harness.waiting import elapse, until

LOOPBACK = {f"NODE{number}": "127.0.0.1" for number in (1, 2, 3)}

pytestmark = pytest.mark.slow


class Cluster:
    """Made-up nodes behind a real balancer: three, as shipped, or as many as are said."""

    def __init__(self, directory: Path, nodes: int = 0, **environment: str) -> None:
        self.nodes = [FakeNode() for _ in range(nodes or 3)]
        self._configuration = configuration_for(nodes, directory) if nodes else CONFIGURATION
        self._directory = directory
        self._environment = environment
        self._connections: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        where = dict(self._environment)
        for number, node in enumerate(self.nodes, 1):
            await node.start()
            where |= {f"NODE{number}_OPS": f"127.0.0.1:{node.ops_port}"}
            where |= {
                f"NODE{number}_{dialect.upper()}": f"127.0.0.1:{port}"
                for dialect, port in node.ports.items()
            }
        self.balancer = Balancer(self._directory, where, self._configuration)
        await self.balancer.start()

    async def end(self) -> None:
        for writer in self._connections:
            writer.transport.abort()
        if hasattr(self, "balancer"):
            self.balancer.end()
        for node in self.nodes:
            await node.die()

    async def connect(
        self, dialect: str = "chatte", tls: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        ports = self.balancer.tls_ports if tls else self.balancer.ports
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[dialect], ssl=tls)
        self._connections.append(writer)
        return reader, writer

    async def converse(
        self, dialect: str = "chatte", tls: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect and wait for an echo: then a node has the connection."""
        reader, writer = await self.connect(dialect, tls)
        await echoed(reader, writer)
        return reader, writer


async def echoed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello\n")
    async with asyncio.timeout(30):
        assert await reader.readexactly(6) == b"hello\n"


async def closed(reader: asyncio.StreamReader, within: float) -> None:
    async with asyncio.timeout(within):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    cluster = Cluster(tmp_path)
    try:
        await cluster.start()
        yield cluster
    finally:
        await cluster.end()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Make a certificate for localhost: chain and key in one file, as HAProxy wants it."""
    return make(tmp_path).both


def test_the_configuration_is_valid_without_a_warning(certificate: Path) -> None:
    extra = {"CERTIFICATE": str(certificate), "NODE4": "127.0.0.1", "ADMIN_SOCKET": "/run/x.sock"}
    extra |= {"BIND_PROBE": "127.0.0.1:1230"}
    extra |= {"BIND_DEVICE": "127.0.0.1:4242", "BIND_DEVICE_TLS": "127.0.0.1:14242"}
    extra |= {"BIND_API": "127.0.0.1:8088", "BIND_API_TLS": "127.0.0.1:8448"}
    extra |= {"API1": "127.0.0.1", "API2": "127.0.0.1"}
    for environment in (LOOPBACK, {**LOOPBACK, **extra}):
        told = run([haproxy(), "-c", "-V", "-f", CONFIGURATION], environment=environment)
        assert told.strip() == "Configuration file is valid"


async def test_every_dialect_reaches_a_node_that_is_told_who_the_client_is(
    cluster: Cluster,
) -> None:
    for dialect in DIALECTS:
        _, writer = await cluster.converse(dialect)
        client = writer.get_extra_info("sockname")
        assert [
            arrival.client
            for node in cluster.nodes
            for arrival in node.arrivals
            if arrival.dialect == dialect
        ] == [client]


async def test_the_api_is_asked_of_a_process_that_is_ready(
    tmp_path: Path, certificate: Path
) -> None:
    one, two = FakeNode(), FakeNode()  # their HTTP stands for the API's
    await one.start()
    await two.start()
    plain, private = free_port(), free_port()
    where = {"BIND_API": f"127.0.0.1:{plain}", "BIND_API_TLS": f"127.0.0.1:{private}"}
    for name, node in (("API1", one), ("API2", two)):
        address = f"127.0.0.1:{node.ops_port}"
        where |= {name: "127.0.0.1", f"{name}_API": address, f"{name}_OPS": address}
    cluster = Cluster(tmp_path, 0, CERTIFICATE=str(certificate), **where)
    tls = ssl.create_default_context(cafile=str(certificate))

    async def answers() -> set[bytes]:
        told = set()
        for port, secured in ((plain, None), (private, tls)) * 3:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=secured, server_hostname="localhost" if secured else None
            )
            writer.write(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
            async with asyncio.timeout(30):
                told.add(await reader.readline())
            writer.close()
        return told

    try:
        await cluster.start()
        one.status = 503
        await until(partial(has_state, cluster, "api1", "NOLB"), 30, "the balancer to see it")
        assert await answers() == {b"HTTP/1.1 200 x\r\n"}
        one.status = 200
        await until(partial(has_state, cluster, "api1", "UP"), 30, "the balancer to see it")
        await two.die()
        await until(partial(has_state, cluster, "api2", "DOWN"), 30, "the balancer to see it")
        assert await answers() == {b"HTTP/1.1 200 x\r\n"}
    finally:
        await cluster.end()
        await one.die()
        await two.die()


async def has_state(cluster: Cluster, api: str, state: str) -> bool:
    return await cluster.balancer.state(api, "api-health") == state


@pytest.mark.parametrize("count", [1, 2, 5, 12])
async def test_any_number_of_nodes(tmp_path: Path, count: int) -> None:
    cluster = Cluster(tmp_path, count)
    try:
        await cluster.start()
        for dialect in DIALECTS:
            for _ in range(count):
                await cluster.converse(dialect)
        assert [node.sessions for node in cluster.nodes] == [len(DIALECTS)] * count
        last = cluster.nodes[-1]
        last.status = 503
        await until(lambda: is_in_state(cluster, f"node{count}", "NOLB"), 30, "it to be noticed")
    finally:
        await cluster.end()


def test_for_three_nodes_it_is_the_same_but_for_the_order_of_lines() -> None:
    def lines(text: str) -> list[str]:
        kept = re.sub(r"^\.if strneq\(.\$NODE4.*?^\.endif\n", "", text, flags=re.M | re.S)
        return sorted(kept.splitlines())

    assert lines(run([WITH_NODES, "3"])) == lines(CONFIGURATION.read_text())


@pytest.mark.parametrize("wrong", [[], ["0"], ["many"], ["-1"], ["2", "3"]])
def test_a_number_of_nodes_that_is_none(wrong: list[str]) -> None:
    with pytest.raises(AssertionError, match="ended with 2:\nusage"):
        run([WITH_NODES, *wrong])


async def test_newcomers_go_where_the_fewest_are(cluster: Cluster) -> None:
    connections = [await cluster.converse() for _ in range(9)]
    assert [node.sessions for node in cluster.nodes] == [3, 3, 3]
    busiest = cluster.nodes[0]
    ports = [arrival.client[1] for arrival in busiest.arrivals]
    for _, writer in connections:
        if writer.get_extra_info("sockname")[1] in ports:
            writer.close()
    await until(lambda: not busiest.sessions, 30, "the node to be empty")
    # A connection is over for the node a moment before it is for the balancer.
    await until(lambda: has_none(cluster, "node1"), 30, "the balancer to have nobody there")
    for _ in range(3):
        await cluster.converse()
    assert [node.sessions for node in cluster.nodes] == [3, 3, 3]


async def test_a_red_node_keeps_its_sessions_and_gets_no_newcomers(cluster: Cluster) -> None:
    connections = [await cluster.converse() for _ in range(3)]
    red = cluster.nodes[1]
    red.status = 503
    await until(lambda: is_in_state(cluster, "node2", "NOLB"), 30, "the balancer to notice")
    connections += [await cluster.converse() for _ in range(4)]
    assert [node.sessions for node in cluster.nodes] == [3, 1, 3]
    await elapse(4)  # past the third check in a row
    for reader, writer in connections:
        await echoed(reader, writer)
    red.status = 200
    await until(lambda: is_in_state(cluster, "node2", "UP"), 30, "the balancer to notice")
    await until(lambda: newcomer_at(cluster, red), 60, "newcomers to go there again")


async def test_when_all_are_red_everybody_stays(cluster: Cluster) -> None:
    connections = [await cluster.converse() for _ in range(3)]
    for node in cluster.nodes:
        node.status = 503
    for name in ("node1", "node2", "node3"):
        await until(partial(is_in_state, cluster, name, "NOLB"), 30, f"{name} to be red")
    for reader, writer in connections:
        await echoed(reader, writer)
    reader, _ = await cluster.connect()
    await closed(reader, 30)


async def test_when_all_are_red_the_page_is_still_there(tmp_path: Path, certificate: Path) -> None:
    """Its files come from whichever node lives; the chat itself takes no newcomers."""
    cluster = Cluster(tmp_path, CERTIFICATE=str(certificate))
    client = ssl.create_default_context(cafile=str(certificate))
    client.check_hostname = False
    try:
        await cluster.start()
        for node in cluster.nodes:
            node.status = 503
        for name in ("node1", "node2", "node3"):
            await until(partial(is_in_state, cluster, name, "NOLB"), 30, f"{name} to be red")
        for tls in (None, client):
            for path in ("/", "/page.js"):
                reader, writer = await cluster.connect("browser", tls)
                asked = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
                writer.write(asked)
                async with asyncio.timeout(30):
                    assert await reader.readexactly(len(asked)) == asked
            reader, writer = await cluster.connect("browser", tls)
            writer.write(b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n")
            await closed(reader, 30)
    finally:
        await cluster.end()


@pytest.mark.parametrize("path", ["/ws", "/irc"])
async def test_a_websocket_goes_to_a_node_that_is_ready(cluster: Cluster, path: str) -> None:
    for node in cluster.nodes[:2]:
        node.status = 503
    for name in ("node1", "node2"):
        await until(partial(is_in_state, cluster, name, "NOLB"), 30, f"{name} to be red")
    for _ in range(3):
        reader, writer = await cluster.connect("browser")
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        async with asyncio.timeout(30):
            await reader.readline()
    assert [node.sessions for node in cluster.nodes] == [0, 0, 3]


async def test_a_dead_node_is_left_at_once(cluster: Cluster) -> None:
    connections = [await cluster.converse() for _ in range(3)]
    await cluster.nodes[0].die()
    # Before the balancer has even looked: a newcomer whom the dead one refuses goes to another.
    await asyncio.gather(*(cluster.converse() for _ in range(4)))
    assert cluster.nodes[0].sessions == 0

    def gone() -> int:
        return sum(bool(it.at_eof() or it.exception()) for it, _ in connections)

    await until(gone, 30, "who was there to be disconnected")
    assert gone() == 1
    await until(lambda: is_in_state(cluster, "node1", "DOWN"), 30, "the balancer to notice")


async def test_a_frozen_node_s_sessions_are_closed_before_its_lease_is_out(
    cluster: Cluster,
) -> None:
    connections = [await cluster.converse() for _ in range(3)]
    frozen = cluster.nodes[2]
    frozen.status = None
    frozen_at = time.monotonic()
    port = frozen.arrivals[0].client[1]
    for reader, writer in connections:
        if writer.get_extra_info("sockname")[1] == port:
            await closed(reader, 30)
            assert time.monotonic() - frozen_at > 3, "a short freeze is waited out"
        else:
            await echoed(reader, writer)
    await cluster.converse()
    await until(lambda: not frozen.sessions, 30, "the balancer to have left it")
    assert len(frozen.arrivals) == 1, "no newcomers"


async def test_tls_ends_at_the_balancer_for_every_dialect(
    tmp_path: Path, certificate: Path
) -> None:
    cluster = Cluster(tmp_path, CERTIFICATE=str(certificate))
    client = ssl.create_default_context(cafile=str(certificate))
    client.check_hostname = False
    try:
        await cluster.start()
        for dialect in DIALECTS:
            _, writer = await cluster.converse(dialect, client)
            assert writer.get_extra_info("cipher")[1] in ("TLSv1.2", "TLSv1.3")
            await cluster.converse(dialect)
        assert sum(node.sessions for node in cluster.nodes) == 2 * len(DIALECTS)
        client.set_ciphers("DEFAULT:@SECLEVEL=0")  # else the client itself refuses
        with pytest.warns(DeprecationWarning):
            client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(ssl.SSLError, match="alert protocol version"):
            await cluster.connect("chatte", client)
    finally:
        await cluster.end()


async def test_its_own_metrics_are_served(cluster: Cluster) -> None:
    page = await cluster.balancer.metrics()
    assert 'haproxy_server_status{proxy="chatte-nodes",server="node1",state="UP"} 1' in page


async def is_in_state(cluster: Cluster, server: str, state: str) -> bool:
    backends = ("health", *(f"{dialect}-nodes" for dialect in DIALECTS))
    seen = [await cluster.balancer.state(server, backend) for backend in backends]
    return all(it.split()[0] == state for it in seen)


async def has_none(cluster: Cluster, server: str) -> bool:
    return await cluster.balancer.connections(server, "chatte-nodes") == 0


async def newcomer_at(cluster: Cluster, node: FakeNode) -> bool:
    before = node.sessions
    await cluster.converse()
    return node.sessions > before
