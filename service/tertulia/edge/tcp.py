"""TCP: bytes between sockets and sessions, with limits on what one client may cost."""

import asyncio
import socket
import struct
from collections.abc import Callable
from functools import partial
from typing import Final, cast

import structlog

from tertulia.domain.commands import Fault, Faulty, Say, Whisper
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.requests import Message
from tertulia.edge.binding import BACKLOG
from tertulia.edge.broadcast import UringBroadcast
from tertulia.edge.delivered import look_delivered, wait_delivered
from tertulia.edge.pace import Pace
from tertulia.edge.preamble import Preamble, PreambleRules
from tertulia.edge.serving import CLOSING_SECONDS, HEAD, Client, Listener, Reading, Served, peer_of
from tertulia.telemetry.metrics import Limit

_DRAINING_SECONDS: Final = 1.0
"""For how long a client may keep a connection that a node closes which shuts down."""
_ACKNOWLEDGEMENTS_CHARGED: Final = 4096
"""Acknowledgements are so frequent that they are charged for by the thousands."""
_NOTICING_SECONDS: Final = 2.0
"""For a client to close, too, that says what no answer tells it was taken."""
_RESET: Final = struct.pack("ii", 1, 0)
"""To linger for no time at all: the other side reads a reset."""
_READS_UNTIL_REST: Final = 16
"""Reads that brought nothing but acknowledgements, before a client is read less often."""
COMMANDS_AT_ONCE: Final = 64
"""Commands of one client that are carried out before everybody else has a turn."""
LONG_COMMANDS_AT_ONCE: Final = 8
"""The same where they may be long: a line of 4 kB takes up to half a millisecond to read."""
_FEW_BYTES: Final = 16_384
LARGE_READ: Final = 65_536
"""Bytes. libuv goes on reading, up to 32 times, as long as there is more than it has room for."""
_SAID: Final = frozenset({Say, Whisper, Message})
"""What puts text before somebody else."""
SILENT_SECONDS: Final = 1.0
"""For so long it must have said nothing, too: whoever talks is read at once."""

_log = structlog.get_logger(__name__)


