"""The binary framing of ``device``: integers and strings, in any split.

Source: docs/protocols/device.md, "Framing".
"""

QUIT = r"\q"
"""The string that ends a chat, with the service or with a peer."""
MAX_STRING = 0xFFFF
"""Bytes that a string can hold: its length has two."""
MIN_PORT = 1024
MAX_PORT = 65_535
_HEADER = 4
_NO_PADDING = b"\0\0"


class WireError(ValueError):
    """A frame is wrong."""


class Garbage(WireError):
    """Theirs: the other side sent what no device and no service sends."""


class FrameTooLong(WireError):
    """Ours: a string that no frame can hold. Nothing of it was encoded."""


def integer(value: int) -> bytes:
    """Encode an integer."""
    return value.to_bytes(4, "big")


def string(content: str | bytes) -> bytes:
    """Encode a string; text as UTF-8. Raises FrameTooLong."""
    raw = content.encode() if isinstance(content, str) else content
    if len(raw) > MAX_STRING:
        raise FrameTooLong(f"{len(raw)} bytes; a string holds {MAX_STRING}")
    return len(raw).to_bytes(2, "big") + _NO_PADDING + raw


def port_of(value: int) -> int:
    """Return a device's port. Raises Garbage where it can be none."""
    if not MIN_PORT <= value <= MAX_PORT:
        raise Garbage(f"{value} is no device's port")
    return value


class FrameDecoder:
    """A buffer that is fed bytes and asked for frames.

    The kind of the next frame is known from its place in the exchange; where it is not, ``frame``
    tells the two kinds apart.
    """

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take bytes in any split."""
        self._buffer += data

    def integer(self) -> int | None:
        """Return the next frame, an integer, or None where it is not whole yet."""
        if len(self._buffer) < _HEADER:
            return None
        return int.from_bytes(self._take(_HEADER), "big")

    def string(self) -> bytes | None:
        """Return the next frame, a string, or None where it is not whole yet. Raises Garbage."""
        if self._buffer[2:_HEADER].strip(b"\0"):
            raise Garbage("a string's third and fourth byte are zero")
        if len(self._buffer) < _HEADER:
            return None
        end = _HEADER + int.from_bytes(self._buffer[:2], "big")
        if len(self._buffer) < end:
            return None
        return self._take(end)[_HEADER:]

    def frame(self) -> int | bytes | None:
        """Return the next frame, whichever it is, or None where it is not whole yet.

        Never a multiple of 65,536 as an integer: those four bytes are read as a string's first,
        and zero as the empty string.
        """
        if len(self._buffer) < _HEADER:
            return None
        return self.integer() if any(self._buffer[2:_HEADER]) else self.string()

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken
