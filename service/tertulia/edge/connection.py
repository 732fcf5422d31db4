"""One client's socket: counted, written to, and closed so that nothing is lost that can still be read.

What its bytes mean is its inbound's affair: lines (``tcp``), or a browser's HTTP and WebSocket
(``websocket``). Both have what they read carried out by the connection's pump.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol, cast

from tertulia.domain.disconnects import Disconnect
from tertulia.edge.binding import BACKLOG
from tertulia.edge.broadcast import UringBroadcast
from tertulia.edge.delivered import look_delivered, wait_delivered
from tertulia.edge.preamble import Preamble, PreambleRules
from tertulia.edge.pump import Pump
from tertulia.edge.serving import CLOSING_SECONDS, Client, Listener, Served, peer_of

_DRAINING_SECONDS: Final = 1.0
"""For how long a client may keep a connection that a node closes which shuts down."""
_NOTICING_SECONDS: Final = 2.0
"""For a client to close, too, that says what no answer tells it was taken."""
_RESET: Final = struct.pack("ii", 1, 0)
"""To linger for no time at all: the other side reads a reset."""


class Inbound(Protocol):
    """What reads a connection's bytes."""

    def opened(self) -> None:
        """Begin: the client is let in."""
        ...

    def received(self, data: bytes) -> None:
        """Take bytes."""
        ...

    def ended(self) -> bool:
        """Learn that the client closed its half; say whether ours stays open."""
        ...

    def closing(self, reason: Disconnect) -> None:
        """Say in the protocol's own words that the service closes, before the socket does."""
        ...

    def woken(self) -> bool:
        """Leave reading to the transport, where somebody else does that. Say whether it was so."""
        ...

    def lost(self) -> None:
        """Let go of the connection: it is gone."""
        ...


