"""Lines on a socket. Acknowledgements, the most frequent of them, are taken without being read as lines."""

import socket
from asyncio import Server
from functools import partial
from typing import Final

from tertulia.domain.disconnects import Disconnect
from tertulia.edge import connection
from tertulia.edge.connection import Connection
from tertulia.edge.preamble import PreambleRules
from tertulia.edge.pump import LARGE_READ
from tertulia.edge.serving import HEAD, Client, Listener, Served

_ACKNOWLEDGEMENTS_CHARGED: Final = 4096
"""Acknowledgements are so frequent that they are charged for by the thousands."""
_READS_UNTIL_REST: Final = 16
"""Reads that brought nothing but acknowledgements, before a client is read less often."""
SILENT_SECONDS: Final = 1.0
"""The client must also have said nothing for so long: a client that talks is read at once."""
PING_SECONDS: Final = 90.0
"""Of silence, after which a client is asked, where the listener has it asked: docs/protocols/irc.md."""
LET_GO_SECONDS: Final = 180.0
"""Of silence, after which it is let go. Both are looked at every ``serving.LOOK_SECONDS``."""


class LineInbound:
    """Reads one client's lines."""

    __slots__ = (
        "_acknowledgement",
        "_acknowledgements_free",
        "_connection",
        "_listener",
        "_pump",
        "_reads_until_rest",
        "_resting_fd",
    )

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._pump = connection.pump
        self._listener = listener = connection.listener
        # A client ends its lines in one way, mostly: what it did last is compared with first.
        self._acknowledgement = listener.acknowledgement
        self._acknowledgements_free = _ACKNOWLEDGEMENTS_CHARGED
        self._reads_until_rest = _READS_UNTIL_REST
        self._resting_fd = -1

    def opened(self) -> None:
        self._connection.begin_session()

    def received(self, data: bytes) -> None:
        pump = self._pump
        session = pump.session
        if data == self._acknowledgement and pump.is_plain and self._reads_until_rest > 0:
            # The most frequent input there is: nothing else is looked at.
            self._reads_until_rest -= 1
            session.receipts.acknowledged += 1  # type: ignore[union-attr] # a plain connection has a session
            return
        if session is None or pump.is_over:
            return
        if len(data) >= LARGE_READ:
            pump.leave_rest()
        if pump.part or (pump.is_plain and self._listener.head.startswith(data[:HEAD])):
            data = self._take_acknowledgements(session, data)
            if not data:
                self._reads_until_rest -= 1
                if self._reads_until_rest <= 0:
                    self._rest()
                return
        self._reads_until_rest = _READS_UNTIL_REST
        connection = self._connection
        if connection.patience is not None and self._listener.patience.of_silence:
            connection.heard()
        if pump.pace is None:  # its first words
            self._listener.look_for_header(data, connection.address)
        try:
            pump.decoder.feed(data)
        except Exception:
            pump.fail()
            return
        pump.go_on(session, len(data))

    def ended(self) -> bool:
        return self._connection.half_closed()

    def closing(self, reason: object) -> None:
        """Lines have no words for that beyond the session's own."""

    def lost(self) -> None:
        self.woken()
        del self._connection

    # --- Acknowledgements ------------------------------------------------------------------------

    def _take_acknowledgements(self, session: Served, data: bytes) -> bytes:
        """Take those that data begins with, which need not be read as lines; return the rest.

        Nothing is returned where that may be the beginning of another one: it is kept.
        """
        pump = self._pump
        if pump.part:
            data, pump.part = pump.part + data, b""
            pump.is_plain = True  # as it was before that
        lf, crlf = self._listener.acknowledgements
        each, other = (lf, crlf) if self._acknowledgement is lf.line else (crlf, lf)
        count = end = 0
        if len(data) % each.length == 0 and each.many.startswith(data):
            count, end = len(data) // each.length, len(data)  # nothing else, however many
        else:
            while True:
                begin, line, length = end, each.line, each.length
                while data.startswith(line, end):
                    end += length
                count += (end - begin) // length
                if not data.startswith(other.line, end):
                    break
                each, other = other, each
            self._acknowledgement = each.line
            if 0 < len(data) - end < crlf.length and crlf.line.startswith(data[end:]):
                pump.part, pump.is_plain, data = data[end:], False, data[:end]
        session.receipts.acknowledged += count
        self._acknowledgements_free -= count
        if self._acknowledgements_free < 0:
            self._charge_acknowledgements()
        return data[end:]

    def _charge_acknowledgements(self) -> None:
        count = _ACKNOWLEDGEMENTS_CHARGED - self._acknowledgements_free
        self._acknowledgements_free = _ACKNOWLEDGEMENTS_CHARGED
        assert self._acknowledgement is not None
        self._pump.charge_bytes(count * len(self._acknowledgement))
        self._pump.set_reading()

    # --- At rest ---------------------------------------------------------------------------------

    def _rest(self) -> None:
        idle_readers, pump = self._listener.idle_readers, self._pump
        transport = self._connection.transport
        talks = self._listener.loop.time() - pump.spoke_at < SILENT_SECONDS
        if idle_readers is None or talks or self._connection.is_tls or not pump.reading:
            self._reads_until_rest = _READS_UNTIL_REST
            return
        self._resting_fd = transport.get_extra_info("socket").fileno()
        transport.pause_reading()
        assert self._acknowledgement is not None, "it has acknowledged"
        idle_readers.add(self._resting_fd, self._heard_at_rest, len(self._acknowledgement))

    def _heard_at_rest(self, data: bytes) -> None:
        """Take what came to a client at rest."""
        session = self._pump.session
        assert session is not None, "it rests in a session"
        if data:
            data = self._take_acknowledgements(session, data)
            if not data:
                return
        if self.woken():  # else it has acknowledged too much, and is not read for a while
            # That finds out as well whether the client is gone.
            self._connection.transport.resume_reading()
        if data:
            self.received(data)

    def woken(self) -> bool:
        if self._resting_fd < 0:
            return False
        self._listener.idle_readers.discard(self._resting_fd, self._heard_at_rest)  # type: ignore[union-attr]
        self._resting_fd = -1
        self._reads_until_rest = _READS_UNTIL_REST
        return True


