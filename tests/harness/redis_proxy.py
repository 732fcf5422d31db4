"""Between a node and Redis: a proxy that loses, stalls and cuts where the network could.

A server that is killed takes all connections at once and loses what it pleases; here one command of
one connection is lost, on purpose and for certain.
"""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from harness.redis_server import RedisServer

_CHUNK = 65_536


class ProxiedLink:
    """One connection through the proxy."""

    def __init__(
        self, proxy: "RedisProxy", node: asyncio.StreamWriter, redis: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._node = node
        self._redis = redis
        self.is_bus = False
        """Whether it has subscribed to something."""
        self.stalled = False
        """Whether what Redis answers is swallowed, as on a half-open connection."""
        self._loses_answer = False

    def cut(self) -> None:
        """Break the connection on both sides."""
        for writer in (self._node, self._redis):
            writer.transport.abort()

    def to_redis(self, data: bytes) -> None:
        """Forward what the node asks, unless that is to be lost."""
        proxy = self._proxy
        if b"SUBSCRIBE" in data:
            self.is_bus = True
            if proxy.refuses_bus:
                self.cut()
                return
        if proxy.commands_to_lose and proxy.commands_to_lose in data:
            proxy.commands_to_lose = b""
            proxy.lost += 1
            self.cut()
            return
        if proxy.answers_to_lose and proxy.answers_to_lose in data:
            proxy.answers_to_lose = b""
            self._loses_answer = True
        elif proxy.loses_every and b"EVALSHA" in data:
            proxy.commits += 1
            self._loses_answer = proxy.commits % proxy.loses_every == 0
        self._redis.write(data)

    def to_node(self, data: bytes) -> None:
        """Forward what Redis answers, unless that is to be lost."""
        if self._loses_answer:
            self._proxy.lost += 1
            self.cut()
        elif self._proxy.news_to_lose and self.is_bus and self._proxy.news_to_lose in data:
            self._proxy.news_to_lose = b""
            self._proxy.lost += 1
        elif not self.stalled:
            self._node.write(data)


class RedisProxy:
    """Listens on a free port of 127.0.0.1 and passes everything on to a Redis, but for faults."""

    def __init__(self, server: RedisServer) -> None:
        assert server.port, "this Redis listens on a Unix socket only"
        self._server = server
        self._listener: asyncio.Server
        self._pumps: set[asyncio.Task[None]] = set()
        self.links: list[ProxiedLink] = []
        self.refuses_bus = False
        """Whether new subscriptions are cut at once, while commands go through."""
        self.commands_to_lose = b""
        """Cut the connection that sends this, before Redis gets it; once."""
        self.answers_to_lose = b""
        """Cut the connection that sends this, after Redis did it, before it tells; once."""
        self.news_to_lose = b""
        """Swallow the published message that holds this, and nothing else; once."""
        self.loses_every = 0
        """Lose the answer to every so-manieth script call; 0 for none."""
        self.commits = 0
        self.lost = 0
        """How many commands and answers were lost."""

    @property
    def url(self) -> str:
        """Where it is, as the service's setting wants it."""
        return f"redis://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()
        for link in self.links:
            link.cut()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def cut_bus(self) -> int:
        """Break every subscriber's connection, and return how many there were."""
        buses = [link for link in self.links if link.is_bus]
        for link in buses:
            link.cut()
        return len(buses)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        except OSError:
            writer.transport.abort()
            return
        link = ProxiedLink(self, writer, up_writer)
        self.links.append(link)
        pumps = {
            asyncio.create_task(self._pump(reader, link, to_redis=True)),
            asyncio.create_task(self._pump(up_reader, link, to_redis=False)),
        }
        self._pumps |= pumps
        try:
            await asyncio.wait(pumps)
        finally:
            link.cut()
            self._pumps -= pumps
            self.links.remove(link)

    async def _pump(
        self, reader: asyncio.StreamReader, link: ProxiedLink, *, to_redis: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                link.to_redis(data) if to_redis else link.to_node(data)
        link.cut()
