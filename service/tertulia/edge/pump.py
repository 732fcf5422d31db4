"""Carrying out what one client sends, no faster than its limits allow.

fed ──▶ decoder ──a command──▶ host, as long as: the session takes commands; few of them are not committed;
the client reads what is written to it; it has not sent too much; and nobody else waits for a turn.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from tertulia.domain.commands import Ask, Fault, Faulty, JoinRoom, Say, ShowLobby, Whisper
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
_SHARE: Final = LONG_COMMANDS_AT_ONCE, COMMANDS_AT_ONCE - LONG_COMMANDS_AT_ONCE, _FEW_BYTES
"""So many commands of any length, and so many more where no more than so many bytes are left."""
_FILTERED_SHARE: Final = 1, COMMANDS_AT_ONCE - 1, 512
"""The same where each sign of a text may take two microseconds (edge/word_filter.py): ten milliseconds."""
TURNS_OF_A_READ: Final = 2
"""Of the loop: the first may come before the loop asks the system what is there, the second only after it."""
LARGE_READ: Final = 65_536
"""Bytes. libuv goes on reading, up to 32 times, as long as there is more than it has room for."""
_LARGE: Final = frozenset({Ask, ShowLobby})
"""What may have a line for each person in the chat for an answer: then everybody has a turn behind it."""
_SAID: Final = frozenset({Say, Whisper, Message, JoinRoom})
"""What puts text before somebody else: who joins a room is announced there."""

_log = structlog.get_logger(__name__)


class Pump:
    """What one client has sent, on its way to the host."""

    __slots__ = (
        "_counts_turns",
        "_has_rest",
        "_is_draining",
        "_lagging",
        "_listener",
        "_long_lines",
        "_socket",
        "_throttle",
        "_turns_left",
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
        self._turns_left = 0  # in which a connection that drains is still to be read
        self._counts_turns = False
        self._lagging = False
        self._long_lines = 0
        self._throttle: asyncio.TimerHandle | None = None

    def begin(self, listener: Listener, session: Served) -> None:
        """Carry out what comes from now on in a session of a listener's host."""
        self._listener = listener
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
        if session is None or self.is_over or self._has_rest:  # its next turn comes
            return
        if self.is_plain and self.reading and not (self.is_ended or self._is_draining):
            return  # as after most answers: nothing waits to be carried out
        self.go_on(session)

    def go_on(self, session: Served, size: int = 0) -> None:
        """Carry out what was read, no matter what was done with it before. ``size``: bytes to be charged."""
        socket = self._socket
        try:
            as_before = self.carry_out(session, size)
            if self.carried_out is not None:
                self.carried_out(session)
        except Exception:
            as_before = False
            self.fail()
        if not as_before:
            self.set_reading()
        if socket.patience is not None or not self.is_plain:
            socket.set_patience(session)

    def fail(self) -> None:
        """End the connection for the exception that is being handled.

        A defect of ours ends one connection, not the node, and is loud about it.
        """
        _log.exception("connection failed", dialect=self._listener.dialect)
        if self.session is not None:
            self._listener.host.lost(self.session, Disconnect.INTERNAL)
        else:
            self._listener.metrics.disconnects(Disconnect.INTERNAL).inc()
            self._socket.close(Disconnect.INTERNAL)

    def carry_out(self, session: Served, size: int = 0) -> bool:
        """Charge bytes, take commands, and have them carried out, until something speaks against it.

        True: the socket is to be read as before, as after most messages.
        """
        listener, decoder = self._listener, self.decoder
        host, limits, command_of = listener.host, listener.limits, decoder.next_command
        pace, now = self.pace or self._paced(), listener.loop.time()  # which stands still in a turn
        if size and (debt := pace.read(size, now)):
            self._wait(debt, Limit.BYTES)
        self.is_plain = False
        carry_out, most = host.command, limits.uncommitted_commands
        left, more, few = _FILTERED_SHARE if listener.is_filtered else _SHARE
        is_first = True
        while session.takes_commands and session.awaiting < most:
            is_held_up = self._throttle is not None or (self._lagging and self._is_behind)
            if is_held_up and not self._is_draining:
                return False
            if not left:
                if not more or decoder.buffered > few:
                    self.leave_rest()
                    return False
                left, more = more, 0
            left -= 1
            command = command_of()
            if command is None:
                self.is_plain = session.is_active and not (decoder.buffered or self.part)
                if self.is_ended and session.awaiting == 0:
                    host.lost(session, Disconnect.GONE)
                return False
            kind = type(command)
            if kind is Faulty and command.fault is Fault.TOO_LONG:
                self._long_lines += 1
                if self._long_lines > limits.long_lines:
                    host.lost(session, Disconnect.LONG_LINES)
                    return False
            carry_out(session, command)
            self.spoke_at = now
            is_said = kind in _SAID
            if not is_said and kind in _LARGE and command.is_long:
                left = more = 0
            if debt := pace.command(now, is_said=is_said):
                if pace.is_to_be_told():
                    host.slowed(session)
                self._wait(debt, pace.limit)
            elif is_first:
                is_first = False
                if (
                    left
                    and not (decoder.buffered or self.part or self.is_ended)
                    and session.is_active
                ):
                    # As after most commands: the decoder need not be asked for another one.
                    self.is_plain = True
                    is_free = session.awaiting < most and not self._is_draining
                    return is_free and session.takes_commands and self.reading
        return False

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
        """Carry out what was read, without regard to its rate, and have nothing more read.

        Where the socket was not being read, what the system has of it is read once, as soon as may be: some
        of it may have been there for long, as what a client says to its welcome.
        """
        self._is_draining = True
        if not self.reading:
            self._turns_left = TURNS_OF_A_READ
        self.proceed()

    def _count_turn(self) -> None:
        self._counts_turns = False
        self._turns_left -= 1
        if self.reading:  # else what came is too much for one go, and the rest has the next turn
            self._read_for_turns()

    def _read_for_turns(self) -> None:
        """Have a connection that drains read no more, once the loop has read it."""
        if not self._turns_left:
            self.set_reading()
        elif not self._counts_turns:
            self._counts_turns = True
            self._listener.loop.call_soon(self._count_turn)

    @property
    def is_quiet(self) -> bool:
        """Whether nothing that was read waits to be carried out or answered."""
        session = self.session
        if session is None or self.is_over:
            return True
        is_answered = session.awaiting == 0 and not session.is_held
        is_through = not self._has_rest and (session.takes_commands or not session.is_active)
        is_read = not (self._turns_left and session.takes_commands) or self.is_ended
        return is_answered and is_through and is_read

    @property
    def _is_behind(self) -> bool:
        """Whether so much waits for a client that lags that it is not read from."""
        return self._socket.backlog() > self._listener.limits.outbox_pause_bytes

    def set_reading(self) -> None:
        """Have the socket read, or not, as what was carried out until now has it."""
        session = self.session
        if session is None or self.is_over or self.is_ended:
            return
        if self._is_draining and not self._socket.is_parted:
            may_be_read = self._turns_left > 0
        else:
            may_be_read = self._throttle is None and not (self._lagging and self._is_behind)
        reading = (
            may_be_read
            and not self._has_rest
            and session.takes_commands
            and session.awaiting < self._listener.limits.uncommitted_commands
        )
        if reading is not self.reading:
            self.reading = reading
            self._socket.set_reading(reading)
            if reading and self._turns_left:
                self._read_for_turns()

    # --- Limits ----------------------------------------------------------------------------------

    def charge_bytes(self, count: int) -> None:
        """Take into account what came; where it is too much, nothing is carried out for a while."""
        pace = self.pace or self._paced()
        if debt := pace.read(count, self._listener.loop.time()):
            self._wait(debt, Limit.BYTES)

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
