"""A service for devices that answers as a test has it, over real sockets."""

import asyncio
import struct
from collections.abc import Awaitable, Callable

from harness.redis_server import reserved_port
from tertulia.clients.device.service_calls import Retrying, Service

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENT = Retrying(connect=30, answer=30, close=30, pauses=(0.05, 0.05, 0.05))
HASTY = Retrying(connect=30, answer=0.2, close=30, pauses=(0.05, 0.05, 0.05))
"""For who waits in vain for an answer."""


class Listening:
    """A service that answers each connection by a script, and keeps how it ended."""

    def __init__(self, patience: Retrying = PATIENT) -> None:
        self._socket = reserved_port()  # where nobody listens until somebody does here
        self.port: int = self._socket.getsockname()[1]
        self.scripts: list[Script] = []
        self.endings: list[str] = []
        self.told: list[str] = []
        self.service = Service("127.0.0.1", self.port, self.told.append, patience)

    def come_back(self) -> None:
        """Have the system take connections at once; ``begin`` serves them."""
        self._socket.listen()

    async def begin(self) -> asyncio.Server:
        """Listen."""
        return await asyncio.start_server(self.serve, sock=self._socket)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = self.scripts[min(len(self.endings), len(self.scripts) - 1)]
        try:
            await script(reader, writer)
            await reader.read()
            self.endings.append("in order")
        except ConnectionResetError:
            self.endings.append("reset")
        finally:
            writer.close()


def answering(data: bytes) -> Script:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return answer


async def hanging_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(4)
    writer.close()


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(4)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER
    writer.transport.abort()
