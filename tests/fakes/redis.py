"""A Redis in memory, which runs our scripts too: for what is asked over redis-py."""

from fakeredis import FakeServer
from fakeredis.aioredis import FakeAsyncRedisConnection
from redis.asyncio import ConnectionPool

from tertulia.redis.access import Access
from tertulia.redis.client import OPTIONS, Client
from tertulia.redis.masters import OneServer


def fake_client(server: FakeServer | None = None) -> Client:
    """Return a client of a Redis of its own, or of the one that is given."""
    pool = ConnectionPool(
        connection_class=FakeAsyncRedisConnection, server=server or FakeServer(), **OPTIONS
    )
    return Client(OneServer(Access.to("redis://127.0.0.1")), "tertulia-test", 5.0, pool)
