"""What a balancer sees of a node: listeners that take the PROXY protocol, and /readyz."""

import asyncio
import socket
import struct
from dataclasses import dataclass, field

from harness.redis_server import free_port

DIALECTS = ("chatte", "protocollo", "device", "browser", "irc")
_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


@dataclass(eq=False)
class Arrival:
    """A connection as the node got it."""

    dialect: str
    client: tuple[str, int]
    """Who the client is, by the PROXY header."""
    writer: asyncio.StreamWriter
    received: bytearray = field(default_factory=bytearray)
    closed: bool = False


class FakeNode:
    """Accepts for every dialect and echoes what comes. Its readiness is whatever the test says."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.ports = {dialect: free_port() for dialect in DIALECTS}
        self.ops_port = free_port()
        self.status: int | None = 200
        """What /readyz answers; None: nothing at all, as a frozen node."""
        self._servers: list[asyncio.Server] = []
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def sessions(self) -> int:
        """How many connections are open."""
        return sum(not arrival.closed for arrival in self.arrivals)

    async def start(self) -> None:
        """Listen."""
        for dialect, port in self.ports.items():
            await self._listen(dialect, port)
        await self._listen(None, self.ops_port)

    async def die(self) -> None:
        """Be gone, as a killed process: ports are refused, connections reset."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for writer in self._open:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _listen(self, dialect: str | None, port: int) -> None:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._open.add(writer)
            try:
                if dialect is None:
                    await self._answer(reader, writer)
                else:
                    await self._serve(dialect, reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                pass  # the balancer went
            finally:
                self._open.discard(writer)
                writer.close()

        self._servers.append(await asyncio.start_server(accept, "127.0.0.1", port))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        is_of_life = request.startswith(b"GET /livez ")
        assert is_of_life or request.startswith(b"GET /readyz "), request
        if self.status is None:
            await reader.read()
            return
        status = 200 if is_of_life else self.status
        writer.write(b"HTTP/1.1 %d x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
        await writer.drain()

    async def _serve(
        self, dialect: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        arrival = Arrival(dialect, await read_proxy_header(reader), writer)
        self.arrivals.append(arrival)
        try:
            while data := await reader.read(65536):
                arrival.received += data
                writer.write(data)
        finally:
            arrival.closed = True


async def read_proxy_header(reader: asyncio.StreamReader) -> tuple[str, int]:
    """Read a PROXY protocol v2 header and return the client's address. Raises AssertionError."""
    signature, command, family, length = struct.unpack("!12sBBH", await reader.readexactly(16))
    addresses = await reader.readexactly(length)
    assert signature == _SIGNATURE, signature
    assert command == 0x21, "version 2, on behalf of a client"
    assert family == 0x11, "TCP over IPv4"
    return socket.inet_ntoa(addresses[:4]), struct.unpack("!H", addresses[8:10])[0]
