"""A proxy that can swallow what goes through it: its connections stay open, and nothing arrives any more.

So is a connection after a change of network, or through a box on the way that has forgotten it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class SwallowingProxy:
    """Passes connections on to a port of this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()
        self._lives = 0
        self._swallowed = 0
        self.port = 0

    def swallow(self) -> None:
        """Let nothing more through on the connections that there are; new ones are passed on."""
        self._swallowed = self._lives

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lives += 1
        life = self._lives
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target)
        for source, sink in ((reader, up_writer), (up_reader, writer)):
            task = asyncio.create_task(self._pass_on(life, source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(
        self, life: int, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                if life > self._swallowed:
                    sink.write(data)
        if life > self._swallowed:
            sink.close()  # else even the end is swallowed


@contextlib.asynccontextmanager
async def swallowing_proxy(target: int) -> AsyncIterator[SwallowingProxy]:
    """Run a proxy to a port of this machine, on a free port."""
    proxy = SwallowingProxy(target)
    server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in proxy._tasks:
            task.cancel()
