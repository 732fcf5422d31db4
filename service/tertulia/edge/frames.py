"""The frames of one WebSocket, taken one at a time, so that the caller can stop. Sans-IO.

bytes ──a short message in a frame of its own─────▶ the session's reader ──▶ its command
  └─────a slice──▶ frames ──a message─────────────▶   the same
                      └──ping, pong, close, a part of a message──▶ nothing, which is a command as well
"""

from collections import deque
from typing import Any, Final, cast

from websockets.frames import (  # type: ignore[attr-defined]  # its apply_mask: the quick one, if any
    CloseCode,
    Frame,
    Opcode,
    apply_mask,
)
from websockets.protocol import State
from websockets.server import ServerProtocol

from tertulia.dialects.browser import MAX_FRAME
from tertulia.domain.commands import Acknowledge
from tertulia.edge.serving import CommandSource

_SLICE: Final = 384
"""Bytes that are parsed at once: at most 64 frames, as a client's has six bytes at least."""
_MESSAGES: Final = (Opcode.TEXT, Opcode.BINARY)
_NOTHING: Final = Acknowledge(0)
"""Stands for a frame that is no message: it counts as a command, and that is all."""


def _length(payload: int) -> int:
    """Return how many bytes a client's frame takes: RFC 6455, 5.2."""
    return payload + (6 if payload < 126 else 8 if payload < 65_536 else 14)


class Frames:
    """What a session's commands are taken from: see ``serving.Reading``.

    Pings are answered by ``protocol``, which has what is to be sent for them.
    """

    __slots__ = (
        "_decoder",
        "_fragments",
        "_frames",
        "_half_read",
        "_opcode",
        "_protocol",
        "_start",
        "_unread",
    )

    def __init__(
        self, protocol: ServerProtocol, decoder: CommandSource, opcode: Opcode = Opcode.TEXT
    ) -> None:
        """Take over a connection after its handshake; its messages are of one kind, ``opcode``."""
        self._protocol = protocol
        self._opcode = opcode
        self._decoder = decoder
        self._unread = b""
        self._start = 0  # of what is not parsed yet
        self._frames: deque[Frame] = deque()
        self._fragments: list[bytes] = []
        self._half_read = 0  # bytes of a frame that is not whole

    @property
    def is_between(self) -> bool:
        """Whether what comes next is the beginning of a frame, and nothing waits before it."""
        return not (self._half_read or self._unread or self._frames)

    @property
    def buffered(self) -> int:
        """How much is there that can be taken, or parsed."""
        return len(self._unread) - self._start + len(self._frames)

    def feed(self, data: bytes) -> None:
        """Take bytes in any split."""
        self._unread = self._unread[self._start :] + data if self._unread else data
        self._start = 0

    def next_command(self) -> Any:
        """Return what the next frame asks for, or None where more bytes are needed."""
        while not self._frames:
            if not self._unread:
                return None
            message = self._short_message()
            if message is not None:
                return self._take_message(message)
            self._parse()
        return self._take(self._frames.popleft())

    def _short_message(self) -> bytes | None:
        """Take a short message that comes next and is a frame of its own, as most are.

        ``protocol`` would make the same of it, in thirty calls. None: it is to look what comes.
        """
        data, start = self._unread, self._start
        if (
            self._half_read
            or self._fragments
            or len(data) < start + 8
            or data[start] != 0x80 | self._opcode  # whole, and of no extension
            or self._protocol.state is not State.OPEN
        ):
            return None
        size, mask = data[start + 1] - 0x80, start + 2
        if size == 126:
            size, mask = int.from_bytes(data[mask : mask + 2]), mask + 2
            if size < 126:  # written with more bytes than it takes
                return None
        text = mask + 4
        end = text + size
        if not 0 <= size <= _SLICE or end > len(data):  # not masked, long, or not there yet
            return None
        message = apply_mask(data[text:end], data[mask:text])
        if end == len(data):
            self._unread, self._start = b"", 0
        else:
            self._start = end
        return message

    def _parse(self) -> None:
        end = self._start + _SLICE
        slice_ = self._unread[self._start : end]
        self._protocol.receive_data(slice_)
        self._start = end
        if end >= len(self._unread) or self._protocol.state is not State.OPEN:
            self._unread, self._start = b"", 0
        # After the handshake, all events are frames.
        frames = cast(list[Frame], self._protocol.events_received())
        # A frame that says its length in more bytes than it needs makes this too much, for good: see its use.
        self._half_read += len(slice_) - sum(_length(len(frame.data)) for frame in frames)
        self._frames.extend(frames)

    def _take(self, frame: Frame) -> Any:
        if frame.opcode in (self._opcode, Opcode.CONT):
            self._fragments.append(bytes(frame.data))
            if len(self._fragments) > MAX_FRAME:  # even if nothing is in them, each costs something
                self._fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            elif frame.fin:
                message, self._fragments = b"".join(self._fragments), []
                return self._take_message(message)
        elif frame.opcode in _MESSAGES:
            self._fail(CloseCode.UNSUPPORTED_DATA, f"{self._opcode.name.lower()} only")
        return _NOTHING

    def _take_message(self, message: bytes) -> Any:
        if self._opcode is Opcode.TEXT:
            try:
                message.decode()
            except UnicodeDecodeError:
                self._fail(CloseCode.INVALID_DATA, "not UTF-8")
                return _NOTHING
        return self._command_in(message)

    def _command_in(self, message: bytes) -> Any:
        self._decoder.feed(message)
        return self._decoder.next_command()

    def _fail(self, code: CloseCode, reason: str) -> None:
        """Close because the client did something wrong; bytes behind that are not looked at."""
        self._unread, self._start = b"", 0
        self._frames.clear()
        if self._protocol.state is State.OPEN:  # else the client has closed behind it
            self._protocol.fail(code, reason)


class LineFrames(Frames):
    """The same where each message is a line without its end, which may ask for several things or none."""

    __slots__ = ("_may_have_more",)

    def __init__(
        self, protocol: ServerProtocol, decoder: CommandSource, opcode: Opcode = Opcode.TEXT
    ) -> None:
        super().__init__(protocol, decoder, opcode)
        self._may_have_more = False

    @property
    def buffered(self) -> int:
        return super().buffered + self._decoder.buffered

    def next_command(self) -> Any:
        if self._may_have_more:
            command = self._decoder.next_command()
            if command is not None:
                return command
            self._may_have_more = False
        return super().next_command()

    def _command_in(self, message: bytes) -> Any:
        self._may_have_more = True
        command = super()._command_in(message + b"\n")
        return _NOTHING if command is None else command