class Connection(asyncio.Protocol):
    """One client's socket. It is its session's outbox."""

    __slots__ = (
        "_address",
        "_admitted",
        "_closing",
        "_delivered",
        "_gone",
        "_inbound",
        "_port",
        "broadcast",
        "data_received",
        "is_parted",
        "listener",
        "patience",
        "proceed",
        "pump",
        "transport",
        "unheard",
        "write",
    )

    write: Callable[[bytes], None]
    proceed: Callable[[], None]

    def __init__(
        self,
        listener: Listener,
        inbound: Callable[["Connection"], Inbound],
        client: Client | None = None,
    ) -> None:
        """Serve the client that the socket names, or ``client``, which a preamble found and counted."""
        self.listener = listener
        self._address, self._port = client or ("", 0)
        self._admitted = client is not None
        self.patience: asyncio.TimerHandle | None = None
        """Ends the connection where the client, or its end, does not come in time."""
        self._delivered: bool | None = None  # whether it had everything when it closed, if known
        self.is_parted = False
        """Whether our half is closed, and the client has a moment to notice."""
        self._closing = False
        self._gone = False
        self.broadcast: UringBroadcast | None = None
        self.unheard = False
        """Whether an abort is to be a reset: some of what the client said may not be taken."""
        self.pump = Pump(listener, self)
        self.proceed = self.pump.proceed
        self._inbound = inbound(self)
        # The event loop takes it from here once, so there is no call in between.
        self.data_received = self._inbound.received  # type: ignore[method-assign] # a slot

    # --- What the socket tells -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        listener = self.listener
        self.transport = cast(asyncio.Transport, transport)
        self.write = self.transport.write
        listener.connections.add(self)
        if not self._admitted:
            self._address, self._port = peer_of(transport)
            refused = listener.counts.admit(self._address)
            if refused is not None:
                self._closing = self.pump.is_over = True
                listener.turn_away(self.transport, refused)
                return
            self._admitted = True
        listener.metrics.connections.inc()
        # Its broadcast has to know at once that something waits.
        is_sent_to = listener.has_ring and not self.is_tls
        pause = 0 if is_sent_to else listener.limits.outbox_pause_bytes
        self.transport.set_write_buffer_limits(high=pause)
        self.patience = listener.loop.call_later(listener.patience.seconds, self._out_of_patience)
        self._inbound.opened()

    def eof_received(self) -> bool:
        return self._inbound.ended()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = self.pump.is_over = True
        listener, pump = self.listener, self.pump
        listener.connections.discard(self)
        self.stop_patience()
        if self._admitted:
            listener.counts.release(self._address)
            listener.metrics.connections.dec()
        if pump.session is not None:
            reason = Disconnect.GONE if pump.is_ended else Disconnect.BROKEN
            listener.host.lost(pump.session, reason)
        # Each holds the other, and what TLS keeps for them is not left to the garbage collector, which
        # seldom comes.
        self._inbound.lost()
        pump.end()

    def pause_writing(self) -> None:
        if self.broadcast is not None:
            self.broadcast.set_aside(self)
        self.pump.lags()

    def resume_writing(self) -> None:
        if self.broadcast is not None:
            self.broadcast.take_back(self)
        self.pump.caught_up()

    # --- What the session asks -------------------------------------------------------------------

    def is_flushed(self) -> bool:
        return not self._gone and self.transport.get_write_buffer_size() == 0

    def backlog(self) -> int:
        return self.transport.get_write_buffer_size()

    def plain_socket(self) -> int | None:
        return None if self.is_tls else self.transport.get_extra_info("socket").fileno()

    async def is_delivered(self) -> bool:
        if self._delivered is not None:
            return self._delivered
        return not self._gone and await wait_delivered(self.transport, CLOSING_SECONDS)

    def close(self, reason: Disconnect) -> None:
        pump, transport = self.pump, self.transport
        if self._gone:
            return
        if self._closing:
            if pump.is_ended:
                transport.close()
            return
        self._inbound.closing(reason)
        self._closing = pump.is_over = True
        if reason is Disconnect.SLOW_READER:
            transport.abort()
            return
        if pump.is_ended or not transport.can_write_eof():
            transport.close()
        else:
            # Closing on bytes that were not read resets the connection, and the client may lose its
            # last words. So only our half is closed, and what still comes is thrown away.
            transport.write_eof()
            if self._inbound.woken() or not pump.reading:
                transport.resume_reading()
            if reason is Disconnect.OPERATION_OVER and pump.session and pump.session.awaits_end:
                self.stop_patience()  # however long: old devices keep it as long as they chat
                return
        seconds = _DRAINING_SECONDS if reason is Disconnect.DRAINED else CLOSING_SECONDS
        self._replace_patience(seconds, transport.abort)

    def cut(self, reason: Disconnect) -> None:
        if self._gone or self._closing:
            return
        self._closing = self.pump.is_over = True
        if self.unheard:
            self.abort()
        else:
            self.transport.close()
            self._replace_patience(CLOSING_SECONDS, self.transport.abort)

    def part(self) -> None:
        if self._gone or self._closing:
            return
        self.is_parted = True
        if self.transport.can_write_eof():  # TLS has no halves: there it ends with the moment
            self.transport.write_eof()
        self._replace_patience(_NOTICING_SECONDS, self.abort)
        self.proceed()

    # --- Draining --------------------------------------------------------------------------------

    def stop_reading(self) -> None:
        """Read what is there, and nothing more; it is carried out, without regard to its rate."""
        if self._inbound.woken():
            # Nothing has read it but those at rest, who look now and then.
            self.pump.reading = False
        self.pump.drain()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing that was read waits to be carried out or answered."""
        return self.pump.is_quiet

    def close_unless_closing(self) -> None:
        """Close a connection that has no session in the chat."""
        if self._closing:
            self._replace_patience(_DRAINING_SECONDS, self.transport.abort)
        elif self.pump.session is not None:
            self.listener.host.lost(self.pump.session, Disconnect.DRAINED)
        else:
            self.close(Disconnect.DRAINED)

    def abort(self) -> None:
        """Close at once, even if something was not sent."""
        if self.unheard:
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    # --- What its inbound and its pump ask ----------------------------------------------------------

    @property
    def address(self) -> str:
        """Where the client is."""
        return self._address

    @property
    def is_tls(self) -> bool:
        """Whether what is written is encrypted here."""
        return self.transport.get_extra_info("ssl_object") is not None

    def begin_session(self, listener: Listener | None = None) -> None:
        """Have the host take the client in: that of its listener, or of another one with the same limits."""
        self.listener = listener = listener or self.listener
        self.pump.begin(listener, listener.host.connect(self, self._address, self._port))

    def half_closed(self) -> bool:
        """Carry out and answer what was read before the client's end: our half may stay open."""
        pump, transport = self.pump, self.transport
        pump.is_ended = True
        session, has_halves = pump.session, transport.can_write_eof()
        if not has_halves:
            # TLS has no halves: it closes now, and what is written from here on reaches nobody.
            self._delivered = look_delivered(transport) is True
        if self._closing:
            return session is not None and self.listener.host.ended(session) and has_halves
        if self.is_parted and self.patience is not None:
            self.patience.cancel()  # all is here that it said, and will be carried out
        pump.proceed()
        if not has_halves and session is not None:
            self.listener.host.lost(session, Disconnect.GONE)
        return has_halves

    def set_reading(self, reading: bool) -> None:
        """Have the transport read, or not."""
        if self._inbound.woken():
            return  # nothing is read there: a client at rest was reading until now
        if reading:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def set_patience(self, session: Served) -> None:
        """Be patient for so long with a client that has to do something, and for good with others."""
        if self._closing or self.is_parted:
            return
        if not session.is_in_hurry:
            self.stop_patience()
        elif self.patience is None:
            self._replace_patience(self.listener.patience.seconds, self._out_of_patience)

    def heard(self) -> None:
        """Be patient for good: the client has said the word that was waited for."""
        if not self.is_parted:
            self.stop_patience()

    def stop_patience(self) -> None:
        """Wait for the client for good."""
        if self.patience is not None:
            self.patience.cancel()
            self.patience = None

    def wait_on(self, seconds: float) -> None:
        """Wait so long for what a client without a session does next, which it need not."""
        self._replace_patience(seconds, partial(self.close, Disconnect.GONE))

    def _out_of_patience(self) -> None:
        self.patience = None
        session, reason = self.pump.session, self.listener.patience.reason
        if session is None:  # it never came to have one
            self.listener.metrics.disconnects(reason).inc()
            self.close(reason)
        elif session.is_in_hurry:
            self.listener.host.lost(session, reason)

    def _replace_patience(self, seconds: float, callback: Callable[[], None]) -> None:
        self.stop_patience()
        self.patience = self.listener.loop.call_later(seconds, callback)


async def serve(
    listener: Listener,
    listening: socket.socket,
    begin: Callable[[Client | None], Connection],
    rules: PreambleRules | None = None,
) -> asyncio.Server:
    """Accept clients on a listening socket, through a preamble if there are rules for one.

    ``begin`` makes the connection of each of them, with the client that a preamble knows.
    """

    def make() -> asyncio.Protocol:
        return begin(None) if rules is None else Preamble(rules, listener, begin)

    return await listener.loop.create_server(make, sock=listening, backlog=BACKLOG)
