"""A device as its author's program is, over real sockets: what old programs do to the service.

It looks at nothing that it reads, has room for so many bytes and no more, never sends operation 30, and
keeps the connection of operation 10 for as long as a live chat lasts.
"""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field

from harness.device_client import (
    BINARY,
    PASSWORD,
    TEXT,
    WITHIN,
    DeviceClient,
    Framing,
    chat,
    hanging,
    sign_up,
)
from harness.redis_server import reserved_port
from harness.waiting import until

ANSWER_ROOM = 199
"""Bytes of an answer of 100, 200 or 20 for which it has room."""
LIVE_ROOM = 119
"""Bytes of what a peer says."""
QUIT = "\\q"


class Crashed(AssertionError):
    """It read what it has no room for, or nothing where an answer was due."""


def checked(text: str, room: int) -> str:
    """Return what was read. Raises Crashed where there was no room for it."""
    if len(text.encode()) > room:
        raise Crashed(f"{len(text.encode())} bytes where it has room for {room}")
    return text


class Peer:
    """A connection to another device in a live chat."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def say(self, *values: int | str) -> None:
        self._writer.write(BINARY.write(*values))

    async def integer(self) -> int:
        async with asyncio.timeout(WITHIN):
            return int.from_bytes(await self._reader.readexactly(4), "big")

    async def hear(self) -> str:
        async with asyncio.timeout(WITHIN):
            length, _ = struct.unpack(">HH", await self._reader.readexactly(4))
            return checked((await self._reader.readexactly(length)).decode(), LIVE_ROOM)

    @property
    def has_end(self) -> bool:
        """Whether the other one has closed: the program crashes where it reads that before it goes."""
        return self._reader.at_eof()

    def close(self) -> None:
        self._writer.close()


@dataclass
class Entered:
    """What came of ``chat NAME``: the connection to the service, still open, and what was read on it."""

    device: DeviceClient
    answer: int
    shown: list[str]

    async def told(self) -> int:
        """Wait, as who was answered 1, for the other's port; the service closes then."""
        port = await self.device.integer()
        assert await self.device.rest() == b""
        return port

    def leave(self, *texts: str) -> None:
        """Send messages for who is not there."""
        self.device.send(*texts)

    async def quits(self) -> None:
        """Go while the other is not there."""
        self.device.send(QUIT)
        await self.closes()

    async def closes(self) -> None:
        """Close the connection, at the end of the chat; the service ends it then."""
        assert await self.device.close() == b""


@dataclass
class OldDevice:
    """Signed up under a name, and listening, when it is in a live chat, on a port of its own.

    ``text``: what a person at ``nc`` does in the program's place, who runs no 200 in operation 10.
    """

    name: str
    nodes: list[int]
    """The ports of the service, of which it takes one after the other."""
    framing: Framing = BINARY
    _reserved: socket.socket = field(default_factory=reserved_port)
    _calls: int = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._reserved.getsockname()[1])

    def node(self) -> int:
        self._calls += 1
        return self.nodes[self._calls % len(self.nodes)]

    async def signs_up(self) -> None:
        await sign_up(self.node(), self.name, self.port, password=PASSWORD, framing=self.framing)

    async def hanging(self) -> list[str]:
        lines = await hanging(self.node(), self.name, self.framing)
        checked("\n".join([*lines, ""]), ANSWER_ROOM)
        return lines

    async def shows(self, sender: str) -> list[str]:
        """Run operation 200 on a connection of its own."""
        device = await DeviceClient.connect(self.node(), self.framing)
        lines = await self._show(device, sender)
        assert await device.close() == b""
        return lines

    async def chats(self, dest: str) -> Entered:
        """Run operation 10, and at once 200 on the same connection; keep that open."""
        device, answer = await chat(self.node(), self.name, dest, framing=self.framing)
        shown: list[str] = []
        if answer != 0 and self.framing is not TEXT:
            shown = await self._show(device, dest)
        return Entered(device, answer, shown)

    async def adds(self, name: str) -> list[str]:
        """Ask somebody in by operation 20; return who was online."""
        device = await DeviceClient.connect(self.node(), self.framing)
        device.send(20)
        online = checked(await device.string(), ANSWER_ROOM)
        device.send(name)
        assert await device.integer() > 1, f"{name} is not online"
        device.send(self.name)
        assert await device.rest() == b""
        device.close_at_once()
        return online.rstrip(",").split(",")

    # Live chats

    async def listens(self) -> "Listening":
        """Listen for those who dial."""
        came: asyncio.Queue[Peer] = asyncio.Queue()
        server = await asyncio.start_server(
            lambda reader, writer: came.put_nowait(Peer(reader, writer)), "127.0.0.1", self.port
        )
        return Listening(server, came)

    async def dials(self, port: int) -> Peer:
        """Connect to another device, which may not listen yet: it tries again and again."""
        made: list[Peer] = []

        async def connected() -> bool:
            with contextlib.suppress(ConnectionRefusedError):
                made.append(Peer(*await asyncio.open_connection("127.0.0.1", port)))
            return bool(made)

        await until(connected, WITHIN, f"somebody to listen on {port}")
        return made[0]

    def ends(self) -> None:
        self._reserved.close()

    async def _show(self, device: DeviceClient, sender: str) -> list[str]:
        try:
            device.send(200)
            if (ack := await device.integer()) != 1:
                raise Crashed(f"{ack} where it took an acknowledgement for granted")
            device.send(self.name)
            if (ack := await device.integer()) != 1:
                raise Crashed(f"{ack} where it took an acknowledgement for granted")
            device.send(sender)
            lines = await device.lines()
        except (EOFError, ConnectionError, TimeoutError) as error:
            raise Crashed("its 200 was not answered") from error
        checked("\n".join([*lines, ""]), ANSWER_ROOM)
        return [] if lines == ["null"] else lines


@dataclass
class Listening:
    """A device's own port, open."""

    _server: asyncio.Server
    _came: asyncio.Queue[Peer]

    async def accepts(self) -> Peer:
        """Return the next that dials."""
        async with asyncio.timeout(WITHIN):
            return await self._came.get()

    def ends(self) -> None:
        self._server.close()


async def live(waits: OldDevice, comes: OldDevice) -> tuple[Entered, Entered]:
    """Let one wait and the other come, and the two talk directly; give what the service told them."""
    first = await waits.chats(comes.name)
    assert first.answer == 1, f"{waits.name} enters first, and is told to dial {first.answer}"
    second = await comes.chats(waits.name)
    assert second.answer == waits.port, f"{comes.name} enters second: {second.answer}"
    assert await first.told() == comes.port
    return first, second


async def talk(waits: OldDevice, comes: OldDevice) -> None:
    """Be in a live chat of two once: who waited listens, the other dials; both say something and quit."""
    first, second = await live(waits, comes)
    listening = await waits.listens()
    mine = await comes.dials(waits.port)
    theirs = await listening.accepts()
    theirs.say(0)
    assert await mine.integer() == 0
    for speaker, hearer, who in ((mine, theirs, comes), (theirs, mine, waits)):
        speaker.say(f"di {who.name}")
        assert await hearer.hear() == f"di {who.name}"
    mine.say(QUIT)
    assert await theirs.hear() == QUIT
    mine.close()
    theirs.close()
    listening.ends()
    await first.closes()
    await second.closes()
