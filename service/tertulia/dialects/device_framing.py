"""How ``device`` writes integers and strings. Source: docs/protocols/device.md, "Framing"."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from tertulia.dialects.lines import Lines, TooLong
from tertulia.domain.text import decode

MAX_STRING: Final = 65_535
"""The most bytes in a string: the greatest length that its prefix can hold."""
SHOW: Final = 200
"""The operation that a device may run within operation 10."""


class Need(Enum):
    """What a dialogue waits for."""

    INTEGER = auto()
    STRING = auto()
    FIRST_MESSAGE = auto()
    """A message; but in binary framing a device first asks for operation 200."""
    MESSAGE = auto()
    """A string; or, in binary framing, the integer of operation 200."""
    SHOW = auto()
    """In binary framing, the integer of operation 200; the device may also close instead."""
    DONE = auto()
    """Nothing: the device may close; if it does not, the service closes."""
    END = auto()
    """Nothing: the device is to close the connection."""
    ROOM = auto()
    """Nothing from the device: how many bytes an answer of lines or names may have."""


MESSAGES: Final = (Need.FIRST_MESSAGE, Need.MESSAGE)


class Malformed(Exception):
    """The device did not send the integer or the string that was due."""


class Binary:
    """Integers of four bytes; strings after their length, which is two bytes and then two zeros."""

    def __init__(self) -> None:
        self._buffer = b""

    @property
    def buffered(self) -> int:
        """How many bytes were fed and not yet read."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take bytes in any split."""
        self._buffer += data

    def read(self, need: Need) -> int | str | None:
        """Return what is needed, or None where it is not whole yet. Raises Malformed."""
        head = self._buffer[:4]
        if len(head) < 4:
            return None
        may_show = need in (*MESSAGES, Need.SHOW)
        if need is Need.INTEGER or (may_show and head == SHOW.to_bytes(4, "big")):
            self._buffer = self._buffer[4:]
            return int.from_bytes(head, "big")
        if need is Need.SHOW or head[2:] != b"\0\0":
            raise Malformed
        end = 4 + int.from_bytes(head[:2], "big")
        if len(self._buffer) < end:
            return None
        raw, self._buffer = self._buffer[4:end], self._buffer[end:]
        return decode(raw)

    def write(self, value: int | str | Sequence[str]) -> bytes:
        """Return the bytes of a value; several strings become one string that consists of lines."""
        if isinstance(value, int):
            return value.to_bytes(4, "big")
        raw = (value if isinstance(value, str) else _lines(value)).encode()
        return len(raw).to_bytes(2, "big") + b"\0\0" + raw


class Text(Lines):
    """Integers and strings as lines, for people and scripts."""

    def read(self, need: Need) -> int | str | None:
        """Do as ``Binary.read`` does."""
        if need is Need.SHOW:
            raise Malformed  # there is no such step in text
        try:
            line = self.next_line()
        except TooLong:
            raise Malformed from None
        if line is None:
            return None
        if need is not Need.INTEGER:
            return decode(line)
        if not line.isdigit() or len(line) > 10:
            raise Malformed
        return int(line)

    def write(self, value: int | str | Sequence[str]) -> bytes:
        """Do as ``Binary.write`` does."""
        if isinstance(value, int | str):
            return f"{value}\n".encode()
        # An empty line ends it. So an empty message gets a space, and one of spaces gets one more.
        return f"{_lines([f'{it} ' if not it.strip(' ') else it for it in value])}\n".encode()


def _lines(texts: Sequence[str]) -> str:
    return "".join(f"{text}\n" for text in texts)
