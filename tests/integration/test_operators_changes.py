"""What docs/operations.md has operators do to a running service: another place for Redis, other settings."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

import pytest

from harness.load import assert_promises_kept, connect_many, settle, under_load
from harness.node import NodeFactory
from harness.redis_server import RedisServer, running_redis
from harness.waiting import elapse, until
from history.record import Disconnected, SawLeft

pytestmark = pytest.mark.slow


class Name:
    """What leads to one server or another, as a name does, by an address of its own."""

    def __init__(self, leads_to: RedisServer) -> None:
        self.leads_to = leads_to

    @contextlib.asynccontextmanager
    async def known(self) -> AsyncIterator[str]:
        """Let it be used, as a URL."""
        server = await asyncio.start_server(self._lead, "127.0.0.1", 0)
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        server.close()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.leads_to.port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_pump(reader, back), _pump(there, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.transport.abort()


async def test_redis_is_moved_and_everybody_stays(
    node_factory: NodeFactory, redis_server: RedisServer
) -> None:
    name = Name(redis_server)
    with running_redis() as there:
        async with name.known() as url:
            nodes = [node_factory.launch(redis_url=url) for _ in range(2)]
            for node in nodes:
                await node.ready()
            clients = await connect_many([node.port() for node in nodes], 8, "user")
            epoch = redis_server.control.hget("{main}:meta", "epoch")

            def is_replica() -> bool:
                told = cast(dict[str, object], there.control.info("replication"))
                return told.get("master_link_status") == "up"

            async def move() -> None:
                await elapse(0.5)
                there.do("REPLICAOF", "127.0.0.1", redis_server.port)
                await until(is_replica, 30, "the new one to have everything")
                await elapse(0.5)
                redis_server.stop()
                there.do("REPLICAOF", "NO", "ONE")
                name.leads_to = there
                for node in nodes:
                    await node.becomes_ready(30)
                await elapse(0.5)

            await under_load(clients[:4], move(), per_second=20)
            await settle(clients)
            for client in clients:
                assert client.connected, client.describe()
                assert not any(client.history.of(SawLeft))
                assert not any(client.history.of(Disconnected))
            await assert_promises_kept(clients)
            assert there.control.hget("{main}:meta", "epoch") == epoch, "nothing was lost"


async def test_nodes_have_another_lease_for_a_while(node_factory: NodeFactory) -> None:
    short = await node_factory.start(CLUSTER__LEASE_SECONDS="4")
    long = await node_factory.start(CLUSTER__LEASE_SECONDS="20")
    clients = await connect_many([short.port(), long.port()], 6, "user")

    async def watch() -> None:
        await elapse(8)  # the shorter lease, twice

    await under_load(clients[:2], watch(), per_second=10)
    await settle(clients)
    for client in clients:
        assert not any(client.history.of(SawLeft))
        assert not any(client.history.of(Disconnected))
    await assert_promises_kept(clients)
