"""Asking servers of Redis one by one, by those who do it again and again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from tertulia.redis.access import Access, Server
from tertulia.redis.commands import Commands
from tertulia.redis.errors import failing
from tertulia.redis.hot import HotConnection


class Visits:
    """A connection to each server, which is kept: to log in takes Redis longer than most answers."""

    def __init__(self, access: Access, name: str, seconds: float) -> None:
        """``name``: what the connections are called; ``seconds``: how long a server may take to answer."""
        self._access = access
        self._name = name
        self._seconds = seconds
        self._open: dict[Server, HotConnection] = {}
        self._making: dict[Server, asyncio.Lock] = {}

    @asynccontextmanager
    async def at(self, server: Server) -> AsyncIterator[Commands]:
        """Ask one server, whatever its role. Raises StoreAway."""
        async with self._making.setdefault(server, asyncio.Lock()):
            connection = self._open.get(server)
            if connection is None or connection.is_over:
                connection = await self._access.connect(server, self._name, self._seconds)
                self._open[server] = connection
        with failing(server):
            yield Commands(partial(connection.ask, self._seconds))

    def end(self) -> None:
        """Let go of all connections."""
        for connection in self._open.values():
            connection.end()
        self._open.clear()
