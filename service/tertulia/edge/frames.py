"""The frames of one WebSocket, taken one at a time, so that the caller can stop. Sans-IO.

bytes ──a slice──▶ frames ──a message──▶ the session's reader ──▶ its command
                      └──ping, pong, close, a part of a message──▶ nothing, which is a command as well
"""

from collections import deque
from typing import Any, Final, cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from tertulia.dialects.browser import MAX_FRAME
from tertulia.domain.commands import Acknowledge
from tertulia.edge.serving import CommandSource

_SLICE: Final = 384
"""Bytes that are parsed at once: at most 64 frames, as a client's has six bytes at least."""
_NOTHING: Final = Acknowledge(0)
"""Stands for a frame that is no message: it counts as a command, and that is all."""


class Frames:
    """What a session's commands are taken from: see ``serving.Reading``.

    Pings are answered by ``protocol``, which has what is to be sent for them.
    """

    __slots__ = ("_decoder", "_fragments", "_frames", "_protocol", "_start", "_unread")

    def __init__(self, protocol: ServerProtocol, decoder: CommandSource) -> None:
        """Take over a connection after its handshake."""
        self._protocol = protocol
        self._decoder = decoder
        self._unread = b""
        self._start = 0  # of what is not parsed yet
        self._frames: deque[Frame] = deque()
        self._fragments: list[bytes] = []

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
            self._parse()
        return self._take(self._frames.popleft())

    def _parse(self) -> None:
        end = self._start + _SLICE
        self._protocol.receive_data(self._unread[self._start : end])
        self._start = end
        if end >= len(self._unread) or self._protocol.state is not State.OPEN:
            self._unread, self._start = b"", 0
        # After the handshake, all events are frames.
        self._frames.extend(cast(list[Frame], self._protocol.events_received()))

    def _take(self, frame: Frame) -> Any:
        if frame.opcode is Opcode.BINARY:
            self._fail(CloseCode.UNSUPPORTED_DATA, "text only")
        elif frame.opcode in (Opcode.TEXT, Opcode.CONT):
            self._fragments.append(bytes(frame.data))
            if len(self._fragments) > MAX_FRAME:  # even if nothing is in them, each costs something
                self._fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            elif frame.fin:
                message, self._fragments = b"".join(self._fragments), []
                return self._take_message(message)
        return _NOTHING

    def _take_message(self, message: bytes) -> Any:
        try:
            message.decode()
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "not UTF-8")
            return _NOTHING
        self._decoder.feed(message)
        return self._decoder.next_command()

    def _fail(self, code: CloseCode, reason: str) -> None:
        """Close because the client did something wrong; bytes behind that are not looked at."""
        self._unread, self._start = b"", 0
        self._frames.clear()
        if self._protocol.state is State.OPEN:  # else the client has closed behind it
            self._protocol.fail(code, reason)
