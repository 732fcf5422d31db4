"""WebSocket frames as a client writes and reads them (RFC 6455). Sans-IO."""

import base64
import os
from typing import Final

TEXT: Final = 0x1
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_LENGTH: Final = 0x7F
_NO_MASK: Final = b"\0\0\0\0"
"""RFC 6455, 5.3, wants a mask that scripts in a browser can't foresee. There are none here, and this
one leaves the text as it is."""


class Upgrading:
    """The beginning of a connection: HTTP, then the first frames, until a client has entered."""

    def __init__(self, place: str, path: str) -> None:
        self.entered = False
        self.refused = ""
        self.rest = b""
        self._upgraded = False
        key = base64.b64encode(os.urandom(16)).decode()
        self._opening = (
            f"GET {path} HTTP/1.1\r\nHost: {place}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        self._early = b""

    def feed(self, data: bytes) -> bytes:
        """Take what came, and return what to write."""
        written, self._opening = self._opening, b""
        self.rest += data
        if not self._upgraded:
            head, blank, rest = self.rest.partition(b"\r\n\r\n")
            if not blank:
                return written
            status = head.partition(b"\r\n")[0]
            if not status.startswith(b"HTTP/1.1 101"):
                self.refused = status.decode(errors="replace") or "no HTTP"
                return written
            self._upgraded = True
            self.rest = rest
            written += self.begun()
        start = 0
        while not (self.entered or self.refused):
            end, operation, payload = next_frame(self.rest, start)
            if not end:
                break
            if operation == PING:
                written += frame(PONG, payload)
            elif operation == CLOSE:
                self.refused = reason(payload)
            elif operation == TEXT:
                answer = self.take(payload)
                if answer is None:
                    self._early += self.rest[start:end]
                else:
                    written += answer
            start = end
        self.rest = self.rest[start:]
        if self.entered:
            self.rest = self._early + self.rest
        return written

    def begun(self) -> bytes:
        """Return what to write first, in frames."""
        raise NotImplementedError

    def take(self, payload: bytes) -> bytes | None:
        """Take a text, and return what to write; None where it does not belong to the beginning."""
        raise NotImplementedError


def frame(operation: int, payload: bytes) -> bytes:
    """Make a client's frame (RFC 6455, 5.2)."""
    length = len(payload)
    if length < 126:
        head = bytes((_FINAL | operation, _MASKED | length))
    elif length < 65_536:
        head = bytes((_FINAL | operation, _MASKED | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((_FINAL | operation, _MASKED | 127)) + length.to_bytes(8, "big")
    return head + _NO_MASK + payload


def next_frame(data: bytes, start: int) -> tuple[int, int, bytes]:
    """Return the end of a server's frame (0 where it is not all there), its operation and payload."""
    if len(data) < start + 2:
        return 0, 0, b""
    operation, length, begin = data[start] & 0x0F, data[start + 1] & _LENGTH, start + 2
    if length == 126:
        length, begin = int.from_bytes(data[begin : begin + 2], "big"), begin + 2
    elif length == 127:
        length, begin = int.from_bytes(data[begin : begin + 8], "big"), begin + 8
    end = begin + length
    if len(data) < end or begin > len(data):
        return 0, 0, b""
    return end, operation, data[begin:end]


def reason(payload: bytes) -> str:
    """Read a close frame: its code and reason (RFC 6455, 5.5.1)."""
    if len(payload) < 2:
        return "closed without a reason"
    return (
        f"closed with {int.from_bytes(payload[:2], 'big')} {payload[2:].decode(errors='replace')}"
    )
