"""Framing of the line dialects: it makes bounded lines of bytes in any split.

Source: the protocols' README, "Text": lines end with LF or CRLF; a line longer than 4096 bytes is
refused as a whole, its rest skipped, and the connection stays.
"""

MAX_LINE = 4096
"""The most bytes in a line, without its end."""


class TooLong(Exception):
    """A line was longer than the bound. It is dropped; the next line can be asked for."""


class Lines:
    """A buffer that is fed bytes and asked for lines."""

    __slots__ = ("_buffer", "_scanned", "_skipping", "_start")

    def __init__(self) -> None:
        self._buffer = b""
        self._start = 0  # where the first line not yet returned begins
        self._scanned = 0  # no line end before here: so a slow sender costs no quadratic search
        self._skipping = False

    @property
    def buffered(self) -> int:
        """How many bytes were fed and not yet returned in a line."""
        return len(self._buffer) - self._start

    def feed(self, data: bytes) -> None:
        """Take bytes in any split."""
        if self._start == len(self._buffer):
            self._buffer = data
            self._scanned = 0
        else:
            self._buffer = self._buffer[self._start :] + data
            self._scanned -= self._start
        self._start = 0

    def next_line(self) -> bytes | None:
        """Return the next line without its end, or None where it is not whole yet.

        Raises TooLong, once, for each line longer than the bound.
        """
        if self._start == len(self._buffer):
            # All of it was read: an idle connection keeps nothing of its last read.
            self._buffer, self._start, self._scanned = b"", 0, 0
            return None
        end = self._buffer.find(b"\n", self._scanned)
        if end >= 0 and self._skipping:
            self._skipping = False
            self._start = self._scanned = end + 1
            end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._keep_partial()
            return None
        start = self._start
        self._start = self._scanned = end + 1
        if end > start and self._buffer[end - 1] == 0x0D:
            end -= 1
        if end - start > MAX_LINE:
            raise TooLong
        return self._buffer[start:end]

    def _keep_partial(self) -> None:
        self._scanned = len(self._buffer)
        if self._skipping:
            self._buffer, self._start, self._scanned = b"", 0, 0
        elif self.buffered > MAX_LINE + 1:  # the CR of a line of exactly the bound may be there
            self._buffer, self._start, self._scanned = b"", 0, 0
            self._skipping = True
            raise TooLong
