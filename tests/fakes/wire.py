"""A client's connection without a socket: the node's own, in a room without Redis, turn by turn."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, cast

from websockets.frames import Frame, Opcode

from fakes.clock import HandClock
from fakes.house import House
from tertulia.chat.door import Door
from tertulia.chat.receipts import Receipts
from tertulia.dialects.browser import BrowserEncoder
from tertulia.dialects.chatte import ChatteEncoder
from tertulia.dialects.contract import Encoder
from tertulia.dialects.device import DeviceDecoder, Reply
from tertulia.dialects.irc.client import IrcServer
from tertulia.dialects.irc.encoder import IrcEncoder
from tertulia.dialects.protocollo import ProtocolloEncoder
from tertulia.domain.disconnects import Disconnect
from tertulia.edge import tcp, websocket
from tertulia.edge.connection import Connection
from tertulia.edge.limits import ConnectionCounts
from tertulia.edge.page import PageFiles
from tertulia.edge.serving import Connections, Host, Listener, Patience
from tertulia.edge.websocket import IRC_TEXT, Site
from tertulia.settings.sections import LimitSettings

ONE_READ: Final = 256_000
"""Bytes that uvloop has room for in one read."""
LIBUV_READS: Final = 32
"""How often libuv reads on where all that room was used, before anything else has its turn."""
HANDSHAKE: Final = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c2l4dGVlbiBieXRlcyBvaw==\r\n\r\n"
)


def masked(opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> bytes:
    """Return a client's frame."""
    return Frame(opcode, data, fin=fin).serialize(mask=True)


ENTER: Final = {
    "chatte": b"anna\n",
    "protocollo": b"anna\n",
    "protocollo classic": b"anna\nnull\n\n",
    "browser": HANDSHAKE + masked(Opcode.TEXT, b'{"type":"enter","nickname":"anna"}'),
    "irc": b"NICK anna\r\nUSER anna 0 * :Anna\r\n",
    "irc by WebSocket": HANDSHAKE.replace(b"/ws", b"/irc", 1)
    + masked(Opcode.TEXT, b"NICK anna")
    + masked(Opcode.TEXT, b"USER anna 0 * :Anna"),
    "device": b"10\nanna\nbruno\n",
    "device binary": b"\0\0\0\x0a\0\x04\0\0anna\0\x05\0\0bruno",
}
"""What a client of each kind says first."""


class Wire:
    """A transport that keeps what is written, and reads as libuv does."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.reading = True
        self.waiting = 0
        """Bytes that the client has not taken."""

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def get_extra_info(self, name: str) -> Any:
        return ("192.0.2.1", 50_000) if name == "peername" else None

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def close(self) -> None:
        pass

    abort = close


class Answering:
    """A host that answers each request of a device at once, with yes."""

    def __init__(self, loop: HandClock) -> None:
        self._loop = loop

    def connect(self, outbox: Connection, address: str, port: int) -> "DeviceSession":
        return DeviceSession(outbox)

    def command(self, session: "DeviceSession", command: object) -> None:
        if isinstance(command, Reply):
            session.outbox.write(command.data)
            return
        session.awaiting = 1
        self._loop.call_soon(lambda: self._answer(session))

    def _answer(self, session: "DeviceSession") -> None:
        session.awaiting = 0
        session.decoder.answer(1)
        session.outbox.proceed()

    def slowed(self, session: "DeviceSession") -> None:
        pass


@dataclass
class DeviceSession:
    """A device's session that is whatever its device says."""

    outbox: Connection
    decoder: DeviceDecoder = field(default_factory=DeviceDecoder)
    receipts = Receipts(acknowledges_all=False)
    awaiting = 0
    is_active = False
    is_held = False
    is_in_hurry = False
    awaits_end = False

    @property
    def takes_commands(self) -> bool:
        return self.awaiting == 0


class WiredClient:
    """A connection without a socket: what it does in each turn of the loop is measured."""

    def __init__(
        self,
        kind: str,
        limits: LimitSettings,
        refuses: Callable[[str], bool] | None = None,
        ping: bytes = b"",
    ) -> None:
        """``refuses``: what its listener filters. ``ping``: what it asks who says nothing."""
        self._refuses = refuses
        self.house = House()
        self.clock = self.house.clock
        self.wire = Wire()
        self.in_turn = 0
        self.most_in_turn = 0
        self.commands: list[object] = []
        self.longest = 0.0
        host, encoder = self._host(kind)
        command = host.command

        def counted(session: object, it: object) -> None:
            self.in_turn += 1
            self.commands.append(it)
            command(session, it)

        host.command = counted  # type: ignore[assignment, method-assign]
        shared: Any = (
            host, kind.split()[0], encoder and encoder.acknowledgement,
            Patience(60.0, False, Disconnect.ENTER_TIMEOUT), limits, ConnectionCounts(9, 9),
            self.house.metrics, self.clock, Connections(), None, False, refuses is not None, ping,
        )  # fmt: skip
        listener = Listener(*shared)
        sockets = {
            "browser": Site(listener, PageFiles({}), ()),
            "irc by WebSocket": Site(listener, PageFiles({}), (), irc={IRC_TEXT: listener}),
        }
        self.connection = (
            websocket.connect(sockets[kind]) if kind in sockets else tcp.connect(listener)
        )
        self.connection.connection_made(cast(asyncio.Transport, self.wire))

    def _host(self, kind: str) -> tuple[Host, Encoder | None]:
        encoders: dict[str, Encoder] = {
            "chatte": ChatteEncoder(),
            "protocollo": ProtocolloEncoder(),
            "protocollo classic": ProtocolloEncoder("classic"),
            "browser": BrowserEncoder(),
            "irc": IrcEncoder(IrcServer()),
            "irc by WebSocket": IrcEncoder(IrcServer(is_websocket=True)),
        }
        if kind.startswith("device"):
            return cast(Host, Answering(self.clock)), None
        door = Door(self.house.room(), encoders[kind], refuses=self._refuses)
        return door, encoders[kind]

    def turn(self, work: Callable[[], object]) -> None:
        """Do something as one turn of the loop."""
        self.in_turn = 0
        began = time.thread_time()
        work()
        self.longest = max(self.longest, time.thread_time() - began)
        self.most_in_turn = max(self.most_in_turn, self.in_turn)

    def send(self, data: bytes) -> None:
        """Let the node read, as often as libuv does within a turn."""

        def read() -> None:
            for _ in range(LIBUV_READS):
                if self.wire.reading:
                    self.connection.data_received(data)
                if len(data) < ONE_READ:
                    return

        self.turn(read)

    def go_on(self, turns: int) -> None:
        """Let so many turns pass."""
        for _ in range(turns):
            self.turn(self.clock.turn)

    def enter(self, data: bytes) -> None:
        """Say what comes first, which is not counted."""
        self.send(data)
        self.clock.run()
        self.most_in_turn, self.longest = 0, 0.0
        self.commands.clear()