class Connection(asyncio.Protocol):
    """One client's socket. It is its session's outbox, and feeds it commands."""

    __slots__ = (
        "_acknowledgement",
        "_acknowledgements_free",
        "_acknowledges",
        "_address",
        "_admitted",
        "_closing",
        "_decoder",
        "_delivered",
        "_draining",
        "_ended",
        "_gone",
        "_has_rest",
        "_lagging",
        "_listener",
        "_long_lines",
        "_pace",
        "_part",
        "_parted",
        "_plain",
        "_port",
        "_reading",
        "_reads_until_rest",
        "_resting_fd",
        "_session",
        "_spoke_at",
        "_throttle",
        "_timer",
        "_transport",
        "broadcast",
        "unheard",
        "write",
    )

    write: Callable[[bytes], None]

    def __init__(self, listener: Listener, client: Client | None = None) -> None:
        """Serve whom the socket says, or ``client``, whom an preamble has found out and counted."""
        self._listener = listener
        # A client ends its lines in one way, mostly: what it did last is compared with first.
        self._acknowledges = listener.acknowledgements[0] if listener.acknowledgements else None
        self._acknowledgement = listener.acknowledgement
        self._part = b""  # of an acknowledgement, that a read ended in
        self._acknowledgements_free = _ACKNOWLEDGEMENTS_CHARGED
        self._address, self._port = client or ("", 0)
        self._admitted = client is not None
        self._session: Served | None = None
        self._decoder: Reading  # what commands are taken from, as soon as there is a session
        self._pace: Pace | None = None  # made when first needed: most clients are idle
        self._has_rest = False  # something is left that is gone on with in the next turn
        self._long_lines = 0
        self._timer: asyncio.TimerHandle | None = None
        self._throttle: asyncio.TimerHandle | None = None
        self._reading = True
        self._plain = False  # nothing is half read, so a lone acknowledgement is just that
        self._lagging = False
        self._reads_until_rest = _READS_UNTIL_REST
        self._resting_fd = -1
        self._spoke_at = 0.0
        self._ended = False  # the client will send no more
        self._delivered: bool | None = None  # whether it had everything when it closed, if known
        self._draining = False
        self._parted = False  # our half is closed, and the client has a moment to notice
        self._closing = False
        self._gone = False
        self.broadcast: UringBroadcast | None = None
        self.unheard = False
        """Whether an abort is to be a reset: of what the client said, something may not be taken."""

    # --- What the socket tells -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        listener = self._listener
        self._transport = cast(asyncio.Transport, transport)
        self.write = self._transport.write
        listener.connections.add(self)
        if not self._admitted:
            self._address, self._port = peer_of(transport)
            refused = listener.counts.admit(self._address)
            if refused is not None:
                self._closing = True
                listener.turn_away(self._transport, refused)
                return
            self._admitted = True
        listener.metrics.connections.inc()
        # Its broadcast has to know at once that something waits.
        is_sent_to = listener.has_ring and not self._is_tls
        pause = 0 if is_sent_to else listener.limits.outbox_pause_bytes
        self._transport.set_write_buffer_limits(high=pause)
        self._timer = listener.loop.call_later(listener.patience.seconds, self._out_of_patience)
        self._opened()

    def data_received(self, data: bytes) -> None:
        session = self._session
        if data == self._acknowledgement and self._plain and self._reads_until_rest > 0:
            # The most frequent input there is: nothing else is looked at.
            self._reads_until_rest -= 1
            session.receipts.acknowledged += 1  # type: ignore[union-attr] # whoever is plain has a session
            return
        if session is None or self._closing:
            return
        if len(data) >= LARGE_READ:
            self._leave_rest()
        if self._part or (self._plain and self._listener.head.startswith(data[:HEAD])):
            data = self._take_acknowledgements(session, data)
            if not data:
                self._reads_until_rest -= 1
                if self._reads_until_rest <= 0:
                    self._rest()
                return
        self._reads_until_rest = _READS_UNTIL_REST
        if self._listener.patience.of_silence and self._timer is not None and not self._parted:
            self._timer.cancel()
            self._timer = None
        if self._pace is None:  # its first words
            self._listener.look_for_header(data, self._address)
        self._decoder.feed(data)
        self._charge_bytes(len(data))
        self._go_on(session)

    def _take_acknowledgements(self, session: Served, data: bytes) -> bytes:
        """Take those that data begins with, which need not be read as lines; return the rest.

        Nothing is returned where that may be the beginning of another one: it is kept.
        """
        if self._part:
            data, self._part = self._part + data, b""
            self._plain = True  # as it was before that
        each = self._acknowledges
        assert each is not None
        count = end = 0
        if len(data) % each.length == 0 and each.many.startswith(data):
            count, end = len(data) // each.length, len(data)  # nothing else, however many
        else:
            lf, crlf = self._listener.acknowledgements
            other = crlf if each is lf else lf
            while True:
                begin, line, length = end, each.line, each.length
                while data.startswith(line, end):
                    end += length
                count += (end - begin) // length
                if not data.startswith(other.line, end):
                    break
                each, other = other, each
            self._acknowledges, self._acknowledgement = each, each.line
            if 0 < len(data) - end < crlf.length and crlf.line.startswith(data[end:]):
                self._part, self._plain, data = data[end:], False, data[:end]
        session.receipts.acknowledged += count
        self._acknowledgements_free -= count
        if self._acknowledgements_free < 0:
            self._charge_acknowledgements()
        return data[end:]

    def eof_received(self) -> bool:
        # What was read before the end is carried out, and answered: the other half may be open.
        self._ended = True
        session, has_halves = self._session, self._transport.can_write_eof()
        if not has_halves:
            # TLS has no halves: it closes now, and what is written from here on reaches nobody.
            self._delivered = look_delivered(self._transport) is True
        if self._closing:
            return session is not None and self._listener.host.ended(session) and has_halves
        if self._parted and self._timer is not None:
            self._timer.cancel()  # all is here that it said, and will be carried out
        self.proceed()
        if not has_halves and session is not None:
            self._listener.host.lost(session, Disconnect.GONE)
        return has_halves

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        self._end_rest()
        listener, session = self._listener, self._session
        listener.connections.discard(self)
        for timer in (self._timer, self._throttle):
            if timer is not None:
                timer.cancel()
        if self._admitted:
            listener.counts.release(self._address)
            listener.metrics.connections.dec()
        if session is not None:
            listener.host.lost(session, Disconnect.GONE if self._ended else Disconnect.BROKEN)
        # Each holds the other, and what TLS keeps for them is not left to the garbage collector, which
        # seldom comes.
        self._session = None

    def pause_writing(self) -> None:
        self._lagging = True
        if self.broadcast is not None:
            self.broadcast.set_aside(self)
        if self._session is not None:
            self._listener.host.lags(self._session)
        self._set_reading()

    def resume_writing(self) -> None:
        self._lagging = False
        if self.broadcast is not None:
            self.broadcast.take_back(self)
        if self._session is not None:
            self._listener.host.caught_up(self._session)
        self.proceed()

    # --- What the session asks -------------------------------------------------------------------

    def proceed(self) -> None:
        """Carry out what was read, as far as the session may go on."""
        session = self._session
        if session is None or self._closing:
            return
        if self._plain and self._reading and not (self._ended or self._draining):
            return  # as after most answers: nothing waits to be carried out
        self._go_on(session)

    def _go_on(self, session: Served) -> None:
        try:
            self._carry_out(session)
        except Exception:
            # A defect of ours ends one connection, not the node, and is loud about it.
            _log.exception("connection failed", dialect=self._listener.dialect)
            self._listener.host.lost(session, Disconnect.INTERNAL)
        self._set_reading()
        if self._timer is not None or not self._plain:
            self._set_timer(session)

    def is_flushed(self) -> bool:
        return not self._gone and self._transport.get_write_buffer_size() == 0

    def backlog(self) -> int:
        return self._transport.get_write_buffer_size()

    def plain_socket(self) -> int | None:
        return None if self._is_tls else self._transport.get_extra_info("socket").fileno()

    async def is_delivered(self) -> bool:
        if self._delivered is not None:
            return self._delivered
        return not self._gone and await wait_delivered(self._transport, CLOSING_SECONDS)

    def close(self, reason: Disconnect) -> None:
        session = self._session
        if self._gone:
            return
        if self._closing:
            if self._ended:
                self._transport.close()
            return
        self._closing = True
        if reason is Disconnect.SLOW_READER:
            self._transport.abort()
            return
        if self._ended or not self._transport.can_write_eof():
            self._transport.close()
        else:
            # Closing on bytes that were not read resets the connection, and the client may lose its
            # last words. So only our half is closed, and what still comes is thrown away.
            self._transport.write_eof()
            if self._end_rest() or not self._reading:
                self._transport.resume_reading()
            if reason is Disconnect.OPERATION_OVER and session is not None and session.awaits_end:
                self._stop_timer()  # however long: old devices keep it as long as they chat
                return
        seconds = _DRAINING_SECONDS if reason is Disconnect.DRAINED else CLOSING_SECONDS
        self._replace_timer(seconds, self._transport.abort)

    def cut(self, reason: Disconnect) -> None:
        if self._gone or self._closing:
            return
        self._closing = True
        if self.unheard:
            self.abort()
        else:
            self._transport.close()
            self._replace_timer(CLOSING_SECONDS, self._transport.abort)

    def part(self) -> None:
        if self._gone or self._closing:
            return
        self._parted = True
        if self._transport.can_write_eof():  # TLS has no halves: there it ends with the moment
            self._transport.write_eof()
        self._replace_timer(_NOTICING_SECONDS, self.abort)
        self.proceed()

    # --- Draining --------------------------------------------------------------------------------

    def stop_reading(self) -> None:
        """Read nothing more; what was read is still carried out, without regard to its rate."""
        self._draining = True
        self.proceed()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing that was read waits to be carried out or answered."""
        session = self._session
        if session is None or self._closing:
            return True
        is_answered = session.awaiting == 0 and not session.is_held
        is_through = not self._has_rest and (session.takes_commands or not session.is_active)
        return is_answered and is_through

    def close_unless_closing(self) -> None:
        """Close a connection that has no session in the chat."""
        if self._closing:
            self._replace_timer(_DRAINING_SECONDS, self._transport.abort)
        elif self._session is not None:
            self._listener.host.lost(self._session, Disconnect.DRAINED)
        else:
            self.close(Disconnect.DRAINED)

    def abort(self) -> None:
        """Close at once, whatever was not sent."""
        if self.unheard:
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    # --- Its beginning ---------------------------------------------------------------------------

    def _opened(self) -> None:
        listener = self._listener
        self._session = session = listener.host.connect(self, self._address, self._port)
        self._decoder = session.decoder

    def _refuse(self, reason: Disconnect) -> None:
        """Close a connection that never came to have a session."""
        self._listener.metrics.disconnects(reason).inc()
        self.close(reason)

    # --- Limits ----------------------------------------------------------------------------------

    def _carry_out(self, session: Served) -> None:
        host, decoder, limits = self._listener.host, self._decoder, self._listener.limits
        self._plain = False
        left, more = LONG_COMMANDS_AT_ONCE, COMMANDS_AT_ONCE - LONG_COMMANDS_AT_ONCE
        while session.takes_commands and session.awaiting < limits.uncommitted_commands:
            behind = self._lagging and self._is_behind
            if (behind or self._throttle is not None) and not self._draining:
                return
            if not left:
                if not more or decoder.buffered > _FEW_BYTES:
                    self._leave_rest()
                    return
                left, more = more, 0
            left -= 1
            command = decoder.next_command()
            if command is None:
                self._plain = session.is_active and not (decoder.buffered or self._part)
                if self._ended and session.awaiting == 0:
                    host.lost(session, Disconnect.GONE)
                return
            if isinstance(command, Faulty) and command.fault is Fault.TOO_LONG:
                self._long_lines += 1
                if self._long_lines > limits.long_lines:
                    host.lost(session, Disconnect.LONG_LINES)
                    return
            host.command(session, command)
            self._charge_command(session, command)

    def _leave_rest(self) -> None:
        """Let everybody else have a turn before more of this client is carried out, or read."""
        if not self._has_rest:
            self._has_rest = True
            self._listener.loop.call_soon(self._next_turn)
            self._set_reading()

    def _next_turn(self) -> None:
        self._has_rest = False
        self.proceed()

    @property
    def _is_behind(self) -> bool:
        """Whether so much waits for a client that lags that it is not read from."""
        return self.backlog() > self._listener.limits.outbox_pause_bytes

    @property
    def _is_tls(self) -> bool:
        return self._transport.get_extra_info("ssl_object") is not None

    def _charge_command(self, session: Served, command: object) -> None:
        pace = self._pace or self._paced()
        self._spoke_at = now = self._listener.loop.time()
        if debt := pace.command(now, is_said=type(command) in _SAID):
            if pace.is_to_be_told():
                self._listener.host.slowed(session)
            self._wait(debt, pace.limit)

    def _charge_bytes(self, count: int) -> None:
        pace = self._pace or self._paced()
        if debt := pace.bytes.charge(count, self._listener.loop.time()):
            self._wait(debt, Limit.BYTES)

    def _paced(self) -> Pace:
        self._pace = Pace(self._listener.limits)
        return self._pace

    def _charge_acknowledgements(self) -> None:
        count = _ACKNOWLEDGEMENTS_CHARGED - self._acknowledgements_free
        self._acknowledgements_free = _ACKNOWLEDGEMENTS_CHARGED
        assert self._acknowledges is not None
        self._charge_bytes(count * self._acknowledges.length)
        self._set_reading()

    def _wait(self, seconds: float, limit: Limit) -> None:
        if self._throttle is None and not self._closing:
            self._listener.metrics.reads_paused(limit).inc()
            self._throttle = self._listener.loop.call_later(seconds, self._unthrottle)

    def _unthrottle(self) -> None:
        self._throttle = None
        self.proceed()

    def _set_reading(self) -> None:
        session = self._session
        if session is None or self._closing or self._gone or self._ended:
            return
        reading = (
            (self._parted or not self._draining)
            and self._throttle is None
            and not self._has_rest
            and not (self._lagging and self._is_behind)
            and session.takes_commands
            and session.awaiting < self._listener.limits.uncommitted_commands
        )
        if reading is not self._reading:
            self._reading = reading
            if self._end_rest():
                return  # nothing is read there: whoever rests was reading until now
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    # --- At rest ---------------------------------------------------------------------------------

    def _rest(self) -> None:
        resting = self._listener.resting
        talks = self._listener.loop.time() - self._spoke_at < SILENT_SECONDS
        if resting is None or talks or self._is_tls or not self._reading:
            self._reads_until_rest = _READS_UNTIL_REST
            return
        self._resting_fd = self._transport.get_extra_info("socket").fileno()
        self._transport.pause_reading()
        assert self._acknowledges is not None, "it has acknowledged"
        resting.add(self._resting_fd, self._heard_at_rest, self._acknowledges.length)

    def _heard_at_rest(self, data: bytes) -> None:
        """Take what came to a client at rest."""
        session = self._session
        assert session is not None, "it rests in a session"
        if data:
            data = self._take_acknowledgements(session, data)
            if not data:
                return
        if self._end_rest():  # else it has acknowledged too much, and is not read for a while
            self._transport.resume_reading()  # which finds out as well whether the client is gone
        if data:
            self.data_received(data)

    def _end_rest(self) -> bool:
        """Be read by the transport again, once that is told to. Say whether it was at rest."""
        if self._resting_fd < 0:
            return False
        self._listener.resting.discard(self._resting_fd, self._heard_at_rest)  # type: ignore[union-attr]
        self._resting_fd = -1
        self._reads_until_rest = _READS_UNTIL_REST
        return True

    def _set_timer(self, session: Served) -> None:
        if self._closing or self._parted:
            return
        if not session.is_in_hurry:
            if self._timer is not None:
                self._stop_timer()
        elif self._timer is None:
            self._replace_timer(self._listener.patience.seconds, self._out_of_patience)

    def _out_of_patience(self) -> None:
        self._timer = None
        if self._session is None:
            self._refuse(self._listener.patience.reason)
        elif self._session.is_in_hurry:
            self._listener.host.lost(self._session, self._listener.patience.reason)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _replace_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = self._listener.loop.call_later(seconds, callback)


async def serve(
    listener: Listener,
    listening: socket.socket,
    gate: PreambleRules | None = None,
    connection: Callable[[Client | None], Connection] | None = None,
) -> asyncio.Server:
    """Accept clients on a listening socket, through a gate if there is one.

    ``connection`` makes what each of them gets, with the client that an preamble knows.
    """
    begin = connection or partial(Connection, listener)

    def make() -> asyncio.Protocol:
        return begin(None) if gate is None else Preamble(gate, listener, begin)

    return await listener.loop.create_server(make, sock=listening, backlog=BACKLOG)
