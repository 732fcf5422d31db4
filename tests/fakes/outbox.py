"""A client's connection that keeps what is written to it."""

from collections.abc import Callable

from tertulia.domain.disconnects import Disconnect


class RecordingOutbox:
    """What rooms and devices ask of a connection. The kernel takes everything at once unless told not to."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self.taken = True
        """Whether the kernel has taken what was written."""
        self.arrives = True
        """Whether the client's system takes what was written."""
        self.unsent = 0
        """Bytes that the kernel has not taken."""
        self.closed: Disconnect | None = None
        self.is_cut = False
        """Whether both halves are closed."""
        self.unheard = False
        self.parted = False
        """Whether our half is closed and the client is still heard."""
        self.written_after_close = b""
        self.proceeds = 0
        """How often it was asked for further commands."""
        self.writes = 0

    @property
    def write(self) -> Callable[[bytes], None]:
        return self._write

    def _write(self, data: bytes) -> None:
        if self.closed is not None:
            self.written_after_close += data
            return
        self.writes += 1
        self._unread += data

    def is_flushed(self) -> bool:
        return self.taken

    def backlog(self) -> int:
        return self.unsent

    async def is_delivered(self) -> bool:
        return self.arrives

    def close(self, reason: Disconnect) -> None:
        assert self.closed is None, f"closed twice: {self.closed}, {reason}"
        self.closed = reason

    def cut(self, reason: Disconnect) -> None:
        self.close(reason)
        self.is_cut = True

    def part(self) -> None:
        assert self.closed is None and not self.parted
        self.parted = True

    def proceed(self) -> None:
        self.proceeds += 1

    def read(self) -> list[str]:
        """Return the lines that were written since the last look."""
        return self.take().decode().splitlines()

    def take(self) -> bytes:
        """Return the bytes that were written since the last look."""
        taken = bytes(self._unread)
        self._unread.clear()
        return taken
