"""A Redis in memory, which runs our scripts too: for what is asked by redis-py's commands."""

from typing import Any, cast

from fakeredis import FakeServer
from fakeredis.aioredis import FakeRedis
from redis.exceptions import ResponseError

from tertulia.redis.access import Access, Server
from tertulia.redis.client import Client
from tertulia.redis.errors import plain
from tertulia.redis.hot import HotConnection
from tertulia.redis.link import Link
from tertulia.redis.masters import Masters
from tertulia.redis.multiplexer import Multiplexer, Shared


class FakeConnection:
    """What answers on a connection."""

    is_over = False
    is_sharded = False

    def __init__(self, server: FakeServer) -> None:
        self._redis = FakeRedis(server=server, protocol=2)
        self._redis.response_callbacks.clear()

    async def ask(self, _seconds: float, *commands: Any) -> list[Any]:
        """Answer all, and raise the first refusal afterwards."""
        replies: list[Any] = []
        for command in commands:
            try:
                replies.append(await self._redis.execute_command(*command))  # type: ignore[no-untyped-call]
            except ResponseError as error:
                replies.append(plain(error))
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    def end(self) -> None:
        """Go on: there is nothing to end."""


class FakeMultiplexer(Multiplexer):
    """Has always a connection to the same server."""

    def __init__(self, server: FakeServer) -> None:
        super().__init__(Access.to("redis://127.0.0.1"), 5.0)
        self.connection = FakeConnection(server)

    async def connected(self, masters: Masters, use: str) -> Shared:
        return Shared(cast(HotConnection, self.connection), Server("127.0.0.1", 6379), "run")


def fake_client(server: FakeServer | None = None) -> Client:
    """Return a client of a Redis of its own, or of the one that is given."""
    multiplexer = FakeMultiplexer(server or FakeServer())
    return Client(Link(multiplexer.masters("x"), "tertulia-test", multiplexer))
