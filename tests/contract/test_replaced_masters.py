"""A server that was frozen, and replaced as the master meanwhile: it does not know yet when it goes on."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from contract.node import WITHIN
from harness.redis_server import RedisServer, running_redis
from tertulia.redis.access import Access, Server
from tertulia.redis.errors import StoreAway
from tertulia.redis.link import Link
from tertulia.redis.multiplexer import Multiplexer
from tertulia.redis.sentinel import Sentinels
from tertulia.telemetry.metrics import RetryCause

TIMEOUT = 5.0


class Telling(Sentinels):
    """Sentinels that name whom the test says; nobody, where it says so."""

    def __init__(self, named: RedisServer) -> None:
        super().__init__(Access.to("redis+sentinel://127.0.0.1:1/tertulia"), TIMEOUT)
        self.named: RedisServer | None = named
        self.have_told = asyncio.Event()

    async def find(self) -> Server:
        self.have_told.set()
        if self.named is None:
            raise StoreAway(RetryCause.CONNECTION, "no Sentinel answers")
        return Server("127.0.0.1", self.named.port)


@pytest.fixture
def successor() -> Iterator[RedisServer]:
    with running_redis(fsync="no") as server:
        yield server


@pytest.fixture
def frozen(shared_redis: RedisServer) -> Iterator[RedisServer]:
    shared_redis.freeze()
    try:
        yield shared_redis
    finally:
        shared_redis.thaw()


@pytest.fixture
async def pair(shared_redis: RedisServer) -> AsyncIterator[tuple[Telling, Link, Link]]:
    """Give two links of one chat, to the server that Sentinels name."""
    sentinels = Telling(shared_redis)
    one, two = link_to(sentinels), link_to(sentinels)
    yield sentinels, one, two
    one.disconnect()
    two.disconnect()


def link_to(sentinels: Telling) -> Link:
    return Link(sentinels, "tertulia-test", Multiplexer(sentinels.access, TIMEOUT))


async def port_of(link: Link) -> int:
    """Return which server answers."""
    return int((await link.call("CONFIG", "GET", "port"))[1])


async def test_who_waited_for_it_to_answer_is_not_let_in(
    frozen: RedisServer, successor: RedisServer
) -> None:
    sentinels = Telling(frozen)
    link = link_to(sentinels)
    asking = asyncio.create_task(port_of(link))
    await asyncio.wait_for(sentinels.have_told.wait(), WITHIN)
    sentinels.named = successor
    frozen.thaw()
    with pytest.raises(StoreAway, match="is not the master any more"):
        await asking
    assert await port_of(link) == successor.port
    link.disconnect()


async def test_it_is_let_be_where_no_sentinel_can_tell(frozen: RedisServer) -> None:
    sentinels = Telling(frozen)
    link = link_to(sentinels)
    asking = asyncio.create_task(port_of(link))
    await asyncio.wait_for(sentinels.have_told.wait(), WITHIN)
    sentinels.named = None
    frozen.thaw()
    assert await asking == frozen.port
    link.disconnect()


async def test_an_answer_of_its_is_doubted_though_another_link_has_found_its_successor(
    pair: tuple[Telling, Link, Link], shared_redis: RedisServer, successor: RedisServer
) -> None:
    sentinels, one, two = pair
    assert await port_of(one) == shared_redis.port
    sentinels.named = successor
    assert await port_of(two) == successor.port
    with pytest.raises(StoreAway, match="given up"):
        await one.confirm()
    assert await port_of(one) == successor.port
    await one.confirm()


async def test_all_that_were_connected_to_it_leave_when_one_notices(
    pair: tuple[Telling, Link, Link], shared_redis: RedisServer, successor: RedisServer
) -> None:
    sentinels, one, two = pair
    assert {await port_of(one), await port_of(two)} == {shared_redis.port}
    await one.confirm()
    sentinels.named = successor
    with pytest.raises(StoreAway, match="is not the master any more"):
        await one.confirm()
    assert {await port_of(one), await port_of(two)} == {successor.port}
