"""``browser``: JSON text frames over WebSocket. Described in docs/protocols/browser.md."""

import base64
import itertools
import json
import os
from typing import ClassVar, Final

from tertulia.clients.dialects.contract import Whole

_TEXT: Final = 0x1
_CLOSE: Final = 0x8
_PING: Final = 0x9
_PONG: Final = 0xA
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_LENGTH: Final = 0x7F
_NO_MASK: Final = b"\0\0\0\0"
"""RFC 6455, 5.3, wants a mask that scripts in a browser can't foresee. There are none here, and this
one leaves the text as it is."""


class _Entering:
    """HTTP, then the first frames."""

    def __init__(self, place: str, nickname: str) -> None:
        self.entered = False
        self.refused = ""
        self.rest = b""
        self._nickname = nickname
        self._upgraded = False
        key = base64.b64encode(os.urandom(16)).decode()
        self._opening = (
            f"GET /ws HTTP/1.1\r\nHost: {place}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()

    def feed(self, data: bytes) -> bytes:
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
            written += _frame(_TEXT, _json(type="enter", nickname=self._nickname))
        while not (self.entered or self.refused):
            end, operation, payload = _next_frame(self.rest, 0)
            if not end:
                break
            self.rest = self.rest[end:]
            written += self._take(operation, payload)
        return written

    def _take(self, operation: int, payload: bytes) -> bytes:
        if operation == _PING:
            return _frame(_PONG, payload)
        if operation == _CLOSE:
            self.refused = _reason(payload)
        elif b'"type":"welcome"' in payload:
            self.entered = True
        elif operation == _TEXT:
            self.refused = payload.decode(errors="replace")[:200]
        return b""


class Browser:
    """The frames of ``browser``."""

    name: ClassVar[str] = "browser"
    echoes: ClassVar[bool] = True
    announces: ClassVar[bool] = True
    one_order: ClassVar[bool] = True
    mark: ClassVar[bytes] = b"\\t"  # in JSON
    acknowledgement: ClassVar[bytes] = b""
    answers: ClassVar[tuple[bytes, ...]] = (b'{"type":"sent"', b'{"type":"kept"')
    refusals: ClassVar[tuple[bytes, ...]] = (b'{"type":"failed"', b'{"type":"error"')
    slowed: ClassVar[bytes] = b'{"type":"slowed"'

    def __init__(self, place: str) -> None:
        self._place = place
        self._ids = itertools.count(1)  # rising for each client, as they have to, if with gaps

    def entering(self, nickname: str) -> _Entering:
        return _Entering(self._place, nickname)

    def say(self, text: bytes) -> bytes:
        return _frame(_TEXT, _json(type="say", id=next(self._ids), text=text.decode()))

    def whisper(self, recipient: bytes, text: bytes) -> bytes:
        return _frame(
            _TEXT,
            _json(type="whisper", id=next(self._ids), to=recipient.decode(), text=text.decode()),
        )

    def received(self, private: int) -> bytes:
        return _frame(_TEXT, _json(type="received", count=private)) if private else b""

    def whole(self, data: bytes) -> Whole:
        end, reply, farewell = 0, b"", ""
        while True:
            after, operation, payload = _next_frame(data, end)
            if not after:
                return Whole(end, reply, farewell)
            end = after
            if operation == _PING:
                reply += _frame(_PONG, payload)
            elif operation == _CLOSE:
                farewell = _reason(payload)

    def joined(self, prefix: bytes) -> tuple[bytes, ...]:
        return (b'{"type":"joined","nickname":"' + prefix,)


def _json(**fields: object) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def _frame(operation: int, payload: bytes) -> bytes:
    """Make a client's frame (RFC 6455, 5.2)."""
    length = len(payload)
    if length < 126:
        head = bytes((_FINAL | operation, _MASKED | length))
    elif length < 65_536:
        head = bytes((_FINAL | operation, _MASKED | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((_FINAL | operation, _MASKED | 127)) + length.to_bytes(8, "big")
    return head + _NO_MASK + payload


def _next_frame(data: bytes, start: int) -> tuple[int, int, bytes]:
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


def _reason(payload: bytes) -> str:
    """Read a close frame: its code and reason (RFC 6455, 5.5.1)."""
    if len(payload) < 2:
        return "closed without a reason"
    return (
        f"closed with {int.from_bytes(payload[:2], 'big')} {payload[2:].decode(errors='replace')}"
    )
