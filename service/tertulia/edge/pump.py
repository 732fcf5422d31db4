"""Carrying out what one client sends, no faster than its limits allow.

fed ──▶ decoder ──a command──▶ host, as long as: the session takes commands; few of them are not committed;
the client reads what is written to it; it has not sent too much; and nobody else waits for a turn.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from tertulia.domain.commands import Fault, Faulty, Say, Whisper
from tertulia.domain.disconnects import Disconnect
from tertulia.domain.requests import Message
from tertulia.edge.pace import Pace
from tertulia.edge.serving import CommandSource, Listener, Served, Socket
from tertulia.telemetry.metrics import Limit

COMMANDS_AT_ONCE: Final = 64
"""Commands of one client that are carried out before everybody else has a turn."""
LONG_COMMANDS_AT_ONCE: Final = 8
"""The same where they may be long: a line of 4 kB takes up to half a millisecond to read."""
_FEW_BYTES: Final = 16_384
LARGE_READ: Final = 65_536
"""Bytes. libuv goes on reading, up to 32 times, as long as there is more than it has room for."""
_SAID: Final = frozenset({Say, Whisper, Message})
"""What puts text before somebody else."""

_log = structlog.get_logger(__name__)


class Pump:
    """What one client has sent, on its way to the host."""

    __slots__ = (
        "_has_rest",
        "_is_draining",
        "_lagging",
        "_listener",
        "_long_lines",
        "_socket",
        "_throttle",
        "carried_out",
        "decoder",
        "is_ended",
        "is_over",
        "is_plain",
        "pace",
        "part",
        "reading",
        "session",
        "spoke_at",
    )

    def __init__(self, listener: Listener, socket: Socket) -> None:
        self._listener = listener
        self._socket = socket
        self.session: Served | None = None
        self.decoder: CommandSource
        """What commands are taken from, as soon as there is a session."""
        self.carried_out: Callable[[Served], None] | None = None
        """What is to be done each time, after that."""
        self.pace: Pace | None = None
        """What it has sent; made when first needed, as most clients are idle."""
        self.part = b""
        """The beginning of a line that the feeder keeps back."""
        self.is_plain = False
        """Whether the session is active and nothing is half read."""
        self.is_ended = False
        """Whether the client will send no more."""
        self.is_over = False
        """Whether nothing is carried out any more: it is being closed, or gone."""
        self.reading = True
        """Whether the socket is read."""
        self.spoke_at = 0.0
        """When the client's last command came; seconds, by the loop's clock."""
        self._has_rest = False  # something is left that is gone on with in the next turn
        self._is_draining = False
        self._lagging = False
        self._long_lines = 0
        self._throttle: asyncio.TimerHandle | None = None

    def begin(self, session: Served) -> None:
        """Carry out what comes from now on in a session."""
        self.session = session
        self.decoder = session.decoder

    def end(self) -> None:
        """Let go of everybody. Each of them holds the other, and the garbage collector seldom comes."""
        self.is_over = True
        if self._throttle is not None:
            self._throttle.cancel()
        self.session = self.carried_out = None
        del self._socket

    def proceed(self) -> None:
        """Carry out what was read, as far as the session may go on."""
        session = self.session
        if session is None or self.is_over:
            return
        if self.is_plain and self.reading and not (self.is_ended or self._is_draining):
            return  # as after most answers: nothing waits to be carried out
        self.go_on(session)

    def go_on(self, session: Served) -> None:
        """Carry out what was read, no matter what was done with it before."""
        socket = self._socket
        try:
            self.carry_out(session)
            if self.carried_out is not None:
                self.carried_out(session)
        except Exception:
            # A defect of ours ends one connection, not the node, and is loud about it.
            _log.exception("connection failed", dialect=self._listener.dialect)
            self._listener.host.lost(session, Disconnect.INTERNAL)
        self.set_reading()
        if socket.patience is not None or not self.is_plain:
            socket.set_patience(session)

    def carry_out(self, session: Served) -> None:
        """Take commands, and have them carried out, until something speaks against it."""
        host, decoder, limits = self._listener.host, self.decoder, self._listener.limits
        self.is_plain = False
        left, more = LONG_COMMANDS_AT_ONCE, COMMANDS_AT_ONCE - LONG_COMMANDS_AT_ONCE
        while session.takes_commands and session.awaiting < limits.uncommitted_commands:
            behind = self._lagging and self._is_behind
            if (behind or self._throttle is not None) and not self._is_draining:
                return
            if not left:
                if not more or decoder.buffered > _FEW_BYTES:
                    self.leave_rest()
                    return
                left, more = more, 0
            left -= 1
            command = decoder.next_command()
            if command is None:
                self.is_plain = session.is_active and not (decoder.buffered or self.part)
                if self.is_ended and session.awaiting == 0:
                    host.lost(session, Disconnect.GONE)
                return
            if isinstance(command, Faulty) and command.fault is Fault.TOO_LONG:
                self._long_lines += 1
                if self._long_lines > limits.long_lines:
                    host.lost(session, Disconnect.LONG_LINES)
                    return
            host.command(session, command)
            self._charge_command(session, command)

    def leave_rest(self) -> None:
        """Let everybody else have a turn before more of this client is carried out, or read."""
        if not self._has_rest:
            self._has_rest = True
            self._listener.loop.call_soon(self._next_turn)
            self.set_reading()

    def _next_turn(self) -> None:
        self._has_rest = False
        self.proceed()

    # --- How the socket is -----------------------------------------------------------------------

    def lags(self) -> None:
        """Learn that the client does not read what is written to it."""
        self._lagging = True
        if self.session is not None:
            self._listener.host.lags(self.session)
        self.set_reading()

    def caught_up(self) -> None:
        """Learn that the client has read it."""
        self._lagging = False
        if self.session is not None:
            self._listener.host.caught_up(self.session)
        self.proceed()

    def drain(self) -> None:
        """Carry out what was read, without regard to its rate, and have nothing more read."""
        self._is_draining = True
        self.proceed()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing that was read waits to be carried out or answered."""
        session = self.session
        if session is None or self.is_over:
            return True
        is_answered = session.awaiting == 0 and not session.is_held
        is_through = not self._has_rest and (session.takes_commands or not session.is_active)
        return is_answered and is_through

    @property
    def _is_behind(self) -> bool:
        """Whether so much waits for a client that lags that it is not read from."""
        return self._socket.backlog() > self._listener.limits.outbox_pause_bytes

    def set_reading(self) -> None:
        """Have the socket read, or not, as what was carried out until now has it."""
        session = self.session
        if session is None or self.is_over or self.is_ended:
            return
        reading = (
            (not self._is_draining or self._socket.is_parted)
            and self._throttle is None
            and not self._has_rest
            and not (self._lagging and self._is_behind)
            and session.takes_commands
            and session.awaiting < self._listener.limits.uncommitted_commands
        )
        if reading is not self.reading:
            self.reading = reading
            self._socket.set_reading(reading)

    # --- Limits ----------------------------------------------------------------------------------

    def charge_bytes(self, count: int) -> None:
        """Take into account what came; where it is too much, nothing is carried out for a while."""
        pace = self.pace or self._paced()
        if debt := pace.read(count, self._listener.loop.time()):
            self._wait(debt, Limit.BYTES)

    def _charge_command(self, session: Served, command: object) -> None:
        pace = self.pace or self._paced()
        self.spoke_at = now = self._listener.loop.time()
        if debt := pace.command(now, is_said=type(command) in _SAID):
            if pace.is_to_be_told():
                self._listener.host.slowed(session)
            self._wait(debt, pace.limit)

    def _paced(self) -> Pace:
        self.pace = Pace(self._listener.rates)
        return self.pace

    def _wait(self, seconds: float, limit: Limit) -> None:
        if self._throttle is None and not self.is_over:
            self._listener.metrics.reads_paused(limit).inc()
            self._throttle = self._listener.loop.call_later(seconds, self._unthrottle)

    def _unthrottle(self) -> None:
        self._throttle = None
        self.proceed()
