"""redis-py's client of a real master: it waits no longer than told, and tries nothing twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from contract.lossy_proxy import Loss, LossyProxy
from contract.node import WITHIN
from harness.redis_server import RedisServer, running_redis
from harness.waiting import until
from tertulia.redis.access import Access, Server
from tertulia.redis.client import Client
from tertulia.redis.errors import StoreAway
from tertulia.redis.link import Link
from tertulia.redis.masters import Masters, OneServer
from tertulia.telemetry.metrics import RetryCause

TIMEOUT = 0.5


class Elsewhere(Masters):
    """The master is where the test says."""

    def __init__(self, server: RedisServer) -> None:
        super().__init__(Access.to(server.url))
        self.port = server.port

    async def find(self, seconds: float) -> Server:
        return Server("127.0.0.1", self.port)


@pytest.fixture
async def client(shared_redis: RedisServer) -> AsyncIterator[Client]:
    client = Client(OneServer(Access.to(shared_redis.url)), "tertulia-test", TIMEOUT)
    yield client
    client.disconnect()


@pytest.fixture
def successor() -> Iterator[RedisServer]:
    with running_redis(fsync="no") as server:
        yield server


async def port_of(client: Client) -> int:
    return int(str((await client.config_get("port"))["port"]))


async def test_it_is_known_by_its_name_and_drops_its_connection(
    client: Client, shared_redis: RedisServer
) -> None:
    assert await client.echo("ñ") == "ñ"
    assert "tertulia-test" in {it.name for it in shared_redis.connections()}
    before = await client.client_id()
    client.disconnect()
    assert await client.client_id() != before


async def test_a_frozen_server_is_waited_for_no_longer_than_told(
    client: Client, shared_redis: RedisServer
) -> None:
    await client.connect()
    shared_redis.freeze()
    try:
        for _ in range(2):  # when it was connected, and when it has to connect
            with pytest.raises(StoreAway) as caught:
                await asyncio.wait_for(client.echo("hello"), WITHIN)
            assert caught.value.cause is RetryCause.TIMEOUT
    finally:
        shared_redis.thaw()
    assert await client.echo("hello") == "hello"


@pytest.mark.parametrize("loss", [Loss.REQUEST, Loss.REPLY])
async def test_what_is_not_answered_is_not_asked_again(
    shared_redis: RedisServer, loss: Loss
) -> None:
    proxy = await LossyProxy("127.0.0.1", shared_redis.port).start()
    client = Client(OneServer(Access.to(proxy.url)), "tertulia-test", TIMEOUT)
    await client.delete("{x}:count")
    for ask in (
        lambda: client.incr("{x}:count"),
        lambda: client.together(lambda it: it.incr("{x}:count")),
    ):
        before = int(await client.get("{x}:count") or 0)
        proxy.lose("INCR", loss=loss)
        with pytest.raises(StoreAway) as caught:
            await ask()
        assert caught.value.cause is RetryCause.CONNECTION
        assert int(await client.get("{x}:count") or 0) == before + (loss is Loss.REPLY)
    client.disconnect()
    await proxy.close()


async def test_a_connection_that_was_closed_meanwhile_is_made_anew(
    client: Client, shared_redis: RedisServer
) -> None:
    shared_redis.control.client_kill_filter(_id=str(await client.client_id()))
    assert client._to_master is not None
    reader = client._to_master._made._reader  # type: ignore[union-attr]
    assert reader is not None
    await until(reader.at_eof, WITHIN, "the end")
    assert await client.echo("hello") == "hello"


async def test_a_replica_is_refused(client: Client, shared_redis: RedisServer) -> None:
    shared_redis.control.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(StoreAway, match="is a replica"):
            await client.echo("hello")
    finally:
        shared_redis.control.replicaof("NO", "ONE")
    assert await client.echo("hello") == "hello"


async def test_it_leaves_a_server_with_the_links_of_its_chat(
    shared_redis: RedisServer, successor: RedisServer
) -> None:
    servers = Elsewhere(shared_redis)
    client, link = Client(servers, "tertulia-test", TIMEOUT), Link(servers, "test", TIMEOUT)
    assert await port_of(client) == shared_redis.port
    servers.port = successor.port
    await link.connect()
    assert await port_of(client) == successor.port
    client.disconnect()
    link.disconnect()