class KeptAliveInbound(LineInbound):
    """Reads one client's lines, asks it when none come, and lets it go where none come then.

    The wheel of the listener's heartbeat compares: a read costs nothing more than the loop's clock.
    """

    __slots__ = ("_heard_at", "_is_asked", "_loop", "_slot")

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._loop = connection.listener.loop
        self._heard_at = 0.0
        self._is_asked = False
        self._slot = 0  # of the heartbeat

    def opened(self) -> None:
        self._heard_at = self._loop.time()
        self._slot = self._listener.heartbeat.add(self)
        super().opened()

    def received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        super().received(data)

    def lost(self) -> None:
        self._listener.heartbeat.discard(self, self._slot)
        super().lost()

    def beat(self) -> None:
        """Ask the client, or let it go, as its silence has it."""
        pump = self._pump
        session, now = pump.session, self._loop.time()
        if session is None or pump.is_over or not session.is_active:
            return  # who has not entered yet has the listener's patience
        if not pump.reading:  # what it said may be there, and has to be read first
            self._heard_at = now
        silence = now - self._heard_at
        if silence < PING_SECONDS:
            self._is_asked = False
        elif silence >= LET_GO_SECONDS and self._is_asked:
            self._listener.host.lost(session, Disconnect.SILENT)
        elif not self._is_asked:
            self._is_asked = True
            self._connection.write(self._listener.ping)


def connect(listener: Listener, client: Client | None = None) -> Connection:
    """Return what a client's socket is given to."""
    return Connection(listener, KeptAliveInbound if listener.ping else LineInbound, client)


async def serve(
    listener: Listener, listening: socket.socket, rules: PreambleRules | None = None
) -> Server:
    """Accept clients on a listening socket, through a preamble if there are rules for one."""
    return await connection.serve(listener, listening, partial(connect, listener), rules)
