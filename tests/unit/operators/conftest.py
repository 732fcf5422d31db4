"""A chat that one node serves, in a Redis in memory."""

from typing import Any

import pytest

from fakes.redis import fake_client
from tertulia.redis.client import Client
from tertulia.store.keys import Keys

KEYS = Keys("main")


@pytest.fixture
async def redis() -> Client:
    """Give a Redis where a node has a lease for a minute, and Andy is in the room."""
    client = fake_client()
    seconds, _ = await client.time()
    await client.hset(KEYS.meta, mapping={"epoch": "e", "base": "0", "offset": "0", "sitting": "1"})
    await client.zadd(KEYS.leases, {"one~1": (seconds + 60) * 1000})
    await client.zadd(KEYS.members, {"andy": 1})
    await client.sadd(KEYS.nicks("one~1"), "andy")
    andy: dict[Any, Any] = {
        "nickname": "Andy",
        "node": "one~1",
        "session": "one~1:1",
        "sitting": "1",
        "dialect": "chatte",
        "address": "192.0.2.1",
        "port": "5000",
        "since": "7",
    }
    await client.hset(KEYS.nick("andy"), mapping=andy)
    return client
